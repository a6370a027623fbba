package controllers_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/test/simulator/core"
)

// console is the twin's tenant as an administrator's console shows and changes its roles.
func (t *twin) console() directory.RoleKeeper {
	GinkgoHelper()
	return t.directory().(directory.RoleKeeper)
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

// trio is a company of three people, who can be sent notices.
func trio() (c *company, people []*v1alpha1.Employee) {
	GinkgoHelper()
	c = founded()
	c.wecom.keys["agentId"], c.dingtalk.keys["agentId"] = "1000002", "3000000001"
	c.open(c.wecom, c.dingtalk)
	c.private = slices.DeleteFunc(c.private, func(s string) bool { return s == c.wecom.keys["agentId"] || s == c.dingtalk.keys["agentId"] }) // no secrets
	create(c.department("rd", "研发中心"))
	for _, name := range []string{"a", "b", "c"} {
		people = append(people, create(c.person(name)))
	}
	for _, e := range people {
		Eventually(of(e)).Should(beReady())
	}
	return c, people
}

var _ = Describe("Permissions", func() {
	var c *company
	var people []*v1alpha1.Employee

	BeforeEach(func() { c, people = trio() })

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

	It("takes the role from whoever leaves a department within one look, and gives it to whoever comes", func() {
		role := c.dingtalk.newRole("审核员")
		create(c.department("platform", "平台组", below("rd")))
		create(c.department("sales", "销售部"))
		for _, name := range []string{"platform", "sales"} {
			c.unit(c.dingtalk, name)
		}
		whole := create(c.binding("subtree", "dingtalk", func(b *v1alpha1.PermissionBinding) {
			b.Spec.Subjects.Departments = []v1alpha1.SubjectDepartment{{Name: "rd", Extent: v1alpha1.ExtentSubtree}}
		}))
		Eventually(of(whole)).Should(And(beReady(), HaveField("Status.HoldersText", "3/3")))
		change(people[0], in("platform"))
		Eventually(of(people[0])).Should(beReady())
		Expect(of(whole)()).To(HaveField("Status.HoldersText", "3/3"))
		change(people[1], in("sales"))
		Eventually(c.dingtalk.holdersOf(role)).Should(numbers(people[0], people[2]))
		Eventually(of(whole)).Should(And(beReady(), HaveField("Status.HoldersText", "2/2")))

		d := &v1alpha1.Department{ObjectMeta: c.meta("platform")}
		change(d, below("sales"))
		Eventually(c.dingtalk.holdersOf(role)).Should(numbers(people[2]))
		change(whole, func(b *v1alpha1.PermissionBinding) {
			b.Spec.Subjects = v1alpha1.BindingSubjects{MatchLabels: map[string]v1alpha1.LabelValue{"duty": "audit"}}
		})
		Eventually(c.dingtalk.holdersOf(role)).Should(BeEmpty())
		change(people[1], func(e *v1alpha1.Employee) { e.Labels = map[string]string{"duty": "audit"} })
		Eventually(c.dingtalk.holdersOf(role)).Should(numbers(people[1]))
		change(people[1], func(e *v1alpha1.Employee) { e.Labels = nil })
		Eventually(c.dingtalk.holdersOf(role)).Should(BeEmpty())
		Eventually(of(whole)).Should(beReady())
	})

	It("P2: takes the role at once from who is frozen, and gives back only what is still declared", func() {
		role := c.wecom.newRole("审核员")
		b := create(c.binding("reviewers", "wecom", declaring(people...)))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.HoldersText", "3/3")))
		change(people[0], frozen)
		change(people[1], frozen)
		Eventually(c.wecom.holdersOf(role)).Should(numbers(people[2]))
		change(b, declaring(people[0], people[2]))
		change(people[0], active)
		change(people[1], active)
		for _, e := range people {
			Eventually(of(e)).Should(beReady())
		}
		Eventually(c.wecom.holdersOf(role)).Should(numbers(people[0], people[2]))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.GrantedUserIDs", numbers(people[0], people[2]))))
	})

	It("ends to the second, and says so before", func() {
		role := c.dingtalk.newRole("审核员")
		soon := time.Now().Add(6 * time.Second).Truncate(time.Second)
		b := create(c.binding("guests", "dingtalk", declaring(people[0]), until(soon), func(b *v1alpha1.PermissionBinding) { b.Spec.OwnerRef.Name = people[1].Name }))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.State", v1alpha1.BindingActive)))
		Expect(c.dingtalk.holdersOf(role)()).To(numbers(people[0]))
		Eventually(of(b)).Should(HaveField("Status.NoticedHours", ConsistOf(int32(24), int32(168))))
		Eventually(of(b)).WithPolling(5 * time.Millisecond).Should(HaveField("Status.State", v1alpha1.BindingExpired))
		Expect(time.Now()).To(And(BeTemporally(">=", soon), BeTemporally("<", soon.Add(time.Second))))
		Eventually(c.dingtalk.holdersOf(role)).Should(BeEmpty())
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.GrantedUserIDs", BeEmpty())))
		told := func(e *v1alpha1.Employee) types.GomegaMatcher {
			return And(HaveField("To", e.Status.Number), HaveField("Text", ContainSubstring("审核员")), HaveField("Count", 1))
		}
		Eventually(all[core.Received](c.dingtalk, "received")).Should(ConsistOf(told(people[0]), told(people[1])), "one notice, of the shortest time, to the holder and to who answers for it")
	})

	for _, kind := range []core.Kind{core.KindHang, core.KindDropAfter} {
		It("P3: tells people once of an end, although the manager stopped before it knew that they were told: "+string(kind), func() {
			c.wecom.newRole("审核员")
			heal := c.wecom.fault(core.Fault{Kind: kind, Operation: "message/send"})
			b := create(c.binding("guests", "wecom", declaring(people[0]), until(time.Now().Add(time.Hour))))
			Eventually(c.sim.Faults.List).Should(ContainElement(HaveField("Hits", BeNumerically(">", 0))))
			Eventually(of(b)).Should(And(HaveField("Status.NoticedHours", ConsistOf(int32(24), int32(168))), HaveField("Status.NoticingHours", int32(24))))
			manager.stop()
			heal()
			manager.start()
			Eventually(of(b)).Should(And(HaveField("Status.NoticedHours", ConsistOf(int32(24), int32(168))), HaveField("Status.NoticingHours", BeZero()), HaveField("Status.NoticeStartTime", BeNil())))
			Expect(all[core.Received](c.wecom, "received")()).To(ConsistOf(And(HaveField("To", people[0].Status.Number), HaveField("Count", 1))))
		})
	}

	It("P3: tells nobody again of an end when the platform would take it for another message, and says that it is not known", func() {
		c.wecom.newRole("审核员")
		heal := c.wecom.fault(core.Fault{Kind: core.KindDropAfter, Operation: "message/send"})
		now := time.Now()
		b := create(c.binding("guests", "wecom", declaring(people[0]), until(now.Add(20*time.Hour))))
		Eventually(all[core.Received](c.wecom, "received")).Should(HaveLen(1))
		manager.stop()
		heal()
		c.sim.Clock.Advance(5 * time.Hour)
		today.set(now.Add(5 * time.Hour))
		manager.start()
		Eventually(of(b)).Should(And(HaveField("Status.NoticedHours", ConsistOf(int32(24), int32(168))), HaveField("Status.NoticingHours", BeZero())))
		Expect(all[core.Received](c.wecom, "received")()).To(ConsistOf(HaveField("Count", 1)))
		Eventually(c.told(b)).Should(ContainElement("OutcomeUnknown"))
	})

	It("tells of an end a week and a day before, each once", func() {
		c.wecom.newRole("审核员")
		now := time.Now()
		b := create(c.binding("guests", "wecom", declaring(people[0]), until(now.Add(200*time.Hour))))
		Eventually(of(b)).Should(beReady())
		for n, hours := range []int{33, 177} {
			today.set(now.Add(time.Duration(hours) * time.Hour))
			c.sim.Clock.Advance(144 * time.Hour) // for the platform that is another message
			change(b, func(b *v1alpha1.PermissionBinding) { b.Spec.Requesters = []string{strconv.Itoa(n)} })
			Eventually(of(b)).Should(And(HaveField("Status.NoticedHours", HaveLen(n+1)), HaveField("Status.NoticingHours", BeZero())))
			c.resync(c.wecom)
			Eventually(of(b)).Should(beReady())
			Expect(all[core.Received](c.wecom, "received")()).To(ConsistOf(And(HaveField("To", people[0].Status.Number), HaveField("Count", n+1))))
		}
	})

	It("begins and ends by the injected clock, also after a day in which nobody looked", func() {
		role := c.dingtalk.newRole("审核员")
		from := time.Now().Add(100 * time.Hour).Truncate(time.Second)
		to := from.Add(100 * time.Hour)
		b := create(c.binding("guests", "dingtalk", declaring(people[0]), until(to), func(b *v1alpha1.PermissionBinding) {
			at := metav1.NewTime(from)
			b.Spec.NotBefore, b.Spec.NoticeBeforeHours = &at, []int32{1}
		}))
		look := func(at time.Time) {
			GinkgoHelper()
			today.set(at)
			change(b, func(b *v1alpha1.PermissionBinding) { b.Spec.Reason += "。" })
			Eventually(of(b)).Should(beReady())
		}
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.State", v1alpha1.BindingWaiting)))
		look(from.Add(-time.Second))
		Expect(c.dingtalk.holdersOf(role)()).To(BeEmpty())
		look(from)
		Expect(c.dingtalk.holdersOf(role)()).To(numbers(people[0]))
		look(to.Add(-time.Second))
		Expect(c.dingtalk.holdersOf(role)()).To(numbers(people[0]))
		Expect(b.Status.NoticedHours).To(ConsistOf(int32(1)))
		look(to.Add(24 * time.Hour))
		Expect(c.dingtalk.holdersOf(role)()).To(BeEmpty())
		Expect(b.Status.State).To(Equal(v1alpha1.BindingExpired))
	})

	It("ends what expired while no manager ran, when one starts a day later, and tells nobody of an end that was", func() {
		role := c.dingtalk.newRole("审核员")
		to := time.Now().Add(100 * time.Hour).Truncate(time.Second)
		b := create(c.binding("guests", "dingtalk", declaring(people[0]), until(to), func(b *v1alpha1.PermissionBinding) { b.Spec.NoticeBeforeHours = []int32{1} }))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.HoldersText", "1/1")))
		manager.stop()
		today.set(to.Add(24 * time.Hour))
		manager.start()
		Eventually(c.dingtalk.holdersOf(role)).Should(BeEmpty())
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.State", v1alpha1.BindingExpired), HaveField("Status.GrantedUserIDs", BeEmpty())))
		Expect(all[core.Received](c.dingtalk, "received")()).To(BeEmpty())
	})

	It("P7: gives a role of high risk to those who were approved, and to nobody else", func() {
		role := c.wecom.newRole("审核员", people[0])
		b := create(c.binding("admins", "wecom", declaring(people[0], people[1]), func(b *v1alpha1.PermissionBinding) {
			b.Spec.Risk, b.Spec.Review, b.Spec.Requesters = v1alpha1.RiskHigh, v1alpha1.BindingReview{IntervalDays: 90}, []string{"argocd"}
		}))
		Eventually(of(b)).Should(stalled("ApprovalPending"))
		Expect(c.wecom.holdersOf(role)()).To(numbers(people[0]), "who holds it keeps it meanwhile")
		first := c.question(v1alpha1.ApprovalGrant, b.Status.ApprovalName)
		Expect(first.Spec.Requesters).To(ConsistOf("argocd"))
		Expect(first.Spec.Subjects).To(ConsistOf(HaveField("UID", string(b.UID)), HaveField("UID", string(people[0].UID)), HaveField("UID", string(people[1].UID))))
		Expect(first.Spec.Count).To(BeEquivalentTo(2), "people, without the binding")
		Expect(b.Status.UnapprovedUserIDs).To(numbers(people[0]))
		change(b, declaring(people...))
		Eventually(of(b)).Should(HaveField("Status.ApprovalName", Not(Equal(first.Name))))
		Eventually(of(first)).Should(HaveField("Status.State", v1alpha1.ApprovalWithdrawn))
		Expect(c.wecom.holdersOf(role)()).To(numbers(people[0]))
		c.answer(b.Status.ApprovalName, v1alpha1.VerdictApproved)
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.ApprovedBy", "wang.min@example.com")))
		Expect(c.wecom.holdersOf(role)()).To(numbers(people...))
		c.wecom.take(role, people[2])
		c.resync(c.wecom)
		Eventually(c.wecom.holdersOf(role)).Should(numbers(people...), "who was approved and lost it by hand is not asked about again")
		Eventually(of(b)).Should(beReady())
	})

	highly := func(b *v1alpha1.PermissionBinding) {
		b.Spec.Risk, b.Spec.Review = v1alpha1.RiskHigh, v1alpha1.BindingReview{IntervalDays: 90}
	}

	It("P7: lets nobody keep a role longer by a binding of high risk that nobody has allowed them", func() {
		role := c.wecom.newRole("审核员")
		to := time.Now().Add(100 * time.Hour).Truncate(time.Second)
		short := create(c.binding("short", "wecom", declaring(people[0]), until(to), func(b *v1alpha1.PermissionBinding) { b.Spec.NoticeBeforeHours = []int32{1} }))
		Eventually(of(short)).Should(And(beReady(), HaveField("Status.HoldersText", "1/1")))
		long := create(c.binding("long", "wecom", declaring(people[0]), highly))
		Eventually(of(long)).Should(And(stalled("ApprovalPending"), HaveField("Status.UnapprovedUserIDs", numbers(people[0]))))
		Expect(c.wecom.holdersOf(role)()).To(numbers(people[0]), "it is as it was")
		today.set(to)
		change(short, func(b *v1alpha1.PermissionBinding) { b.Spec.Reason += "。" })
		Eventually(c.wecom.holdersOf(role)).Should(BeEmpty())
		c.resync(c.wecom)
		Eventually(of(long)).Should(And(stalled("ApprovalPending"), HaveField("Status.GrantedUserIDs", BeEmpty()), HaveField("Status.UnapprovedUserIDs", BeEmpty())))
		c.answer(long.Status.ApprovalName, v1alpha1.VerdictApproved)
		Eventually(of(long)).Should(And(beReady(), HaveField("Status.HoldersText", "1/1"), HaveField("Status.UnapprovedUserIDs", BeEmpty())))
		Expect(c.wecom.holdersOf(role)()).To(numbers(people[0]))
	})

	reviewing := func(silence v1alpha1.ReviewSilence) func(*v1alpha1.PermissionBinding) {
		return func(b *v1alpha1.PermissionBinding) {
			b.Spec.Review = v1alpha1.BindingReview{IntervalDays: 30, AnswerWithinDays: 5, OnSilence: silence}
		}
	}
	days := func(n int) time.Time { return time.Now().Add(time.Duration(n) * 24 * time.Hour) }
	look := func(b *v1alpha1.PermissionBinding, at time.Time) {
		GinkgoHelper()
		today.set(at)
		change(b, func(b *v1alpha1.PermissionBinding) { b.Spec.Reason += "。" })
		Eventually(of(b)).Should(HaveField("Status.ObservedGeneration", HaveValue(Equal(b.Generation))))
	}

	It("is reviewed: confirmed, narrowed, and taken away when a review says so", func() {
		role := c.dingtalk.newRole("审核员")
		b := create(c.binding("reviewers", "dingtalk", declaring(people...), reviewing(""), func(b *v1alpha1.PermissionBinding) { b.Spec.Requesters = []string{"argocd"} }))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.NextReviewTime", Not(BeNil()))))
		c.sim.Clock.Advance(31 * 24 * time.Hour)
		look(b, days(31))
		Eventually(of(b)).Should(HaveField("Status.ReviewName", Not(BeEmpty())))
		first := b.Status.ReviewName
		asked := c.question(v1alpha1.ApprovalReview, first)
		day := func(n int) string { return today.now().AddDate(0, 0, n).UTC().Format(time.DateOnly) }
		Expect(asked.Spec.Subjects).To(HaveLen(4))
		Expect(asked.Spec.Subjects).To(ContainElement(And(HaveField("Kind", "Employee"), HaveField("LastActiveDay", BeElementOf(day(-2), day(-1), day(0))))), "the reviewer sees when each was last active")
		Expect(asked.Spec.Requesters).To(ConsistOf("argocd"))
		c.answer(first, v1alpha1.VerdictApproved)
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.LastReviewTime", Not(BeNil()))))
		Expect(c.dingtalk.holdersOf(role)()).To(numbers(people...))

		By("asking although the platform refuses to tell who was active")
		heal := c.dingtalk.fault(core.Fault{Kind: core.KindError, Operation: "inactive/user/v2/get", Code: "88", Message: "no permission"})
		look(b, days(62))
		Eventually(of(b)).Should(HaveField("Status.ReviewName", Not(Equal(first))))
		heal()
		second := b.Status.ReviewName
		Expect(c.question(v1alpha1.ApprovalReview, second).Spec).To(And(HaveField("Summary", ContainSubstring("could not be read")), HaveField("Subjects", HaveEach(HaveField("LastActiveDay", BeEmpty())))))
		Eventually(c.told(b)).Should(ContainElement("PermissionDenied"))
		c.answer(second, v1alpha1.VerdictApproved, people[1])
		Eventually(of(b)).Should(And(stalled("ReviewedOut"), HaveField("Status.ReviewedOut", numbers(people[1]))))
		Eventually(c.dingtalk.holdersOf(role)).Should(numbers(people[0], people[2]))
		change(b, declaring(people[0], people[2]))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.ReviewedOut", BeEmpty())))

		look(b, days(93))
		Eventually(of(b)).Should(HaveField("Status.ReviewName", Not(Equal(second))))
		c.answer(b.Status.ReviewName, v1alpha1.VerdictRejected)
		Eventually(of(b)).Should(And(stalled("ReviewedOut"), HaveField("Status.State", v1alpha1.BindingRevoked)))
		Eventually(c.dingtalk.holdersOf(role)).Should(BeEmpty())
	})

	for _, silence := range []v1alpha1.ReviewSilence{v1alpha1.SilenceRevoke, v1alpha1.SilenceKeep} {
		It("escalates a review that nobody answers, and then does what silence means: "+string(silence), func() {
			role := c.dingtalk.newRole("审核员")
			b := create(c.binding("reviewers", "dingtalk", declaring(people[0]), reviewing(silence)))
			Eventually(of(b)).Should(And(beReady(), HaveField("Status.GrantedSince", Not(BeNil()))))
			look(b, days(31))
			Eventually(of(b)).Should(And(beReady(), HaveField("Status.ReviewName", Not(BeEmpty()))))
			look(b, days(37))
			Eventually(of(b)).Should(stalled("ReviewOverdue"))
			Eventually(c.told(b)).Should(ContainElement("ReviewOverdue"))
			Expect(overdue(b)).To(Equal(1.0))
			Expect(c.dingtalk.holdersOf(role)()).To(numbers(people[0]))
			look(b, days(43))
			if silence == v1alpha1.SilenceRevoke {
				Eventually(c.dingtalk.holdersOf(role)).Should(BeEmpty())
				Eventually(of(b)).Should(HaveField("Status.State", v1alpha1.BindingRevoked))
				return
			}
			Consistently(of(b), "300ms").Should(stalled("ReviewOverdue"))
			Expect(c.dingtalk.holdersOf(role)()).To(numbers(people[0]))
		})
	}

	It("refuses two roles that nobody may hold together, and names both", func() {
		audit, pay := c.dingtalk.newRole("审核员"), c.dingtalk.newRole("付款员")
		b := create(c.binding("audit", "dingtalk", declaring(people[0], people[1])))
		Eventually(of(b)).Should(beReady())
		other := create(c.binding("pay", "dingtalk", declaring(people[1], people[2]), func(b *v1alpha1.PermissionBinding) {
			b.Spec.Role.Name, b.Spec.ConflictsWith = "付款员", []string{"audit"}
		}))
		for _, o := range []*v1alpha1.PermissionBinding{b, other} {
			Eventually(of(o)).Should(stalled("SeparationOfDuties", "audit", "pay", "the Employee b"))
		}
		Eventually(c.dingtalk.holdersOf(pay)).Should(numbers(people[2]))
		Expect(c.dingtalk.holdersOf(audit)()).To(numbers(people[0], people[1]))
		change(b, declaring(people[0]))
		Eventually(c.dingtalk.holdersOf(pay)).Should(numbers(people[1], people[2]))
		for _, o := range []*v1alpha1.PermissionBinding{b, other} {
			Eventually(of(o)).Should(beReady())
		}
	})

	It("never goes below the minimum of holders, nor takes the role from who is to keep it", func() {
		role := c.dingtalk.newRole("审核员", people...)
		b := create(c.binding("admins", "dingtalk", declaring(people[0]), exclusive, func(b *v1alpha1.PermissionBinding) {
			b.Spec.Protection = v1alpha1.BindingProtection{MinimumHolders: 2, KeepUserIDs: []string{people[2].Status.Number}}
		}))
		Eventually(of(b)).Should(beReady())
		Expect(c.dingtalk.holdersOf(role)()).To(numbers(people[0], people[2]))
		change(b, func(b *v1alpha1.PermissionBinding) { b.Spec.Protection = v1alpha1.BindingProtection{MinimumHolders: 2} })
		Eventually(of(b)).Should(stalled("ProtectedHolders"))
		Expect(c.dingtalk.holdersOf(role)()).To(numbers(people[0], people[2]))
		remove(b)
		Eventually(exists(b)).Should(BeFalse(), "P10: what is protected holds up nobody")
		Expect(c.dingtalk.holdersOf(role)()).To(HaveLen(2))
	})

	reachOf := func(role string) func() ([]string, error) {
		return func() ([]string, error) {
			members, err := c.dingtalk.console().RoleMembers(ctx, role)
			if err != nil || len(members) != 1 {
				return nil, fmt.Errorf("%d hold it: %w", len(members), err)
			}
			return members[0].Scope, nil
		}
	}

	It("lets the role reach the departments that are declared, and then others, without taking it away", func() {
		role := c.dingtalk.newRole("审核员")
		create(c.department("sales", "销售部"))
		scoped := func(names ...string) func(*v1alpha1.PermissionBinding) {
			return func(b *v1alpha1.PermissionBinding) {
				b.Spec.ScopeRefs = nil
				for _, name := range names {
					b.Spec.ScopeRefs = append(b.Spec.ScopeRefs, v1alpha1.DepartmentReference{Name: name})
				}
			}
		}
		reach := reachOf(role)
		rd, sales := strconv.Itoa(c.unit(c.dingtalk, "rd")), strconv.Itoa(c.unit(c.dingtalk, "sales"))
		b := create(c.binding("reviewers", "dingtalk", declaring(people[0]), scoped("rd")))
		Eventually(of(b)).Should(beReady())
		Expect(reach()).To(ConsistOf(rd))
		change(b, scoped("sales", "rd"))
		Eventually(reach).Should(ConsistOf(rd, sales))
		change(b, scoped("nowhere"))
		Eventually(of(b)).Should(says("Ready", "False", "WaitingForDepartment", "scopeRefs", "nowhere"))
		Expect(reach()).To(ConsistOf(rd, sales), "as it was, while it is not known what is meant")
		change(b, scoped())
		Eventually(reach).Should(BeEmpty(), "the whole company")
		Eventually(of(b)).Should(beReady())
		Expect(c.dingtalk.made("role/removerolesforemps", "")()).To(BeEmpty())
	})

	It("P7: lets a role reach no further by a binding of high risk that nobody has allowed", func() {
		role := c.dingtalk.newRole("审核员")
		rd := strconv.Itoa(c.unit(c.dingtalk, "rd"))
		Expect(c.dingtalk.console().AddToRole(ctx, role, []directory.RoleMember{{Role: role, Account: people[0].Status.Number, Scope: []string{rd}}})).To(Succeed())
		b := create(c.binding("wide", "dingtalk", declaring(people[0]), highly))
		Eventually(of(b)).Should(And(stalled("ApprovalPending", "1 of them hold it already"), HaveField("Status.UnapprovedUserIDs", numbers(people[0]))))
		c.resync(c.dingtalk)
		Eventually(of(b)).Should(stalled("ApprovalPending"))
		Expect(reachOf(role)()).To(ConsistOf(rd), "as it was")
		c.answer(b.Status.ApprovalName, v1alpha1.VerdictApproved)
		Eventually(reachOf(role)).Should(BeEmpty(), "the whole company")
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.UnapprovedUserIDs", BeEmpty())))
		Expect(c.dingtalk.made("role/removerolesforemps", "")()).To(BeEmpty())
	})

	It("shares a role between bindings: who is declared by one of them keeps it", func() {
		role := c.wecom.newRole("审核员")
		one := create(c.binding("one", "wecom", declaring(people[0], people[1]), exclusive))
		Eventually(of(one)).Should(And(beReady(), HaveField("Status.HoldersText", "2/2")))
		two := create(c.binding("two", "wecom", declaring(people[1], people[2])))
		Eventually(of(two)).Should(And(beReady(), HaveField("Status.HoldersText", "2/2")))
		c.resync(c.wecom)
		Eventually(of(one)).Should(beReady())
		Expect(c.wecom.holdersOf(role)()).To(numbers(people...))
		remove(one)
		Eventually(exists(one)).Should(BeFalse())
		Expect(c.wecom.holdersOf(role)()).To(numbers(people[1], people[2]))
		remove(two)
		Eventually(exists(two)).Should(BeFalse())
		Expect(c.wecom.holdersOf(role)()).To(BeEmpty())
	})

	It("protects holders from other bindings of the role, too", func() {
		role := c.wecom.newRole("审核员")
		guard := create(c.binding("guard", "wecom", declaring(people[0]), func(b *v1alpha1.PermissionBinding) { b.Spec.Protection.MinimumHolders = 2 }))
		Eventually(of(guard)).Should(beReady()) // the other one counts whom it has granted the role, until the next listing
		other := create(c.binding("other", "wecom", declaring(people[1], people[2])))
		Eventually(of(other)).Should(And(beReady(), HaveField("Status.HoldersText", "2/2")))
		change(other, declaring(people[1]))
		Eventually(c.wecom.holdersOf(role)).Should(numbers(people[0], people[1]))
		Eventually(of(other)).Should(beReady())
		remove(other)
		Eventually(exists(other)).Should(BeFalse())
		Expect(c.wecom.holdersOf(role)()).To(numbers(people[0], people[1]), "two are always left")
	})

	It("shares a role that was renamed on the platform: a binding by the new name takes over from the old one", func() {
		role := c.dingtalk.newRole("审核员")
		old := create(c.binding("old", "dingtalk", declaring(people[0], people[1]), exclusive))
		Eventually(of(old)).Should(And(beReady(), HaveField("Status.HoldersText", "2/2")))
		c.dingtalk.byHand("roles", role, `{"name":"财务审核员"}`)
		anew := create(c.binding("new", "dingtalk", declaring(people[1], people[2]), exclusive, func(b *v1alpha1.PermissionBinding) { b.Spec.Role.Name = "财务审核员" }))
		Eventually(of(anew)).Should(And(beReady(), HaveField("Status.RoleID", role), HaveField("Status.HoldersText", "2/2")))
		c.resync(c.dingtalk)
		Eventually(of(old)).Should(And(beReady(), HaveField("Status.HoldersText", "2/2")))
		Expect(c.dingtalk.holdersOf(role)()).To(numbers(people...))
		remove(old)
		Eventually(exists(old)).Should(BeFalse())
		Expect(c.dingtalk.holdersOf(role)()).To(numbers(people[1], people[2]))
	})

	It("P5: takes the role by name from whom an empty listing lacks, and does not let the binding go before", func() {
		role := c.dingtalk.newRole("审核员")
		b := create(c.binding("reviewers", "dingtalk", declaring(people[0], people[1])))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.HoldersText", "2/2")))
		heal := c.dingtalk.fault(core.Fault{Kind: core.KindEmptyListing, Operation: "role/simplelist"})
		c.resync(c.dingtalk)
		Eventually(of(b)).Should(HaveField("Status.HoldersText", "0/2"))
		remove(b)
		Eventually(exists(b)).Should(BeFalse())
		heal()
		Expect(c.dingtalk.holdersOf(role)()).To(BeEmpty())
	})

	It("P9: does not say that exactly who is declared has a tag that a department has, too", func() {
		role := c.wecom.newRole("审核员")
		Expect(c.wecom.console().AddToRole(ctx, role, []directory.RoleMember{{Department: strconv.Itoa(c.unit(c.wecom, "rd"))}})).To(Succeed())
		b := create(c.binding("reviewers", "wecom", declaring(people[0])))
		Eventually(of(b)).Should(says("Ready", "True", "InSync", "everybody in 1 departments"))
	})

	It("makes a role only where the binding says so, and reads without a write in Observe", func() {
		b := create(c.binding("reviewers", "wecom", declaring(people[0])))
		Eventually(of(b)).Should(stalled("RoleMissing"))
		a := c.account(c.wecom)
		change(a, mode(v1alpha1.ModeObserve))
		change(b, func(b *v1alpha1.PermissionBinding) { b.Spec.Role.Creation = v1alpha1.RoleCreationIfMissing })
		Eventually(of(b)).Should(HaveField("Status.Conditions", ContainElement(HaveField("Reason", "WouldChange"))))
		Expect(c.wecom.console().Roles(ctx)).To(BeEmpty())
		change(a, mode(v1alpha1.ModeEnforce))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.RoleOrigin", v1alpha1.OriginCreated)))
		Expect(c.wecom.holdersOf(b.Status.RoleID)()).To(numbers(people[0]))
	})

	It("P3: knows a role for its own that it made without getting an answer", func() {
		b := create(c.binding("reviewers", "wecom", declaring(people[0])))
		Eventually(of(b)).Should(stalled("RoleMissing"))
		c.wecom.fault(core.Fault{Kind: core.KindDropAfter, Operation: "tag/create", Times: 1})
		heal := c.wecom.fault(core.Fault{Kind: core.KindHTTPStatus, HTTPStatus: 502, Operation: "tag/list", Skip: 1})
		change(b, func(b *v1alpha1.PermissionBinding) { b.Spec.Role.Creation = v1alpha1.RoleCreationIfMissing })
		Eventually(func() []core.Fault { return c.sim.Faults.List() }).Should(ConsistOf(HaveField("Hits", BeNumerically(">", 0))))
		heal()
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.RoleOrigin", v1alpha1.OriginCreated)))
		Expect(c.wecom.console().Roles(ctx)).To(HaveLen(1))
	})

	It("P10: is let go when its account is gone, or when it says so, and leaves the platform as it is", func() {
		role := c.wecom.newRole("审核员")
		b := create(c.binding("reviewers", "wecom", declaring(people[0])))
		Eventually(of(b)).Should(beReady())
		change(b, func(b *v1alpha1.PermissionBinding) { b.Spec.DeletionPolicy = v1alpha1.BindingDeletionRetain })
		remove(b)
		Eventually(exists(b)).Should(BeFalse())
		Expect(c.wecom.holdersOf(role)()).To(numbers(people[0]))
		b = create(c.binding("again", "wecom", declaring(people[0])))
		Eventually(of(b)).Should(beReady())
		a := c.account(c.wecom)
		remove(a)
		Eventually(of(a)).Should(says("Ready", "False", "InUse", "1 PermissionBindings"))
		remove(b)
		Eventually(exists(b)).Should(BeFalse())
		Eventually(of(a)).Should(says("Ready", "False", "InUse", "0 PermissionBindings"))
		Expect(c.wecom.holdersOf(role)()).To(numbers(people[0]))
	})

	It("says E-102 of a tag that is another app's, and changes nothing", func() {
		stranger := *c.wecom
		stranger.keys = map[string]string{"syncSecret": c.wecom.keys["syncSecret"], "appSecret": c.wecom.keys["syncSecret"]}
		role := stranger.newRole("审核员")
		b := create(c.binding("reviewers", "wecom", declaring(people[0])))
		Eventually(of(b)).Should(stalled("PermissionDenied", "E-102", "made in the console or by another"))
		Expect(c.wecom.holdersOf(role)()).To(BeEmpty())
	})

	It("P2: takes the role at once from who leaves, and gives it back to who is declared again", func() {
		create(c.policy("standard", brief(week)))
		role := c.wecom.newRole("审核员")
		b := create(c.binding("reviewers", "wecom", declaring(people...)))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.HoldersText", "3/3")))
		change(people[0], departed)
		Eventually(c.wecom.holdersOf(role)).Should(numbers(people[1], people[2]))
		Eventually(of(b)).Should(HaveField("Status.GrantedUserIDs", numbers(people[1], people[2])))
		change(people[0], active)
		Eventually(c.wecom.holdersOf(role)).Should(numbers(people...))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.HoldersText", "3/3")))
	})

	for _, platform := range []string{"wecom", "dingtalk"} {
		give := map[string]string{"wecom": "tag/addtagusers", "dingtalk": "role/addrolesforemps"}[platform]

		It("P3: takes the role from somebody who is no longer declared while a task is giving it: "+platform, func() {
			t := map[string]*twin{"wecom": c.wecom, "dingtalk": c.dingtalk}[platform]
			role := t.newRole("审核员")
			heal := t.fault(core.Fault{Kind: core.KindHang, Operation: give})
			b := create(c.binding("reviewers", platform, declaring(people[0])))
			Eventually(c.sim.Faults.List).Should(ContainElement(HaveField("Hits", 1)), "the platform is asked to give it")
			change(b, declaring(people[1]))
			Eventually(of(b)).Should(HaveField("Status.ObservedGeneration", HaveValue(Equal(b.Generation))))
			Expect(b.Status.GrantedUserIDs).To(numbers(people[0], people[1]), "whom it may be given to is not forgotten")
			heal()
			Eventually(of(b)).Should(And(beReady(), HaveField("Status.GrantedUserIDs", numbers(people[1]))))
			Expect(t.made(give, "")()).To(HaveLen(2))
			Expect(t.holdersOf(role)()).To(numbers(people[1]))
		})
	}

	It("P6: leaves the role to whom the limits hold, until somebody has decided", func() {
		change(c.account(c.wecom), func(a *v1alpha1.EnterpriseAccount) {
			one, all, none := int32(1), int32(100), int32(0)
			a.Spec.RemovalLimits = v1alpha1.RemovalLimits{Count: &one, Percent: &all, Floor: &none}
		})
		role := c.wecom.newRole("审核员")
		b := create(c.binding("reviewers", "wecom", declaring(people...), exclusive))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.HoldersText", "3/3")))
		change(people[0], frozen)
		Eventually(c.wecom.holdersOf(role)).Should(numbers(people[1], people[2]))
		change(people[1], frozen)
		Eventually(of(people[1])).Should(stalled("RemovalLimitReached"))
		Consistently(c.wecom.holdersOf(role), "500ms").Should(numbers(people[1], people[2]))
		c.decide(v1alpha1.ApprovalRemovalLimit, v1alpha1.VerdictApproved)
		Eventually(c.wecom.holdersOf(role)).Should(numbers(people[2]))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.GrantedUserIDs", numbers(people[2]))))
	})

	It("P6: leaves the role to who is deleted where that is held, and a revert leaves no trace", func() {
		create(c.policy("standard", brief(0), unannounced(v1alpha1.UnannouncedHold)))
		role := c.wecom.newRole("审核员")
		b := create(c.binding("reviewers", "wecom", declaring(people...), exclusive))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.HoldersText", "3/3")))
		since := c.sim.Log.Last()
		released(people[0])
		ob := c.theLeaving()
		Eventually(of(ob)).Should(inState("Held"))
		Consistently(c.wecom.holdersOf(role), "500ms").Should(numbers(people...))
		back := create(&v1alpha1.Employee{ObjectMeta: c.meta(people[0].Name), Spec: people[0].Spec})
		Eventually(of(ob)).Should(inState("Cancelled"))
		Eventually(of(back)).Should(beReady())
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.HoldersText", "3/3")))
		Expect(c.wecom.changesSince(since)).To(BeEmpty())
		Expect(c.wecom.holdersOf(role)()).To(numbers(people...))
		By("leaving after all, once somebody has decided")
		released(back)
		c.leavers = append(c.leavers, people[0].Status.Number)
		all, err := c.leavings()
		Expect(err).NotTo(HaveOccurred())
		Expect(all).To(ContainElement(inState("Held")))
		for _, ob := range all {
			if ob.Status.State == v1alpha1.OffboardingHeld {
				c.answer(ob.Status.ApprovalName, v1alpha1.VerdictApproved)
			}
		}
		Eventually(c.wecom.holdersOf(role)).Should(numbers(people[1], people[2]))
		Eventually(of(b)).Should(HaveField("Status.GrantedUserIDs", numbers(people[1], people[2])))
	})

	It("P2: takes roles from who leaves for good, and gives to who is hired again only what is declared by then", func() {
		create(c.policy("standard", brief(0)))
		c.leavers = append(c.leavers, people[0].Status.Number)
		audit, pay := c.wecom.newRole("审核员"), c.wecom.newRole("付款员")
		create(c.binding("audit", "wecom", declaring(people...)))
		payers := create(c.binding("pay", "wecom", declaring(people[0], people[1]), func(b *v1alpha1.PermissionBinding) { b.Spec.Role.Name = "付款员" }))
		Eventually(c.wecom.holdersOf(audit)).Should(numbers(people...))
		Eventually(c.wecom.holdersOf(pay)).Should(numbers(people[0], people[1]))
		change(people[0], departed)
		Eventually(of(people[0])).Should(And(beReady(), HaveField("Status.State", "Departed")))
		Eventually(c.wecom.holdersOf(audit)).Should(numbers(people[1], people[2]))
		Eventually(of(payers)).Should(And(beReady(), HaveField("Status.GrantedUserIDs", numbers(people[1]))))
		change(payers, declaring(people[1]))
		change(people[0], active)
		Eventually(of(people[0])).Should(And(beReady(), HaveField("Status.State", "Active")))
		Eventually(c.wecom.holdersOf(audit)).Should(numbers(people...))
		Eventually(of(payers)).Should(beReady())
		Expect(c.wecom.holdersOf(pay)()).To(numbers(people[1]))
	})

	It("P2: gives to who comes back during grace only what is still declared, also where the leaving takes roles by itself", func() {
		create(c.policy("standard", brief(week), func(p *v1alpha1.OffboardingPolicy) {
			p.Spec.SkipSteps = slices.DeleteFunc(p.Spec.SkipSteps, func(s v1alpha1.SkippableStep) bool { return s == "RevokePermissions" })
		}))
		bound, byHand := c.wecom.newRole("审核员"), c.wecom.newRole("摄影组", people[0])
		b := create(c.binding("reviewers", "wecom", declaring(people...), func(b *v1alpha1.PermissionBinding) {
			b.Spec.Protection.KeepUserIDs = []string{people[0].Status.Number} // so that the leaving has to take it
		}))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.HoldersText", "3/3")))
		change(people[0], departed)
		Eventually(of(c.theLeaving())).Should(inState("Grace"))
		Expect(c.wecom.holdersOf(bound)()).To(numbers(people[1], people[2]))
		Expect(c.wecom.holdersOf(byHand)()).To(BeEmpty())
		change(b, declaring(people[1], people[2]), func(b *v1alpha1.PermissionBinding) { b.Spec.Protection = v1alpha1.BindingProtection{} })
		change(people[0], active)
		Eventually(of(people[0])).Should(And(beReady(), HaveField("Status.State", "Active")))
		Eventually(c.wecom.holdersOf(byHand)).Should(numbers(people[0]), "what no binding is about is given back")
		Eventually(of(b)).Should(beReady())
		Expect(c.wecom.holdersOf(bound)()).To(numbers(people[1], people[2]))
	})

	It("compares who administers the platform, says what a person has to do, and asks nobody to take it from the last one", func() {
		b := create(c.binding("deputies", "dingtalk", declaring(people[0]), exclusive, func(b *v1alpha1.PermissionBinding) {
			b.Spec.Role = v1alpha1.BoundRole{Kind: v1alpha1.BoundRoleAdministrator, Name: "子管理员"}
		}))
		todo := func(doing string, e *v1alpha1.Employee) string { return doing + " the account " + e.Status.Number }
		Eventually(of(b)).Should(And(stalled("ManualTask"), HaveField("Status.Tasks", ConsistOf(todo("give the role to", people[0])))))
		made := func(e *v1alpha1.Employee) {
			GinkgoHelper()
			c.dingtalk.byHand("users", e.Status.Number, `{"admin":true}`)
			c.resync(c.dingtalk)
		}
		made(people[0])
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.HoldersText", "1/1"), HaveField("Status.Tasks", BeEmpty())))
		change(b, declaring(people[1]))
		Eventually(of(b)).Should(And(stalled("ProtectedHolders"), HaveField("Status.Tasks", ConsistOf(todo("give the role to", people[1])))))
		made(people[1])
		Eventually(of(b)).Should(And(stalled("ManualTask"), HaveField("Status.Tasks", ConsistOf(todo("take the role from", people[0])))))
	})

	It("P13: rests when nothing changes", func() {
		c.dingtalk.newRole("审核员")
		reads := func() (n int) {
			for _, e := range c.dingtalk.calls(core.Query{}) {
				if strings.Contains(e.Operation, "role") {
					n++
				}
			}
			return n
		}
		b := create(c.binding("reviewers", "dingtalk", declaring(people[0])))
		Eventually(of(b)).Should(beReady())
		before := reads()
		c.settled()
		Expect(reads()).To(Equal(before), "who holds it is not read again before there is another listing")
		version := b.ResourceVersion
		c.resync(c.dingtalk)
		Consistently(of(b), "500ms").Should(HaveField("ResourceVersion", version))
		Expect(reads()).To(Equal(before+1), "one page of holders for a listing")
	})
})

var _ = Describe("An account that only a permission is about", func() {
	It("P10: goes with the PermissionBinding, and not before", func() {
		c := founded()
		c.open(c.wecom)
		c.wecom.newRole("审核员")
		b := create(c.binding("reviewers", "wecom", func(b *v1alpha1.PermissionBinding) {
			b.Spec.Subjects.MatchLabels = map[string]v1alpha1.LabelValue{"duty": "audit"}
		}))
		Eventually(of(b)).Should(beReady())
		a := c.account(c.wecom)
		remove(a)
		Eventually(of(a)).Should(says("Ready", "False", "InUse", "1 PermissionBindings"))
		Consistently(exists(a), "300ms").Should(BeTrue())
		remove(b)
		Eventually(exists(a)).Should(BeFalse())
		Expect(exists(b)()).To(BeFalse())
	})
})

func until(at time.Time) func(*v1alpha1.PermissionBinding) {
	return func(b *v1alpha1.PermissionBinding) {
		t := metav1.NewTime(at)
		b.Spec.ExpiresAt = &t
	}
}

// overdue is what the metrics tell of the binding's review; -1 if nothing.
func overdue(b *v1alpha1.PermissionBinding) float64 {
	GinkgoHelper()
	families, err := measured.Gather()
	Expect(err).NotTo(HaveOccurred())
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "rollcall_review_overdue" && m.GetLabel()[0].GetValue() == b.Name && m.GetLabel()[1].GetValue() == b.Namespace {
				return m.GetGauge().GetValue()
			}
		}
	}
	return -1
}

// question is an Approval of that purpose and name.
func (c *company) question(purpose v1alpha1.ApprovalPurpose, name string) *v1alpha1.Approval {
	GinkgoHelper()
	apv := &v1alpha1.Approval{ObjectMeta: c.meta(name)}
	Expect(of(apv)()).To(HaveField("Spec.Purpose", purpose))
	return apv
}

// answer decides an Approval, but for those whom a review takes out.
func (c *company) answer(name string, verdict v1alpha1.ApprovalVerdict, except ...*v1alpha1.Employee) {
	GinkgoHelper()
	change(&v1alpha1.Approval{ObjectMeta: c.meta(name)}, func(a *v1alpha1.Approval) {
		a.Spec.Decision = v1alpha1.ApprovalDecision{Verdict: verdict, By: "wang.min@example.com", Digest: a.Spec.Digest}
		for _, e := range except {
			a.Spec.Decision.Except = append(a.Spec.Decision.Except, string(e.UID))
		}
	})
}
