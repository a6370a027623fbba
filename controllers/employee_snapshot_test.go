package controllers

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"rollcall.dev/rollcall/api/v1alpha1"
)

func policy(name string, scope v1alpha1.PolicyScope, change ...func(*v1alpha1.OffboardingPolicy)) v1alpha1.OffboardingPolicy {
	p := v1alpha1.OffboardingPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: name}, Spec: v1alpha1.OffboardingPolicySpec{AppliesTo: scope}}
	p.Spec.Backup.Mode = v1alpha1.BackupNone
	for _, f := range change {
		f(&p)
	}
	return p
}

func matching(labels ...string) func(*v1alpha1.OffboardingPolicy) {
	return func(p *v1alpha1.OffboardingPolicy) {
		p.Spec.MatchLabels = map[string]v1alpha1.LabelValue{}
		for _, l := range labels {
			k, v, _ := strings.Cut(l, "=")
			p.Spec.MatchLabels[k] = v1alpha1.LabelValue(v)
		}
	}
}

func going(p *v1alpha1.OffboardingPolicy) {
	now := metav1.Now()
	p.DeletionTimestamp, p.Finalizers = &now, []string{v1alpha1.Finalizer}
}

func TestWhichPolicyApplies(t *testing.T) {
	standard := policy("standard", v1alpha1.PolicyDefault)
	sales, abroad := policy("sales", v1alpha1.PolicySelected, matching("team=sales")), policy("abroad", v1alpha1.PolicySelected, matching("team=sales", "site=abroad"))
	board := policy("board", v1alpha1.PolicyNamed)
	for _, c := range []struct {
		name, labels, ref string
		all               []v1alpha1.OffboardingPolicy
		want              string
		rivals            []string
	}{
		{name: "none"},
		{name: "the default", all: []v1alpha1.OffboardingPolicy{board, sales, standard}, want: "standard"},
		{name: "one that selects goes before the default", labels: "team=sales", all: []v1alpha1.OffboardingPolicy{standard, sales}, want: "sales"},
		{name: "all labels have to match", labels: "team=sales", all: []v1alpha1.OffboardingPolicy{abroad}},
		{name: "another value does not match", labels: "team=it", all: []v1alpha1.OffboardingPolicy{sales}},
		{
			name: "of several that select, the first by name", labels: "team=sales,site=abroad", all: []v1alpha1.OffboardingPolicy{sales, standard, abroad},
			want: "abroad", rivals: []string{"sales"},
		},
		{
			name: "of several defaults, the first by name", all: []v1alpha1.OffboardingPolicy{standard, policy("other", v1alpha1.PolicyDefault)},
			want: "other", rivals: []string{"standard"},
		},
		{name: "the named one goes before all", labels: "team=sales", ref: "board", all: []v1alpha1.OffboardingPolicy{sales, standard, board}, want: "board"},
		{name: "whatever it applies to otherwise", ref: "sales", all: []v1alpha1.OffboardingPolicy{standard, sales}, want: "sales"},
		{name: "a named one that is not there is not replaced", ref: "board", all: []v1alpha1.OffboardingPolicy{standard}},
		{name: "Named applies to nobody else", all: []v1alpha1.OffboardingPolicy{board}},
		{name: "what is being deleted applies while nothing else does", all: []v1alpha1.OffboardingPolicy{policy("old", v1alpha1.PolicyDefault, going)}, want: "old"},
		{
			name: "and is no rival of what does", all: []v1alpha1.OffboardingPolicy{policy("old", v1alpha1.PolicyDefault, going), standard}, want: "standard",
		},
		{
			name: "the default goes before a selecting one that is being deleted", labels: "team=sales",
			all: []v1alpha1.OffboardingPolicy{policy("old", v1alpha1.PolicySelected, matching("team=sales"), going), standard}, want: "standard",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &v1alpha1.Employee{ObjectMeta: metav1.ObjectMeta{Name: "li-na", Labels: map[string]string{}}}
			for l := range strings.SplitSeq(c.labels, ",") {
				k, v, _ := strings.Cut(l, "=")
				e.Labels[k] = v
			}
			e.Spec.Offboarding.PolicyRef.Name = c.ref
			for range 2 { // in whatever order they are listed
				chosen, rivals := choosePolicy(e, c.all)
				if got := nameOf(chosen); got != c.want || !slices.Equal(rivals, c.rivals) {
					t.Errorf("%q with the rivals %v, want %q with %v", got, rivals, c.want, c.rivals)
				}
				slices.Reverse(c.all)
			}
		})
	}
}

func nameOf(p *v1alpha1.OffboardingPolicy) string {
	if p == nil {
		return ""
	}
	return p.Name
}

