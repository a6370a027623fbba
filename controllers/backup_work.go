package controllers

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup"
	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/backup/storage"
	"rollcall.dev/rollcall/internal/directory"
)

// backupWork is what a job needs to take one step. It does not change.
type backupWork struct {
	step backupStep
	// backup is the object as it was recorded.
	backup *v1alpha1.Backup
	access *Access
	// directory and tenant are of the account, where a step reads it; people are the chosen
	// ones, as user ids.
	directory directory.Directory
	tenant    string
	people    []string
	// expected is about how many items there will be; 0 if nobody knows.
	expected int64
	now      func() time.Time
	tool     string
}

// backupProgress is how far a job is.
type backupProgress struct{ Done, Total int64 }

// backupOutcome is what a job has found or done, also when it failed half-way.
type backupOutcome struct {
	key string
	// seal is of the archive, when it is complete.
	seal *archive.Seal
	// verification is the evidence, when all of it was read back.
	verification *v1alpha1.Verification
	// hold is what lies beside the archive, empty if nobody looked.
	hold v1alpha1.LegalHold
	// removed: the archive was deleted. lost: the attempt before has left none.
	removed, lost bool
}

// run takes the step.
func (w *backupWork) run(ctx context.Context, tell func(backupProgress)) (o backupOutcome, err error) {
	o.key = archiveKey(w.backup)
	places, err := w.access.Open(ctx)
	if err != nil {
		return o, err
	}
	defer places.Close() // what was written was closed before
	tell = paced(w.now, tell)
	switch w.step {
	case backupBegin:
		o.hold = v1alpha1.LegalHoldReleased // nobody can have held what is new
		err = w.export(ctx, places, tell, &o)
	case backupResume:
		err = w.resume(ctx, places, &o)
	case backupVerify:
		err = w.verify(ctx, places, &o)
	case backupHold:
		err = w.hold(ctx, places, &o)
	case backupRelease:
		err = w.release(ctx, places, &o)
	case backupExpire, backupDelete:
		err = w.remove(ctx, places, &o)
	}
	return o, err
}

// paced passes progress on at most every few seconds.
func paced(now func() time.Time, tell func(backupProgress)) func(backupProgress) {
	var last time.Time
	return func(p backupProgress) {
		if at := now(); at.Sub(last) >= progressEvery {
			last = at
			tell(p)
		}
	}
}

// defaultLookback is how many days back things with a time are exported.
const defaultLookback = 90

// export makes an archive and reads it back.
func (w *backupWork) export(ctx context.Context, places *Places, tell func(backupProgress), o *backupOutcome) error {
	b, now := w.backup, w.now()
	days := int(b.Spec.LookbackDays)
	if days == 0 {
		days = defaultLookback
	}
	result, err := backup.Run(ctx, backup.Job{
		Key: o.key,
		Header: archive.Header{
			Tool: w.tool, Platform: w.directory.Capabilities().Platform, Tenant: w.tenant,
			Namespace: b.Namespace, Account: b.Spec.AccountRef.Name, Backup: b.Name,
			Time: now, From: now.AddDate(0, 0, -days), To: now, People: w.people,
		},
		Source: w.directory, Datasets: datasets(b),
		Scope:   directory.Scope{Accounts: w.people, From: now.AddDate(0, 0, -days), To: now},
		Primary: places.Location, Offsite: places.Offsite,
		Recipients: w.access.Recipients, Identities: w.access.Identities, Expected: w.expected,
		Progress: func(done, total int64) { tell(backupProgress{Done: done, Total: total}) },
	})
	if err != nil {
		return err
	}
	w.take(&result, o)
	return nil
}

// verify reads an archive back that is there, and makes the copy that it lacks.
func (w *backupWork) verify(ctx context.Context, places *Places, o *backupOutcome) error {
	result, err := backup.Verify(ctx, backup.Check{
		Key: o.key, Primary: places.Location, Offsite: places.Offsite, Identities: w.access.Identities,
	})
	if err != nil {
		return err
	}
	if m := &result.Seal.Manifest; m.Namespace != w.backup.Namespace || m.Account != w.backup.Spec.AccountRef.Name {
		return &archive.Damage{What: "it is of another account than its place says"}
	}
	held, err := places.Location.Held(ctx, o.key)
	if err != nil {
		return err
	}
	o.hold = v1alpha1.LegalHoldReleased
	if held {
		o.hold = v1alpha1.LegalHoldHeld
	}
	w.take(&result, o)
	return nil
}

// take writes the engine's result in the API's words.
func (w *backupWork) take(r *backup.Result, o *backupOutcome) {
	n := func(i int) *int32 { out := int32(min(i, 1<<31-1)); return &out } // bounded
	at, e, offsite := metav1.NewTime(w.now()), &r.Evidence, v1alpha1.CopyAbsent
	if e.Copied {
		offsite = v1alpha1.CopyVerified
	}
	o.seal = &r.Seal
	o.verification = &v1alpha1.Verification{
		Time: &at, ManifestSHA256: e.ManifestSHA256, Parts: n(e.Parts), Items: &e.Items,
		Sampled: n(e.Sampled), SampleEqual: n(e.SampleEqual), Offsite: offsite,
	}
}

// resume looks what the last attempt has left.
func (w *backupWork) resume(ctx context.Context, places *Places, o *backupOutcome) error {
	_, err := places.Location.Sealed(ctx, o.key)
	if err == nil {
		return w.verify(ctx, places, o)
	}
	if storage.ClassOf(err) != storage.NotFound {
		return err
	}
	for _, p := range places.all() {
		if err := p.Discard(ctx, o.key); err != nil {
			return err
		}
	}
	o.lost = true
	return nil
}

// hold lays a legal hold beside the archive, and beside its copy if there is one.
func (w *backupWork) hold(ctx context.Context, places *Places, o *backupOutcome) error {
	if err := places.Location.Hold(ctx, o.key); err != nil {
		return err
	}
	if places.Offsite != nil {
		// A copy that is not there yet gets the hold when it is made.
		if err := places.Offsite.Hold(ctx, o.key); err != nil && storage.ClassOf(err) != storage.NotFound {
			return err
		}
	}
	o.hold = v1alpha1.LegalHoldHeld
	return nil
}

func (w *backupWork) release(ctx context.Context, places *Places, o *backupOutcome) error {
	for _, p := range places.all() {
		if err := p.Release(ctx, o.key); err != nil {
			return err
		}
	}
	o.hold = v1alpha1.LegalHoldReleased
	return nil
}

// remove deletes the archive in both places, the copy first: while the first place lists it, it is not forgotten.
func (w *backupWork) remove(ctx context.Context, places *Places, o *backupOutcome) error {
	if w.backup.Spec.LegalHold == v1alpha1.LegalHoldReleased {
		if err := w.release(ctx, places, o); err != nil {
			return err
		}
	}
	held, err := places.Location.Held(ctx, o.key)
	if err != nil {
		return err
	}
	if held { // before the copy is touched
		o.hold = v1alpha1.LegalHoldHeld
		return &storage.Error{Class: storage.Held, Place: places.Location.String(), Key: o.key, Op: "deleting the archive", Message: "it is under legal hold"}
	}
	for _, p := range places.all() {
		if err := p.Delete(ctx, o.key); err != nil {
			return err
		}
	}
	o.removed = true
	return nil
}

// all are the places, the copy's first.
func (p *Places) all() []*storage.Place {
	if p.Offsite == nil {
		return []*storage.Place{p.Location}
	}
	return []*storage.Place{p.Offsite, p.Location}
}
