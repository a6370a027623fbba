package controllers_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/simulator/core"
)

var _ = Describe("A manager that ends between the record and the act", func() {
	var c *company
	var e *v1alpha1.Employee

	BeforeEach(func() {
		c = founded()
		c.secret("wecom-credentials", c.wecom.keys)
		create(c.account(c.wecom, limited(1)))
		create(c.department("rd", "研发中心", on[*v1alpha1.Department]("wecom")))
		e = create(c.person("li-na", wecomOnly))
		Eventually(of(e)).Should(beReady())
	})

	It("P2, P6: is followed by one that freezes whom it admitted, and counts them", func() {
		second := create(c.person("wang-fang", wecomOnly))
		Eventually(of(second)).Should(beReady())
		ended := manager.endsAfter(e, "admittedTime")
		change(e, frozen)
		ended()
		Expect(of(e)()).To(standsOn("wecom", HaveField("AdmittedTime", Not(BeNil()))))
		admitted := e.Status.Accounts[0].AdmittedTime
		Expect(c.wecom.made("user/update", "E0001")()).To(BeEmpty(), "nothing was done")
		change(second, frozen)
		manager.start()
		Eventually(of(e)).Should(And(beReady(), standsOn("wecom", And(HaveField("State", v1alpha1.AccountFrozen), HaveField("AdmittedTime", Equal(admitted))))))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 0))
		Eventually(of(second)).Should(stalled("RemovalLimitReached"))
		Expect(onWeCom(c, "E0002")()).To(HaveField("Enable", 1))
	})

	// begun has somebody leave, and the manager end when that is recorded; it returns the name of the leaving.
	begun := func(leave func()) string {
		GinkgoHelper()
		create(c.policy("standard", brief(week)))
		ended := manager.endsAfter(e, "offboardingName")
		leave()
		ended()
		Expect(c.leavings()).To(BeEmpty(), "it is recorded, and not made")
		Expect(of(e)()).To(standsOn("wecom", HaveField("OffboardingName", Not(BeEmpty()))))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 1))
		return e.Status.OffboardingName
	}
	left := func(name string) {
		GinkgoHelper()
		Eventually(c.leavings).Should(ConsistOf(And(HaveField("Name", name), inState("Grace"))))
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 0))
		Consistently(c.leavings, "300ms").Should(HaveLen(1))
	}

	It("P2, P3: is followed by one that begins the leaving of who was declared departed, once", func() {
		name := begun(func() { change(e, departed) })
		manager.start()
		left(name)
		Expect(of(e)()).To(waiting("Leaving", "Grace"))
	})

	It("P2, P3: is followed by one that begins the leaving of who was deleted, once", func() {
		name := begun(func() { remove(e) })
		Expect(exists(e)()).To(BeTrue(), "the object stays until the leaving is durable")
		manager.start()
		left(name)
		Eventually(exists(e)).Should(BeFalse())
	})

	It("P3, P9: is followed by one that lets who was declared again meanwhile be, and names no leaving that never was", func() {
		begun(func() { change(e, departed) })
		change(e, active)
		manager.start()
		Eventually(of(e)).Should(And(beReady(), HaveField("Status.State", "Active"), HaveField("Status.OffboardingName", BeEmpty()),
			standsOn("wecom", HaveField("OffboardingName", BeEmpty()))))
		Expect(c.leavings()).To(BeEmpty())
		Expect(onWeCom(c, "E0001")()).To(HaveField("Enable", 1))
	})
})

// turnstile holds up what the manager writes about objects of a kind until each is let through.
type turnstile struct {
	namespace, kind string // the kind as in URLs
	mu              sync.Mutex
	open            []string // names that may pass
	wide            bool     // everybody may
	held            []string
	moved           chan struct{}
}

// pass is how the manager's requests go.
func (t *turnstile) pass(r *http.Request, next http.RoundTripper) (*http.Response, error) {
	_, name, about := strings.Cut(r.URL.Path, "/namespaces/"+t.namespace+"/"+t.kind+"/")
	name, _, _ = strings.Cut(name, "/")
	for about && r.Method == http.MethodPatch {
		t.mu.Lock()
		if t.wide || slices.Contains(t.open, name) {
			t.mu.Unlock()
			break
		}
		if !slices.Contains(t.held, name) {
			t.held = append(t.held, name)
		}
		moved := t.moved
		t.mu.Unlock()
		select {
		case <-moved:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	return next.RoundTrip(r)
}

// let lets these pass, or everybody.
func (t *turnstile) let(names ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open, t.wide = append(t.open, names...), len(names) == 0
	close(t.moved)
	t.moved = make(chan struct{})
}

// waits are those who were held up.
func (t *turnstile) waits() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.held)
}

// queued is how much waits for its turn in a controller.
func queued(controller string) (n float64) {
	GinkgoHelper()
	families, err := crmetrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "workqueue_depth" && l.GetName() == "controller" && l.GetValue() == controller {
					n += m.GetGauge().GetValue()
				}
			}
		}
	}
	return n
}

