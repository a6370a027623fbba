package crash

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/harness"
	"rollcall.dev/rollcall/test/simulator/core"
)

// patience is how long a state may take to come. It bounds failures only: nothing here takes a tenth of it.
const patience = 2 * time.Minute

// scene is one test: a company in a namespace, its tenants, a manager that may be killed.
type scene struct {
	*testing.T
	ctx       context.Context //nolint:containedctx // a scene is as long as its test
	namespace string
	// tenants by the name of their EnterpriseAccount, which is that of the platform.
	tenants map[string]*world.Tenant
	manager *harness.Manager
	// tap is what the manager talks through, if it does.
	tap *harness.Tap
	// key opens the archives, if there are any.
	key *age.X25519Identity
	// patience is how long a state may take to come.
	patience time.Duration
}

// both are the platforms that tests of both go through.
var both = []string{world.DingTalk, world.WeCom}

// setUp makes a company without people and starts nothing. Name is that of the namespace and the tenants. Adjust changes the
// EnterpriseAccounts before they are applied.
func setUp(t *testing.T, name string, platforms []string, adjust ...func(*v1alpha1.EnterpriseAccount)) *scene {
	t.Helper()
	t.Parallel()
	return newScene(t, name).openOn(shared.Simulator, platforms, adjust...)
}

// newScene makes the namespace of a scene.
func newScene(t *testing.T, name string) *scene {
	t.Helper()
	s := &scene{T: t, ctx: t.Context(), namespace: name, tenants: map[string]*world.Tenant{}, patience: patience}
	s.must(shared.Namespace(s.ctx, name))
	return s
}

// openOn makes the tenants of a scene on a simulator, and declares them.
func (s *scene) openOn(simulator *world.Simulator, platforms []string, adjust ...func(*v1alpha1.EnterpriseAccount)) *scene {
	s.Helper()
	for _, platform := range platforms {
		tenant, err := simulator.NewTenant(s.ctx, platform, s.namespace, nil)
		s.must(err)
		s.tenants[platform] = tenant
		account, secret := tenant.Account(s.namespace, platform)
		for _, change := range adjust {
			change(account)
		}
		s.apply(secret, account)
	}
	s.Cleanup(s.end)
	return s
}

// end stops the manager, and keeps what it said and what it was doing if the test failed.
func (s *scene) end() {
	if s.manager == nil {
		return
	}
	var metrics string
	if s.Failed() {
		_, metrics, _ = world.Scrape(context.WithoutCancel(s.ctx), s.manager) // fails if it is dead, which the log tells
	}
	if !s.Failed() {
		s.manager.Stop()
		return
	}
	select {
	case <-s.manager.Done():
		s.Logf("the manager had ended: %v", s.manager.Wait(context.WithoutCancel(s.ctx)))
	default:
		s.manager.Dump()
	}
	root, err := harness.Root()
	if err != nil {
		s.Log(err)
		return
	}
	log, err := shared.ManagerLog(s.namespace)
	if err != nil {
		s.Log(err)
		return
	}
	calls := ""
	for _, tenant := range s.tenants {
		made, _ := tenant.Calls(context.WithoutCancel(s.ctx), core.Query{}) // fails if the simulator is dead, which shows
		for _, c := range made {
			calls += fmt.Sprintf("%d %s %s %s %q code %s http %d %s\n", c.Seq, c.Time.Format(time.TimeOnly), c.Platform, c.Operation, c.Subject, c.Code, c.HTTPStatus, c.Fault)
		}
	}
	for suffix, text := range map[string]string{".log": log, ".metrics": metrics, ".calls": calls} {
		path := filepath.Join(root, "bin", "crash", s.namespace+suffix)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			s.Log(err)
			return
		}
		s.Logf("kept %s", path)
	}
}

func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *scene) apply(objects ...client.Object) {
	s.Helper()
	s.must(shared.Apply(s.ctx, objects...))
}

// accounts are the names of the EnterpriseAccounts.
func (s *scene) accounts() []string { return slices.Sorted(maps.Keys(s.tenants)) }

