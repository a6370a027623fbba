package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/harness"
	"rollcall.dev/rollcall/test/simulator/core"
)

// account is the name of the only EnterpriseAccount of each company.
const account = "tenant"

// bench measures one company on one platform.
type bench struct {
	world    *world.World
	report   *report
	size     size
	platform string
	// company is the namespace; empty is that of the import.
	company string
	verbose bool

	tenant  *world.Tenant
	manager *harness.Manager
	// passCalls is how many calls one drift pass takes.
	passCalls float64
}

// within bounds every wait: far longer than a slow machine needs.
const within = 10 * time.Minute

func (b *bench) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	defer func() {
		if b.manager != nil {
			b.manager.Stop()
		}
	}()
	for _, step := range []func(context.Context) error{b.declare, b.importing, b.drift, b.restart} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) namespace() string { return cmp.Or(b.company, "bench-"+b.platform) }

func (b *bench) say(format string, args ...any) {
	if b.verbose {
		fmt.Fprintf(os.Stderr, "%s %s: %s\n", time.Now().Format(time.TimeOnly), b.platform, fmt.Sprintf(format, args...))
	}
}

func (b *bench) figure(name string, value float64, relation string, goal float64) {
	b.report.add(b.platform+"."+name, rounded(value), relation, goal)
}

// declare applies the company while no manager runs.
func (b *bench) declare(ctx context.Context) error {
	var err error
	if b.tenant, err = b.world.Simulator.NewTenant(ctx, b.platform, b.namespace(), nil); err != nil {
		return err
	}
	if err := b.world.Simulator.Limit(ctx, b.platform, b.size.Rate); err != nil {
		return err
	}
	if err := b.world.Namespace(ctx, b.namespace()); err != nil {
		return err
	}
	ea, secret := b.tenant.Account(b.namespace(), account)
	ea.Spec.RateLimit.RequestsPerSecond = int32(b.size.Rate)
	ea.Spec.ResyncIntervalSeconds = 0 // the default
	units, staff := world.Staff(b.namespace(), b.size.People, b.size.Departments, account)
	for _, e := range staff {
		if b.platform == world.DingTalk && slices.Contains(b.candidates(), e.Name) {
			e.Spec.Accounts[0].Type = v1alpha1.AccountEnterprise // the only kind that it can freeze
		}
	}
	b.say("applying %d departments and %d people", len(units), len(staff))
	if err := b.world.Apply(ctx, ea, secret); err != nil {
		return err
	}
	if err := b.world.Apply(ctx, world.Objects(units)...); err != nil {
		return err
	}
	return b.world.Apply(ctx, world.Objects(staff)...)
}

// candidates are a few of whom one is frozen amid the import.
func (b *bench) candidates() (names []string) {
	for n := 50; n <= b.size.People; n += 50 {
		names = append(names, world.PersonObject(n))
	}
	return names
}

func (b *bench) start(ctx context.Context) error {
	var err error
	b.manager, err = b.world.StartManager(ctx, world.ManagerOptions{Namespaces: []string{b.namespace()}, Args: []string{"--log-level=INFO"}})
	return err
}

// importing measures the first convergence.
func (b *bench) importing(ctx context.Context) error {
	before, err := b.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := b.start(ctx); err != nil {
		return err
	}
	ahead, err := b.freeze(ctx)
	if err != nil {
		return err
	}
	if err := b.created(ctx, b.size.People); err != nil {
		return err
	}
	if err := b.poll(ctx, func(ctx context.Context) error {
		company, err := b.world.Company(ctx, b.namespace())
		if err != nil {
			return err
		}
		return company.Unready()
	}); err != nil {
		return err
	}
	took := time.Since(began)
	used, err := b.cpu()
	if err != nil {
		return err
	}
	b.say("converged in %s", took)
	if err := b.tellImport(ctx, took, used-before); err != nil {
		return err
	}
	b.figure("freeze.calls_ahead", float64(ahead), under, float64(b.size.Rate)/2)
	return nil
}

// created waits for so many successful creations. Counting calls costs nothing; listing people over and over would take the
// machine that is being measured.
func (b *bench) created(ctx context.Context, people int) error {
	return b.poll(ctx, func(ctx context.Context) error {
		done, err := b.creations(ctx)
		if err == nil && done < people {
			err = fmt.Errorf("%d of %d people were created", done, people)
		}
		return err
	})
}

