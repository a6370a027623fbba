package controllers_test

import (
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/provider"
)

// console is the twin's tenant as an administrator's console shows and changes its roles.
func (t *twin) console() directory.RoleKeeper {
	GinkgoHelper()
	settings := directory.Settings{
		Tenant: t.corpID, Endpoint: t.server.URL, LegacyEndpoint: t.server.URL, Secrets: map[string][]byte{}, HTTP: t.server.Client(),
		Throttled: func(string, time.Duration) {}, Now: time.Now,
	}
	for k, v := range t.keys {
		settings.Secrets[k] = []byte(v)
	}
	for _, d := range provider.All() {
		if d.Platform == map[string]string{"wecom": "WeCom", "dingtalk": "DingTalk"}[t.Name()] {
			made, err := d.New(settings)
			Expect(err).NotTo(HaveOccurred())
			return made.(directory.RoleKeeper)
		}
	}
	Fail("no such platform")
	return nil
}

// newRole is a new role on the twin's tenant that these people have.
func (t *twin) newRole(name string, people ...*v1alpha1.Employee) string {
	GinkgoHelper()
	id, err := t.console().CreateRole(ctx, directory.Role{Name: name})
	Expect(err).NotTo(HaveOccurred())
	if len(people) > 0 {
		t.give(id, people...)
	}
	return id
}

func memberships(role string, people []*v1alpha1.Employee) (all []directory.RoleMember) {
	for _, e := range people {
		all = append(all, directory.RoleMember{Role: role, Account: e.Status.Number})
	}
	return all
}

// give gives the role to people by hand, and take takes it from them.
func (t *twin) give(role string, people ...*v1alpha1.Employee) {
	GinkgoHelper()
	Expect(t.console().AddToRole(ctx, role, memberships(role, people))).To(Succeed())
}

func (t *twin) take(role string, people ...*v1alpha1.Employee) {
	GinkgoHelper()
	Expect(t.console().(directory.RoleRevoker).RemoveFromRole(ctx, role, memberships(role, people))).To(Succeed())
}

// holdersOf is who really holds the role, sorted.
func (t *twin) holdersOf(role string) func() ([]string, error) {
	return func() (ids []string, err error) {
		members, err := t.console().RoleMembers(ctx, role)
		for _, m := range members {
			ids = append(ids, m.Account)
		}
		slices.Sort(ids)
		return ids, err
	}
}

// numbers of people, which are their user ids.
func numbers(people ...*v1alpha1.Employee) types.GomegaMatcher {
	ids := make([]any, 0, len(people))
	for _, e := range people {
		ids = append(ids, e.Status.Number)
	}
	return ConsistOf(ids...)
}

// binding is a PermissionBinding of the role 审核员, not created yet.
func (c *company) binding(name, account string, change ...func(*v1alpha1.PermissionBinding)) *v1alpha1.PermissionBinding {
	b := &v1alpha1.PermissionBinding{ObjectMeta: c.meta(name), Spec: v1alpha1.PermissionBindingSpec{
		AccountRef: v1alpha1.AccountReference{Name: account}, Role: v1alpha1.BoundRole{Kind: v1alpha1.BoundRoleRole, Name: "审核员"},
		Reason: "审核报销单",
	}}
	for _, f := range change {
		f(b)
	}
	return b
}

func declaring(people ...*v1alpha1.Employee) func(*v1alpha1.PermissionBinding) {
	return func(b *v1alpha1.PermissionBinding) {
		b.Spec.Subjects.EmployeeRefs = nil
		for _, e := range people {
			b.Spec.Subjects.EmployeeRefs = append(b.Spec.Subjects.EmployeeRefs, v1alpha1.EmployeeReference{Name: e.Name})
		}
	}
}

func exclusive(b *v1alpha1.PermissionBinding) { b.Spec.Membership = v1alpha1.MembershipExclusive }

var _ = Describe("Permissions", func() {
	var c *company
	var people []*v1alpha1.Employee

	BeforeEach(func() {
		c = founded()
		c.wecom.keys["agentId"], c.dingtalk.keys["agentId"] = "1000002", "3000000001"
		c.open(c.wecom, c.dingtalk)
		create(c.department("rd", "研发中心"))
		people = nil
		for _, name := range []string{"a", "b", "c"} {
			people = append(people, create(c.person(name)))
		}
		for _, e := range people {
			Eventually(of(e)).Should(beReady())
		}
	})

	for _, platform := range []string{"wecom", "dingtalk"} {
		twinOf := func() *twin { return map[string]*twin{"wecom": c.wecom, "dingtalk": c.dingtalk}[platform] }

		It("heals what was changed by hand, both ways, and takes the role away at the end: "+platform, func() {
			t := twinOf()
			role := t.newRole("审核员", people[1], people[2])
			b := create(c.binding("reviewers", platform, declaring(people[0], people[1]), exclusive))
			Eventually(of(b)).Should(And(beReady(), HaveField("Status.HoldersText", "2/2"), HaveField("Status.State", v1alpha1.BindingActive)))
			Expect(t.holdersOf(role)()).To(numbers(people[0], people[1]))
			Expect(b.Status.GrantedUserIDs).To(numbers(people[0], people[1]))

			t.take(role, people[0])
			t.give(role, people[2])
			c.resync(t)
			Eventually(t.holdersOf(role)).Should(numbers(people[0], people[1]))
			Eventually(of(b)).Should(And(beReady(), HaveField("Status.HoldersText", "2/2")))

			change(b, func(b *v1alpha1.PermissionBinding) { b.Spec.Membership = v1alpha1.MembershipAdditive })
			t.give(role, people[2])
			c.resync(t)
			Eventually(of(b)).Should(And(beReady(), HaveField("Status.OthersUserIDs", numbers(people[2]))))
			Expect(t.holdersOf(role)()).To(numbers(people...), "others are only reported")

			change(b, declaring(people[1]))
			Eventually(t.holdersOf(role)).Should(numbers(people[1], people[2]))
			Eventually(of(b)).Should(And(beReady(), HaveField("Status.GrantedUserIDs", numbers(people[1]))))
			remove(b)
			Eventually(exists(b)).Should(BeFalse())
			Expect(t.holdersOf(role)()).To(numbers(people[2]), "who never was declared keeps it")
		})
	}
})
