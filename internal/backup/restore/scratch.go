package restore

import (
	"context"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
)

// Result is how a restore test ended.
type Result struct {
	// Compared things came back, or should have; Different of them are not as the
	// archive has them; Impossible could not be brought to this platform at all.
	Compared, Different, Impossible int64
	// Items are those that are different or impossible.
	Items []Item
}

// Test restores a whole archive into an empty target that is made for it, and
// compares what comes back.
func Test(ctx context.Context, archive Snapshot, scratch directory.Directory) (Result, error) {
	before, err := Observe(ctx, scratch)
	if err != nil {
		return Result{}, err
	}
	before.Tenant = scratchTenant
	keep := func(id string) (string, error) { return id, nil }
	p := For(archive, before, scratch.Capabilities(), keep, Options{SkipConflicts: true, scratch: true})
	report, err := Execute(ctx, scratch, execute.By{Reason: "restore test"}, p, nil)
	if err != nil {
		return Result{}, err
	}
	var r Result
	for _, it := range report.Items {
		switch it.Verdict {
		case Create, Change:
			r.Compared += it.Count
			continue
		case Keep:
			r.Compared += it.Count
			if len(it.Fields) == 0 {
				continue
			}
			r.Different += it.Count
		case Failed, Conflict:
			r.Compared += it.Count
			r.Different += it.Count
		case Impossible:
			r.Impossible += it.Count
		}
		r.Items = append(r.Items, it)
	}
	return r, nil
}

// scratchTenant is no company's: departments get new ids there.
const scratchTenant = "\x00scratch"
