package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"runtime"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
)

// linking measures how soon many people who are frozen at once lose access to a linked system, which allows so many calls a second.
type linking struct {
	*bench
	people int
	peer   *peer
}

// linkedRate is how many calls a second the linked system allows, unless a flag says otherwise. It has to bind, and not the
// machine: to freeze somebody took 55 to 70 ms of processor time here, of which the manager and the API server used nearly
// all, and 3 calls. 50 calls a second are 17 people, for whom two processors are busy half of the time (disable_cpu_ratio
// tells); at 100 the machine had set the pace.
const linkedRate = 50

const linkedSystem = "mail"

func (l *linking) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	l.company, l.size.People = "bench-linked", l.people
	var err error
	if l.peer, err = newPeer(); err != nil {
		return err
	}
	server := httptest.NewServer(l.peer)
	defer server.Close()
	defer func() {
		if l.manager != nil {
			l.manager.Stop()
		}
	}()
	if err := l.settle(ctx, server.URL); err != nil {
		return err
	}
	return l.measure(ctx)
}

// settle has everybody on the platform and linked to an account that was there, and nothing left to do.
func (l *linking) settle(ctx context.Context, endpoint string) error {
	if err := l.peer.fill(ctx, l.people); err != nil {
		return err
	}
	if err := l.declare(ctx, endpoint); err != nil {
		return err
	}
	if err := l.start(ctx); err != nil {
		return err
	}
	if err := l.created(ctx, l.people); err != nil {
		return err
	}
	return l.ready(ctx)
}

// declare applies a company that may lose everybody at once. Neither its platform nor a reading of the linked system is in the way.
func (l *linking) declare(ctx context.Context, endpoint string) error {
	var err error
	if l.tenant, err = l.world.Simulator.NewTenant(ctx, l.platform, l.company, nil); err != nil {
		return err
	}
	if err := l.world.Simulator.Unlimit(ctx, l.platform); err != nil {
		return err
	}
	if err := l.world.Namespace(ctx, l.company); err != nil {
		return err
	}
	wide := v1alpha1.RemovalLimits{Count: new(int32(1_000_000)), Percent: new(int32(100))}
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: l.company, Name: name} }
	ea, secret := l.tenant.Account(l.company, account)
	ea.Spec.RateLimit.RequestsPerSecond, ea.Spec.ResyncIntervalSeconds, ea.Spec.RemovalLimits = 10_000, 86400, wide
	if err := l.world.Apply(ctx, ea, secret,
		&corev1.Secret{ObjectMeta: named("mail-credentials"), StringData: map[string]string{"token": peerToken}},
		&v1alpha1.LinkedSystem{ObjectMeta: named(linkedSystem), Spec: v1alpha1.LinkedSystemSpec{
			SCIM:                 v1alpha1.SCIMSystem{Endpoint: v1alpha1.Endpoint(endpoint)},
			CredentialsSecretRef: v1alpha1.SecretReference{Name: "mail-credentials"},
			RateLimit:            v1alpha1.RateLimit{RequestsPerSecond: int32(l.size.LinkedRate)}, ResyncIntervalSeconds: 86400, RemovalLimits: wide,
		}},
	); err != nil {
		return err
	}
	units, staff := world.Staff(l.company, l.people, l.size.Departments, account)
	for _, e := range staff {
		e.Spec.LinkedAccounts = []v1alpha1.LinkedAccount{{Name: linkedSystem}}
	}
	l.say("applying %d departments and %d people", len(units), len(staff))
	if err := l.world.Apply(ctx, world.Objects(units)...); err != nil {
		return err
	}
	return l.world.Apply(ctx, world.Objects(staff)...)
}

// ready waits until everybody is as declared, linked accounts and all. To read the company over and over would take the machine
// that has to get it done.
func (l *linking) ready(ctx context.Context) error {
	if _, _, err := l.quiet(ctx); err != nil {
		return err
	}
	return l.poll(ctx, func(ctx context.Context) error {
		company, err := l.world.Company(ctx, l.company)
		if err != nil {
			return err
		}
		return company.Unready()
	})
}

// measure freezes everybody, and looks at the linked system itself when who has lost access.
func (l *linking) measure(ctx context.Context) error {
	usedBefore, err := l.cpu()
	if err != nil {
		return err
	}
	before := l.peer.stand()
	if before.disabled > 0 {
		return errors.New("accounts are disabled before anybody is frozen")
	}
	l.say("freezing %d people", l.people)
	began := time.Now()
	all := make([]int, 0, l.people)
	for n := 1; n <= l.people; n++ {
		all = append(all, n)
	}
	if err := l.world.Freeze(ctx, l.company, all...); err != nil {
		return err
	}
	l.say("all are declared frozen after %s", time.Since(began))
	at := standing{}
	if err := l.poll(ctx, func(context.Context) error {
		if at = l.peer.stand(); at.disabled < l.people {
			return fmt.Errorf("%d of %d accounts are disabled", at.disabled, l.people)
		}
		return nil
	}); err != nil {
		return err
	}
	used, err := l.cpu()
	if err != nil {
		return err
	}
	// What was not said yet takes a few calls more: they are part of what an account costs, not of how long access lasted.
	if err := l.ready(ctx); err != nil {
		return err
	}
	active, err := l.peer.active(ctx, l.people)
	if err != nil {
		return err
	}
	if active > 0 {
		return fmt.Errorf("%d of %d accounts are active in the end", active, l.people)
	}
	l.sayOperations(before.operations)
	var pace []int
	for second := began.Unix(); second <= at.last.Unix(); second++ {
		pace = append(pace, at.pace[second])
	}
	l.say("calls by second: %v", pace)
	took := at.last.Sub(began)
	least := float64(at.callsAtLast-before.calls) / float64(l.size.LinkedRate)
	l.say("all were disabled in %s; %d calls at %d a second take %.1f s", took, at.callsAtLast-before.calls, l.size.LinkedRate, least)
	l.figure("disable_time_ratio", took.Seconds()/least, under, 1.1)
	l.figure("disable_cpu_ratio", (used-usedBefore).Seconds()/least/float64(runtime.NumCPU()), told, 0)
	l.figure("disable_calls_per_account", float64(l.peer.stand().calls-before.calls)/float64(l.people), told, 0)
	return nil
}

// figure is named after what is linked: no platform has a part in it.
func (l *linking) figure(name string, value float64, relation string, goal float64) {
	l.report.add("linked."+name, rounded(value), relation, goal)
}

// sayOperations tells how often which call was made since.
func (l *linking) sayOperations(before map[string]int) {
	for operation, n := range l.peer.stand().operations {
		if n -= before[operation]; n > 0 {
			l.say("%6d %s", n, operation)
		}
	}
}
