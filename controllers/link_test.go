package controllers_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	. "github.com/onsi/gomega/gstruct"
	"github.com/onsi/gomega/types"
	apitypes "k8s.io/apimachinery/pkg/types"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/controllers"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/linked/linkedtest"
)

// fakes are the linked systems of all specs, by their endpoints.
var fakes sync.Map

// linkers open them.
func linkers() map[string]controllers.Linker {
	return map[string]controllers.Linker{"SCIM": func(spec *v1alpha1.LinkedSystemSpec, s linked.Settings) (linked.System, error) {
		f, ok := fakes.Load(string(spec.SCIM.Endpoint))
		if !ok || string(s.Secrets["token"]) == "" {
			return nil, &directory.Error{Class: directory.Invalid, Operation: "open", Message: "there is nothing at this endpoint"}
		}
		return f.(linked.System), nil
	}}
}

// linkedTo puts people into linked systems.
func linkedTo(systems ...string) func(*v1alpha1.Employee) {
	return func(e *v1alpha1.Employee) {
		for _, name := range systems {
			e.Spec.LinkedAccounts = append(e.Spec.LinkedAccounts, v1alpha1.LinkedAccount{Name: name})
		}
	}
}

// quietly is on no platform but WeCom.
var quietly = on[*v1alpha1.Employee]("wecom")

// link is the person's entry for a system.
func link(system string, f func(*v1alpha1.LinkedAccount)) func(*v1alpha1.Employee) {
	return func(e *v1alpha1.Employee) {
		for i := range e.Spec.LinkedAccounts {
			if e.Spec.LinkedAccounts[i].Name == system {
				f(&e.Spec.LinkedAccounts[i])
			}
		}
	}
}

// linkedAs matches a person with this standing in a linked system.
func linkedAs(system string, m types.GomegaMatcher) types.GomegaMatcher {
	return WithTransform(func(e *v1alpha1.Employee) v1alpha1.LinkedAccountStatus {
		for _, l := range e.Status.LinkedAccounts {
			if l.Name == system {
				return l
			}
		}
		return v1alpha1.LinkedAccountStatus{}
	}, m)
}

func linkReason(reason string) types.GomegaMatcher { return HaveField("Reason", reason) }

// system is a LinkedSystem with a fake behind it, not created yet.
func (c *company) system(name string, f *linkedtest.Fake, change ...func(*v1alpha1.LinkedSystem)) *v1alpha1.LinkedSystem {
	endpoint := fmt.Sprintf("https://%s.%s.example.com/scim/v2", name, c.namespace)
	fakes.Store(endpoint, f)
	ls := &v1alpha1.LinkedSystem{ObjectMeta: c.meta(name), Spec: v1alpha1.LinkedSystemSpec{
		SCIM: v1alpha1.SCIMSystem{Endpoint: v1alpha1.Endpoint(endpoint)}, CredentialsSecretRef: v1alpha1.SecretReference{Name: name + "-credentials"},
		OnJoin: v1alpha1.OnJoinProvision, ResyncIntervalSeconds: 86400,
		Attributes: []v1alpha1.MappedAttribute{
			{Name: "displayName", Value: "employee.name"}, {Name: "title", Value: "employee.title"},
			{Name: "department", Value: "employee.primaryDepartment.displayName"}, {Name: "manager", Value: `has(employee.manager) ? employee.manager.number : ""`},
		},
	}}
	for _, f := range change {
		f(ls)
	}
	return ls
}

// mail is a running system with nobody in it.
func (c *company) mail(change ...func(*v1alpha1.LinkedSystem)) (*linkedtest.Fake, *v1alpha1.LinkedSystem) {
	GinkgoHelper()
	f := linkedtest.NewFake(linkedtest.Able())
	c.secret("mail-credentials", map[string]string{"token": c.namespace + "-token-of-mail"})
	ls := create(c.system("mail", f, change...))
	Eventually(of(ls)).Should(beReady())
	return f, ls
}

// reread has the system read anew, and returns when that is over.
func (c *company) reread(ls *v1alpha1.LinkedSystem, f *linkedtest.Fake) {
	GinkgoHelper()
	lists := len(f.Calls("List", "Discover"))
	change(ls, func(ls *v1alpha1.LinkedSystem) {
		ls.Spec.ResyncIntervalSeconds = 80000 + ls.Spec.ResyncIntervalSeconds%10 + 1
	})
	Eventually(func() int { return len(f.Calls("List", "Discover")) }).Should(BeNumerically(">", lists))
}

