package crash

import (
	"errors"
	"fmt"
	"testing"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/simulator/core"
)

// TestP8EveryChangeHasItsRecord: the manager dies in the middle of its work, and answers are lost. The trail goes on where it
// ended, everything that the platforms were asked for stands in it, and the account shows where it ends.
func TestP8EveryChangeHasItsRecord(t *testing.T) {
	s := setUp(t, "p8-trail", both)
	const people = 30
	for _, tenant := range s.tenants {
		s.fault(tenant, core.Fault{Kind: core.KindLatency, DelayMillis: 10})
	}
	staff := s.people(people)
	for _, done := range []int{people / 3, people} {
		s.start()
		since := s.last()
		s.eventually("it is at work", func() error { return s.has(done/2, since, isWrite) })
		s.manager.Kill()
		s.recorded()
	}
	s.start()
	s.allReady()
	person := get(s, &v1alpha1.Employee{}, staff[0].Name)
	person.Spec.State, person.Spec.StateReason = v1alpha1.EmployeeFrozen, "laptop lost"
	s.must(shared.Client.Update(s.ctx, person))
	s.eventually("the freeze is recorded, and the accounts show the ends of their trails", func() error {
		var errs []error
		for i, found := range s.recorded() {
			account := get(s, &v1alpha1.EnterpriseAccount{}, s.accounts()[i])
			if shown := account.Status.Trail; uint64(shown.Records) != found.Head.Seq || shown.SHA256 != found.Head.SHA256 {
				errs = append(errs, fmt.Errorf("%s shows %d records of %d", account.Name, shown.Records, found.Head.Seq))
			}
			if found.Records < 2*people {
				errs = append(errs, fmt.Errorf("%s has %d records", account.Name, found.Records))
			}
		}
		return errors.Join(errs...)
	})
}
