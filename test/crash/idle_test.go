package crash

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/simulator/core"
)

// age of a call in seconds, by the simulator's clock.
func (s *scene) age(c core.Entry) float64 {
	s.Helper()
	var clock struct{ Now time.Time }
	s.must(shared.Simulator.Control(s.ctx, "GET", "/clock", nil, &clock))
	return clock.Now.Sub(c.Time).Seconds()
}

// sweep are the operations of a full reading: pages, departments, scopes, tokens; never people.
var sweep = []string{
	"gettoken", "accessToken", "auth/scopes", "user/count", "user/list", "user/list_id", "department/get", "department/list",
	"department/listsub", "department/simplelist",
}

// versions of everything in the namespace: they change with every write.
func (s *scene) versions() map[string]string {
	s.Helper()
	all := s.everything()
	var secrets corev1.SecretList
	var events eventsv1.EventList
	for _, list := range []client.ObjectList{&secrets, &events} {
		s.must(shared.Client.List(s.ctx, list, client.InNamespace(s.namespace)))
	}
	for i := range secrets.Items {
		all = append(all, &secrets.Items[i])
	}
	for i := range events.Items {
		all = append(all, &events.Items[i])
	}
	versions := map[string]string{}
	for _, o := range all {
		versions[fmt.Sprintf("%T %s", o, o.GetName())] = o.GetResourceVersion()
	}
	return versions
}

// TestP13IdleIsFree: with nothing changed, readings go by without a write to the API server, and without a call to a platform
// but those of the readings, however many people there are. Neither does a restart write anything.
func TestP13IdleIsFree(t *testing.T) {
	s := setUp(t, "p13-idle", both)
	s.numbered(40)
	s.start()
	s.vault()
	for platform := range s.tenants {
		s.apply(s.backup("of-"+platform, platform), world.Restore(s.namespace, "dry-"+platform, "of-"+platform))
	}
	s.allReady()
	s.exact()
	before := s.settled()
	versions, since := s.versions(), s.last()
	s.readings(2)
	after, _, err := world.Scrape(s.ctx, s.manager)
	s.must(err)
	if n := after.APIWrites() - before.APIWrites(); n != 0 {
		t.Errorf("%v requests to the API server write", n)
	}
	if n := after.Sum("controller_runtime_reconcile_total", `controller="employee"`) - before.Sum("controller_runtime_reconcile_total", `controller="employee"`); n != 0 {
		t.Errorf("%v people were looked at", n)
	}
	s.idle(versions, since)

	s.manager.Stop()
	since = s.last()
	s.start()
	s.readings(1)
	after, _, err = world.Scrape(s.ctx, s.manager)
	s.must(err)
	if n := after.APIWrites(); n != 0 {
		t.Errorf("%v requests to the API server write after a restart", n)
	}
	s.idle(versions, since)
}

// settled waits until a whole reading has gone by without a write: counts on the accounts have settled, events were sent.
func (s *scene) settled() world.Metrics {
	s.Helper()
	for {
		before, _, err := world.Scrape(s.ctx, s.manager)
		s.must(err)
		s.readings(1)
		after, _, err := world.Scrape(s.ctx, s.manager)
		s.must(err)
		if before.APIWrites() == after.APIWrites() {
			return after
		}
	}
}

func (s *scene) idle(versions map[string]string, since uint64) {
	s.Helper()
	for name, version := range s.versions() {
		if versions[name] != version {
			s.Errorf("%s was written", name)
		}
	}
	for _, tenant := range s.tenants {
		for _, c := range s.calls(tenant, core.Query{Since: since}) {
			if !slices.ContainsFunc(sweep, func(operation string) bool { return is(c, operation) }) {
				s.Errorf("%s was called: %s of %q", c.Platform, c.Operation, c.Subject)
			}
		}
	}
}