// at reads the account with the login, nil if there is none.
func at(f *linkedtest.Fake, login string) func() *linked.Account {
	return func() *linked.Account {
		if a, ok := f.Accounts()[login]; ok {
			return &a
		}
		return nil
	}
}

func enabled(is bool) types.GomegaMatcher { return PointTo(HaveField("Enabled", is)) }

func attribute(name string, values ...string) types.GomegaMatcher {
	if len(values) == 0 {
		return PointTo(HaveField("Attributes", Not(HaveKey(name))))
	}
	return PointTo(HaveField("Attributes", HaveKeyWithValue(name, values)))
}

var _ = Describe("Linked accounts", func() {
	var c *company

	BeforeEach(func() {
		c = founded()
		c.open(c.wecom)
		create(c.department("rd", "研发中心", on[*v1alpha1.Department]("wecom")))
	})

	It("are made for whom there is none, and follow every move", func() {
		f, ls := c.mail()
		boss := create(c.person("li-na", quietly))
		e := create(c.person("wang-fang", quietly, linkedTo("mail"), reportingTo("li-na")))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.LinkedReady", "1/1"), linkedAs("mail", MatchFields(IgnoreExtras, Fields{
			"Origin": Equal(v1alpha1.OriginCreated), "State": Equal(v1alpha1.LinkedActive), "AccountID": Equal("id-0001"), "Reason": BeEmpty(),
		}))))
		Expect(at(f, "E0002")()).To(And(enabled(true), attribute("displayName", e.Spec.Name), attribute("department", "研发中心"), attribute("manager", "E0001")))
		Eventually(of(boss)).Should(beReady())

		By("the person's title, the department's name, and the manager")
		change(e, titled("经理"))
		Eventually(at(f, "E0002")).Should(attribute("title", "经理"))
		change(&v1alpha1.Department{ObjectMeta: c.meta("rd")}, func(d *v1alpha1.Department) { d.Spec.DisplayName = "研究院" })
		Eventually(at(f, "E0002")).Should(attribute("department", "研究院"))
		change(e, func(e *v1alpha1.Employee) { e.Spec.ManagerRef.Name = "" })
		Eventually(at(f, "E0002")).Should(attribute("manager"))
		Eventually(of(e)).Should(beReady())

		By("what somebody changes there is put right")
		f.Change("id-0001", func(a *linked.Account) { a.Attributes["title"] = []string{"实习生"} })
		c.reread(ls, f)
		Eventually(at(f, "E0002")).Should(attribute("title", "经理"))
		Expect(f.Calls("Create")).To(HaveLen(1))
		Eventually(of(ls)).Should(And(beReady(), HaveField("Status.Protocol", "SCIM"), says("Healthy", "True", "InSync"), says("MappingValid", "True", "InSync"),
			HaveField("Status.Accounts.Linked", HaveValue(BeEquivalentTo(1)))))
	})

	It("P4: that exist are linked by the number, shown where they differ, and left alone where they are nobody's", func() {
		f, ls := c.mail(func(ls *v1alpha1.LinkedSystem) {
			ls.Spec.OnJoin = v1alpha1.OnJoinLinkOnly
			ls.Spec.Attributes = ls.Spec.Attributes[1:2]
		})
		f.Place(linked.Account{ID: "same", Login: "li.na", Number: "E0001", Enabled: true, Attributes: map[string][]string{"title": {"工程师"}}})
		f.Place(linked.Account{ID: "other", Login: "wang.fang", Number: "E0002", Enabled: true, Attributes: map[string][]string{"title": {"经理"}}})
		f.Place(linked.Account{ID: "stranger", Login: "root", Enabled: true})
		c.reread(ls, f)
		same, other, none := create(c.person("li-na", quietly, linkedTo("mail"))), create(c.person("wang-fang", quietly, linkedTo("mail"))), create(c.person("zhao-min", quietly, linkedTo("mail")))
		Eventually(of(same)).Should(And(beReady(), linkedAs("mail", And(HaveField("AccountID", "same"), HaveField("Origin", v1alpha1.OriginAdopted)))))
		Eventually(of(other)).Should(And(stalled("AdoptionReview", "title"), linkedAs("mail", And(HaveField("Origin", BeEmpty()), HaveField("Differences", ConsistOf("title"))))))
		Eventually(of(none)).Should(waiting("WaitingForAccount", "LinkOnly"))
		Expect(f.Writes()).To(BeEmpty())
		By("the declaration agrees")
		change(other, titled("经理"))
		Eventually(of(other)).Should(beReady())
		By("the account that is waited for appears")
		f.Place(linked.Account{ID: "late", Login: "zhao.min", Number: "E0003", Enabled: true, Attributes: map[string][]string{"title": {"工程师"}}})
		c.reread(ls, f)
		Eventually(of(none)).Should(And(beReady(), linkedAs("mail", HaveField("AccountID", "late"))))
		Expect(f.Writes()).To(BeEmpty())
	})

	It("P4: that two people claim are refused to the second, and both are told", func() {
		f, _ := c.mail()
		f.Place(linked.Account{ID: "shared", Login: "team", Enabled: true})
		pin := link("mail", func(l *v1alpha1.LinkedAccount) { l.AccountID = "shared" })
		first := create(c.person("li-na", quietly, linkedTo("mail"), pin))
		Eventually(of(first)).Should(And(beReady(), linkedAs("mail", HaveField("AccountID", "shared"))))
		later(first)
		second := create(c.person("wang-fang", quietly, linkedTo("mail"), pin))
		Eventually(of(second)).Should(And(stalled("DataConflict", "li-na"), says("Unique", "False", "DataConflict"), linkedAs("mail", HaveField("Origin", BeEmpty()))))
		Eventually(of(first)).Should(And(beReady(), says("Unique", "False", "DataConflict", "wang-fang"), linkedAs("mail", HaveField("Rivals", ConsistOf("wang-fang")))))
		change(second, link("mail", func(l *v1alpha1.LinkedAccount) { l.AccountID = "" }))
		Eventually(of(second)).Should(beReady())
		Eventually(of(first)).Should(says("Unique", "True", "InSync"))

		By("one login that is yet to be found")
		login := link("mail", func(l *v1alpha1.LinkedAccount) { l.Login = "front.desk" })
		f.Every("Create", linkedtest.Refused(directory.QuotaExceeded))
		third := create(c.person("zhao-min", quietly, linkedTo("mail"), login))
		Eventually(of(third)).Should(linkedAs("mail", linkReason("QuotaExceeded")))
		later(third)
		fourth := create(c.person("sun-li", quietly, linkedTo("mail"), login))
		Eventually(of(fourth)).Should(stalled("DataConflict", "zhao-min"))
		Eventually(of(third)).Should(says("Unique", "False", "DataConflict", "sun-li"))
	})

	It("P3: that were asked for and are taken off before the answer are found, and retained where that is declared", func() {
		f, _ := c.mail(onLeaving(v1alpha1.UnlinkRetain))
		e := create(c.person("li-na", quietly))
		Eventually(of(e)).Should(beReady())
		wait := manager.endsAfter(e, `"Creating"`)
		change(e, linkedTo("mail"))
		wait()
		change(e, func(e *v1alpha1.Employee) { e.Spec.LinkedAccounts = nil })
		f.Place(linked.Account{ID: "made", Login: e.Status.Number, Number: e.Status.Number, Enabled: true})
		manager.start()
		Eventually(c.told(e)).Should(ContainElement("Retained"))
		Eventually(of(e)).Should(HaveField("Status.LinkedAccounts", BeEmpty()))
		Expect(at(f, e.Status.Number)()).To(enabled(true))
		Expect(f.Writes()).To(BeEmpty())
	})

	It("P4: are left alone in another system that has the name of theirs", func() {
		_, ls := c.mail()
		e := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(And(beReady(), linkedAs("mail", HaveField("SystemUID", string(ls.UID)))))
		remove(ls)
		Eventually(of(ls)).Should(HaveField("DeletionTimestamp", Not(BeNil())))
		change(ls, func(ls *v1alpha1.LinkedSystem) { ls.Finalizers = nil })
		Eventually(exists(ls)).Should(BeFalse())
		f := linkedtest.NewFake(linkedtest.Able())
		Expect(f.Place(linked.Account{Login: "stranger", Enabled: true})).To(Equal("id-0001"), "the id that the person has in the other")
		Eventually(of(create(c.system("mail", f)))).Should(beReady())
		Eventually(of(e)).Should(stalled("DataConflict", "another LinkedSystem"))
		change(e, frozen)
		Eventually(of(e)).Should(And(stalled("DataConflict"), linkedAs("mail", HaveField("ObservedGeneration", HaveValue(Equal(e.Generation))))))
		Expect(f.Writes()).To(BeEmpty())
		By("linked anew")
		change(e, active, func(e *v1alpha1.Employee) { e.Spec.LinkedAccounts = nil })
		Eventually(of(e)).Should(HaveField("Status.LinkedAccounts", BeEmpty()))
		change(e, linkedTo("mail"))
		Eventually(of(e)).Should(And(beReady(), linkedAs("mail", HaveField("AccountID", Not(Equal("id-0001"))))))
		Expect(f.Accounts()["stranger"].Enabled).To(BeTrue())
	})

	It("P4: of one system are managed by the older of two LinkedSystems alone, in whatever namespace the other is", func() {
		f, ls := c.mail()
		later(ls)
		there := founded()
		there.secret("post-credentials", map[string]string{"token": there.namespace + "-token-of-post"})
		same := there.system("post", linkedtest.NewFake(linkedtest.Able()))
		same.Spec.SCIM.Endpoint = v1alpha1.Endpoint(strings.Replace(string(ls.Spec.SCIM.Endpoint), "example.com/", "EXAMPLE.com:443/", 1))
		fakes.Store(string(same.Spec.SCIM.Endpoint), f)
		create(same)
		Eventually(of(same)).Should(And(stalled("DataConflict", c.namespace+"/mail"), says("Healthy", "False", "DataConflict", "E-205")))
		Expect(of(ls)()).To(beReady())
		remove(ls)
		Eventually(of(same)).Should(beReady())
	})

	It("P2: are disabled by a freeze, and enabled again by its end, but not what somebody else disabled", func() {
		f, ls := c.mail()
		e, other := create(c.person("li-na", quietly, linkedTo("mail"))), create(c.person("wang-fang", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(beReady())
		Eventually(of(other)).Should(beReady())
		change(e, frozen)
		Eventually(of(e)).Should(And(beReady(), linkedAs("mail", And(HaveField("State", v1alpha1.LinkedDisabled), HaveField("DisabledBy", v1alpha1.FrozenByRollcall), HaveField("AdmittedTime", Not(BeNil()))))))
		Expect(at(f, "E0001")()).To(enabled(false))
		change(e, active)
		Eventually(of(e)).Should(And(beReady(), linkedAs("mail", And(HaveField("State", v1alpha1.LinkedActive), HaveField("DisabledBy", BeEmpty()), HaveField("AdmittedTime", BeNil())))))
		Expect(at(f, "E0001")()).To(enabled(true))

		f.Change(at(f, "E0002")().ID, func(a *linked.Account) { a.Enabled = false })
		c.reread(ls, f)
		Eventually(of(other)).Should(And(stalled("FrozenElsewhere"), linkedAs("mail", HaveField("DisabledBy", v1alpha1.FrozenByOther))))
		Expect(at(f, "E0002")()).To(enabled(false))
	})

	It("P3: whose creation was not answered are looked up, also by another manager", func() {
		f, _ := c.mail()
		f.Next("Create", linkedtest.Lost(), linkedtest.Unsent())
		e, other := create(c.person("li-na", quietly, linkedTo("mail"))), create(c.person("wang-fang", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(beReady())
		Eventually(of(other)).Should(beReady())
		Expect(f.Accounts()).To(HaveLen(2))

		third := create(c.person("zhao-min", quietly))
		Eventually(of(third)).Should(beReady())
		wait := manager.endsAfter(third, `"Creating"`)
		change(third, linkedTo("mail"))
		wait()
		f.Place(linked.Account{ID: "made", Login: "E0003", Number: "E0003", Enabled: true, Attributes: map[string][]string{"displayName": {third.Spec.Name}, "title": {"工程师"}, "department": {"研发中心"}}})
		manager.start() // what was asked for before the end may have happened
		Eventually(of(third)).Should(And(beReady(), linkedAs("mail", And(HaveField("AccountID", "made"), HaveField("Origin", v1alpha1.OriginCreated)))))
		Expect(f.Accounts()).To(HaveLen(3))
	})

	It("P5: that vanish are held, whatever a listing says, and never made again unasked", func() {
		f, ls := c.mail()
		e := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(beReady())
		f.Next("List", linkedtest.Fault{Accounts: func([]linked.Account) []linked.Account { return nil }})
		c.reread(ls, f)
		Eventually(of(ls)).Should(And(waiting("PlatformUnavailable", "empty"), says("Healthy", "False", "PlatformUnavailable")))
		Consistently(of(e), "300ms").Should(beReady())
		By("a listing that lacks one of two")
		create(c.person("wang-fang", quietly, linkedTo("mail")))
		Eventually(at(f, "E0002")).ShouldNot(BeNil())
		lacks := linkedtest.Fault{Accounts: func(all []linked.Account) []linked.Account {
			return slices.DeleteFunc(all, func(a linked.Account) bool { return a.ID == "id-0001" })
		}}
		f.Next("List", lacks, lacks)
		reads := len(f.Calls("Account"))
		c.reread(ls, f)
		Eventually(func() int { return len(f.Calls("Account")) }).Should(BeNumerically(">", reads), "it is read directly")
		Eventually(of(e)).Should(beReady())
		By("it is really gone")
		f.Take("id-0001")
		f.Every("List", linkedtest.Fault{})
		c.reread(ls, f)
		Eventually(of(e)).Should(And(stalled("Vanished"), linkedAs("mail", HaveField("State", v1alpha1.LinkedVanished))))
		Expect(f.Calls("Create")).To(HaveLen(2))
	})

	It("P9: say what the system ignores, and what it does not show", func() {
		f, _ := c.mail()
		e := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(beReady())
		f.Next("Update", linkedtest.Fault{Drops: []string{"title"}})
		change(e, titled("经理"))
		Eventually(of(e)).Should(And(stalled("WriteIgnored", "title"), linkedAs("mail", HaveField("IgnoredAttributes", ConsistOf("title")))))
		f.Every("Disable", linkedtest.Fault{Ignored: true})
		change(e, frozen)
		Eventually(of(e)).Should(linkedAs("mail", And(HaveField("State", v1alpha1.LinkedActive), linkReason("PlatformUnavailable"))))
		Expect(of(e)()).NotTo(beReady())
		f.Every("Disable", linkedtest.Fault{})
		Eventually(of(e)).Should(linkedAs("mail", HaveField("State", v1alpha1.LinkedDisabled)))
	})

	It("P9: count for Ready only as they are seen of this very declaration", func() {
		c.mail()
		e := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(beReady())
		var open atomic.Bool
		manager.use(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
			if r.Method != http.MethodPatch || open.Load() {
				return next.RoundTrip(r)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			if r.Body = io.NopCloser(bytes.NewReader(body)); bytes.Contains(body, []byte(`"linkedAccounts"`)) {
				return nil, errEnded // what is seen of them cannot be written
			}
			return next.RoundTrip(r)
		})
		DeferCleanup(func() { manager.use(nil) })
		change(e, titled("经理"))
		Eventually(of(e)).Should(waiting("Progressing", "mail"))
		Consistently(of(e), "300ms").ShouldNot(beReady())
		open.Store(true)
		Eventually(of(e)).Should(beReady())
	})

	It("P11: of a system that is dead, or whose calls hang, hold up nothing in another", func() {
		dead := linkedtest.NewFake(linkedtest.Able())
		hang := linkedtest.Fault{Before: func(ctx context.Context) { <-ctx.Done() }}
		dead.Every("", hang)
		c.secret("door-credentials", map[string]string{"token": c.namespace + "-token-of-door"})
		door := create(c.system("door", dead))
		f, _ := c.mail()
		e := create(c.person("li-na", quietly, linkedTo("door", "mail")))
		Eventually(of(e)).Should(linkedAs("mail", And(HaveField("State", v1alpha1.LinkedActive), linkReason(""))))
		Eventually(of(e)).Should(And(waiting("WaitingForAccount", "door"), HaveField("Status.LinkedReady", "1/2")))
		change(e, frozen)
		Eventually(at(f, "E0001")).Should(enabled(false))
		Expect(of(door)()).To(waiting("Progressing"))
		dead.Every("", linkedtest.Fault{})
	})

	It("P11: of one person whom a mapping does not fit hold up nobody else, nor a freeze", func() {
		f, _ := c.mail(func(ls *v1alpha1.LinkedSystem) {
			ls.Spec.Attributes = append(ls.Spec.Attributes, v1alpha1.MappedAttribute{Name: "desk", Value: `employee.attributes["desk"]`})
		})
		desk := func(e *v1alpha1.Employee) { e.Spec.Attributes = []v1alpha1.Attribute{{Name: "desk", Value: "3-17"}} }
		good, bad := create(c.person("li-na", quietly, linkedTo("mail"), desk)), create(c.person("wang-fang", quietly, linkedTo("mail")))
		Eventually(of(bad)).Should(linkedAs("mail", linkReason("InvalidValue")))
		Eventually(of(good)).Should(linkedAs("mail", And(linkReason(""), HaveField("State", v1alpha1.LinkedActive))))
		change(good, func(e *v1alpha1.Employee) { e.Spec.Attributes = nil; frozen(e) })
		Eventually(at(f, "E0001")).Should(enabled(false))
		Eventually(of(good)).Should(linkedAs("mail", And(linkReason("InvalidValue"), HaveField("State", v1alpha1.LinkedDisabled))))
	})

	It("P13: cost nothing while nothing changes: pages, not people, and no writes", func() {
		f, ls := c.mail()
		for i := range 5 {
			create(c.person(fmt.Sprintf("person-%d", i), quietly, linkedTo("mail")))
		}
		Eventually(func() int { return len(f.Accounts()) }).Should(Equal(5))
		c.settled()
		before, calls, reconciles := c.versions(), len(f.Calls()), looks("link")
		// a reading is asked for without a change of any object
		c.nudge(ls, f)
		Consistently(func() int { return len(f.Calls()) }, "500ms").Should(Equal(calls+1), "one listing: %v", f.Calls()[calls:])
		after := c.versions()
		delete(before, "*v1alpha1.LinkedSystem mail")
		delete(after, "*v1alpha1.LinkedSystem mail")
		Expect(after).To(Equal(before))
		Expect(looks("link")-reconciles).To(BeNumerically("<=", 5), "each person may be looked at once, because the declaration has another generation")
	})

	It("are unlinked when the system is taken off the person, as onLeave says", func() {
		f, ls := c.mail()
		e := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(beReady())
		f.Change(at(f, "E0001")().ID, func(a *linked.Account) { a.Groups = []string{"staff"} })
		off := func(e *v1alpha1.Employee) { e.Spec.LinkedAccounts = nil }
		f.Next("Disable", linkedtest.Lost())
		f.Next("Unlink", linkedtest.Refused(directory.Unavailable))
		change(e, off)
		counted := And(HaveField("State", v1alpha1.LinkedUnlinked), HaveField("Origin", BeEmpty()), HaveField("AdmittedTime", Not(BeNil())))
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.LinkedReady", BeEmpty()), linkedAs("mail", counted)))
		Expect(at(f, "E0001")()).To(PointTo(MatchFields(IgnoreExtras, Fields{"Enabled": BeFalse(), "Parked": BeTrue(), "Groups": BeEmpty()})))
		Expect(f.Calls("Delete")).To(BeEmpty())

		By("reverting that")
		id, made := at(f, "E0001")().ID, len(f.Calls("Create"))
		change(e, linkedTo("mail"))
		Eventually(of(e)).Should(And(beReady(), linkedAs("mail", And(HaveField("State", v1alpha1.LinkedActive), HaveField("AccountID", id), HaveField("DisabledBy", BeEmpty()), HaveField("AdmittedTime", BeNil())))))
		Expect(at(f, "E0001")()).To(enabled(true))
		Expect(f.Calls("Create")).To(HaveLen(made), "it is the account that was there")
		change(e, off)
		Eventually(of(e)).Should(linkedAs("mail", counted))

		By("retained")
		change(ls, func(ls *v1alpha1.LinkedSystem) { ls.Spec.OnLeave = v1alpha1.UnlinkRetain })
		other := create(c.person("zhao-min", quietly, linkedTo("mail")))
		Eventually(of(other)).Should(beReady())
		change(other, off)
		Eventually(of(other)).Should(And(beReady(), HaveField("Status.LinkedAccounts", BeEmpty())))
		Expect(at(f, "E0002")()).To(enabled(true))
	})

	It("P6: are deleted only when the taking off counts no more, and come back when it is undone before, also of somebody frozen", func() {
		f, _ := c.mail(onLeaving(v1alpha1.UnlinkDelete))
		e, other := create(c.person("li-na", quietly, linkedTo("mail"))), create(c.person("wang-fang", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(beReady())
		Eventually(of(other)).Should(beReady())
		now := time.Now().Truncate(time.Second)
		today.set(now)
		change(other, frozen)
		Eventually(of(other)).Should(And(beReady(), linkedAs("mail", HaveField("AdmittedTime", Not(BeNil())))))
		today.set(now.Add(25 * time.Hour))
		off := func(e *v1alpha1.Employee) { e.Spec.LinkedAccounts = nil }
		ends := now.Add(49 * time.Hour).UTC()
		waits := And(HaveField("State", v1alpha1.LinkedDisabled), linkReason(""), HaveField("Message", ContainSubstring(ends.Format(time.DateOnly))), HaveField("Phase", v1alpha1.UnlinkPhaseDisable))
		for _, e := range []*v1alpha1.Employee{e, other} {
			change(e, off)
			Eventually(of(e)).Should(And(beReady(), linkedAs("mail", waits)))
		}
		Expect(at(f, "E0001")()).To(enabled(false))
		Expect(f.Calls("Unlink", "Delete")).To(BeEmpty())
		By("one is linked again")
		stored := at(f, "E0001")().ID
		change(e, linkedTo("mail"))
		Eventually(of(e)).Should(And(beReady(), linkedAs("mail", And(accountID(stored), HaveField("State", v1alpha1.LinkedActive), HaveField("Message", BeEmpty())))))
		Expect(at(f, "E0001")()).To(enabled(true))
		By("the other is not")
		today.set(now.Add(50 * time.Hour))
		change(other, titled("经理")) // it is looked at
		Eventually(of(other)).Should(And(beReady(), HaveField("Status.LinkedAccounts", BeEmpty())))
		Expect(slices.Collect(maps.Keys(f.Accounts()))).To(ConsistOf("E0001"))
	})

	It("P10: let the system go when nobody is declared in it any more, and leave everything in it as it is", func() {
		f, ls := c.mail()
		e := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(beReady())
		remove(ls)
		Eventually(of(ls)).Should(stands(ending, "InUse", "1 people"))
		Eventually(f.Closed).Should(BeTrue(), "it is not called any more")
		writes := len(f.Writes())
		change(e, func(e *v1alpha1.Employee) { e.Spec.LinkedAccounts = nil })
		Eventually(exists(ls)).Should(BeFalse())
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.LinkedAccounts", BeEmpty())))
		Expect(f.Writes()).To(HaveLen(writes))
		Expect(at(f, "E0001")()).To(enabled(true))
	})

	It("are only shown where the system is observed, and not touched where it is suspended", func() {
		f, ls := c.mail(func(ls *v1alpha1.LinkedSystem) { ls.Spec.Mode = v1alpha1.ModeObserve })
		e := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(linkedAs("mail", And(linkReason("WouldChange"), HaveField("Message", ContainSubstring("create")), HaveField("Origin", BeEmpty()))))
		Expect(f.Writes()).To(BeEmpty())
		change(ls, func(ls *v1alpha1.LinkedSystem) { ls.Spec.Mode = v1alpha1.ModeSuspended })
		Eventually(of(ls)).Should(stands(current, "Suspended"))
		Eventually(of(e)).Should(linkedAs("mail", linkReason("Suspended")))
		Eventually(f.Closed).Should(BeTrue())
		change(ls, func(ls *v1alpha1.LinkedSystem) { ls.Spec.Mode = "" })
		Eventually(of(e)).Should(beReady())
	})

	It("wait for a system that lacks its credentials, or whose mapping is wrong, which says so", func() {
		f := linkedtest.NewFake(linkedtest.Able())
		ls := create(c.system("mail", f, func(ls *v1alpha1.LinkedSystem) { ls.Spec.Attributes[0].Value = "employee.nickname" }))
		Eventually(of(ls)).Should(And(waiting("CredentialsMissing", "mail-credentials", "token"), says("MappingValid", "False", "InvalidValue", "displayName", "nickname")))
		c.secret("mail-credentials", map[string]string{"token": c.namespace + "-token-of-mail"})
		Eventually(of(ls)).Should(And(stalled("InvalidValue", "displayName"), says("Healthy", "True", "InSync")))
		e := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(stalled("InvalidValue", "mapping"))
		change(ls, func(ls *v1alpha1.LinkedSystem) { ls.Spec.Attributes[0].Value = "employee.name" })
		Eventually(of(ls)).Should(beReady())
		Eventually(of(e)).Should(beReady())
	})

	It("P9: wait for what is in the way now, also while the system cannot be read", func() {
		e := create(c.person("li-na", quietly, linkedTo("door"), func(e *v1alpha1.Employee) { e.Spec.Number, e.Spec.NumberRuleRef.Name = "", "rule" }))
		Eventually(of(e)).Should(linkedAs("door", linkReason("WaitingForNumber")))
		create(&v1alpha1.EmployeeNumberRule{ObjectMeta: c.meta("rule"), Spec: v1alpha1.EmployeeNumberRuleSpec{Pattern: "R{seq:4}"}})
		Eventually(of(e)).Should(waiting("WaitingForAccount", "no LinkedSystem"))
		dead := linkedtest.NewFake(linkedtest.Able())
		dead.Every("", linkedtest.Fault{Before: func(ctx context.Context) { <-ctx.Done() }})
		DeferCleanup(dead.Every, "", linkedtest.Fault{})
		c.secret("door-credentials", map[string]string{"token": c.namespace + "-token-of-door"})
		create(c.system("door", dead))
		Eventually(of(e)).Should(waiting("WaitingForAccount", "not read yet"))
	})

	It("P2: of somebody who has departed are disabled where no policy says how to leave, and nothing else is done", func() {
		f, _ := c.mail()
		e := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(beReady())
		change(e, func(e *v1alpha1.Employee) {
			e.Spec.State, e.Spec.StateReason = v1alpha1.EmployeeDeparted, "主动离职"
		})
		Eventually(at(f, "E0001")).Should(enabled(false))
		Eventually(of(e)).Should(And(stalled("NoOffboardingPolicy"), linkedAs("mail", And(HaveField("State", v1alpha1.LinkedDisabled), HaveField("AdmittedTime", Not(BeNil()))))))
		Expect(f.Calls("Unlink", "Delete")).To(BeEmpty())
		change(e, active)
		Eventually(of(e)).Should(beReady())
		Expect(at(f, "E0001")()).To(enabled(true))
	})

	It("P3: of somebody who is deleted amid a creation are recorded before the object goes", func() {
		f, _ := c.mail()
		arrived, release := make(chan struct{}), make(chan struct{})
		f.Next("Create", linkedtest.Fault{Before: func(context.Context) { close(arrived); <-release }})
		e := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(arrived).Should(BeClosed())
		remove(e)
		Consistently(exists(e), "500ms").Should(BeTrue(), "what is under way may still create the account")
		close(release)
		Eventually(exists(e)).Should(BeFalse())
		Expect(at(f, "E0001")()).To(enabled(true))
		Eventually(c.events(e)).Should(ContainElement(HaveField("Reason", "Linked")))
	})

	It("P12, P8: leave a record of every change, and tell nobody who it is", func() {
		t := c.trailOf("linkedsystem/mail")
		f, _ := c.mail()
		e := create(c.person("li-na", quietly, linkedTo("mail")))
		Eventually(of(e)).Should(beReady())
		change(e, frozen)
		Eventually(at(f, "E0001")).Should(enabled(false))
		Eventually(of(e)).Should(beReady())
		for _, action := range []string{"Create", "Disable"} {
			Expect(t.of(action)).To(HaveLen(2), action)
		}
		Expect(t.of("Disable")[0]).To(MatchFields(IgnoreExtras, Fields{"Change": MatchFields(IgnoreExtras, Fields{
			"Account": Equal(c.namespace + "/linkedsystem/mail"), "Reason": Equal("长期病假"), "Target": HaveField("ID", "id-0001"),
		})}))
	})
})

// trailOf gives an account of the company, or a linked system, a trail; it is opened after that.
func (c *company) trailOf(name string) *trail {
	GinkgoHelper()
	t := c.trail()
	trails.Delete(apitypes.NamespacedName{Namespace: c.namespace, Name: "wecom"})
	trails.Store(apitypes.NamespacedName{Namespace: c.namespace, Name: name}, t)
	return t
}

// nudge has the system read anew by another resync interval, and waits for that.
func (c *company) nudge(ls *v1alpha1.LinkedSystem, f *linkedtest.Fake) {
	GinkgoHelper()
	c.reread(ls, f)
	Eventually(of(ls)).Should(beReady())
}