// member is an Employee with accounts "<name>=<user id>", all created by us and active.
func member(name string, accounts ...string) *v1alpha1.Employee {
	e := &v1alpha1.Employee{ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: name, UID: types.UID("uid-of-" + name), Generation: 3}}
	e.Spec.Name, e.Status.Number = "的"+name, "N-"+name
	for _, a := range accounts {
		account, id, _ := strings.Cut(a, "=")
		e.Spec.Accounts = append(e.Spec.Accounts, v1alpha1.EmployeeAccount{Name: account})
		e.Status.Accounts = append(e.Status.Accounts, v1alpha1.EmployeeAccountStatus{
			Name: account, UserID: id, Origin: v1alpha1.OriginCreated, State: v1alpha1.AccountActive, Type: v1alpha1.AccountOrdinary,
		})
	}
	return e
}

// employing is a cluster with these objects.
func employing(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	s := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(s).WithObjects(objects...).Build()
}

func TestWhatALeavingTakesAlong(t *testing.T) {
	e := member("li-na", "ding=d1", "wecom=w1", "feishu=f1", "old=o1")
	e.Spec.StateReason, e.Spec.Offboarding.LastDay, e.Spec.Offboarding.RequestedBy = "合同到期", "2026-11-30", "hr@example.com"
	e.Status.Accounts[1].Origin, e.Status.Accounts[1].FrozenBy = v1alpha1.OriginAdopted, v1alpha1.FrozenByOther
	e.Status.Accounts[2].Origin = v1alpha1.OriginCreating
	e.Status.Accounts[3].State = v1alpha1.AccountDeparted
	standard := policy("standard", v1alpha1.PolicyDefault, func(p *v1alpha1.OffboardingPolicy) {
		p.Spec.Approval.Requesters = []string{"system:serviceaccount:argocd:argocd", "hr@example.com"}
		p.Spec.Administrators = []v1alpha1.EmployeeReference{{Name: "zhao"}, {Name: "li-na"}, {Name: "nobody"}}
	})
	c := employing(t, &standard, member("zhao", "wecom=w9"))
	spec, p, err := snapshot(t.Context(), c, e, v1alpha1.TriggerDeparted)
	if err != nil || p != nil {
		t.Fatal(err, p)
	}
	if spec.Mode != v1alpha1.OffboardingExecute || spec.EmployeeRef.Name != "li-na" || spec.EmployeeUID != string(e.UID) || spec.Number != "N-li-na" || spec.PersonName != e.Spec.Name {
		t.Errorf("who: %+v", spec)
	}
	if spec.Reason != "合同到期" || spec.LastDay != "2026-11-30" || spec.PolicyName != "standard" || spec.Terms.Backup.Mode != v1alpha1.BackupNone {
		t.Errorf("terms: %+v", spec)
	}
	if want := []string{"hr@example.com", "system:serviceaccount:argocd:argocd"}; !slices.Equal(spec.RequestedBy.Users, want) || spec.RequestedBy.Generation != 3 {
		t.Errorf("requested by %+v", spec.RequestedBy)
	}
	if len(spec.Accounts) != 2 {
		t.Fatalf("accounts: %+v", spec.Accounts)
	}
	if a := spec.Accounts[0]; a.Name != "ding" || a.UserID != "d1" || a.Origin != v1alpha1.OriginCreated || a.Type != v1alpha1.AccountOrdinary || a.AdministratorUserIDs != nil {
		t.Errorf("account: %+v", a)
	}
	if a := spec.Accounts[1]; a.Origin != v1alpha1.OriginAdopted || a.FrozenBy != v1alpha1.FrozenByOther || !slices.Equal(a.AdministratorUserIDs, []string{"w9"}) {
		t.Errorf("account: %+v", a)
	}
	spec, p, err = snapshot(t.Context(), c, e, v1alpha1.TriggerAccountRemoved, "wecom")
	if err != nil || p != nil || len(spec.Accounts) != 1 || spec.Accounts[0].Name != "wecom" || spec.Reason != "the account was taken off spec.accounts" {
		t.Errorf("one account: %+v, %v, %v", spec, p, err)
	}
	if spec, _, _ = snapshot(t.Context(), c, e, v1alpha1.TriggerDeleted); spec.Reason != "deleted without a declared departure" {
		t.Errorf("reason %q", spec.Reason)
	}
	if _, p, err = snapshot(t.Context(), c, member("nobody"), v1alpha1.TriggerDeparted); err != nil || p == nil {
		t.Errorf("nothing to leave: %v, %v", p, err)
	}
	if _, p, err = snapshot(t.Context(), employing(t), e, v1alpha1.TriggerDeparted); err != nil || p == nil || p.Reason != v1alpha1.ReasonNoPolicy || !p.Stalled {
		t.Errorf("no policy: %v, %v", p, err)
	}
}

