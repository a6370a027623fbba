package controllers

import (
	"context"
	"errors"
	"time"

	"filippo.io/age"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/backup/restore"
	"rollcall.dev/rollcall/internal/backup/schedule"
	"rollcall.dev/rollcall/internal/backup/storage"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/jobs"
	"rollcall.dev/rollcall/internal/kube"
)

// RestoreTest restores an archive into a scratch simulator of its platform, reads
// everything back, and says how many things it compared and how many differ.
// The archive has to be the one whose manifest was verified.
type RestoreTest func(ctx context.Context, p *storage.Place, key, verified string, ids []age.Identity) (compared, different int64, err error)

// RestoreInto restores archives into a scratch company of their platform, a new and empty one each time.
func RestoreInto(scratch func(ctx context.Context, platform string) (directory.Directory, error)) RestoreTest {
	return func(ctx context.Context, p *storage.Place, key, verified string, ids []age.Identity) (compared, different int64, err error) {
		file, err := p.Read(ctx, key)
		if err != nil {
			return 0, 0, err
		}
		defer file.Close()
		r, err := archive.NewReader(file, ids...)
		if err != nil {
			return 0, 0, err
		}
		defer r.Close()
		snapshot, err := restore.Load(r, verified)
		if err != nil {
			return 0, 0, err
		}
		d, err := scratch(ctx, snapshot.Platform)
		if err != nil {
			return 0, 0, err
		}
		result, err := restore.Test(ctx, snapshot, d)
		return result.Compared, result.Different, err
	}
}

// RestoreTested is how a restore test ended.
type RestoreTested struct {
	at                  time.Time
	backup              string
	compared, different int64
	err                 error
}

// testLimit is how long a restore test may take.
const testLimit = 2 * time.Hour

// restoreTest has the newest good archive restored when it is time, and records how that went.
func (r *BackupScheduleReconciler) restoreTest(ctx context.Context, t *round) error {
	days := t.object.Spec.RestoreTestIntervalDays
	if days == 0 || r.Test == nil {
		return nil
	}
	name := client.ObjectKeyFromObject(t.object)
	if work, there := r.Tests.State(name.String()); there {
		if t.tested = work.Ended(); t.tested {
			t.record(work.Result)
		}
		return nil
	}
	next := t.testDue()
	if t.good == nil || t.now.Before(next) {
		t.wakeAt(next)
		return nil
	}
	bs := &v1alpha1.BackupStorage{}
	if err := r.Get(ctx, client.ObjectKey{Namespace: t.object.Namespace, Name: t.object.Spec.StorageRef.Name}, bs); err != nil {
		return client.IgnoreNotFound(err)
	}
	access, stop, err := r.Storages.Resolve(ctx, bs)
	if err != nil || stop != nil {
		return err // the storage says what is missing
	}
	r.Tests.Start(jobs.Job[*RestoreTested, *RestoreTested]{
		Key: name.String(), Lane: "restore tests", // one at a time: each fills the memory of a scratch company
		Run:   r.testing(access, t.good),
		Ended: func() { r.again.add(name, 0, 0) },
	})
	return nil
}

// testing is the work of one test. How it ended is its result.
func (r *BackupScheduleReconciler) testing(access *Access, good *v1alpha1.Backup) func(context.Context, func(*RestoreTested)) (*RestoreTested, error) {
	name, key, verified := good.Name, good.Status.Archive.Key, good.Status.Verification.ManifestSHA256
	return func(ctx context.Context, tell func(*RestoreTested)) (*RestoreTested, error) {
		result := &RestoreTested{backup: name}
		tell(result)
		ctx, cancel := context.WithTimeout(ctx, testLimit)
		defer cancel()
		places, err := access.Open(ctx)
		if err == nil {
			defer places.Close()
			result.compared, result.different, err = r.Test(ctx, places.Location, key, verified, access.Identities)
		}
		result.at, result.err = r.Now(), err
		return result, nil
	}
}

// testDue is when the next restore test is due; long ago if there was none.
func (t *round) testDue() time.Time {
	interval := time.Duration(t.object.Spec.RestoreTestIntervalDays) * 24 * time.Hour
	if last := t.object.Status.RestoreTest.Time; last != nil {
		return last.Add(interval + schedule.Jitter(string(t.object.UID), time.Hour))
	}
	return time.Time{}
}

// record writes how a test ended into the status. What broke off because the storage was
// away is tried again, and is no result.
func (t *round) record(tested *RestoreTested) {
	if tested == nil || tested.err != nil && storageAway(tested.err) {
		return
	}
	result := v1alpha1.RestoreTestEqual
	switch {
	case tested.err != nil:
		result = v1alpha1.RestoreTestFailed
	case tested.different > 0:
		result = v1alpha1.RestoreTestDifferent
	}
	t.object.Status.RestoreTest = v1alpha1.RestoreTest{
		Time: stamp(tested.at), Backup: tested.backup, Result: result,
		Compared: &tested.compared, Different: &tested.different,
	}
	t.wakeAt(t.testDue())
}

// storageAway reports whether the place could not be reached.
func storageAway(err error) bool {
	e, ok := errors.AsType[*storage.Error](err)
	return ok && (e.Class == storage.Unavailable || e.Class == storage.Denied)
}

// testGrace is how much longer than its interval the last test may be ago: a good archive
// comes, a storage may be away for a while.
const testGrace = 2 * 24 * time.Hour

// reportTest says whether the last restore test succeeded and is not overdue.
func (r *BackupScheduleReconciler) reportTest(t *round) *Problem {
	s := &t.object.Status
	if t.object.Spec.RestoreTestIntervalDays == 0 {
		meta.RemoveStatusCondition(&s.Conditions, v1alpha1.ConditionRestoreTested)
		return nil
	}
	set := func(reason, message string) *Problem {
		kube.Set(&s.Conditions, t.object.Generation, v1alpha1.ConditionRestoreTested, metav1.ConditionFalse, reason, kube.Coded(reason, message))
		return problem(reason, message)
	}
	last := &s.RestoreTest
	switch {
	case r.Test == nil:
		return set(v1alpha1.ReasonNotSupported, "this manager cannot make restore tests; leave restoreTestIntervalDays out")
	case last.Time == nil:
		_ = set(v1alpha1.ReasonWaitingForBackup, "no archive was restored yet: the first good one will be")
		return nil
	case last.Result == v1alpha1.RestoreTestDifferent:
		return set(v1alpha1.ReasonRestoreTestFailed, "what was restored from "+last.Backup+" reads back different")
	case last.Result == v1alpha1.RestoreTestFailed:
		return set(v1alpha1.ReasonRestoreTestFailed, last.Backup+" could not be restored")
	case t.now.After(t.testDue().Add(testGrace)):
		return set(v1alpha1.ReasonRestoreTestFailed, "no restore test was made in time")
	}
	t.wakeAt(t.testDue().Add(testGrace))
	kube.Set(&s.Conditions, t.object.Generation, v1alpha1.ConditionRestoreTested, metav1.ConditionTrue, v1alpha1.ReasonInSync, "what was restored reads back equal")
	return nil
}
