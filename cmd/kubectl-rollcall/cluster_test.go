package main

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/harness"
)

// served is a real API server with a company, as its administrator uses it.
type served struct {
	*testing.T
	client.Client
	kubeconfig string
	plane      *harness.ControlPlane
}

func serve(t *testing.T) *served {
	t.Helper()
	starting, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	plane, err := harness.StartControlPlane(starting, harness.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plane.Stop)
	kinds := runtime.NewScheme()
	s := &served{T: t, kubeconfig: plane.KubeconfigPath(), plane: plane}
	s.must(plane.InstallCRDs(starting), scheme.AddToScheme(kinds), v1alpha1.AddToScheme(kinds))
	s.Client, err = client.New(plane.Config(), client.Options{Scheme: kinds})
	s.must(err, s.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "acme"}}))
	return s
}

func (s *served) must(all ...error) {
	s.Helper()
	for _, err := range all {
		if err != nil {
			s.Fatal(err)
		}
	}
}

// run is the plugin as somebody calls it who types this.
func (s *served) run(typed string, args ...string) (string, error) {
	var out bytes.Buffer
	err := run(s.Context(), append(args, "--kubeconfig", s.kubeconfig, "-n", "acme"), strings.NewReader(typed), &out)
	return out.String(), err
}

func (s *served) approval(name string) *v1alpha1.Approval {
	s.Helper()
	expires := metav1.NewTime(time.Now().Add(time.Hour))
	apv := &v1alpha1.Approval{ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: name}, Spec: v1alpha1.ApprovalSpec{
		Purpose: v1alpha1.ApprovalRemovalLimit, AccountName: "wecom", Summary: "2 people lose their access", Count: 2,
		Digest: strings.Repeat("a1", 32), ExpireTime: &expires,
		Subjects: []v1alpha1.ApprovalSubject{
			{UID: "u1", Kind: "Offboarding", Name: "li-na-1", Number: "E0001", Action: "Leave"},
			{UID: "u2", Kind: "Employee", Name: "wang-fang", Number: "E0002", Action: "Freeze"},
		},
	}}
	s.must(s.Create(s.Context(), apv))
	return apv
}

// TestDecide: the plugin shows everybody who is listed, asks, and decides under the caller's own name.
func TestDecide(t *testing.T) {
	s := serve(t)
	apv := s.approval("limit-wecom-1")
	stored := func() v1alpha1.ApprovalDecision {
		s.must(s.Get(t.Context(), client.ObjectKeyFromObject(apv), apv))
		return apv.Spec.Decision
	}
	out, err := s.run("no\n", "approve", apv.Name)
	if err == nil || !strings.Contains(err.Error(), "nothing was decided") || stored().Verdict != "" {
		t.Errorf("somebody says no: %v, %+v", err, stored())
	}
	for _, told := range []string{"E0001", "Leave", "li-na-1", "u1", "E0002", "Freeze", "wang-fang", apv.Spec.Digest, "2 people lose"} {
		if !strings.Contains(out, told) {
			t.Errorf("it does not tell %q:\n%s", told, out)
		}
	}
	if _, err = s.run("", "approve", apv.Name); err == nil || stored().Verdict != "" {
		t.Errorf("nobody says anything: %v, %+v", err, stored())
	}
	if _, err = s.run("yes\n", "approve", "--reason", "plant closed", apv.Name); err != nil {
		t.Fatal(err)
	}
	who, err := s.run("", "reject", apv.Name, "--yes")
	by := stored().By
	if want := (v1alpha1.ApprovalDecision{Verdict: v1alpha1.VerdictApproved, By: by, Digest: apv.Spec.Digest, Reason: "plant closed"}); !reflect.DeepEqual(stored(), want) || by == "" {
		t.Errorf("decided %+v", stored())
	}
	if err == nil || !strings.Contains(err.Error(), "Approved by "+by) {
		t.Errorf("deciding again: %v\n%s", err, who)
	}
	s.must(s.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "admin"}, Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: "ma.chao"}},
		RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", APIGroup: rbacv1.GroupName, Name: "admin"},
	}))
	admin, err := s.plane.AddUser("ma.chao")
	s.must(err)
	_, err = (&served{T: t, kubeconfig: admin.KubeconfigPath()}).run("", "approve", apv.Name, "--yes")
	if err == nil || !strings.Contains(err.Error(), "kubectl create rolebinding approver -n acme --clusterrole=rollcall-approver --user=ma.chao") {
		t.Errorf("an administrator of the namespace is not told what to do: %v", err)
	}
	other := s.approval("limit-wecom-2")
	if _, err := s.run("", "reject", other.Name, "--yes"); err != nil {
		t.Fatal(err)
	}
	s.must(s.Get(t.Context(), client.ObjectKeyFromObject(other), other))
	if other.Spec.Decision.Verdict != v1alpha1.VerdictRejected {
		t.Errorf("decided %+v", other.Spec.Decision)
	}
}

