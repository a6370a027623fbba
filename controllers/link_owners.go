package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/linked"
)

// systemRef tells LinkedSystems of one name apart (P4); without a UID it is the one that has the name.
type systemRef struct{ name, uid string }

// is reports whether an id that was recorded with this UID is of the system.
func (s systemRef) is(uid string) bool { return uid == "" || s.uid == "" || uid == s.uid }

func (l *personLink) ref() systemRef {
	ref := systemRef{name: l.key.Name}
	if l.system != nil {
		ref.uid = string(l.system.UID)
	}
	return ref
}

// foreign reports that what is recorded of a linked account is of another LinkedSystem, which had the same name (P4).
func foreign(uid string, ls *v1alpha1.LinkedSystem) bool {
	return uid != "" && ls != nil && uid != string(ls.UID)
}

// elsewhere reports that the account, or what was asked for, is in another LinkedSystem of the same name.
func (l *personLink) elsewhere() bool {
	return l.status.Origin != "" && foreign(l.status.SystemUID, l.system)
}

// candidates are accounts with the person's number or login that are not somebody else's, unless nobody else's are left:
// then they are, so that the person is told whose.
func (r *LinkReconciler) candidates(ctx context.Context, e *v1alpha1.Employee, l *personLink) (free []linked.Account, err error) {
	all := l.running.Mirror.Candidates(l.wish.Number, l.wish.Login)
	for _, a := range all {
		taken, err := r.taken(ctx, e, l.ref(), a.ID)
		if err != nil {
			return nil, err
		}
		if !taken {
			free = append(free, a)
		}
	}
	if len(free) == 0 && len(all) == 1 {
		return all, nil
	}
	return free, nil
}

// holders are the others who have the account, or are declared to.
func (r *LinkReconciler) holders(ctx context.Context, e *v1alpha1.Employee, system systemRef, id string) ([]v1alpha1.Employee, error) {
	if id == "" {
		return nil, nil
	}
	var all v1alpha1.EmployeeList
	if err := r.List(ctx, &all, client.InNamespace(e.Namespace), client.MatchingFields{indexLink: linkKey(system.name, id)}); err != nil {
		return nil, fmt.Errorf("listing who has the account: %w", err)
	}
	return slices.DeleteFunc(all.Items, func(other v1alpha1.Employee) bool { return other.Name == e.Name || !claims(&other, system, id) }), nil
}

// taken reports whether the account is, or is declared to be, somebody else's, or a leaving of somebody else is not over.
func (r *LinkReconciler) taken(ctx context.Context, e *v1alpha1.Employee, system systemRef, id string) (bool, error) {
	all, err := r.holders(ctx, e, system, id)
	if err != nil || len(all) > 0 {
		return true, err
	}
	ob, err := r.leftBy(ctx, e, system, id)
	return ob != nil, err
}

// leftBy is the leaving of somebody else that is about the account and is not over; nil if there is none. It goes before everybody
// but who has the account already: an account that is to be disabled is nobody's to enable (P2).
func (r *LinkReconciler) leftBy(ctx context.Context, e *v1alpha1.Employee, system systemRef, id string) (*v1alpha1.Offboarding, error) {
	if id == "" || owns(e, system, id) {
		return nil, nil //nolint:nilnil // none is an answer
	}
	all, err := r.Leavings.Holding(ctx, e.Namespace, system, id)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if fold(all[i].Spec.Number) != fold(e.Status.Number) {
			return &all[i], nil
		}
	}
	return nil, nil //nolint:nilnil // none is an answer
}

// lost reports whether somebody else has the account by now that a leaving has left, or is leaving it.
func (r *LinkReconciler) lost(ctx context.Context, e *v1alpha1.Employee, l *personLink) (bool, error) {
	if l.leaving == nil {
		return false, nil
	}
	left, _ := unlinkingIn(l.leaving, l.key.Name)
	all, err := r.holders(ctx, e, l.ref(), left.AccountID)
	if err != nil || slices.ContainsFunc(all, func(other v1alpha1.Employee) bool { return owns(&other, l.ref(), left.AccountID) }) {
		return true, err
	}
	ob, err := r.leftBy(ctx, e, l.ref(), left.AccountID)
	return ob != nil, err
}

// claimant names who has the account, or wants the same, instead (P4): a leaving that is not over, else the Employee that has it before
// one that would take it, then the older. If e is the one, its status says who else claims it, and those are told, too.
func (r *LinkReconciler) claimant(ctx context.Context, s *linkScope, l *personLink, id string, wants []string) (string, error) {
	e := s.employee
	names := r.claims.want(e, l.key.Name, wants...)
	all, err := r.holders(ctx, e, l.ref(), id)
	if err != nil {
		return "", err
	}
	for i := range all {
		if name := all[i].Name; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if ob, err := r.leftBy(ctx, e, l.ref(), id); err != nil || ob != nil {
		l.status.Rivals = nil
		return offboardingWords(ob), err
	}
	best, rivals := e, []string{}
	for _, name := range names {
		other := &v1alpha1.Employee{}
		err := r.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: name}, other)
		if apierrors.IsNotFound(err) {
			r.claims.forget(client.ObjectKey{Namespace: e.Namespace, Name: name})
			continue
		}
		if err != nil {
			return "", fmt.Errorf("reading who claims the account: %w", err)
		}
		if !claims(other, l.ref(), id) {
			continue // it does not want it any more
		}
		rivals = append(rivals, name)
		if goesBefore(other, best, l.ref(), id) {
			best = other
		}
	}
	slices.Sort(rivals)
	for _, name := range r.claims.meet(e, l.key.Name, rivals) {
		r.Hub.links.add(client.ObjectKey{Namespace: e.Namespace, Name: name}, 0, 0)
	}
	l.status.Rivals = nil
	if best.UID != e.UID {
		return "the Employee " + best.Name, nil
	}
	if len(rivals) > 0 {
		l.status.Rivals = rivals[:min(len(rivals), 8)]
	}
	return "", nil
}

