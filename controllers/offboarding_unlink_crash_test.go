package controllers_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/linked/linkedtest"
)

// mortal lets the manager die once, by die or when it has written about leavings for the nth time: nothing that it asks of the API
// server from then on gets there.
func (m *managed) mortal(n int) (die func(), dead func() bool) {
	var gone atomic.Bool
	var wrote atomic.Int64
	cancel := m.cancel
	die = func() {
		if !gone.Swap(true) {
			cancel()
		}
	}
	m.use(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if gone.Load() {
			return nil, errEnded
		}
		answer, err := next.RoundTrip(r)
		if ofLeaving(r) && wrote.Add(1) == int64(n) {
			die()
		}
		return answer, err
	})
	return die, gone.Load
}

// ofLeaving reports whether a request writes about a leaving.
func ofLeaving(r *http.Request) bool {
	return r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/offboardings/")
}

// revive has another manager take the place of the one that died.
func (m *managed) revive() {
	GinkgoHelper()
	m.stop()
	m.use(nil)
	m.start()
}

// moment is when the manager dies: at a call to the linked system, before it has taken effect or after; or when the status of the leaving
// was written for the nth time.
type moment struct {
	method string
	after  bool
	write  int
}

func (m moment) String() string {
	switch {
	case m.method == "":
		return fmt.Sprintf("after write %d of the status", m.write)
	case m.after:
		return "after " + m.method
	}
	return "before " + m.method
}

var _ = Describe("A manager that dies while somebody is unlinked", func() {
	It("P2, P3, P4, P8: is followed by one that ends it: at every call to the system, and after every write", func() {
		c := founded()
		trail := c.trailOf("linkedsystem/mail")
		c.secret("wecom-credentials", c.wecom.keys)
		create(c.account(c.wecom, limited(1000)))
		create(c.department("rd", "研发中心", on[*v1alpha1.Department]("wecom")))
		create(c.policy("standard", brief(0), unlinking, func(p *v1alpha1.OffboardingPolicy) { p.Spec.FinalAction = v1alpha1.FinalKeep }))
		mail := c.linked("mail", linkedtest.Able(), provisioning, onLeaving(v1alpha1.UnlinkDelete), func(ls *v1alpha1.LinkedSystem) {
			many := int32(1000)
			ls.Spec.RemovalLimits = v1alpha1.RemovalLimits{Count: &many, Floor: &many}
		})
		stranger := mail.Place(linked.Account{Login: "stranger", Enabled: true, Groups: []string{"staff"}})
		DeferCleanup(manager.revive)
		people := 0
		// leave lets somebody leave; arm is told the id in the system before.
		leave := func(arm func(id string)) (writes []linkedtest.Call, ob *v1alpha1.Offboarding) {
			GinkgoHelper()
			people++
			e := create(c.person(fmt.Sprintf("person-%d", people), wecomOnly, linkedTo("mail")))
			Eventually(of(e)).Should(And(beReady(), HaveField("Status.LinkedReady", "1/1")))
			id := e.Status.LinkedAccounts[0].AccountID
			since := len(mail.Writes())
			arm(id)
			change(e, departed)
			Eventually(func() ([]v1alpha1.Offboarding, error) { return c.leavingsOf(e) }).Should(ConsistOf(inState("Complete")))
			all, err := c.leavingsOf(e)
			Expect(err).NotTo(HaveOccurred())
			return mail.Writes()[since:], &all[0]
		}
		By("counting what one leaving writes")
		var patches atomic.Int64
		counted := func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
			if ofLeaving(r) {
				patches.Add(1)
			}
			return next.RoundTrip(r)
		}
		calls, _ := leave(func(string) { manager.use(counted) })
		manager.use(nil)
		Expect(methods(calls)).To(Equal([]string{"Disable", "Unlink", "Delete"}))
		var plan []moment
		for _, method := range []string{"Disable", "Unlink", "Delete", "Residuals"} {
			plan = append(plan, moment{method: method}, moment{method: method, after: true})
		}
		for n := range int(patches.Load()) {
			plan = append(plan, moment{write: n + 1})
		}
		survived := 0
		for _, m := range plan {
			By("dying " + m.String())
			var over atomic.Bool
			revived := make(chan struct{})
			writes, ob := leave(func(id string) {
				dead := mail.dieAt(m, id)
				go func() {
					defer GinkgoRecover()
					defer close(revived)
					Eventually(func() bool { return dead() || over.Load() }).Should(BeTrue())
					if dead() {
						manager.revive()
					} else {
						survived++
					}
				}()
			})
			over.Store(true)
			Eventually(revived).Should(BeClosed())
			manager.use(nil)
			Expect(ob).To(record("mail", unlinkState("Done"), HaveField("Evidence", "read back: not found")), m.String())
			Expect(mail.Accounts()).To(HaveLen(1), "P3: everybody who left is gone, and nobody else: %s", m)
			Expect(mail.account("stranger")()).To(And(HaveField("ID", stranger), usable(), HaveField("Groups", HaveLen(1))), "P4")
			done := methods(writes)
			Expect(done[0]).To(Equal("Disable"), "P2: access first: %s", m)
			most := 1
			if m == (moment{method: "Delete"}) {
				most = 2
			}
			Expect(slices.DeleteFunc(done, func(s string) bool { return s != "Delete" })).To(HaveLen(most), "P3: %s", m)
		}
		Expect(survived).To(BeNumerically("<", 3), "leavings do not all write as often")
		Expect(len(trail.of("Delete"))).To(BeNumerically(">=", 2*people-1), "P8: an intent and an outcome of each, but of the one that died amid it")
	})
})

// leavingsOf are those of one person.
func (c *company) leavingsOf(e *v1alpha1.Employee) ([]v1alpha1.Offboarding, error) {
	all, err := c.leavings()
	return slices.DeleteFunc(all, func(ob v1alpha1.Offboarding) bool { return ob.Spec.EmployeeUID != string(e.UID) }), err
}

func methods(calls []linkedtest.Call) (all []string) {
	for _, c := range calls {
		all = append(all, c.Method)
	}
	return all
}

// dieAt has the manager die at that moment of the leaving of who has the account.
func (o *other) dieAt(m moment, id string) (dead func() bool) {
	die, dead := manager.mortal(m.write)
	if m.method == "" {
		return dead
	}
	o.Next(m.method, linkedtest.Fault{Err: &directory.Error{Class: directory.OutcomeUnknown, Operation: "fake"}, Before: func(context.Context) {
		switch {
		case !m.after:
		case m.method == "Disable":
			o.Change(id, func(a *linked.Account) { a.Enabled = false })
		case m.method == "Unlink":
			o.Change(id, func(a *linked.Account) { a.Groups, a.Parked = nil, true })
		case m.method == "Delete":
			o.Take(id)
		}
		die()
	}})
	return dead
}