// TestNarrow: a review shows who was active when, and takes the role from those whom the reviewer excepts.
func TestNarrow(t *testing.T) {
	s := serve(t)
	expires := metav1.NewTime(time.Now().Add(time.Hour))
	apv := &v1alpha1.Approval{ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "review-wecom-1"}, Spec: v1alpha1.ApprovalSpec{
		Purpose: v1alpha1.ApprovalReview, AccountName: "wecom", Summary: "3 people keep the role", Count: 4,
		Digest: strings.Repeat("a1", 32), ExpireTime: &expires,
		Subjects: []v1alpha1.ApprovalSubject{
			{UID: "u0/20360101T000000Z", Kind: "PermissionBinding", Name: "reviewers", Action: "Keep"},
			{UID: "u1", Kind: "Employee", Name: "li-na", Number: "E0001", Action: "Keep", LastActiveDay: "2036-03-01"},
			{UID: "u2", Kind: "Employee", Name: "wang-fang", Number: "E0002", Action: "Keep"},
			{UID: "u3", Kind: "Employee", Name: "E0002", Number: "E0003", Action: "Keep"},
		},
	}}
	s.must(s.Create(t.Context(), apv))
	for _, args := range [][]string{
		{"reject", apv.Name, "--yes", "--except", "E0001"}, {"approve", apv.Name, "--yes", "--except", "reviewers"}, {"approve", apv.Name, "--yes", "--except", "E0001,"},
		{"approve", apv.Name, "--yes", "--except", "E0002"}, {"approve", s.approval("limit-wecom-1").Name, "--yes", "--except", "E0002"},
	} {
		if out, err := s.run("", args...); err == nil || !strings.Contains(err.Error(), "--except") {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	out, err := s.run("yes\n", "approve", apv.Name, "--except", "E0003, wang-fang,E0003")
	if err != nil || !strings.Contains(out, "LAST ACTIVE") || !strings.Contains(out, "2036-03-01") || !strings.Contains(out, "but for 2 of them") {
		t.Errorf("%v\n%s", err, out)
	}
	s.must(s.Get(t.Context(), client.ObjectKeyFromObject(apv), apv))
	if d := apv.Spec.Decision; d.Verdict != v1alpha1.VerdictApproved || !slices.Equal(d.Except, []string{"u3", "u2"}) {
		t.Errorf("decided %+v", d)
	}
}

// TestConfirm: a task that is open can be confirmed, once, beside others.
func TestConfirm(t *testing.T) {
	s := serve(t)
	ob := &v1alpha1.Offboarding{ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "li-na-1"}, Spec: v1alpha1.OffboardingSpec{
		Mode: v1alpha1.OffboardingExecute, EmployeeRef: v1alpha1.EmployeeReference{Name: "li-na"}, Number: "E0001", Trigger: v1alpha1.TriggerDeparted,
		Terms:    v1alpha1.OffboardingTerms{Backup: v1alpha1.OffboardingBackup{Mode: v1alpha1.BackupNone}},
		Accounts: []v1alpha1.OffboardingAccount{{Name: "wecom", UserID: "E0001", Origin: v1alpha1.OriginCreated}},
	}}
	s.must(s.Create(t.Context(), ob))
	ob.Status.Accounts = []v1alpha1.OffboardingAccountStatus{{Name: "wecom", Tasks: []v1alpha1.ManualTask{
		{Name: "wecom/Calendars", Step: "HandOver", Todo: "pass them on"}, {Name: "wecom/Documents", Step: "HandOver", Todo: "pass them on"},
	}}}
	ob.Status.LinkedAccounts = []v1alpha1.UnlinkStatus{
		{Name: "mail", State: "Waiting", Task: v1alpha1.ManualTask{Name: "mail/Unlink", Step: "UnlinkSystems", Todo: "disable the account"}}, {Name: "door", State: "Running"},
	}
	s.must(s.Status().Update(t.Context(), ob))
	if _, err := s.run("", "confirm", "li-na-1", "wecom/Chats"); err == nil || !strings.HasSuffix(err.Error(), "wecom/Calendars, wecom/Documents, mail/Unlink") {
		t.Errorf("a task that there is not: %v", err)
	}
	for _, args := range [][]string{{"confirm", "li-na-1", "wecom/Calendars", "--note", "done by phone"}, {"confirm", "li-na-1", "wecom/Documents"}} {
		if out, err := s.run("", args...); err != nil || !strings.Contains(out, "is confirmed by") {
			t.Errorf("%v: %s", err, out)
		}
	}
	if _, err := s.run("", "confirm", "li-na-1", "wecom/Calendars"); err == nil || !strings.Contains(err.Error(), "before") {
		t.Errorf("twice: %v", err)
	}
	s.must(s.Get(t.Context(), client.ObjectKeyFromObject(ob), ob))
	if c := ob.Spec.Confirmations; len(c) != 2 || c[0] != (v1alpha1.Confirmation{Task: "wecom/Calendars", Note: "done by phone"}) {
		t.Errorf("confirmations %+v", c)
	}
	ob.Status.Accounts[0].Tasks = nil
	for i := range 4 {
		ob.Status.Accounts[0].Tasks = append(ob.Status.Accounts[0].Tasks, v1alpha1.ManualTask{Name: fmt.Sprint("wecom/", i), Step: "HandOver", Todo: "do it"})
	}
	s.must(s.Status().Update(t.Context(), ob))
	var all sync.WaitGroup
	for i := range 4 { // each finds that the others, or Rollcall, have just written
		all.Go(func() {
			if _, err := s.run("", "confirm", "li-na-1", fmt.Sprint("wecom/", i)); err != nil {
				t.Errorf("at once with others: %v", err)
			}
		})
	}
	all.Wait()
	s.must(s.Get(t.Context(), client.ObjectKeyFromObject(ob), ob))
	if n := len(ob.Spec.Confirmations); n != 2+4 {
		t.Errorf("%d confirmations are left of 6", n)
	}
	named := 0
	for _, m := range ob.ManagedFields {
		if strings.HasPrefix(m.Manager, "kubectl-rollcall/") && len(m.Manager) > len("kubectl-rollcall/") {
			named++
		}
	}
	if named == 0 {
		t.Error("nothing says who confirmed it")
	}
}
