package controllers

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/leaving"
	"rollcall.dev/rollcall/internal/tenant"
)

// of two accounts, how the grace and the deletion of each stand.
func twoLeft(grace *int64, steps ...[]v1alpha1.OffboardingStepStatus) *offboardingScope {
	s := &offboardingScope{ob: &v1alpha1.Offboarding{}}
	s.ob.Spec.Terms.GraceSeconds = grace
	for _, st := range steps {
		s.accounts = append(s.accounts, &departure{scope: s, status: &v1alpha1.OffboardingAccountStatus{Steps: st}})
	}
	return s
}

func TestDeletionTimeIsOfWhatIsStillThere(t *testing.T) {
	began := time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)
	left := func(minutes int, deletion leaving.State) []v1alpha1.OffboardingStepStatus {
		start := metav1.NewTime(began.Add(time.Duration(minutes) * time.Minute))
		return []v1alpha1.OffboardingStepStatus{
			{Name: "Grace", State: "Waiting", StartTime: &start}, {Name: "DeleteAccount", State: v1alpha1.StepState(deletion)},
		}
	}
	grace := int64(60)
	for name, row := range map[string]struct {
		accounts [][]v1alpha1.OffboardingStepStatus
		want     int // minutes from the beginning
	}{
		"both are there: the first":          {[][]v1alpha1.OffboardingStepStatus{left(2, leaving.Pending), left(0, leaving.Pending)}, 1},
		"the first is deleted: the other":    {[][]v1alpha1.OffboardingStepStatus{left(0, leaving.Done), left(2, leaving.Pending)}, 3},
		"both are deleted: when that was so": {[][]v1alpha1.OffboardingStepStatus{left(2, leaving.Done), left(0, leaving.Done)}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			want := began.Add(time.Duration(row.want) * time.Minute)
			if got := twoLeft(&grace, row.accounts...).deletion(); got == nil || !got.Time.Equal(want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// Whoever confirms a task answers for it in the trail, and not who declared the leaving.
func TestP8WhoConfirmedIsRecorded(t *testing.T) {
	ob := &v1alpha1.Offboarding{ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl-rollcall/wang.fang"}}}}
	ob.Spec.RequestedBy.FieldManager = "argocd-controller"
	a := &departure{scope: &offboardingScope{ob: ob}, tenant: &tenant.Tenant{Name: "acme/wecom"}}
	if got := a.by(execute.ActAttest).Actor.Manager; got != "kubectl-rollcall/wang.fang" {
		t.Errorf("a confirmation is recorded as by %q", got)
	}
	if got := a.by(leaving.ActRemove).Actor.Manager; got != "argocd-controller" {
		t.Errorf("a removal is recorded as by %q", got)
	}
}

// Each account has an Approval of its own where its deletion needs one; the status names the one asked for last.
func TestWaitingForNamesTheApprovalOfTheAccount(t *testing.T) {
	ob := &v1alpha1.Offboarding{Status: v1alpha1.OffboardingStatus{ApprovalName: "delete-wecom-2"}}
	a := &departure{scope: &offboardingScope{ob: ob}, asked: "delete-dingtalk-1", problem: problem(v1alpha1.ReasonApprovalPending, "")}
	if got := a.waitingFor(); got != "approval delete-dingtalk-1" {
		t.Errorf("it waits for the %s", got)
	}
	if a.asked = ""; a.waitingFor() != "approval delete-wecom-2" {
		t.Errorf("it waits for the %s", a.waitingFor())
	}
}

func TestAnApprovalSaysWhatItLets(t *testing.T) {
	week, keep := int64(604800), v1alpha1.OffboardingTerms{FinalAction: v1alpha1.FinalKeep}
	keep.Backup.Mode = v1alpha1.BackupRequired
	for name, row := range map[string]struct {
		terms v1alpha1.OffboardingTerms
		words []string
	}{
		"deleted": {v1alpha1.OffboardingTerms{GraceSeconds: &week, Backup: v1alpha1.OffboardingBackup{Mode: v1alpha1.BackupNone}},
			[]string{"E0042 leaves dingtalk, wecom: ", "no backup is made", "deleted after a grace of 7d"}},
		"kept":    {keep, []string{"a verified backup is made", "is handed over", "the accounts are kept"}},
		"at once": {v1alpha1.OffboardingTerms{SkipSteps: []v1alpha1.SkippableStep{"HandOver"}}, []string{"nothing is handed over"}},
	} {
		t.Run(name, func(t *testing.T) {
			ob := &v1alpha1.Offboarding{Spec: v1alpha1.OffboardingSpec{
				Number: "E0042", Terms: row.terms, Accounts: []v1alpha1.OffboardingAccount{{Name: "dingtalk"}, {Name: "wecom"}},
			}}
			for _, words := range row.words {
				if got := summaryOfLeaving(ob); !strings.Contains(got, words) {
					t.Errorf("%q does not say %q", got, words)
				}
			}
		})
	}
}
