package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/approval"
	"rollcall.dev/rollcall/internal/kube"
)

// Approvals asks humans (P7).
type Approvals struct {
	client.Client
	// Live reads past the cache.
	Live     client.Reader
	Recorder events.EventRecorder
	Now      func() time.Time
	// Unchecked acts on decisions although no policy of the cluster checked who decided.
	Unchecked bool
}

// Question is what a human is asked.
type Question struct {
	Namespace, Account string
	Purpose            v1alpha1.ApprovalPurpose
	Summary            string
	Subjects           []v1alpha1.ApprovalSubject
	// Requesters do not decide; of Groups one has to, if there are any.
	Requesters, Groups []string
	Expire             time.Duration
}

// Answer is how the question stands.
type Answer struct {
	// Name of the Approval.
	Name  string
	State v1alpha1.ApprovalState
	// Approver is who decided.
	Approver string
}

// Ask makes the Approval of exactly this question if there is none, and says how it stands.
// What was approved and has begun is not asked again: an approval that has expired is none,
// and another one is made. So it is when nobody decided in time, or the question was withdrawn.
func (a *Approvals) Ask(ctx context.Context, q Question) (Answer, error) {
	digest := q.pure().Digest()
	var known v1alpha1.ApprovalList
	if err := a.List(ctx, &known, client.InNamespace(q.Namespace), client.MatchingFields{indexDigest: digest}); err != nil {
		return Answer{}, fmt.Errorf("listing Approvals: %w", err)
	}
	newestFirst(known.Items)
	over := types.UID("")
	for i := range known.Items {
		if apv := &known.Items[i]; !a.over(apv) {
			return a.answer(apv), nil
		}
		if over == "" {
			over = known.Items[i].UID
		}
	}
	return a.put(ctx, q, digest, over)
}

// put makes the Approval. Its name follows from the question and from the Approval that it
// comes after, so that whoever asks twice makes one (P3).
func (a *Approvals) put(ctx context.Context, q Question, digest string, after types.UID) (Answer, error) {
	for range 100 { // withdrawn Approvals of one question are kept for a day
		apv := a.newApproval(q, digest, after)
		err := a.Create(ctx, apv)
		if err == nil {
			return Answer{Name: apv.Name, State: v1alpha1.ApprovalPending}, nil
		}
		if !apierrors.IsAlreadyExists(err) {
			return Answer{}, fmt.Errorf("making the Approval: %w", err)
		}
		// The cache does not show it yet.
		if err := a.Live.Get(ctx, client.ObjectKeyFromObject(apv), apv); err != nil {
			return Answer{}, fmt.Errorf("reading the Approval: %w", err)
		}
		if apv.Spec.Digest == digest && !a.over(apv) {
			return a.answer(apv), nil
		}
		after = apv.UID
	}
	return Answer{}, fmt.Errorf("the question %s was asked and withdrawn too often in a day", digest[:10])
}

// Withdraw ends what is asked about a subject and not decided.
func (a *Approvals) Withdraw(ctx context.Context, namespace string, subject types.UID) error {
	var about v1alpha1.ApprovalList
	if err := a.List(ctx, &about, client.InNamespace(namespace), client.MatchingFields{indexSubject: string(subject)}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing Approvals: %w", err)
	}
	for i := range about.Items {
		if isUndecided(&about.Items[i]) {
			if err := a.withdraw(ctx, client.ObjectKeyFromObject(&about.Items[i])); err != nil {
				return err
			}
		}
	}
	return nil
}