var _ = Describe("Somebody who loses access while many others wait", func() {
	const many, atOnce = 60, 16 // the second is how many people the manager looks at at once
	var c *company
	var gate *turnstile

	BeforeEach(func() {
		c = founded()
		c.secret("wecom-credentials", c.wecom.keys)
		create(c.account(c.wecom))
		create(c.department("rd", "研发中心", on[*v1alpha1.Department]("wecom")))
		create(c.policy("standard", brief(week)))
		gate = &turnstile{namespace: c.namespace, kind: "employees", moved: make(chan struct{})}
		DeferCleanup(func() { gate.let(); manager.use(nil) })
	})
	hired := func(names ...string) (staff []*v1alpha1.Employee) {
		GinkgoHelper()
		for _, name := range names {
			staff = append(staff, create(c.person(name, wecomOnly)))
		}
		for _, e := range staff {
			Eventually(of(e)).Should(beReady())
		}
		return staff
	}
	// before counts the others whom WeCom was called for before somebody lost access.
	before := func(since uint64, id string, others string) (n int) {
		GinkgoHelper()
		Eventually(onWeCom(c, id)).Should(HaveField("Enable", 0), id)
		for _, call := range c.wecom.calls(core.Query{Since: since}) {
			switch {
			case !strings.HasSuffix(call.Operation, others) && !strings.HasSuffix(call.Operation, "user/update"):
			case call.Subject == id:
				return n
			case strings.HasSuffix(call.Operation, others):
				n++
			}
		}
		Fail("nobody was called for")
		return n
	}

	It("P2: goes before an import, be it by a freeze, a departure or a deletion", func() {
		staff := hired("li-na", "wang-fang", "liu-yang")
		c.settled()
		gate.let("li-na", "wang-fang", "liu-yang")
		manager.use(gate.pass)
		var newcomers []*v1alpha1.Employee
		for i := range many {
			newcomers = append(newcomers, create(c.person(fmt.Sprintf("new-%02d", i), wecomOnly)))
		}
		Eventually(queued).WithArguments("employee").Should(BeNumerically(">=", many-atOnce))
		waiting, since := queued("employee"), c.sim.Log.Last()
		change(staff[0], frozen)
		change(staff[1], departed)
		remove(staff[2])
		Eventually(queued).WithArguments("employee").Should(BeNumerically(">=", waiting+3))
		gate.let()
		for _, e := range newcomers {
			Eventually(of(e)).Should(beReady())
		}
		for _, id := range []string{"E0001", "E0002", "E0003"} {
			Expect(before(since, id, "user/create")).To(BeNumerically("<", many/2), id)
		}
	})

	It("P2: goes before a sweep that finds many others to be different, too", func() {
		var names []string
		for i := range many {
			names = append(names, fmt.Sprintf("staff-%02d", i))
		}
		others, thawed := hired(names...), hired("li-na")[0] // the last in every list
		change(thawed, frozen)
		Eventually(of(thawed)).Should(And(beReady(), HaveField("Status.State", "Frozen")))
		c.settled()
		for _, e := range others {
			c.wecom.byHand("users", e.Spec.Number, `{"position":"顾问"}`)
		}
		c.wecom.byHand("users", thawed.Spec.Number, `{"enable":1}`)
		gate.let("li-na")
		manager.use(gate.pass)
		since := c.sim.Log.Last()
		change(c.account(c.wecom), func(a *v1alpha1.EnterpriseAccount) { a.Spec.ResyncIntervalSeconds-- })
		Eventually(queued).WithArguments("employee").Should(BeNumerically(">=", many-atOnce))
		gate.let()
		for _, e := range others {
			Eventually(onWeCom(c, e.Spec.Number)).Should(HaveField("Position", "工程师"))
		}
		Expect(before(since, thawed.Spec.Number, "user/update")).To(BeNumerically("<", many/2))
	})
})

var _ = Describe("BackupStorages that go at once", func() {
	It("P10: leave no Secret held that both have used", func() {
		c := founded()
		one := c.room().BackupStorage
		other := create(&v1alpha1.BackupStorage{ObjectMeta: c.meta("other"), Spec: v1alpha1.BackupStorageSpec{
			Location:   v1alpha1.StorageLocation{Local: v1alpha1.LocalVolume{Folder: one.Spec.Location.Local.Folder + "-other"}},
			Encryption: one.Spec.Encryption,
		}})
		Eventually(of(other)).Should(beReady())
		key := &corev1.Secret{ObjectMeta: c.meta(one.Spec.Encryption.IdentitySecretRef.Name)}
		Expect(of(key)()).To(HaveField("Finalizers", ContainElement(v1alpha1.CredentialsFinalizer)))
		gate := &turnstile{namespace: c.namespace, kind: "backupstorages", moved: make(chan struct{})}
		DeferCleanup(func() { gate.let(); manager.use(nil) })
		manager.use(gate.pass)
		remove(one)
		remove(other)
		Eventually(gate.waits).Should(ConsistOf(one.Name, other.Name), "each is about to go, and has seen the other")
		gate.let()
		for _, bs := range []*v1alpha1.BackupStorage{one, other} {
			Eventually(exists(bs)).Should(BeFalse())
		}
		Eventually(of(key)).Should(HaveField("Finalizers", BeEmpty()))
	})
})