func offboardingWords(ob *v1alpha1.Offboarding) string {
	if ob == nil {
		return ""
	}
	return "the Offboarding " + ob.Name
}

// claims reports whether somebody has the account, or still wants one in the system: who leaves wants none, but may have asked for one;
// and whose account is in another system of that name wants none in this one before that is let go.
func claims(e *v1alpha1.Employee, system systemRef, id string) bool {
	if owns(e, system, id) {
		return true
	}
	st := linkStatus(e, system.name)
	if st != nil && st.Origin != "" && !system.is(st.SystemUID) {
		return false
	}
	asked, leaves := st != nil && st.Origin == v1alpha1.OriginCreating, e.Spec.State == v1alpha1.EmployeeDeparted || !e.DeletionTimestamp.IsZero()
	return asked || linkSpec(e, system.name) != nil && !leaves
}

// owns reports whether somebody has the account.
func owns(e *v1alpha1.Employee, system systemRef, id string) bool {
	st := linkStatus(e, system.name)
	return st != nil && isOwned(st.Origin) && st.AccountID == id && id != "" && system.is(st.SystemUID)
}

func goesBefore(a, b *v1alpha1.Employee, system systemRef, id string) bool {
	if owns(a, system, id) != owns(b, system, id) {
		return owns(a, system, id)
	}
	if claims(a, system, id) != claims(b, system, id) { // who leaves takes it from nobody
		return claims(a, system, id)
	}
	return older(a, b)
}

// linkClaims are the accounts and logins that people want who have none yet: two of them are told of each other. It is
// filled by everybody's first reconcile. Safe for concurrent use.
type linkClaims struct {
	mu     sync.Mutex
	wanted map[string]map[string]bool                   // what is wanted -> by whom
	by     map[types.NamespacedName]map[string][]string // person -> system -> what
	met    map[string][]string                          // "<namespace>/<person>/<system>" -> rivals who were told
}

// want replaces what somebody wants in a system, and returns who wants the same, sorted.
func (c *linkClaims) want(e *v1alpha1.Employee, system string, things ...string) (rivals []string) {
	who := client.ObjectKeyFromObject(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wanted == nil {
		c.wanted, c.by, c.met = map[string]map[string]bool{}, map[types.NamespacedName]map[string][]string{}, map[string][]string{}
	}
	c.drop(who, system)
	for _, thing := range things {
		key := who.Namespace + "/" + system + "/" + thing
		for name := range c.wanted[key] {
			rivals = append(rivals, name)
		}
		if c.wanted[key] == nil {
			c.wanted[key] = map[string]bool{}
		}
		c.wanted[key][who.Name] = true
		if c.by[who] == nil {
			c.by[who] = map[string][]string{}
		}
		c.by[who][system] = append(c.by[who][system], key)
	}
	slices.Sort(rivals)
	return slices.Compact(rivals)
}

// wanting are those who want an account, by its [linkKey].
func (c *linkClaims) wanting(namespace, key string) (found []reconcile.Request) {
	system, id, _ := strings.Cut(key, "/")
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.wanted[namespace+"/"+system+"/id:"+id] {
		found = append(found, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: namespace, Name: name}})
	}
	return found
}

func (c *linkClaims) drop(who types.NamespacedName, system string) {
	for _, key := range c.by[who][system] {
		delete(c.wanted[key], who.Name)
		if len(c.wanted[key]) == 0 {
			delete(c.wanted, key)
		}
	}
	delete(c.by[who], system)
	if len(c.by[who]) == 0 {
		delete(c.by, who)
	}
}

// meet says whom to tell: who is a rival now and was none, and the other way round.
func (c *linkClaims) meet(e *v1alpha1.Employee, system string, now []string) (tell []string) {
	key := e.Namespace + "/" + e.Name + "/" + system
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.met[key]
	for _, name := range now {
		if !slices.Contains(before, name) {
			tell = append(tell, name)
		}
	}
	for _, name := range before {
		if !slices.Contains(now, name) {
			tell = append(tell, name)
		}
	}
	if c.met[key] = now; len(now) == 0 {
		delete(c.met, key)
	}
	return tell
}

// forget ends what somebody wants.
func (c *linkClaims) forget(who types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for system := range c.by[who] {
		c.drop(who, system)
		delete(c.met, who.Namespace+"/"+who.Name+"/"+system)
	}
}

// rivalsOf are those who want something that somebody wants.
func (c *linkClaims) rivalsOf(e *v1alpha1.Employee) (rivals []string) {
	who := client.ObjectKeyFromObject(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, keys := range c.by[who] {
		for _, key := range keys {
			for name := range c.wanted[key] {
				if name != who.Name {
					rivals = append(rivals, name)
				}
			}
		}
	}
	slices.Sort(rivals)
	return slices.Compact(rivals)
}