// withdraw reads the Approval anew, so that a decision is not overlooked, nor what another
// leaving of the same mistake has just withdrawn.
func (a *Approvals) withdraw(ctx context.Context, name types.NamespacedName) error {
	apv := &v1alpha1.Approval{}
	if err := a.Live.Get(ctx, name, apv); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !isUndecided(apv) {
		return nil
	}
	before := apv.DeepCopy()
	apv.Status.State = v1alpha1.ApprovalWithdrawn
	summarizeApproval(apv)
	if _, err := kube.PatchStatus(ctx, a.Client, before, apv); err != nil {
		return client.IgnoreNotFound(err)
	}
	a.Recorder.Eventf(apv, nil, corev1.EventTypeNormal, v1alpha1.EventWithdrawn, "Withdraw", "what it lists has changed, or is no longer wanted")
	return nil
}

// isUndecided reports whether somebody is still asked.
func isUndecided(apv *v1alpha1.Approval) bool {
	return apv.Spec.Decision.Verdict == "" && apv.Status.State != v1alpha1.ApprovalWithdrawn && apv.Status.State != v1alpha1.ApprovalExpired
}

// over reports whether the question has to be asked anew if somebody still asks it. A no
// is a no; but people can be declared frozen again long after that was rejected.
func (a *Approvals) over(apv *v1alpha1.Approval) bool {
	switch a.stands(apv) {
	case v1alpha1.ApprovalExpired, v1alpha1.ApprovalWithdrawn:
		return true
	case v1alpha1.ApprovalRejected:
		return apv.Spec.Purpose == v1alpha1.ApprovalRemovalLimit && !a.Now().Before(apv.Spec.ExpireTime.Time)
	case v1alpha1.ApprovalPending, v1alpha1.ApprovalApproved:
	}
	return false
}

// stands says how an Approval stands now, for those who act on it. What was decided counts
// when it is known that somebody who may has decided it.
func (a *Approvals) stands(apv *v1alpha1.Approval) v1alpha1.ApprovalState {
	state := approval.Judge(approvalRecord(apv), a.Now())
	switch state {
	case approval.Stale:
		return v1alpha1.ApprovalWithdrawn
	case approval.Approved, approval.Rejected:
		switch {
		case a.Unchecked || meta.IsStatusConditionTrue(apv.Status.Conditions, v1alpha1.ConditionDecisionChecked):
		case a.Now().Before(apv.Spec.ExpireTime.Time):
			return v1alpha1.ApprovalPending
		default:
			return v1alpha1.ApprovalExpired
		}
	case approval.Pending, approval.Expired, approval.Withdrawn:
	}
	return v1alpha1.ApprovalState(state)
}

func (a *Approvals) answer(apv *v1alpha1.Approval) Answer {
	answer := Answer{Name: apv.Name, State: a.stands(apv)}
	if answer.State == v1alpha1.ApprovalApproved || answer.State == v1alpha1.ApprovalRejected {
		answer.Approver = apv.Spec.Decision.By
	}
	return answer
}

// approvalRecord translates an Approval; what it lists is what its digest is computed from.
func approvalRecord(apv *v1alpha1.Approval) approval.Record {
	return approval.Record{
		Question: Question{
			Namespace: apv.Namespace, Account: apv.Spec.AccountName, Purpose: apv.Spec.Purpose, Summary: apv.Spec.Summary, Subjects: apv.Spec.Subjects,
		}.pure(),
		Digest: apv.Spec.Digest, Expires: apv.Spec.ExpireTime.Time,
		Withdrawn: apv.Status.State == v1alpha1.ApprovalWithdrawn,
		Verdict:   string(apv.Spec.Decision.Verdict), DecidedDigest: apv.Spec.Decision.Digest,
	}
}

// pure is what is decided about. What an exit does is in its summary only.
func (q Question) pure() approval.Question {
	p := pureQuestion(q.Namespace, q.Account, q.Purpose, q.Subjects)
	if q.Purpose == v1alpha1.ApprovalExit {
		p.Terms = kube.Truncate(q.Summary, maxSummary)
	}
	return p
}

