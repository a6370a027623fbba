package controllers_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/controllers"
)

// TestP3LeavingsAreKnownThoughTheCacheLagsBehind: what other managers have made before, and what this one makes, is
// found though its cache shows none of it, until it is gone.
func TestP3LeavingsAreKnownThoughTheCacheLagsBehind(t *testing.T) {
	q := quarantined(t, three(), "wecom")
	q.stop() // the cache of that manager shows nothing from here on
	behind := q.limiter.Client
	manager := func() *controllers.Leavings {
		return &controllers.Leavings{Client: behind, Live: q.Client, Now: q.clock.now}
	}
	of := func(l *controllers.Leavings, number string) (names []string) {
		all, err := l.Numbered(t.Context(), q.namespace, number)
		q.Expect(err).NotTo(HaveOccurred())
		for i := range all {
			names = append(names, all[i].Name)
		}
		return names
	}
	makes := func(l *controllers.Leavings, ob *v1alpha1.Offboarding, made bool) {
		got, err := l.Make(t.Context(), ob)
		q.Expect(err).NotTo(HaveOccurred())
		q.Expect(got).To(Equal(made))
	}

	q.leave([]string{"wecom"}, 1)
	rehearsal := &v1alpha1.Offboarding{ObjectMeta: q.meta(leavingName(3)), Spec: v1alpha1.OffboardingSpec{
		Mode: v1alpha1.OffboardingRehearse, EmployeeRef: v1alpha1.EmployeeReference{Name: "person-3"},
	}}
	q.Expect(q.Create(t.Context(), rehearsal)).To(Succeed())
	first := manager()
	q.Expect(of(first, "e0001")).To(ConsistOf(leavingName(1)), "numbers are the same in any case")
	q.Expect(of(first, "E0002")).To(BeEmpty())

	makes(first, q.offboarding(2, "wecom"), true)
	q.Expect(of(first, "E0002")).To(ConsistOf(leavingName(2)))
	second := manager() // the first was killed before it learned that it made one
	makes(second, q.offboarding(2, "wecom"), false)
	q.Expect(of(second, "E0002")).To(ConsistOf(leavingName(2)))

	foreign := q.offboarding(2, "wecom")
	foreign.Spec.EmployeeUID = "another person"
	_, err := second.Make(t.Context(), foreign)
	q.Expect(err).To(MatchError(ContainSubstring("delete it")))
	_, err = second.Make(t.Context(), q.offboarding(3, "wecom"))
	q.Expect(err).To(MatchError(ContainSubstring("delete it")), "a rehearsal is no leaving")

	q.Expect(q.Delete(t.Context(), q.offboarding(2, "wecom"), client.GracePeriodSeconds(0))).To(Succeed())
	q.clock.pass(time.Minute)
	for _, l := range []*controllers.Leavings{first, second} {
		q.Expect(of(l, "E0001")).To(ConsistOf(leavingName(1)), "it is there, however late the cache is")
		q.Expect(of(l, "E0002")).To(BeEmpty(), "it is gone")
	}
}
