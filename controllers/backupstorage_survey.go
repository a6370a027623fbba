package controllers

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/backup/storage"
)

// survey is what one look at the places of a storage found.
type survey struct {
	fingerprint string
	at          time.Time
	location    view
	offsite     *view
	// archives are the keys of the complete ones of the namespace; nil: they could not be listed.
	archives map[string]bool
	// found are archives without a Backup, and more says that there are others.
	found []finding
	more  bool
	// cleared counts leftovers that were removed.
	cleared int
}

// view is how one place was.
type view struct {
	name    string
	seconds float64
	err     error
	// rival writes there, too.
	rival *storage.Rival
}

// finding is an archive that has no Backup.
type finding struct {
	key    string
	header archive.Header
	held   bool
}

const (
	// surveyLimit is how long a place may take to answer.
	surveyLimit = 5 * time.Minute
	// adoptedAtOnce bounds how many Backups a survey finds.
	adoptedAtOnce = 50
	// leftoverAge is how old something without a seal has to be to be nobody's work any more.
	leftoverAge = 24 * time.Hour
	// claimLapse is after how many probes a claim lapses that was not renewed.
	claimLapse = 3
)

// task is one survey to be made.
type task struct {
	access         *Access
	namespace, uid string
	interval       time.Duration
	now            func() time.Time
	// known are keys of archives that have a Backup, or are about to be one's.
	known map[string]bool
	// busy: an attempt goes on that is as old as a leftover.
	busy bool
}

func (r *BackupStorageReconciler) task(bs *v1alpha1.BackupStorage, access *Access, backups []v1alpha1.Backup, refused map[string]bool) *task {
	t := &task{
		access: access, namespace: bs.Namespace, uid: string(bs.UID), interval: probeInterval(bs),
		now: r.Now, known: knownKeys(backups),
	}
	for key := range refused {
		t.known[key] = true
	}
	for i := range backups {
		b := &backups[i]
		t.busy = t.busy || !finished(b) && b.Status.StartTime != nil && t.now().Sub(b.Status.StartTime.Time) > leftoverAge
	}
	return t
}

// knownKeys are the archives that Backups name.
func knownKeys(backups []v1alpha1.Backup) map[string]bool {
	known := map[string]bool{}
	for i := range backups {
		known[backups[i].Spec.ArchiveKey] = true
		known[backups[i].Status.Archive.Key] = true
	}
	return known
}

// count is how many archives there are: those that were seen, and those that were
// proven since.
func (s *survey) count(backups []v1alpha1.Backup) int32 {
	n := len(s.archives)
	for i := range backups {
		b := &backups[i]
		if at := b.Status.CompletionTime; at != nil && at.After(s.at) && !s.archives[archiveKey(b)] {
			n++
		}
	}
	return int32(n)
}

// finished reports whether a Backup writes no archive any more.
func finished(b *v1alpha1.Backup) bool {
	return meta.IsStatusConditionTrue(b.Status.Conditions, v1alpha1.ConditionVerified) || meta.IsStatusConditionTrue(b.Status.Conditions, v1alpha1.ConditionStalled)
}

// run makes the survey. What went wrong is part of what it found.
func (t *task) run(ctx context.Context, _ func(struct{})) (*survey, error) {
	ctx, cancel := context.WithTimeout(ctx, surveyLimit)
	defer cancel()
	s := &survey{fingerprint: t.access.Fingerprint, at: t.now()}
	places, err := t.access.Open(ctx)
	if err != nil {
		s.location.err = err
		return s, nil
	}
	defer places.Close()
	s.location = t.view(ctx, places.Location)
	if places.Offsite != nil {
		v := t.view(ctx, places.Offsite)
		s.offsite = &v
	}
	if s.location.err == nil {
		s.location.err = t.archives(ctx, places.Location, s)
	}
	return s, nil
}

// view probes a place and renews the claim to it.
func (t *task) view(ctx context.Context, p *storage.Place) view {
	took, err := p.Probe(ctx, t.namespace, t.uid)
	v := view{name: p.String(), seconds: took.Seconds(), err: err}
	if err == nil {
		v.rival, v.err = p.Claim(ctx, t.namespace, t.uid, t.now(), claimLapse*t.interval)
	}
	return v
}

// archives counts what lies there and reads the seals of what has no Backup. Leftovers
// are cleared away where nobody else writes.
func (t *task) archives(ctx context.Context, p *storage.Place, s *survey) error {
	keys, err := p.List(ctx, t.namespace)
	if err != nil {
		return err
	}
	s.archives = make(map[string]bool, len(keys))
	for _, key := range keys {
		s.archives[key] = true
	}
	for _, key := range keys {
		if t.known[key] {
			continue
		}
		if len(s.found) == adoptedAtOnce {
			s.more = true
			break
		}
		f, err := find(ctx, p, key)
		if err != nil {
			return err
		}
		if f != nil {
			s.found = append(s.found, *f)
		}
	}
	if s.location.rival != nil || t.busy {
		return nil
	}
	leftovers, err := p.Unsealed(ctx, t.namespace, t.now().Add(-leftoverAge))
	for _, key := range leftovers {
		if err = p.Discard(ctx, key); err != nil {
			break
		}
		s.cleared++
	}
	return err
}

// find reads what an archive is of; nil if it went away, or its seal cannot be understood.
func find(ctx context.Context, p *storage.Place, key string) (*finding, error) {
	text, err := p.Sealed(ctx, key)
	if storage.ClassOf(err) == storage.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	seal, err := archive.ParseSeal(text)
	if err != nil {
		return nil, nil //nolint:nilerr // a newer Rollcall may understand it
	}
	held, err := p.Held(ctx, key)
	return &finding{key: key, header: seal.Manifest.Header, held: held}, err
}

// each does something in every place.
func (a *Access) each(ctx context.Context, limit time.Duration, do func(context.Context, *storage.Place) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	places, err := a.Open(ctx)
	if err != nil {
		return err
	}
	err = do(ctx, places.Location)
	if places.Offsite != nil {
		err = errors.Join(err, do(ctx, places.Offsite))
	}
	return errors.Join(err, places.Close())
}

// unanswered is the survey of a place that hangs.
func unanswered(fingerprint string) *survey {
	return &survey{fingerprint: fingerprint, location: view{err: errHangs}}
}

var errHangs = &storage.Error{Class: storage.Unavailable, Place: "the storage", Op: "looking at it", Message: "it does not answer"}

// measure tells how long the probes took.
func (r *BackupStorageReconciler) measure(bs *v1alpha1.BackupStorage, s *survey) {
	if s == nil {
		return
	}
	name := client.ObjectKeyFromObject(bs)
	r.Metrics.Probed(name, "location", s.location.seconds, s.location.err == nil)
	if s.offsite != nil {
		r.Metrics.Probed(name, "offsite", s.offsite.seconds, s.offsite.err == nil)
	}
}