func pureQuestion(namespace, account string, purpose v1alpha1.ApprovalPurpose, subjects []v1alpha1.ApprovalSubject) approval.Question {
	q := approval.Question{Purpose: string(purpose), Namespace: namespace, Account: account}
	for _, s := range subjects {
		q.Subjects = append(q.Subjects, approval.Subject{UID: s.UID, Kind: s.Kind, Name: s.Name, Number: s.Number, Action: s.Action})
	}
	return q
}

// newestFirst orders Approvals by age.
func newestFirst(all []v1alpha1.Approval) {
	slices.SortFunc(all, func(a, b v1alpha1.Approval) int {
		if older(&a, &b) {
			return 1
		}
		return -1
	})
}

// purposeNames begin the names of Approvals.
var purposeNames = map[v1alpha1.ApprovalPurpose]string{
	v1alpha1.ApprovalRemovalLimit: "limit", v1alpha1.ApprovalDeparture: "departure", v1alpha1.ApprovalDeletion: "deletion",
	v1alpha1.ApprovalAccountRemoval: "account", v1alpha1.ApprovalDeleteAccount: "delete", v1alpha1.ApprovalExit: "exit",
	v1alpha1.ApprovalGrant: "grant", v1alpha1.ApprovalReview: "review",
}

// The bounds of an Approval; the CRD says so too.
const (
	maxSubjects   = 5000
	maxRequesters = 512
	maxSummary    = 512
)

// decideWithin is how long a decision may take where nothing else is declared.
const decideWithin = 7 * 24 * time.Hour

// newApproval is the Approval of a question. It has no owner: a decision outlives what it was about.
func (a *Approvals) newApproval(q Question, digest string, after types.UID) *v1alpha1.Approval {
	pure := q.pure()
	approval.Sort(pure.Subjects)
	expire := q.Expire
	if expire <= 0 {
		expire = decideWithin
	}
	expires := metav1.NewTime(a.Now().Add(expire).Truncate(time.Second).UTC())
	apv := &v1alpha1.Approval{
		ObjectMeta: metav1.ObjectMeta{Namespace: q.Namespace, Name: approvalName(q, digest, after)},
		Spec: v1alpha1.ApprovalSpec{
			Purpose: q.Purpose, AccountName: q.Account, Summary: kube.Truncate(q.Summary, maxSummary), Count: peopleAmong(pure.Subjects),
			Digest: digest, ExpireTime: &expires,
			Requesters: distinct(q.Requesters, maxRequesters), ApproverGroups: distinct(q.Groups, len(q.Groups)),
		},
	}
	active := map[string]string{}
	for _, s := range q.Subjects {
		active[s.UID] = s.LastActiveDay
	}
	for _, s := range pure.Subjects {
		apv.Spec.Subjects = append(apv.Spec.Subjects, v1alpha1.ApprovalSubject{UID: s.UID, Kind: s.Kind, Name: s.Name, Number: s.Number, Action: s.Action, LastActiveDay: active[s.UID]})
	}
	return apv
}

// peopleAmong counts the subjects, without the binding whose people they are.
func peopleAmong(subjects []approval.Subject) (n int32) {
	for _, s := range subjects {
		if s.Kind != kindBinding {
			n++
		}
	}
	return max(n, 1)
}

// approvalName says what it is about, and differs where the question or its turn does.
func approvalName(q Question, digest string, after types.UID) string {
	about := strings.ReplaceAll(q.Account, "/", "-")
	if about == "" {
		about = q.Subjects[0].Name
	}
	if after != "" {
		sum := sha256.Sum256([]byte(digest + string(after)))
		digest = hex.EncodeToString(sum[:])
	}
	purpose := purposeNames[q.Purpose]
	about = strings.TrimRight(kube.Truncate(about, 63-len(purpose)-len("--")-10), "-.…")
	return purpose + "-" + about + "-" + digest[:10]
}

// distinct sorts, drops what is there twice, and keeps the first n.
func distinct(all []string, n int) []string {
	all = slices.Compact(slices.Sorted(slices.Values(all)))
	return all[:min(n, len(all))]
}
