package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

const (
	// mostSilent is how many groups are read one by one where the listing has no members, and of those that an account names.
	mostSilent = 500
	// mostIn is how many groups somebody is believed to be in.
	mostIn = 1000
	// longestLook is how long groups are read one by one, or left, for one person.
	longestLook = 30 * time.Minute
)

// patience returns a function that says when it has lasted too long. What was done stays done, and the next try goes on.
func (s *System) patience(operation string) func() error {
	began := s.settings.Now()
	return func() error {
		if s.settings.Now().Sub(began) <= longestLook {
			return nil
		}
		return &directory.Error{Class: directory.Unavailable, Operation: operation,
			Message: fmt.Sprintf("the groups of one person have taken %s: given up, and tried again", longestLook)}
	}
}

// group is what is read of one.
type group struct {
	id      string
	members []string
	told    bool // it says who is in it
}

func (g *group) has(id string) bool { return slices.Contains(g.members, id) }

// member is an entry of members: an object with a value, or with some a bare id.
type member struct{ value string }

func (m *member) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &m.value)
	}
	var entry struct{ Value identifier }
	err := json.Unmarshal(b, &entry)
	m.value = string(entry.Value)
	return err
}

func groupOf(raw []byte) (*group, bool) {
	var wire struct {
		ID      identifier
		Members *[]member
	}
	if json.Unmarshal(raw, &wire) != nil || !validID(string(wire.ID)) {
		return nil, false
	}
	g := &group{id: string(wire.ID), told: wire.Members != nil}
	if g.told {
		for _, m := range *wire.Members {
			g.members = append(g.members, m.value)
		}
	}
	return g, true
}

// memberships are the ids of the groups that an account is in, sorted: those whose lists
// have it, and those that the account names and that do not deny it. r may be nil.
func (s *System) memberships(ctx context.Context, id string, r resource) ([]string, error) {
	in, err := s.listedIn(ctx, id)
	if err != nil {
		return nil, err
	}
	named := slices.DeleteFunc(groupsOf(r), func(g string) bool { return slices.Contains(in, g) })
	if len(in) > mostIn || len(named) > mostSilent {
		return nil, &directory.Error{Class: directory.NotSupported, Operation: groups.operation,
			Message: fmt.Sprintf("the account is said to be in %d groups, which is not believed: take it out of groups by hand, and set groups to No", len(in)+len(named))}
	}
	told, err := s.readEach(ctx, named, func(g *group) bool { return !g.told || g.has(id) })
	if err != nil {
		return nil, err
	}
	in = append(in, told...)
	slices.Sort(in)
	return in, nil
}

// readEach reads groups one by one and returns those that are as wanted.
func (s *System) readEach(ctx context.Context, ids []string, wanted func(*group) bool) (in []string, err error) {
	tooLong := s.patience("groups/get")
	for _, id := range ids {
		if err := tooLong(); err != nil {
			return nil, err
		}
		g, err := s.readGroup(ctx, id)
		switch {
		case directory.ClassOf(err) == directory.NotFound:
		case err != nil:
			return nil, err
		case wanted(g):
			in = append(in, id)
		}
	}
	return in, nil
}

// Answers to whether groups can be found by a member.
const (
	unlearned = ""
	unfound   = "-"
)

// listedIn are the groups whose lists have the account. A filter is asked only after it
// was seen to find a group by a member that it has: one that finds nothing looks the
// same as one that is not understood. Else all groups are read.
func (s *System) listedIn(ctx context.Context, id string) ([]string, error) {
	if in, answered, err := s.askGroups(ctx, id); answered || err != nil {
		return in, err
	}
	f := s.known(ctx)
	all, err := s.searchGroups(ctx, id)
	if status := said(err).status; f.assumed && (status == http.StatusNotFound || status == http.StatusNotImplemented) {
		return nil, nil
	}
	cut := errors.Is(err, errCut)
	if err != nil && !cut {
		return nil, err
	}
	if f.filters && s.byMember.Load() == unlearned {
		if form := s.learnFrom(ctx, all, cut, id); form != "" {
			in, _, err := s.filterGroups(ctx, form, id)
			return in, err
		}
	}
	if cut || all.told {
		return all.in, err
	}
	return s.readSilent(ctx, id, all.silent)
}

// askGroups asks by the filter that was learned. One that does not answer any more is given up.
func (s *System) askGroups(ctx context.Context, id string) (in []string, answered bool, err error) {
	form, _ := s.byMember.Load().(string)
	if form == unlearned || form == unfound {
		return nil, false, nil
	}
	in, honest, err := s.filterGroups(ctx, form, id)
	switch {
	case err != nil && !unfiltered(err):
		return nil, false, err
	case err == nil && honest:
		return in, true, nil
	}
	s.byMember.Store(unfound)
	return nil, false, nil
}

// learnFrom learns the filter from a group with a member, if there is one. If nothing is
// told of members (AWS) only who finds themselves in a group proves a filter: then it is
// returned, to be asked.
func (s *System) learnFrom(ctx context.Context, all *search, cut bool, id string) string {
	switch {
	case !cut && all.sample != nil:
		s.byMember.Store(s.learn(ctx, all.sample.members[0], all.sample.id))
	case cut || !all.told && len(all.silent) > 0:
		if form := s.learn(ctx, id, ""); form != unfound && form != unlearned {
			s.byMember.Store(form)
			return form
		}
	}
	return ""
}

// memberFilters find groups by a member, each with some: elimity takes the second only,
// finds nothing by the first and dies of the third, which is the only one of AWS.
var memberFilters = []string{"members.value eq %s", "members[value eq %s]", "members eq %s"}