// creations are the successful ones so far.
func (b *bench) creations(ctx context.Context) (done int, err error) {
	counts, err := b.tenant.Counts(ctx)
	for _, c := range counts {
		if strings.HasSuffix(c.Operation, "/user/create") && c.Code == "0" {
			done += int(c.Count)
		}
	}
	return done, err
}

// cpu is what all parts have used so far, this program included.
func (b *bench) cpu() (sum time.Duration, err error) {
	pids := []int{os.Getpid(), b.world.Plane.APIServer.PID(), b.world.Plane.Etcd.PID(), b.world.Simulator.PID()}
	if b.manager != nil {
		pids = append(pids, b.manager.PID())
	}
	for _, pid := range pids {
		used, err := world.CPUTime(pid)
		if err != nil {
			return 0, err
		}
		sum += used
		b.say("process %d has used %s", pid, used)
	}
	return sum, nil
}

func (b *bench) tellImport(ctx context.Context, took, used time.Duration) error {
	calls, err := b.tenant.Calls(ctx, core.Query{})
	if err != nil {
		return err
	}
	metrics, _, err := world.Scrape(ctx, b.manager)
	if err != nil {
		return err
	}
	peak, err := world.PeakMemory(b.manager.PID())
	if err != nil {
		return err
	}
	users, err := b.tenant.Users(ctx)
	if err != nil {
		return err
	}
	people := float64(b.size.People)
	creates := count(calls, func(c core.Entry) bool { return is(c, "user/create") })
	b.sayCalls(calls)
	least := float64(len(calls)) / float64(b.size.Rate)
	b.figure("import.time_ratio", took.Seconds()/least, under, 1.2)
	b.figure("import.cpu_ratio", used.Seconds()/least/float64(runtime.NumCPU()), told, 0)
	b.figure("import.create_calls_person", creates/people, equal, 1)
	b.figure("import.calls_person", float64(len(calls))/people, told, 0)
	b.figure("import.throttled", metrics.Sum("rollcall_platform_throttled_total"), equal, 0)
	numbers := map[string]int{}
	orphans := 0
	for _, u := range users {
		numbers[u.ID]++
		if !strings.HasPrefix(u.ID, "E") {
			orphans++
		}
	}
	b.figure("import.duplicates", float64(len(users)-len(numbers)), equal, 0)
	b.figure("import.orphans", float64(orphans-len(b.tenant.Creators)), equal, 0)
	b.figure("import.api_writes_person", metrics.APIWrites()/people, under, 3.3)
	b.figure("import.peak_kib_person", float64(peak)/1024/people, under, 100)
	return nil
}

