package restore

import (
	"context"
	"slices"

	"rollcall.dev/rollcall/internal/directory"
)

// readBack looks at the target again: what was written and is not there, failed (P9).
func (e *executor) readBack(ctx context.Context, p *Plan) error {
	after, err := observeAgain(ctx, e.d, p)
	if err != nil {
		return err
	}
	said := map[Thing]*Item{}
	for i := range after.Items {
		if it := &after.Items[i]; it.ID != Everything && (it.Verdict != Impossible || len(it.Fields) == 0) {
			said[Thing{it.Kind, it.ID}] = it
		}
	}
	for i := range e.items {
		if it := &e.items[i]; !e.invited[i] && (it.Verdict == Create || it.Verdict == Change || it.Kind == Roles) {
			it.compare(said)
		}
	}
	return nil
}

// compare makes an item Failed of which the plan of afterwards still says something.
func (it *Item) compare(said map[Thing]*Item) {
	missing, absent := wanting(it, said[Thing{it.Kind, it.ID}])
	if it.Kind == People && it.Verdict == Create && !absent {
		more, _ := wanting(it, said[Thing{Memberships, it.ID}])
		missing = append(missing, more...)
	}
	switch {
	case absent:
		it.Verdict, it.Message = Failed, "it was written, and is not there"
	case len(missing) > 0:
		slices.Sort(missing)
		it.Verdict, it.Fields = Failed, slices.Compact(missing)
		it.Message = "it was written, and the platform does not show it"
	}
}

// wanting is what the plan of afterwards still says of a thing that was written.
func wanting(it, now *Item) (fields []string, absent bool) {
	switch {
	case now == nil:
		return nil, false
	case now.Verdict == Create:
		return nil, true
	case now.Verdict == Change:
		return slices.Clone(now.Fields), false
	case now.Verdict == Keep && it.Verdict != Keep:
		for _, f := range now.Fields {
			if slices.Contains(it.Fields, f) {
				fields = append(fields, f)
			}
		}
	}
	return fields, false
}

// observeAgain plans once more from what is there now. What a listing does not tell
// of people who were written is read one by one.
func observeAgain(ctx context.Context, d directory.Directory, p *Plan) (Plan, error) {
	target, err := Observe(ctx, d)
	if err != nil {
		return Plan{}, err
	}
	reads := d.Capabilities().Reads
	written := map[string]directory.Fields{}
	for i := range p.work.Accounts {
		written[p.work.Accounts[i].ID] = p.work.Accounts[i].Wish.Set & reads
	}
	for i := range target.Accounts {
		a := &target.Accounts[i]
		if written[a.ID]&^a.Profile.Set == 0 {
			continue
		}
		whole, err := d.Account(ctx, a.ID)
		if err != nil {
			return Plan{}, err
		}
		*a = whole
	}
	return p.again(target, p.Begun()), nil
}