func TestWhoTakesOver(t *testing.T) {
	unit := func(name, parent string, managers ...string) *v1alpha1.Department {
		d := &v1alpha1.Department{ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: name}}
		d.Spec.ParentRef.Name = parent
		for _, m := range managers {
			d.Spec.Managers = append(d.Spec.Managers, v1alpha1.EmployeeReference{Name: m})
		}
		return d
	}
	people := func() map[string]*v1alpha1.Employee {
		all := map[string]*v1alpha1.Employee{}
		for _, name := range []string{"heir", "manager", "head", "chief", "fallback"} {
			all[name] = member(name, "ding=d-"+name, "wecom=w-"+name)
		}
		return all
	}
	without := func(names ...string) func(map[string]*v1alpha1.Employee) {
		return func(all map[string]*v1alpha1.Employee) {
			for _, n := range names {
				delete(all, n)
			}
		}
	}
	for _, c := range []struct {
		name                string
		rules               []v1alpha1.SuccessorRule
		change              func(map[string]*v1alpha1.Employee)
		want, ding, onWeCom string
	}{
		{name: "who is named", want: "heir", ding: "d-heir", onWeCom: "w-heir"},
		{name: "the manager", change: without("heir"), want: "manager", ding: "d-manager", onWeCom: "w-manager"},
		{name: "who leads the department, and never oneself", change: without("heir", "manager"), want: "head", ding: "d-head", onWeCom: "w-head"},
		{name: "who leads the one above", change: without("heir", "manager", "head"), want: "chief", ding: "d-chief", onWeCom: "w-chief"},
		{name: "the policy's", change: without("heir", "manager", "head", "chief"), want: "fallback", ding: "d-fallback", onWeCom: "w-fallback"},
		{name: "nobody", change: without("heir", "manager", "head", "chief", "fallback")},
		{
			name: "in the policy's order", rules: []v1alpha1.SuccessorRule{v1alpha1.SuccessorFallback, v1alpha1.SuccessorNamed},
			want: "fallback", ding: "d-fallback", onWeCom: "w-fallback",
		},
		{name: "by the policy's rules alone", rules: []v1alpha1.SuccessorRule{v1alpha1.SuccessorNamed}, change: without("heir")},
		{
			name: "who is declared frozen is passed over", change: func(all map[string]*v1alpha1.Employee) { all["heir"].Spec.State = v1alpha1.EmployeeFrozen },
			want: "manager", ding: "d-manager", onWeCom: "w-manager",
		},
		{
			name: "so is who leaves", change: func(all map[string]*v1alpha1.Employee) {
				now := metav1.Now()
				all["heir"].Spec.State = v1alpha1.EmployeeDeparted
				all["manager"].DeletionTimestamp, all["manager"].Finalizers = &now, []string{v1alpha1.Finalizer}
			},
			want: "head", ding: "d-head", onWeCom: "w-head",
		},
		{
			name: "who is frozen on an account, has none of ours there, or was taken off it is passed over there",
			change: func(all map[string]*v1alpha1.Employee) {
				all["heir"].Status.Accounts[1].State = v1alpha1.AccountFrozen
				all["manager"].Status.Accounts[1].Origin = ""
				all["head"].Spec.Accounts = all["head"].Spec.Accounts[:1]
			},
			want: "heir", ding: "d-heir", onWeCom: "w-chief",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := people()
			if c.change != nil {
				c.change(all)
			}
			e := member("li-na", "ding=d1", "wecom=w1")
			e.Spec.Offboarding.SuccessorRef.Name, e.Spec.ManagerRef.Name = "heir", "manager"
			e.Spec.Departments = []v1alpha1.EmployeeDepartment{{Name: "rd"}}
			standard := policy("standard", v1alpha1.PolicyDefault, func(p *v1alpha1.OffboardingPolicy) {
				p.Spec.Successors, p.Spec.SuccessorRef.Name = c.rules, "fallback"
			})
			// The departments go round in a circle.
			objects := []client.Object{&standard, unit("rd", "company", "li-na", "head"), unit("company", "rd", "chief")}
			for _, p := range all {
				objects = append(objects, p)
			}
			spec, p, err := snapshot(t.Context(), employing(t, objects...), e, v1alpha1.TriggerDeparted)
			if err != nil || p != nil {
				t.Fatal(err, p)
			}
			if spec.SuccessorName != c.want || spec.Accounts[0].SuccessorUserID != c.ding || spec.Accounts[1].SuccessorUserID != c.onWeCom {
				t.Errorf("%q with %q and %q, want %q with %q and %q", spec.SuccessorName, spec.Accounts[0].SuccessorUserID, spec.Accounts[1].SuccessorUserID, c.want, c.ding, c.onWeCom)
			}
			if c.want != "" && spec.SuccessorPersonName != all[c.want].Spec.Name {
				t.Errorf("successor is called %q", spec.SuccessorPersonName)
			}
			if m := all["manager"]; m != nil && reachedAt(m, "wecom") != spec.Accounts[1].ManagerUserID {
				t.Errorf("the manager is %q", spec.Accounts[1].ManagerUserID)
			}
		})
	}
}