// freeze declares somebody frozen amid the import, and counts the calls that go before the one that takes access away.
func (b *bench) freeze(ctx context.Context) (ahead int, err error) {
	if err := b.created(ctx, b.size.People/4); err != nil {
		return 0, err
	}
	victim := &v1alpha1.Employee{}
	if err := b.poll(ctx, func(ctx context.Context) error {
		for _, name := range b.candidates() {
			if err := b.world.Client.Get(ctx, client.ObjectKey{Namespace: b.namespace(), Name: name}, victim); err != nil {
				return err
			}
			if ready, _ := world.Stand(victim); ready {
				return nil
			}
		}
		return errors.New("none of the candidates is there yet")
	}); err != nil {
		return 0, err
	}
	since, err := b.world.Simulator.Last(ctx)
	if err != nil {
		return 0, err
	}
	at := time.Now()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"state":"Frozen","stateReason":"benchmark"}}`))
	if err := b.world.Client.Patch(ctx, victim, patch); err != nil {
		return 0, fmt.Errorf("declaring somebody frozen: %w", err)
	}
	edited, err := b.world.Simulator.Last(ctx)
	if err != nil {
		return 0, err
	}
	err = b.poll(ctx, func(ctx context.Context) error {
		calls, err := b.tenant.Calls(ctx, core.Query{Since: since})
		if err != nil {
			return err
		}
		for i, c := range calls {
			if strings.HasSuffix(c.Operation, "/disable") || is(c, "user/update") && c.Subject == victim.Status.Number {
				ahead = i - int(edited-since)
				b.say("declared frozen at call %d, frozen by call %d, %s later", edited, c.Seq, c.Time.Sub(at))
				return nil
			}
		}
		return fmt.Errorf("%s is not frozen", victim.Name)
	})
	return max(0, ahead), err
}

// drift measures full readings that find nothing to do.
func (b *bench) drift(ctx context.Context) error {
	ea, _ := b.tenant.Account(b.namespace(), account)
	if err := world.Update(ctx, b.world, ea, func(a *v1alpha1.EnterpriseAccount) { a.Spec.ResyncIntervalSeconds = 5 }); err != nil {
		return err
	}
	before, since, err := b.quiet(ctx)
	if err != nil {
		return err
	}
	const passes = 2
	var calls []core.Entry
	err = b.poll(ctx, func(ctx context.Context) error {
		calls, err = b.tenant.Calls(ctx, core.Query{Since: since})
		if n := count(calls, b.beginsPass); err == nil && n <= passes {
			err = fmt.Errorf("%v of %d passes", n, passes)
		}
		return err
	})
	if err != nil {
		return err
	}
	after, _, err := world.Scrape(ctx, b.manager)
	if err != nil {
		return err
	}
	calls = whole(calls, b.beginsPass)
	n := count(calls, b.beginsPass)
	other := count(calls, func(c core.Entry) bool { return !b.lists(c) })
	b.passCalls = float64(len(calls)) / n
	b.sayCalls(calls)
	people, departments := float64(b.size.People), float64(b.size.Departments+1)
	b.figure("drift.passes", n, told, 0)
	b.figure("drift.other_calls_person", other/n/people, equal, 0)
	b.figure("drift.list_calls_ratio", (float64(len(calls))-other)/n/(math.Ceil(people/b.page())+2*departments+8), under, 1)
	b.figure("drift.api_writes", after.APIWrites()-before.APIWrites(), equal, 0)
	return nil
}

// restart measures a manager that starts and finds everything as declared.
func (b *bench) restart(ctx context.Context) error {
	b.manager.Stop()
	since, err := b.world.Simulator.Last(ctx)
	if err != nil {
		return err
	}
	if err := b.start(ctx); err != nil {
		return err
	}
	metrics, _, err := b.quiet(ctx)
	if err != nil {
		return err
	}
	calls, err := b.tenant.Calls(ctx, core.Query{Since: since})
	if err != nil {
		return err
	}
	b.sayCalls(calls)
	company, err := b.world.Company(ctx, b.namespace())
	if err != nil {
		return err
	}
	if err := company.Unready(); err != nil {
		return fmt.Errorf("after a restart: %w", err)
	}
	b.figure("restart.api_writes", metrics.APIWrites(), equal, 0)
	b.figure("restart.platform_writes", count(calls, writes), equal, 0)
	b.figure("restart.calls_beyond_pass", float64(len(calls))-b.passCalls, under, 8)
	return nil
}

// quiet waits until the manager has looked at everybody, has nothing left to do, and a reading has begun after that. It
// returns the metrics of that moment and the number of the last call.
func (b *bench) quiet(ctx context.Context) (metrics world.Metrics, last uint64, err error) {
	var written float64
	var seen float64
	calm := time.Time{}
	err = b.poll(ctx, func(ctx context.Context) error {
		if metrics, _, err = world.Scrape(ctx, b.manager); err != nil {
			return err
		}
		looked := metrics.Sum("controller_runtime_reconcile_total", `controller="employee"`)
		if now := metrics.APIWrites() + looked; now != written+seen || metrics.Queued() > 0 || looked < float64(b.size.People) {
			written, seen, calm = metrics.APIWrites(), looked, time.Now()
			return fmt.Errorf("busy: %v looked at, %v wait", looked, metrics.Queued())
		}
		if time.Since(calm) < calmFor {
			return fmt.Errorf("calm since %s", calm)
		}
		last, err = b.world.Simulator.Last(ctx)
		return err
	})
	return metrics, last, err
}

// calmFor is longer than the manager lets counts settle, or pauses before it tries again.
const calmFor = 4 * time.Second

func (b *bench) poll(ctx context.Context, check func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		select {
		case <-b.manager.Done():
			return false, b.manager.Wait(ctx)
		default:
		}
		last = check(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return nil
}