// stranger is a member that no group has.
const stranger = "00000000-rollcall-asks-for-nobody"

// learn finds the filter that finds a group by a member: this one, or any if it is
// empty, and none by a stranger. One that the system dies of is not put again.
func (s *System) learn(ctx context.Context, member, group string) string {
	for _, form := range memberFilters {
		in, honest, err := s.filterGroups(ctx, form, member)
		if err == nil && honest && len(in) > 0 && (group == "" || slices.Contains(in, group)) {
			if none, honest, err := s.filterGroups(ctx, form, stranger); err == nil && honest && len(none) == 0 {
				return form
			}
		}
		if ctx.Err() != nil || directory.ClassOf(err) == directory.RateLimited {
			return unlearned // the question was not put
		}
	}
	return unfound
}

// filterGroups asks for the groups of a member. One whose members are not told counts:
// that the filter is to be believed, learn has seen to.
func (s *System) filterGroups(ctx context.Context, form, id string) (in []string, honest bool, err error) {
	_, honest, err = s.hits(ctx, groups.filtered(fmt.Sprintf(form, quote(id))), func(raw json.RawMessage) bool {
		g, ok := groupOf(raw)
		if !ok || g.told && !g.has(id) {
			return false
		}
		in = append(in, g.id)
		return true
	})
	return in, honest, err
}

// search is what reading all groups has shown.
type search struct {
	in     []string // groups that have the account
	sample *group   // one that has a member
	told   bool     // some say who is in them
	silent []string // those that do not
}

// searchGroups reads all groups, twice if they have several pages.
func (s *System) searchGroups(ctx context.Context, id string) (*search, error) {
	all := &search{}
	return all, s.each(ctx, groups, true, func(_ string, raw json.RawMessage) error {
		g, ok := groupOf(raw)
		if !ok {
			return incomprehensible(get(groups.operation, "", nil), "the listing has an entry that is no group")
		}
		all.told = all.told || g.told
		if !g.told {
			all.silent = append(all.silent, g.id)
		}
		if g.has(id) {
			all.in = append(all.in, g.id)
		}
		if all.sample == nil && len(g.members) > 0 && validID(g.members[0]) {
			all.sample = g
		}
		return nil
	})
}

// readSilent reads groups one by one: lists leave members out with some.
func (s *System) readSilent(ctx context.Context, id string, silent []string) ([]string, error) {
	if len(silent) > mostSilent {
		return nil, &directory.Error{Class: directory.NotSupported, Operation: groups.operation,
			Message: "the system lists its groups without members, and they are too many to read one by one: set groups to No, and take people out of groups by hand"}
	}
	return s.readEach(ctx, silent, func(g *group) bool { return g.has(id) })
}

// groupBody reads one group as it came.
func (s *System) groupBody(ctx context.Context, id string) ([]byte, *group, error) {
	q, err := item("groups/get", http.MethodGet, "/Groups", id)
	if err != nil {
		return nil, nil, err
	}
	q.limit = maxPage
	body, err := s.client.do(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	g, ok := groupOf(body)
	switch {
	case !ok:
		return nil, nil, incomprehensible(q, "the answer is not a group of SCIM")
	case g.id != id:
		return nil, nil, incomprehensible(q, "the answer is about another one than was asked for")
	}
	return body, g, nil
}

func (s *System) readGroup(ctx context.Context, id string) (*group, error) {
	_, g, err := s.groupBody(ctx, id)
	return g, err
}

// removeMember takes one account out of one group, by a path that can mean nobody else:
// a removal of members without a filter takes everybody out with those who follow the
// RFC, whatever its value says. A group that is gone has no members.
func (s *System) removeMember(ctx context.Context, group, id string, f *facts) error {
	if f.writes == Put {
		return s.putWithout(ctx, group, id, f)
	}
	q, err := item("groups/patch", http.MethodPatch, "/Groups", group)
	if err != nil {
		return err
	}
	q.limit = maxPage
	q.body = patchOf(operation{Op: opRemove, Path: "members[value eq " + quote(id) + "]"})
	err = s.write(ctx, q, group)
	if directory.ClassOf(err) == directory.NotFound || said(err).kind == "noTarget" {
		return nil // who called looks again
	}
	return err
}

// putWithout writes a whole group without the account.
func (s *System) putWithout(ctx context.Context, id, account string, f *facts) error {
	for try := 1; ; try++ {
		body, g, err := s.groupBody(ctx, id)
		if directory.ClassOf(err) == directory.NotFound || err == nil && !g.has(account) {
			return nil
		}
		if err != nil {
			return err
		}
		q, err := item("groups/put", http.MethodPut, "/Groups", id)
		if err != nil {
			return err
		}
		q.limit = maxPage
		r, ok := without(body, account)
		if !ok {
			return incomprehensible(q, "the group cannot be understood, and was not written")
		}
		if f.etags {
			q.version = r.version()
		}
		delete(r, r.key("meta"))
		q.body = r
		err = s.write(ctx, q, id)
		if q.version == "" || said(err).status != http.StatusPreconditionFailed || try == attempts {
			return err
		}
	}
}

// without is the group without one member, and all else as it came.
func without(body []byte, account string) (resource, bool) {
	r, ok := decode(body)
	if !ok {
		return nil, false
	}
	key := r.key("members")
	members, ok := r[key].([]any)
	if !ok {
		return nil, false
	}
	kept := []any{}
	for _, m := range members {
		if entry := asObject(m); asText(m) != account && entry.text("value") != account {
			kept = append(kept, m)
		}
	}
	r[key] = kept
	return r, true
}
