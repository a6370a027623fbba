package world

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/backup/storage"
	"rollcall.dev/rollcall/test/simulator/core"
)

// Witness holds the promises of leaving against what a tenant, its trail and the storage show of the time since it began to
// look. It believes nothing that the operator says of itself but the trail, which is held against the tenant's own log.
type Witness struct {
	world              *World
	namespace, account string
	tenant             *Tenant
	key                age.Identity
	// Unfreezable: the tenant cannot freeze these accounts.
	Unfreezable bool

	since uint64
	began time.Time
	users map[string]User
	left  int
}

// Witness begins to look at a tenant. The key opens the archives of the namespace's [Storage], whose folder is the namespace;
// nil if nothing is backed up.
func (w *World) Witness(ctx context.Context, namespace, account string, tenant *Tenant, key age.Identity) (*Witness, error) {
	x := &Witness{world: w, namespace: namespace, account: account, tenant: tenant, key: key, began: time.Now()}
	var err error
	if x.since, err = tenant.sim.Last(ctx); err != nil {
		return nil, err
	}
	if x.users, err = x.people(ctx); err != nil {
		return nil, err
	}
	left, err := tenant.Left(ctx)
	x.left = len(left)
	return x, err
}

func (x *Witness) people(ctx context.Context) (map[string]User, error) {
	users, err := x.tenant.Users(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]User{}
	for _, u := range users {
		all[u.ID] = u
	}
	return all, nil
}

// Kept is an error unless exactly these people have left since, and every promise was kept with each of them: P1 their verified
// archive was there before, P2 the freeze came first, P3 they were removed once and nobody received a notice twice, P4 nobody else
// was touched, P8 everything has its record.
func (x *Witness) Kept(ctx context.Context, ids ...string) error {
	calls, err := x.tenant.Calls(ctx, core.Query{Since: x.since})
	if err != nil {
		return err
	}
	intents, err := x.intents()
	if err != nil {
		return err
	}
	errs := []error{x.Removed(ctx, ids...), notRepeated(calls), x.othersUntouched(ctx, calls, ids), x.toldOnce(ctx)}
	if !x.Unfreezable {
		errs = append(errs, x.accessFirst(calls, intents, ids))
	}
	if x.key != nil {
		errs = append(errs, x.backedUp(ctx, intents, ids))
	}
	if _, err := x.world.recorded(x.namespace, x.account, x.tenant, calls); err != nil {
		errs = append(errs, fmt.Errorf("P8: %w", err))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("on %s: %w", x.account, err)
	}
	return nil
}

// intents are those of the trail since the beginning, by the id of whom they are about, in their order. Those about a role are
// about who has it.
func (x *Witness) intents() (map[string][]audit.Record, error) {
	by := map[string][]audit.Record{}
	_, err := x.world.Trail(x.namespace, x.account, func(r *audit.Record) {
		if r.Phase == audit.Intent && !r.Time.Before(x.began) {
			id := strings.ToLower(cmp.Or(r.Before["account"], r.After["account"], r.Target.ID))
			by[id] = append(by[id], *r)
		}
	})
	return by, err
}

func removes(c core.Entry) bool { return slices.Contains(actionsOf(c), "Remove") }

// Removed is an error unless the tenant has let exactly these people go since, each once, and not by hand (P3, P4).
func (x *Witness) Removed(ctx context.Context, ids ...string) error {
	left, err := x.tenant.Left(ctx)
	if err != nil {
		return err
	}
	var errs []error
	times := map[string]int{}
	for _, l := range left[x.left:] {
		times[l.ID]++
		if l.By == core.ByHand {
			errs = append(errs, fmt.Errorf("P3: %s was removed by hand", l.ID))
		}
	}
	for _, id := range ids {
		if times[id] != 1 {
			errs = append(errs, fmt.Errorf("P3: %s was removed %d times", id, times[id]))
		}
		delete(times, id)
	}
	for id := range times {
		errs = append(errs, fmt.Errorf("P4: %s was removed, who should not", id))
	}
	return errors.Join(errs...)
}