// people applies a department and so many people in it, on all accounts, and returns them.
func (s *scene) people(n int, adjust ...func(*v1alpha1.Employee)) []*v1alpha1.Employee {
	s.Helper()
	s.apply(world.Department(s.namespace, "rd", "研发部", "", s.accounts()...))
	var staff []*v1alpha1.Employee
	for i := 1; i <= n; i++ {
		e := world.Person(s.namespace, i, "rd", s.accounts()...)
		for _, change := range adjust {
			change(e)
		}
		staff = append(staff, e)
	}
	s.apply(world.Objects(staff)...)
	return staff
}

// start starts the manager; again after stop or kill.
func (s *scene) start() {
	s.Helper()
	var err error
	o := world.ManagerOptions{Namespaces: []string{s.namespace}}
	if s.tap != nil {
		s.tap.Reset()
		o.Kubeconfig = s.tap.KubeconfigPath()
	}
	s.manager, err = shared.StartManager(s.ctx, o)
	s.must(err)
}

// eventually waits until check finds nothing to complain about.
func (s *scene) eventually(what string, check func() error) {
	s.Helper()
	var last error
	err := wait.PollUntilContextTimeout(s.ctx, 50*time.Millisecond, s.patience, true, func(context.Context) (bool, error) {
		last = check()
		return last == nil, nil
	})
	if err != nil {
		s.Fatalf("waiting until %s: %v: %v", what, err, last)
	}
}

// allReady waits until everything in the namespace is Ready.
func (s *scene) allReady() {
	s.Helper()
	s.eventually("all are Ready", func() error {
		company, err := shared.Company(s.ctx, s.namespace)
		if err != nil {
			return err
		}
		return company.Unready()
	})
}

// exact waits until the tenants have exactly what is declared, and nobody twice.
func (s *scene) exact() {
	s.Helper()
	s.eventually("the tenants are exactly as declared", func() error { return shared.Audit(s.ctx, s.namespace, s.tenants) })
	s.recorded()
}

// recorded fails unless all that was asked of the tenants is in their trails (P8).
func (s *scene) recorded() (found []audit.Findings) {
	s.Helper()
	for _, account := range s.accounts() {
		f, err := shared.Recorded(s.ctx, s.namespace, account, s.tenants[account])
		if err != nil {
			s.Errorf("P8: %v", err)
		}
		found = append(found, f)
	}
	return found
}

// get reads an object of the namespace again.
func get[T client.Object](s *scene, object T, name string) T {
	s.Helper()
	object.SetNamespace(s.namespace)
	object.SetName(name)
	s.must(shared.Client.Get(s.ctx, client.ObjectKeyFromObject(object), object))
	return object
}

func (s *scene) employee(n int) *v1alpha1.Employee {
	s.Helper()
	return get(s, &v1alpha1.Employee{}, world.PersonObject(n))
}

func (s *scene) account(name string) *v1alpha1.EnterpriseAccount {
	s.Helper()
	return get(s, &v1alpha1.EnterpriseAccount{}, name)
}

// edit changes an Employee.
func (s *scene) edit(n int, change func(*v1alpha1.Employee)) {
	s.Helper()
	s.must(world.Update(s.ctx, shared, s.employee(n), change))
}

// gone waits until none of the objects exists.
func (s *scene) gone(objects ...client.Object) {
	s.Helper()
	s.eventually("they are gone", func() error {
		for _, o := range objects {
			err := shared.Client.Get(s.ctx, client.ObjectKeyFromObject(o), o)
			if err == nil {
				return fmt.Errorf("%T %s is there, with finalizers %v", o, o.GetName(), o.GetFinalizers())
			}
			if !apierrors.IsNotFound(err) {
				return err
			}
		}
		return nil
	})
}

func (s *scene) delete(objects ...client.Object) {
	s.Helper()
	for _, o := range objects {
		s.must(client.IgnoreNotFound(shared.Client.Delete(s.ctx, o)))
	}
}

// on is the person on one account.
func on(e *v1alpha1.Employee, account string) *v1alpha1.EmployeeAccountStatus {
	for i := range e.Status.Accounts {
		if e.Status.Accounts[i].Name == account {
			return &e.Status.Accounts[i]
		}
	}
	return &v1alpha1.EmployeeAccountStatus{}
}

