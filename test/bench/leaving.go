package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/simulator/core"
)

// leaving measures how soon people who leave lose access: while a company is imported, and when nothing else is done.
type leaving struct {
	*bench
	gone map[string]bool
}

func (l *leaving) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	defer func() {
		if l.manager != nil {
			l.manager.Stop()
		}
	}()
	l.company, l.gone = "bench-leaving-"+l.platform, map[string]bool{}
	if err := l.declare(ctx); err != nil {
		return err
	}
	if err := l.lenient(ctx); err != nil {
		return err
	}
	if err := l.start(ctx); err != nil {
		return err
	}
	loaded, err := l.amidImport(ctx)
	if err != nil {
		return err
	}
	if len(loaded) == 0 {
		return errors.New("the import was over before anybody left: have more people, or a lower rate")
	}
	idle, err := l.afterwards(ctx, len(loaded))
	if err != nil {
		return err
	}
	l.say("access went after %v amid the import, after %v in rest", loaded, idle)
	l.figure("leave.samples", float64(len(loaded)), told, 0)
	l.figure("leave.freeze_p99_ratio", p99(loaded).Seconds()/p99(idle).Seconds(), under, 2)
	l.figure("leave.freeze_p50_ratio", middle(loaded).Seconds()/middle(idle).Seconds(), told, 0)
	return nil
}

// lenient has people leave without a backup and within no limits: access is what is measured.
func (l *leaving) lenient(ctx context.Context) error {
	ea, _ := l.tenant.Account(l.namespace(), account)
	err := world.Update(ctx, l.world, ea, func(a *v1alpha1.EnterpriseAccount) {
		a.Spec.RemovalLimits = v1alpha1.RemovalLimits{Count: new(int32(1000)), Percent: new(int32(100))}
	})
	if err != nil {
		return err
	}
	return l.world.Apply(ctx, &v1alpha1.OffboardingPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace(), Name: world.PolicyName},
		Spec: v1alpha1.OffboardingPolicySpec{AppliesTo: v1alpha1.PolicyDefault, OffboardingTerms: v1alpha1.OffboardingTerms{
			Backup:    v1alpha1.OffboardingBackup{Mode: v1alpha1.BackupNone},
			SkipSteps: []v1alpha1.SkippableStep{"HandOver", "RevokePermissions", "UnlinkSystems", "Notify"},
		}},
	})
}

// amidImport has people leave one after the other, from when a quarter was created until nine tenths are, and leaves half
// of those who could for afterwards.
func (l *leaving) amidImport(ctx context.Context) (took []time.Duration, err error) {
	if err := l.created(ctx, l.size.People/4); err != nil {
		return nil, err
	}
	for range len(l.candidates()) / 2 {
		if done, err := l.creations(ctx); err != nil || done >= l.size.People*9/10 {
			return took, err
		}
		who, err := l.present(ctx)
		if err != nil || who == nil {
			return took, err
		}
		d, err := l.leave(ctx, who)
		if err != nil {
			return nil, err
		}
		took = append(took, d)
	}
	return took, nil
}

// afterwards has as many leave when the import is over, as far as there are so many.
func (l *leaving) afterwards(ctx context.Context, n int) (took []time.Duration, err error) {
	if err := l.created(ctx, l.size.People); err != nil {
		return nil, err
	}
	if _, _, err := l.quiet(ctx); err != nil {
		return nil, err
	}
	for range n {
		who, err := l.present(ctx)
		if err != nil {
			return nil, err
		}
		if who == nil {
			break
		}
		d, err := l.leave(ctx, who)
		if err != nil {
			return nil, err
		}
		took = append(took, d)
	}
	if len(took) == 0 {
		return nil, errors.New("nobody is left who could leave")
	}
	return took, nil
}

// present is somebody who is there, can be frozen and has not left; nobody, if there is none.
func (l *leaving) present(ctx context.Context) (*v1alpha1.Employee, error) {
	for _, name := range l.candidates() {
		e := &v1alpha1.Employee{}
		if err := l.world.Client.Get(ctx, client.ObjectKey{Namespace: l.namespace(), Name: name}, e); err != nil {
			return nil, err
		}
		if ready, _ := world.Stand(e); ready && !l.gone[name] {
			return e, nil
		}
	}
	return nil, nil
}

// leave declares somebody departed, and says how long the platform lets them in after that.
func (l *leaving) leave(ctx context.Context, e *v1alpha1.Employee) (took time.Duration, err error) {
	l.gone[e.Name] = true
	since, err := l.world.Simulator.Last(ctx)
	if err != nil {
		return 0, err
	}
	at := time.Now()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"state":"Departed","stateReason":"benchmark"}}`))
	if err := l.world.Client.Patch(ctx, e, patch); err != nil {
		return 0, fmt.Errorf("declaring somebody departed: %w", err)
	}
	err = l.poll(ctx, func(ctx context.Context) error {
		calls, err := l.tenant.Calls(ctx, core.Query{Since: since})
		if err != nil {
			return err
		}
		for _, c := range calls {
			if strings.HasSuffix(c.Operation, "/disable") || is(c, "user/update") && c.Subject == e.Status.Number {
				took = c.Time.Sub(at)
				return nil
			}
		}
		return fmt.Errorf("%s is not frozen", e.Name)
	})
	return took, err
}

// p99 is the smallest that 99 of 100 are not above: with fewer than 100 the greatest.
func p99(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[int(math.Ceil(0.99*float64(len(sorted))))-1]
}

func middle(all []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(all))[len(all)/2]
}