// notRepeated: no removal follows one that succeeded, nor one without an answer before the account was read.
func notRepeated(calls []core.Entry) error {
	var errs []error
	before := map[string]uint64{}
	for _, c := range calls {
		switch {
		case removes(c):
			if at := before[c.Subject]; at > 0 {
				errs = append(errs, fmt.Errorf("P3: the removal of %s was repeated (calls %d and %d)", c.Subject, at, c.Seq))
			}
			if c.Code == "0" || c.HTTPStatus != http.StatusOK {
				before[c.Subject] = c.Seq
			}
		case strings.HasSuffix(c.Operation, "/user/get") && c.HTTPStatus == http.StatusOK:
			delete(before, c.Subject)
		}
	}
	return errors.Join(errs...)
}

// othersUntouched: everybody else is as before, and no call tried to change them. Whom a leaver managed may have got another manager.
func (x *Witness) othersUntouched(ctx context.Context, calls []core.Entry, ids []string) error {
	now, err := x.people(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for id, was := range x.users {
		is, there := now[id]
		if slices.Contains(ids, was.Manager) {
			was.Manager, is.Manager = "", ""
		}
		switch {
		case slices.Contains(ids, id):
			if there {
				errs = append(errs, fmt.Errorf("%s is still there", id))
			}
		case !there:
			errs = append(errs, fmt.Errorf("P4: %s is gone", id))
		case fmt.Sprintf("%+v", was) != fmt.Sprintf("%+v", is):
			errs = append(errs, fmt.Errorf("P4: %s was changed", id))
		}
		delete(now, id)
	}
	for id := range now {
		errs = append(errs, fmt.Errorf("P3: %s is new", id))
	}
	for _, c := range calls {
		if IsChange(c) && aboutOnePerson(c) && !slices.Contains(ids, c.Subject) {
			errs = append(errs, fmt.Errorf("P4: %s of %s, who does not leave (call %d)", c.Operation, c.Subject, c.Seq))
		}
	}
	return errors.Join(errs...)
}

// toldOnce: nobody has read the same thing twice.
func (x *Witness) toldOnce(ctx context.Context) error {
	received, err := x.tenant.Messages(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range received {
		if r.Count > 1 {
			errs = append(errs, fmt.Errorf("P3: %s received the same notice %d times", r.To, r.Count))
		}
	}
	return errors.Join(errs...)
}

// accessFirst: the first change of each of them, asked for and recorded, is a freeze. That a person has done a task is no change.
func (x *Witness) accessFirst(calls []core.Entry, intents map[string][]audit.Record, ids []string) error {
	first := map[string]core.Entry{}
	for _, c := range calls {
		if _, seen := first[c.Subject]; !seen && IsChange(c) {
			first[c.Subject] = c
		}
	}
	var errs []error
	for _, id := range ids {
		if c := first[id]; !slices.Contains(actionsOf(c), "Freeze") {
			errs = append(errs, fmt.Errorf("P2: the first that happened to %s was %q", id, c.Operation))
		}
		list := slices.DeleteFunc(intents[strings.ToLower(id)], func(r audit.Record) bool { return r.Action == "Attest" })
		if len(list) == 0 || list[0].Action != "Freeze" {
			errs = append(errs, fmt.Errorf("P2: the first that was recorded of %s is no freeze: %v", id, actions(list)))
		}
	}
	return errors.Join(errs...)
}

func actions(records []audit.Record) (all []string) {
	for i := range records {
		all = append(all, fmt.Sprintf("%d %s", records[i].Seq, records[i].Action))
	}
	return all
}

// backedUp: an archive of exactly each of them, which holds their account and can be verified, was sealed before the first intent
// to remove them.
func (x *Witness) backedUp(ctx context.Context, intents map[string][]audit.Record, ids []string) error {
	sealed, err := x.world.Archived(ctx, x.namespace, x.account, x.key, ids...)
	if err != nil {
		return fmt.Errorf("P1: %w", err)
	}
	var errs []error
	for _, id := range ids {
		at, there := sealed[id]
		if !there {
			errs = append(errs, fmt.Errorf("P1: there is no archive of %s", id))
			continue
		}
		for _, r := range intents[strings.ToLower(id)] {
			switch {
			case r.Action == "Remove" && r.Time.Before(at):
				errs = append(errs, fmt.Errorf("P1: %s was to be removed %s before the archive was sealed", id, at.Sub(r.Time)))
			case r.Action == "Freeze" && r.Time.After(at) && !x.Unfreezable && !refrozen(intents[strings.ToLower(id)], r):
				errs = append(errs, fmt.Errorf("P2: %s was backed up %s before access was taken away", id, r.Time.Sub(at)))
			}
		}
	}
	return errors.Join(errs...)
}

// refrozen reports whether a freeze is not the first: a manager that died may make it again.
func refrozen(records []audit.Record, r audit.Record) bool {
	return slices.ContainsFunc(records, func(before audit.Record) bool { return before.Action == "Freeze" && before.Seq < r.Seq })
}

// Archived tells of which of these people there is an archive of the account and of them alone that the key opens, that is what
// its seal says, and that has their account in it, with the time when the first such was sealed.
func (w *World) Archived(ctx context.Context, namespace, account string, key age.Identity, ids ...string) (map[string]time.Time, error) {
	found := map[string]time.Time{}
	of := func(m *archive.Manifest) bool { return len(m.People) == 1 && slices.Contains(ids, m.People[0]) }
	err := w.eachArchive(ctx, namespace, account, key, of, func(file string, m *archive.Manifest, people []string) error {
		person := m.People[0]
		if !slices.Equal(people, m.People) {
			return fmt.Errorf("it should hold the account of %s, and holds %v", person, people)
		}
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		if at, known := found[person]; !known || info.ModTime().Before(at) {
			found[person] = info.ModTime()
		}
		return nil
	})
	return found, err
}

// Whole counts the people in the biggest archive of a whole account that the key opens.
func (w *World) Whole(ctx context.Context, namespace, account string, key age.Identity) (most int, err error) {
	whole := func(m *archive.Manifest) bool { return len(m.People) == 0 }
	err = w.eachArchive(ctx, namespace, account, key, whole, func(_ string, _ *archive.Manifest, people []string) error {
		most = max(most, len(people))
		return nil
	})
	return most, err
}

// eachArchive visits those archives of an account: the file of the seal, the manifest, and whose accounts are in it, sorted. One
// that is not what its seal says, or that the key does not open, is an error.
func (w *World) eachArchive(
	ctx context.Context, namespace, account string, key age.Identity,
	those func(*archive.Manifest) bool, visit func(seal string, m *archive.Manifest, people []string) error,
) error {
	place, err := storage.Open(ctx, storage.Config{Local: &storage.Local{Root: w.Archives(), Folder: namespace}})
	if err != nil {
		return fmt.Errorf("opening the archives: %w", err)
	}
	defer func() { _ = place.Close() }()
	keys, err := place.List(ctx, namespace)
	if err != nil {
		return fmt.Errorf("listing the archives: %w", err)
	}
	for _, k := range keys {
		text, err := place.Sealed(ctx, k)
		if err != nil {
			return err
		}
		seal, err := archive.ParseSeal(text)
		if err != nil {
			return fmt.Errorf("the seal of %s: %w", k, err)
		}
		if seal.Manifest.Account != account || !those(&seal.Manifest) {
			continue
		}
		people, err := peopleIn(ctx, place, k, key)
		if err == nil {
			err = visit(filepath.Join(w.Archives(), namespace, filepath.FromSlash(k), "seal.json"), &seal.Manifest, people)
		}
		if err != nil {
			return fmt.Errorf("the archive %s: %w", k, err)
		}
	}
	return nil
}

// peopleIn verifies an archive, and tells whose accounts are in it, sorted by id.
func peopleIn(ctx context.Context, place *storage.Place, k string, key age.Identity) ([]string, error) {
	if err := verify(ctx, place, k, key); err != nil {
		return nil, err
	}
	r, err := place.Read(ctx, k)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	lines, err := archive.NewReader(r, key)
	if err != nil {
		return nil, err
	}
	defer lines.Close()
	in := map[string]bool{}
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return slices.Sorted(maps.Keys(in)), nil
		}
		if err != nil {
			return nil, err
		}
		if line.Account != nil {
			in[line.Account.ID] = true
		}
	}
}
