package controllers

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/leaving"
)

// Leavings finds the Offboardings of people, also those that the cache does not show yet:
// what was begun before this manager started, and what it has begun itself. A person is
// never taken for somebody who stays because a cache lags behind.
type Leavings struct {
	client.Client
	// Live reads past the cache.
	Live client.Reader
	Now  func() time.Time

	mu        sync.Mutex
	companies map[string]*company
}

// company is what is known of one namespace beside the cache.
type company struct {
	mu sync.Mutex
	// read: it was looked past the cache once.
	read bool
	// ahead are Offboardings that the cache has not shown yet.
	ahead map[string]*aheadLeaving
}

type aheadLeaving struct {
	*v1alpha1.Offboarding
	since time.Time
}

// shownWithin is how long the cache may take to show an Offboarding before it is looked for.
const shownWithin = 10 * time.Second

// Numbered are the Offboardings of the employee number, those that only rehearse left out.
func (l *Leavings) Numbered(ctx context.Context, namespace, number string) ([]v1alpha1.Offboarding, error) {
	c := l.company(namespace)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := l.readOnce(ctx, namespace, c); err != nil {
		return nil, err
	}
	if err := l.catchUp(ctx, namespace, c); err != nil {
		return nil, err
	}
	var list v1alpha1.OffboardingList
	if err := l.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{indexNumber: fold(number)}); err != nil {
		return nil, fmt.Errorf("listing the person's leavings: %w", err)
	}
	for _, ob := range c.ahead {
		if fold(ob.Spec.Number) == fold(number) && !slices.ContainsFunc(list.Items, func(o v1alpha1.Offboarding) bool { return o.Name == ob.Name }) {
			list.Items = append(list.Items, *ob.DeepCopy())
		}
	}
	return slices.DeleteFunc(list.Items, func(ob v1alpha1.Offboarding) bool { return ob.Spec.Mode == v1alpha1.OffboardingRehearse }), nil
}

// Holding are the Offboardings that are about an account of a linked system and are not over, nor done with it in a way that leaves it
// to others.
func (l *Leavings) Holding(ctx context.Context, namespace string, system systemRef, id string) ([]v1alpha1.Offboarding, error) {
	c := l.company(namespace)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := l.readOnce(ctx, namespace, c); err != nil {
		return nil, err
	}
	if err := l.catchUp(ctx, namespace, c); err != nil {
		return nil, err
	}
	var list v1alpha1.OffboardingList
	if err := l.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{indexLink: linkKey(system.name, id)}); err != nil {
		return nil, fmt.Errorf("listing who leaves the linked account: %w", err)
	}
	for _, ob := range c.ahead {
		if hasLink(ob.Offboarding, system, id) && !slices.ContainsFunc(list.Items, func(o v1alpha1.Offboarding) bool { return o.Name == ob.Name }) {
			list.Items = append(list.Items, *ob.DeepCopy())
		}
	}
	return slices.DeleteFunc(list.Items, func(ob v1alpha1.Offboarding) bool { return !hasLink(&ob, system, id) || !holdsLink(&ob, system.name) }), nil
}

// holdsLink reports whether nobody else may have the account that a leaving is about: it was not left as it is, and whoever left may
// come back to it until the leaving is over.
func holdsLink(ob *v1alpha1.Offboarding, system string) bool {
	st := unlinkStatus(ob, system)
	return ob.Spec.Mode != v1alpha1.OffboardingRehearse && !isOver(ob) && (st == nil || leaving.State(st.State) != leaving.Skipped)
}

// Make creates the Offboarding. That it is there already is no error: it was made before
// a crash, and is known from now on as well.
func (l *Leavings) Make(ctx context.Context, ob *v1alpha1.Offboarding) (made bool, err error) {
	person := ob.Spec.EmployeeUID
	err = l.Create(ctx, ob)
	if made = err == nil; apierrors.IsAlreadyExists(err) {
		err = l.Live.Get(ctx, client.ObjectKeyFromObject(ob), ob)
	}
	switch {
	case err != nil:
		return false, err
	case ob.Spec.Mode != v1alpha1.OffboardingExecute || ob.Spec.EmployeeUID != person:
		return false, fmt.Errorf("the name %s is taken by an Offboarding that is none of this person: delete it", ob.Name)
	}
	c := l.company(ob.Namespace)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead[ob.Name] = &aheadLeaving{Offboarding: ob.DeepCopy(), since: l.Now()}
	return made, nil
}

func (l *Leavings) company(namespace string) *company {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.companies == nil {
		l.companies = map[string]*company{}
	}
	if l.companies[namespace] == nil {
		l.companies[namespace] = &company{ahead: map[string]*aheadLeaving{}}
	}
	return l.companies[namespace]
}

// readOnce looks past the cache, which may lag behind what was written before this manager led.
func (l *Leavings) readOnce(ctx context.Context, namespace string, c *company) error {
	if c.read {
		return nil
	}
	var list v1alpha1.OffboardingList
	err := eachPage(ctx, l.Live, &list, func() {
		for i := range list.Items {
			c.ahead[list.Items[i].Name] = &aheadLeaving{Offboarding: list.Items[i].DeepCopy(), since: l.Now()}
		}
	}, client.InNamespace(namespace))
	if err != nil {
		return fmt.Errorf("reading the leavings of the company: %w", err)
	}
	c.read = true
	return nil
}

// catchUp forgets what the cache shows by now, and what is gone.
func (l *Leavings) catchUp(ctx context.Context, namespace string, c *company) error {
	for name, ob := range c.ahead {
		key, shown := types.NamespacedName{Namespace: namespace, Name: name}, &v1alpha1.Offboarding{}
		err := l.Get(ctx, key, shown)
		if apierrors.IsNotFound(err) && l.Now().Sub(ob.since) > shownWithin {
			if err = l.Live.Get(ctx, key, shown); err == nil {
				ob.since = l.Now()
				continue
			}
			if apierrors.IsNotFound(err) {
				delete(c.ahead, name)
				continue
			}
		}
		switch {
		case err == nil:
			delete(c.ahead, name)
		case !apierrors.IsNotFound(err):
			return fmt.Errorf("reading a leaving: %w", err)
		}
	}
	return nil
}
