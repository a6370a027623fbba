package controllers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/backup/restore"
	"rollcall.dev/rollcall/internal/tenant"
)

// restoreWork is what a job needs to take one step. It does not change.
type restoreWork struct {
	step    restoreStep
	restore *v1alpha1.Restore
	backup  *v1alpha1.Backup
	access  *Access
	// tenant is the target, and corp the platform's id of it; nil for manifests.
	tenant *tenant.Tenant
	corp   string
	// resumed: something may have been done already.
	resumed bool
	// accountID maps numbers to user ids of the target.
	accountID func(number string) (string, error)
	// declared is what their Employees say of people of whom the archive lacks something.
	declared func(ctx context.Context, w *restoreWork, lacking []restore.Lack) (map[string]restore.Declared, error)
	now      func() time.Time
}

// restoreProgress is how far a job is.
type restoreProgress struct{ Done, Total int64 }

// restoreOutcome is what a job has found or done.
type restoreOutcome struct {
	plan *restorePlanned
	// reportKey is where the report lies.
	reportKey string
	// refused: the plan of the moment is not to be executed, and nothing was changed.
	refused bool
	// changed: the target may be another now.
	changed bool
}

// restorePlanned is a plan, in the API's words.
type restorePlanned struct {
	counts v1alpha1.RestorePlan
	items  []v1alpha1.RestoreItem
}

// files of a Restore beside the archive.
const (
	reportFile = "report.jsonl.zst.age"
	begunFile  = "begun.json.zst.age"
)

// file names one of this Restore's files beside the archive. A Restore of the same name that
// comes later has its own.
func (w *restoreWork) file(name string) string {
	return path.Join("restores", w.restore.Name+"-"+string(w.restore.UID), name)
}

// run takes the step.
func (w *restoreWork) run(ctx context.Context, tell func(restoreProgress)) (o restoreOutcome, err error) {
	places, err := w.access.Open(ctx)
	if err != nil {
		return o, err
	}
	defer places.Close() // what was written was closed before
	from, err := w.load(ctx, places)
	if err != nil {
		return o, err
	}
	if toManifests(w.restore) {
		return w.manifests(ctx, places, &from)
	}
	plan, err := w.plan(ctx, places, from)
	if err != nil {
		return o, err
	}
	o.plan = planned(&plan, plan.Items, plan.Counts)
	if o.reportKey, err = w.report(ctx, places, plan.Items); err != nil || w.step == restorePlan {
		return o, err
	}
	if o.refused = !w.resumed && w.refuses(&plan); o.refused {
		return o, nil
	}
	if err := w.put(ctx, places, begunFile, func(out io.Writer) error { return writeJSON(out, plan.Begun()) }); err != nil {
		return o, err
	}
	by := onBehalf(w.tenant, w.restore, "Restore", "restored from the Backup "+w.backup.Name)
	report, err := restore.Execute(ctx, w.tenant.Directory, by, plan, paceRestore(w.now, tell))
	o.changed = report.Changed
	o.plan = planned(&plan, report.Items, report.Counts)
	if errors.Is(err, restore.ErrConflicts) {
		return o, errStopped
	}
	if _, put := w.report(ctx, places, report.Items); err == nil {
		err = put
	}
	return o, err
}

// errStopped: conflicts came up while a restore went on.
var errStopped = errors.New("conflicts came up while it was restored")

// refuses: it is not the plan that is allowed, or has conflicts.
func (w *restoreWork) refuses(p *restore.Plan) bool {
	allowed := w.restore.Spec.PlanDigest
	return allowed != "" && allowed != p.Digest || p.Counts.Conflicts > 0 && w.restore.Spec.Conflicts != v1alpha1.ConflictSkip
}

// load reads the directory of the archive.
func (w *restoreWork) load(ctx context.Context, places *Places) (restore.Snapshot, error) {
	r, err := places.Location.Read(ctx, w.backup.Status.Archive.Key)
	if err != nil {
		return restore.Snapshot{}, err
	}
	defer r.Close() // it was only read
	a, err := archive.NewReader(r, w.access.Identities...)
	if err != nil {
		return restore.Snapshot{}, err
	}
	defer a.Close()
	return restore.Load(a, w.backup.Status.Verification.ManifestSHA256)
}

// plan compares the archive with the target as it is now.
func (w *restoreWork) plan(ctx context.Context, places *Places, from restore.Snapshot) (restore.Plan, error) {
	o := restore.Options{
		UserIDs: w.restore.Spec.Select.UserIDs, DepartmentIDs: w.restore.Spec.Select.DepartmentIDs,
		Overwrite:     w.restore.Spec.Existing == v1alpha1.ExistingOverwrite,
		SkipConflicts: w.restore.Spec.Conflicts == v1alpha1.ConflictSkip,
	}
	for _, k := range w.restore.Spec.Select.Kinds {
		o.Kinds = append(o.Kinds, restore.Kind(k))
	}
	if w.resumed {
		if err := w.get(ctx, places, begunFile, &o.Begun); err != nil {
			return restore.Plan{}, err
		}
	}
	target, err := restore.Observe(ctx, w.tenant.Directory)
	if err != nil {
		return restore.Plan{}, err
	}
	target.Tenant = w.corp
	caps := w.tenant.Directory.Capabilities()
	p := restore.For(from, target, caps, w.accountID, o)
	lacking := p.Lacking()
	if len(lacking) == 0 {
		return p, nil
	}
	if o.Declared, err = w.declared(ctx, w, lacking); err != nil {
		return restore.Plan{}, err
	}
	return restore.For(from, target, caps, w.accountID, o), nil
}

// paceRestore passes progress on at most every few seconds.
func paceRestore(now func() time.Time, tell func(restoreProgress)) func(done, total int) {
	var last time.Time
	return func(done, total int) {
		if at := now(); done == total || at.Sub(last) >= progressEvery {
			last = at
			tell(restoreProgress{Done: int64(done), Total: int64(total)})
		}
	}
}

// shown are the verdicts in the order in which somebody has to look at them.
var shown = []restore.Verdict{restore.Conflict, restore.Failed, restore.Impossible, restore.Change, restore.Create, restore.Keep}

// maxItems is how many items a status has; the report has all. The CRD says so too.
const maxItems = 100

// planned is a plan in the API's words. What is equal is only counted.
func planned(p *restore.Plan, items []restore.Item, c restore.Counts) *restorePlanned {
	n := func(v int64) *int32 { out := int32(min(v, 1<<31-1)); return &out } // bounded
	out := &restorePlanned{counts: v1alpha1.RestorePlan{
		Digest: p.Digest, Create: n(c.Create), Change: n(c.Change), Keep: n(c.Keep),
		Impossible: n(c.Impossible), Conflicts: n(c.Conflicts), Failed: n(c.Failed),
	}}
	for _, verdict := range shown {
		for i := range items {
			it := &items[i]
			equal := it.Verdict == restore.Keep && len(it.Fields) == 0
			if it.Verdict == verdict && !equal && len(out.items) < maxItems {
				out.items = append(out.items, restoreItem(it))
			}
		}
	}
	return out
}

func restoreItem(it *restore.Item) v1alpha1.RestoreItem {
	message := it.Message
	if it.Count > 1 {
		message = fmt.Sprintf("%s (%d of them)", message, it.Count)
	}
	return v1alpha1.RestoreItem{
		Verdict: v1alpha1.RestoreVerdict(it.Verdict), Kind: v1alpha1.RestoreKind(it.Kind), ID: it.ID, TargetID: it.TargetID,
		Fields: it.Fields, Message: truncated(message),
	}
}