// says waits until the n-th person stands on the account for this reason; empty is: as declared.
func (s *scene) says(n int, account, reason string) {
	s.Helper()
	s.eventually(fmt.Sprintf("person %d on %s says %q", n, account, reason), func() error {
		e := s.employee(n)
		status := on(e, account)
		if status.Name == "" || e.Status.ObservedGeneration == nil || *e.Status.ObservedGeneration != e.Generation || status.Reason != reason {
			return fmt.Errorf("it says %q: %s", status.Reason, status.Message)
		}
		return nil
	})
}

// fault injects one, and takes it away at the end.
func (s *scene) fault(tenant *world.Tenant, f core.Fault) (id string) {
	s.Helper()
	id, err := tenant.Fault(s.ctx, f)
	s.must(err)
	s.Cleanup(func() {
		if err := shared.Simulator.Heal(context.WithoutCancel(s.ctx), id); err != nil {
			s.Error(err)
		}
	})
	return id
}

func (s *scene) heal(id string) {
	s.Helper()
	s.must(shared.Simulator.Heal(s.ctx, id))
}

// calls of a tenant.
func (s *scene) calls(tenant *world.Tenant, q core.Query) []core.Entry {
	s.Helper()
	calls, err := tenant.Calls(s.ctx, q)
	s.must(err)
	return calls
}

// last is the number of the last call that anybody has made.
func (s *scene) last() uint64 {
	s.Helper()
	last, err := shared.Simulator.Last(s.ctx)
	s.must(err)
	return last
}

// isWrite reports whether a call may change the platform.
func isWrite(c core.Entry) bool {
	return world.IsChange(c) || slices.ContainsFunc([]string{"create", "update", "delete"}, func(verb string) bool {
		return strings.HasSuffix(c.Operation, "/"+verb)
	})
}

func is(c core.Entry, operation string) bool { return strings.HasSuffix(c.Operation, "/"+operation) }

// writesSince are the writing calls to all tenants since then.
func (s *scene) writesSince(since uint64) (writes []core.Entry) {
	s.Helper()
	for _, tenant := range s.tenants {
		for _, c := range s.calls(tenant, core.Query{Since: since}) {
			if isWrite(c) {
				writes = append(writes, c)
			}
		}
	}
	return writes
}

// noWrites fails if the platforms were written to since then.
func (s *scene) noWrites(since uint64) {
	s.Helper()
	for _, c := range s.writesSince(since) {
		s.Errorf("the platform was written to: %s %s of %q", c.Platform, c.Operation, c.Subject)
	}
}

// beginsReading reports whether the call is the first of a full reading.
func beginsReading(c core.Entry) bool { return is(c, "user/list_id") || is(c, "auth/scopes") }

// readings waits until so many full readings of each tenant, begun from now on, are over, whatever came of them.
func (s *scene) readings(n int) {
	s.Helper()
	since := s.last()
	for platform, tenant := range s.tenants {
		s.eventually(fmt.Sprintf("%s was read %d times", platform, n), func() error {
			begun := 0
			for _, c := range s.calls(tenant, core.Query{Since: since}) {
				if beginsReading(c) {
					begun++
				}
			}
			if begun <= n { // the next has begun: all before are over
				return fmt.Errorf("%d readings have begun", begun)
			}
			return nil
		})
	}
}

// once fails unless each user was created by exactly one call. Lost are those among the calls without an answer that took
// effect, by user id.
func (s *scene) once(tenant *world.Tenant, people int, lost map[string]int) {
	s.Helper()
	created, err := tenant.Created(s.ctx)
	s.must(err)
	for id, n := range lost {
		created[id] += n
	}
	var errs []error
	for id, n := range created {
		if n != 1 {
			errs = append(errs, fmt.Errorf("%d calls created the user %q", n, id))
		}
	}
	if len(created) != people {
		errs = append(errs, fmt.Errorf("%d users were created, want %d", len(created), people))
	}
	if err := errors.Join(errs...); err != nil {
		s.Errorf("on %s: %v", tenant.Platform, err)
	}
}
