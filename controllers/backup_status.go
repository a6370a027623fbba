package controllers

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
)

// fold takes over what a job has found or done.
func (r *BackupReconciler) fold(ctx context.Context, s *backupScope) error {
	bs, _, err := backupStorage(ctx, r, s.backup.Namespace, s.backup.Spec.StorageRef.Name)
	if err != nil {
		return err
	}
	s.copies = bs != nil && copying(bs)
	if !s.exists || !s.run.Ended() {
		return nil
	}
	b, o := s.backup, s.run.Result
	s.removed = o.removed
	s.take(&o)
	b.Status.RetryTime = nil
	if s.run.Err == nil {
		return nil
	}
	s.problem = problemOfBackup(s.run.Err)
	if gone := s.problem.Reason; gone == v1alpha1.ReasonArchiveDamaged || gone == v1alpha1.ReasonArchiveMissing || gone == v1alpha1.ReasonKeyWrong {
		b.Status.Verification = v1alpha1.Verification{} // what was proven once does not hold any more (P1)
	}
	at := metav1.NewTime(s.now.Add(backupRetry(s.problem, b.Status.Attempts)))
	b.Status.RetryTime = &at
	return nil
}

// backupRetry is how long to wait after a failure: what passes by itself is tried soon, what
// needs somebody seldom, for nobody tells us when they have acted.
func backupRetry(p *Problem, attempts *int32) time.Duration {
	const soon, seldom = 10 * time.Second, 10 * time.Minute
	if p.Stalled {
		return seldom
	}
	n := int32(1)
	if attempts != nil {
		n = *attempts
	}
	return min(seldom, soon<<min(max(n-1, 0), 6))
}

// take writes into the status what is proven now.
func (s *backupScope) take(o *backupOutcome) {
	st := &s.backup.Status
	if o.lost { // the attempt left nothing: the next begins
		st.Archive = v1alpha1.Archive{}
	}
	if o.seal != nil {
		st.Archive, st.Datasets = archiveStatus(o.key, o.seal), datasetsOf(&o.seal.Manifest)
		st.Progress = progressOf(o.seal.Manifest.Items(), o.seal.Manifest.Items())
		if st.Origin == "" {
			st.Origin = v1alpha1.OriginAdopted
		}
	}
	if o.hold != "" {
		st.LegalHold = o.hold
	}
	if v := o.verification; v != nil {
		if old := st.Verification; v.ManifestSHA256 == old.ManifestSHA256 && (v.Sampled == nil || *v.Sampled == 0) {
			v.Sampled, v.SampleEqual = old.Sampled, old.SampleEqual // it is the same archive: it was compared when it was made
		}
		st.Verification = *v
		if st.CompletionTime == nil {
			st.CompletionTime = o.verification.Time
		}
	}
}

// report says how the Backup stands.
func (s *backupScope) report() {
	b := s.backup
	st := &b.Status
	st.ObservedGeneration = &b.Generation
	st.ExpireTime = nil
	if at := expires(b); !at.IsZero() {
		t := metav1.NewTime(at)
		st.ExpireTime = &t
	}
	p := s.problem
	if p == nil && s.step != backupRest {
		p = s.underway()
	}
	if s.running() && s.run.Progress.Total > 0 {
		st.Progress = progressOf(s.run.Progress.Done, s.run.Progress.Total)
	}
	s.conditions(p)
	kube.Summarize(&st.Conditions, b.Generation, summaryOf(p, "the archive was read back, decrypted and compared"))
}

// underway is how a step stands that is waited for.
func (s *backupScope) underway() *Problem {
	words := map[backupStep]string{
		backupBegin: "exporting", backupResume: "exporting", backupVerify: "reading the archive back",
		backupHold: "laying the legal hold", backupRelease: "releasing the legal hold", backupExpire: "deleting the archive: its time is over",
		backupForget: "deleting this Backup: its time is over", backupDelete: "deleting the archive", backupStop: "stopping what is under way",
		backupLetGo: "letting go",
	}[s.step]
	return problem(v1alpha1.ReasonProgressing, words)
}

// conditions says what was reached. What was not has the reason why.
func (s *backupScope) conditions(p *Problem) {
	b := s.backup
	set := func(conditionType string, reached bool, words string) {
		switch {
		case reached:
			kube.Set(&b.Status.Conditions, b.Generation, conditionType, metav1.ConditionTrue, v1alpha1.ReasonInSync, words)
		case p != nil:
			kube.Set(&b.Status.Conditions, b.Generation, conditionType, metav1.ConditionFalse, p.Reason, kube.Coded(p.Reason, p.Message))
		}
	}
	set(v1alpha1.ConditionExported, exported(b), fmt.Sprintf("the archive is complete in the BackupStorage %q", b.Spec.StorageRef.Name))
	if s.copies || copied(b) {
		set(v1alpha1.ConditionCopied, copied(b), "the archive is in the off-site place, too")
	}
	set(v1alpha1.ConditionVerified, verified(b), "the archive was read back, decrypted and compared")
}
