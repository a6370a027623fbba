package main

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// TestUnlinking: what would be unlinked where is listed for many at once, and nothing is changed.
func TestUnlinking(t *testing.T) {
	s := serve(t)
	for name, action := range map[string]v1alpha1.UnlinkAction{"mail": "", "finance": v1alpha1.UnlinkDelete, "door": v1alpha1.UnlinkRetain} {
		s.must(s.Create(t.Context(), &v1alpha1.LinkedSystem{ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: name}, Spec: v1alpha1.LinkedSystemSpec{
			SCIM: v1alpha1.SCIMSystem{Endpoint: "https://idp.example.com/scim/v2"}, CredentialsSecretRef: v1alpha1.SecretReference{Name: "idp"}, OnLeave: action,
		}}))
	}
	linked := func(name string) v1alpha1.LinkedAccountStatus {
		return v1alpha1.LinkedAccountStatus{Name: name, AccountID: "id-" + name, State: v1alpha1.LinkedActive, Origin: v1alpha1.OriginCreated}
	}
	for name, number := range map[string]string{"li-na": "E0001", "zhao-lei": "E0002"} {
		e := &v1alpha1.Employee{ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: name, Labels: map[string]string{"team": name}}, Spec: v1alpha1.EmployeeSpec{
			Name: "李娜", Number: number, Contact: v1alpha1.Contact{Mobile: "+86-13800138000"},
			Departments: []v1alpha1.EmployeeDepartment{{Name: "rd"}}, Accounts: []v1alpha1.EmployeeAccount{{Name: "wecom"}},
		}}
		s.must(s.Create(t.Context(), e))
		e.Status.Number = number
		e.Status.LinkedAccounts = []v1alpha1.LinkedAccountStatus{linked("mail"), linked("finance"), linked("door"), {Name: "erp"}}
		s.must(s.Status().Update(t.Context(), e))
	}
	lines := func(args ...string) []string {
		t.Helper()
		out, err := s.run("", append([]string{"unlinking"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(out), "\n")
	}
	all := lines()
	if len(all) != 1+2*4 {
		t.Errorf("%d lines: %q", len(all), all)
	}
	for _, want := range []string{
		"mail id-mail Active disable, out of its groups", "finance id-finance Active disable, out of its groups, delete", "door id-door Active nothing: onLeave is Retain",
		"erp - - nothing: there is no account of ours",
	} {
		found := 0
		for _, line := range all {
			if strings.HasSuffix(strings.Join(strings.Fields(line), " "), want) {
				found++
			}
		}
		if found != 2 {
			t.Errorf("%q is said of %d people: %q", want, found, all)
		}
	}
	if got := lines("li-na", "--system", "mail"); len(got) != 2 || !strings.HasPrefix(got[1], "li-na ") {
		t.Errorf("of one person in one system: %q", got)
	}
	if got := lines("-l", "team=zhao-lei", "--system", "door"); len(got) != 2 || !strings.HasPrefix(got[1], "zhao-lei ") {
		t.Errorf("of one team in one system: %q", got)
	}
}
