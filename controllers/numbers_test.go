package controllers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/numbering"
	"rollcall.dev/rollcall/test/harness"
)

// numberServer is one API server for the tests of numbers, which run side by side, each in a namespace of its own. It ends
// with the last of them.
var numberServer struct {
	mu    sync.Mutex
	users int
	plane *harness.ControlPlane
}

// startNumberServer must be called before t.Parallel: a test that waits for its turn keeps the server.
func startNumberServer(t *testing.T) *rest.Config {
	t.Helper()
	s := &numberServer
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		starting, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		var err error
		if s.plane, err = harness.StartControlPlane(starting, harness.Options{}); err != nil {
			t.Fatal(err)
		}
		if err := s.plane.InstallCRDs(starting); err != nil {
			s.plane.Stop()
			t.Fatal(err)
		}
	}
	s.users++
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.users--; s.users == 0 {
			s.plane.Stop()
		}
	})
	return s.plane.Config()
}

// office is a namespace with people in it.
type office struct {
	client.WithWatch
	t         *testing.T
	config    *rest.Config
	scheme    *runtime.Scheme
	namespace string
}

// openOffice runs the test in parallel with others.
func openOffice(t *testing.T) *office {
	t.Helper()
	config := startNumberServer(t)
	t.Parallel()
	s := runtime.NewScheme()
	if err := errors.Join(scheme.AddToScheme(s), v1alpha1.AddToScheme(s)); err != nil {
		t.Fatal(err)
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: s})
	if err != nil {
		t.Fatal(err)
	}
	o := &office{WithWatch: c, t: t, config: config, scheme: s}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "numbers-"}}
	o.must(c.Create(t.Context(), ns))
	o.namespace = ns.Name
	o.department("rd", "RD")
	return o
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// process is a Numbers as a newly started manager has it.
func (o *office) process() *Numbers { return &Numbers{Client: o, Reader: o} }

// intercepted is a process whose writes of status pass through f.
func (o *office) intercepted(f func(write func() error) error) *Numbers {
	c := interceptor.NewClient(o.WithWatch, interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			return f(func() error { return c.SubResource(sub).Patch(ctx, obj, patch, opts...) })
		},
	})
	return &Numbers{Client: c, Reader: o}
}

func (o *office) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: o.namespace, Name: name}
}

func (o *office) department(name, code string) {
	o.t.Helper()
	o.must(o.Create(o.t.Context(), &v1alpha1.Department{ObjectMeta: o.meta(name), Spec: v1alpha1.DepartmentSpec{
		DisplayName: "研发中心", Code: code, Accounts: []v1alpha1.DepartmentAccount{{Name: "ding"}},
	}}))
}

func (o *office) rule(name, pattern string, change ...func(*v1alpha1.EmployeeNumberRuleSpec)) *v1alpha1.EmployeeNumberRule {
	o.t.Helper()
	r := &v1alpha1.EmployeeNumberRule{ObjectMeta: o.meta(name), Spec: v1alpha1.EmployeeNumberRuleSpec{Pattern: pattern}}
	for _, f := range change {
		f(&r.Spec)
	}
	o.must(o.Create(o.t.Context(), r))
	return r
}

func ranges(bounds ...int32) func(*v1alpha1.EmployeeNumberRuleSpec) {
	return func(s *v1alpha1.EmployeeNumberRuleSpec) {
		s.Ranges = nil
		for i := 0; i < len(bounds); i += 2 {
			s.Ranges = append(s.Ranges, v1alpha1.SequenceRange{Start: bounds[i], End: bounds[i+1]})
		}
	}
}

func reserved(numbers ...string) func(*v1alpha1.EmployeeNumberRuleSpec) {
	return func(s *v1alpha1.EmployeeNumberRuleSpec) { s.Reserved = numbers }
}

// person makes an Employee of the research department, hired in 2026, whose number the rule makes.
func (o *office) person(name, rule string, change ...func(*v1alpha1.EmployeeSpec)) *v1alpha1.Employee {
	e := &v1alpha1.Employee{ObjectMeta: o.meta(name), Spec: v1alpha1.EmployeeSpec{
		NumberRuleRef: v1alpha1.NumberRuleReference{Name: rule}, Name: "张伟", HireDate: "2026-03-01",
		Contact:     v1alpha1.Contact{Email: "zhang.wei@example.com"},
		Departments: []v1alpha1.EmployeeDepartment{{Name: "rd"}},
		Accounts:    []v1alpha1.EmployeeAccount{{Name: "ding"}},
	}}
	for _, f := range change {
		f(&e.Spec)
	}
	return e
}

func (o *office) hire(name, rule string, change ...func(*v1alpha1.EmployeeSpec)) *v1alpha1.Employee {
	o.t.Helper()
	e := o.person(name, rule, change...)
	o.must(o.Create(o.t.Context(), e))
	return e
}

func numbered(number string) func(*v1alpha1.EmployeeSpec) {
	return func(s *v1alpha1.EmployeeSpec) { s.Number, s.NumberRuleRef.Name = number, "" }
}

func nobody(string) bool { return false }

// assign is what the Employee controller does: it asks for a number and records it.
func (o *office) assign(n *Numbers, e *v1alpha1.Employee) (string, error) {
	number, err := n.Assign(o.t.Context(), e, nobody)
	if err != nil {
		return "", err
	}
	return number, o.record(e, number)
}

func (o *office) record(e *v1alpha1.Employee, number string) error {
	before := e.DeepCopy()
	e.Status.Number = number
	_, err := kube.PatchStatus(o.t.Context(), client.Client(o), before, e)
	return err
}

// expect assigns numbers to new people of these names.
func (o *office) expect(n *Numbers, rule string, want ...string) {
	o.t.Helper()
	for _, number := range want {
		e := o.hire(fmt.Sprintf("expect-%d", rand.Int64()), rule)
		if got, err := o.assign(n, e); got != number || err != nil {
			o.t.Fatalf("assigned %q, %v; want %q", got, err, number)
		}
	}
}

// everybodyLeaves deletes all Employees but one.
func (o *office) everybodyLeaves(except string) {
	o.t.Helper()
	var all v1alpha1.EmployeeList
	o.must(o.List(o.t.Context(), &all, client.InNamespace(o.namespace)))
	for i := range all.Items {
		if all.Items[i].Name != except {
			o.must(o.Delete(o.t.Context(), &all.Items[i]))
		}
	}
}

func (o *office) fresh(r *v1alpha1.EmployeeNumberRule) *v1alpha1.EmployeeNumberRule {
	o.t.Helper()
	o.must(o.Get(o.t.Context(), client.ObjectKeyFromObject(r), r))
	return r
}

func (o *office) change(r *v1alpha1.EmployeeNumberRule, f func(*v1alpha1.EmployeeNumberRuleSpec)) {
	o.t.Helper()
	o.must(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		f(&o.fresh(r).Spec)
		return o.Update(o.t.Context(), r)
	}))
}

// TestP3NumberDistinctWithConcurrentCreation: 50 people at once get 50 numbers, without a gap while one process assigns.
func TestP3NumberDistinctWithConcurrentCreation(t *testing.T) {
	startNumberServer(t)
	t.Parallel()
	for name, processes := range map[string]int{"one process": 1, "two processes": 2} {
		t.Run(name, func(t *testing.T) {
			o := openOffice(t)
			rule := o.rule("by-department", "{dept}{yyyy}{seq:4}")
			var writes atomic.Int32
			var all []*Numbers
			for range processes {
				all = append(all, o.intercepted(func(write func() error) error {
					writes.Add(1)
					return write()
				}))
			}
			const people = 50
			got := make([]string, people)
			var group sync.WaitGroup
			for i := range people {
				group.Go(func() {
					e := o.person(fmt.Sprintf("e%d", i), rule.Name)
					if err := o.Create(t.Context(), e); err != nil {
						t.Error(err)
						return
					}
					var err error
					got[i], err = o.assign(all[i%processes], e)
					for range 20 { // as a controller tries again
						if err != nil {
							got[i], err = o.assign(all[i%processes], e)
						}
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			slices.Sort(got)
			if distinct := slices.Compact(slices.Clone(got)); len(distinct) != people {
				t.Fatalf("%d different numbers for %d people: %v", len(distinct), people, got)
			}
			if processes == 1 && (got[0] != "RD20260001" || got[people-1] != "RD20260050") {
				t.Errorf("numbers from %s to %s; want no gap", got[0], got[people-1])
			}
			s := o.fresh(rule).Status
			if *s.Assigned != people || len(s.Sequences) != 1 || *s.Sequences[0].Last != people || s.Sequences[0].Prefix != "RD2026{seq:4}" {
				t.Errorf("status %+v after %d numbers", s, people)
			}
			t.Logf("%d writes of the rule", writes.Load())
		})
	}
}

// TestP3NumberNeverReusedAfterCrash: whatever is lost between reserving a number and recording it, nobody else gets it.
func TestP3NumberNeverReusedAfterCrash(t *testing.T) {
	startNumberServer(t)
	t.Parallel()
	crash := errors.New("the process ended")
	for name, tc := range map[string]struct {
		write func(write func() error) error
		// next is what the next person gets from the next process.
		next string
	}{
		"before the reservation":                   {func(func() error) error { return crash }, "RD20260001"},
		"after the reservation, answer lost":       {func(write func() error) error { return errors.Join(write(), crash) }, "RD20260002"},
		"between the reservation and the Employee": {func(write func() error) error { return write() }, "RD20260002"},
	} {
		t.Run(name, func(t *testing.T) {
			o := openOffice(t)
			rule := o.rule("by-department", "{dept}{yyyy}{seq:4}")
			first := o.hire("first", rule.Name)
			told, err := o.intercepted(tc.write).Assign(t.Context(), first, nobody)
			if (err == nil) != (told != "") || err != nil && !errors.Is(err, crash) {
				t.Fatalf("assigned %q, %v", told, err)
			}
			restarted := o.process()
			o.expect(restarted, rule.Name, tc.next)
			again, err := o.assign(restarted, first)
			if err != nil || again == tc.next {
				t.Errorf("the first person got %q, %v after the restart", again, err)
			}
		})
	}
}

// TestP3NumberNeverReusedWhenKilledAnywhere: processes die at random moments; a number that anybody was ever told belongs to
// one person.
func TestP3NumberNeverReusedWhenKilledAnywhere(t *testing.T) {
	o := openOffice(t)
	rule := o.rule("by-department", "{dept}{yyyy}{seq:4}")
	const people = 40
	var hired []*v1alpha1.Employee
	for i := range people {
		hired = append(hired, o.hire(fmt.Sprintf("e%d", i), rule.Name))
	}
	var mu sync.Mutex
	owner := map[string]string{}
	for life := range 15 {
		n := o.process()
		ctx, kill := context.WithTimeout(t.Context(), time.Duration(rand.IntN(60))*time.Millisecond)
		if life == 14 {
			kill()
			ctx, kill = context.WithCancel(t.Context())
		}
		var group sync.WaitGroup
		for _, e := range hired {
			group.Go(func() {
				number, err := n.Assign(ctx, e, nobody)
				if err != nil {
					return
				}
				mu.Lock()
				if other, told := owner[number]; told && other != e.Name {
					t.Errorf("%s was given to %s and to %s", number, other, e.Name)
				}
				owner[number] = e.Name
				mu.Unlock()
				if rand.IntN(3) == 0 && life < 14 {
					return // killed before recording
				}
				live := e.DeepCopy()
				if o.Get(t.Context(), client.ObjectKeyFromObject(e), live) == nil && live.Status.Number == "" {
					if err := o.record(live, number); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		kill()
	}
	final := map[string]bool{}
	for _, e := range hired {
		o.must(o.Get(t.Context(), client.ObjectKeyFromObject(e), e))
		final[e.Status.Number] = true
	}
	if len(final) != people || final[""] {
		t.Errorf("%d different numbers for %d people: %v", len(final), people, final)
	}
}

// TestP3NumberNeverReusedAfterDeletion: whoever comes back under the same object name is somebody new.
func TestP3NumberNeverReusedAfterDeletion(t *testing.T) {
	o := openOffice(t)
	rule := o.rule("by-department", "{dept}{yyyy}{seq:4}")
	n := o.process()
	e := o.hire("zhang-wei", rule.Name)
	first, err := o.assign(n, e)
	o.must(err)
	o.must(o.Delete(t.Context(), e))
	if number, err := n.Assign(t.Context(), e, nobody); err == nil {
		t.Errorf("a deleted Employee was given %s", number)
	}
	again := o.hire("zhang-wei", rule.Name)
	if number, err := n.Assign(t.Context(), e, nobody); err == nil {
		t.Errorf("a deleted Employee was given %s, which is its successor's", number)
	}
	second, err := o.assign(o.process(), again)
	if err != nil || first != "RD20260001" || second != "RD20260002" {
		t.Errorf("numbers %q, then %q, %v", first, second, err)
	}
}

// TestP3NumberNeverReusedAfterPatternChange: patterns may spell the same numbers in another way, and may be changed back.
func TestP3NumberNeverReusedAfterPatternChange(t *testing.T) {
	o := openOffice(t)
	rule := o.rule("changing", "{yyyy}{seq:4}")
	pattern := func(p string) func(*v1alpha1.EmployeeNumberRuleSpec) {
		return func(s *v1alpha1.EmployeeNumberRuleSpec) { s.Pattern = p }
	}
	n := o.process()
	for _, step := range []struct {
		pattern string
		want    []string
	}{
		{"{yyyy}{seq:4}", []string{"20260001", "20260002"}},
		{"20260{seq:3}", []string{"20260003"}},
		{"{yyyy}{mm}{seq:2}", []string{"20260301"}},
		{"2026{seq:4}", []string{"20260004"}},
		{"{yy}{yy}{seq:4}", []string{"26260001"}},
		{"{yyyy}{seq:4}", []string{"20260005"}},
		{"20260{seq:3}", []string{"20260006"}},
	} {
		o.change(rule, pattern(step.pattern))
		o.expect(n, rule.Name, step.want...)
		o.everybodyLeaves("") // nobody is left to tell that the numbers were used
	}
}

// TestP3NumberNeverReusedByAnotherRule: two rules that make the same numbers do not assign one twice, not even at once.
func TestP3NumberNeverReusedByAnotherRule(t *testing.T) {
	o := openOffice(t)
	rules := []string{o.rule("one", "RD{seq:4}").Name, o.rule("two", "{dept}{seq:4}").Name, o.rule("three", "rd{seq:4}").Name}
	n := o.process()
	var mu sync.Mutex
	got := map[string]string{}
	var group sync.WaitGroup
	for i := range 30 {
		e := o.hire(fmt.Sprintf("e%d", i), rules[i%len(rules)])
		group.Go(func() {
			number, err := n.Assign(t.Context(), e, nobody)
			mu.Lock()
			defer mu.Unlock()
			if other := got[numbering.Fold(number)]; other != "" || err != nil {
				t.Errorf("%s was given %q, %v, which %q has", e.Name, number, err, other)
			}
			got[numbering.Fold(number)] = e.Name
		})
	}
	group.Wait()
}

// TestP3NumberNeverReusedWhenRuleStatusIsLost: a rule that was restored from Git counts on above the numbers in use, and passes
// those that only a platform knows.
func TestP3NumberNeverReusedWhenRuleStatusIsLost(t *testing.T) {
	o := openOffice(t)
	rule := o.rule("by-department", "{dept}{yyyy}{seq:4}")
	n := o.process()
	gone := o.hire("gone", rule.Name)
	_, err := o.assign(n, gone)
	o.must(err)
	o.expect(n, rule.Name, "RD20260002")
	o.hire("imported", "", numbered("rd20260007"))
	o.hire("picked", "", numbered("RD20268888"))
	o.must(o.Delete(t.Context(), gone))
	o.must(o.Delete(t.Context(), rule))

	rule = o.rule("by-department", "{dept}{yyyy}{seq:4}", reserved("RD20268888"))
	e := o.hire("next", rule.Name)
	onPlatform := func(number string) bool { return number == "RD20260008" || number == "RD20260009" }
	number, err := n.Assign(t.Context(), e, onPlatform)
	if number != "RD20260010" || err != nil {
		t.Errorf("the restored rule gave %q, %v; want RD20260010", number, err)
	}
	o.expect(o.process(), rule.Name, "RD20260011")
}

// TestP3NumberKeptForWhoCouldNotBeRecorded: an Employee whose status could not be written is asked for again, and costs no gap.
func TestP3NumberKeptForWhoCouldNotBeRecorded(t *testing.T) {
	o := openOffice(t)
	rule := o.rule("by-department", "{dept}{yyyy}{seq:4}")
	n := o.process()
	e := o.hire("zhang-wei", rule.Name)
	for range 3 {
		if number, err := n.Assign(t.Context(), e, nobody); number != "RD20260001" || err != nil {
			t.Fatalf("assigned %q, %v", number, err)
		}
	}
	o.expect(n, rule.Name, "RD20260002")
	number, err := n.Assign(t.Context(), e, func(number string) bool { return number == "RD20260001" })
	if number != "RD20260003" || err != nil {
		t.Errorf("assigned %q, %v although somebody took the number meanwhile", number, err)
	}
	// What the cache does not know yet is read: the number is assigned once.
	stale := e.DeepCopy()
	o.must(o.record(e, number))
	if again, err := o.process().Assign(t.Context(), stale, nobody); again != number || err != nil {
		t.Errorf("a stale Employee was given %q, %v; it has %q", again, err, number)
	}
}

// TestNumberProblems: who cannot have a number is told why, and what to do.
func TestNumberProblems(t *testing.T) {
	o := openOffice(t)
	o.department("nocode", "")
	o.rule("by-department", "{dept}{yyyy}{seq:4}")
	o.rule("small", "S{seq:1}", ranges(3, 4), reserved("s4"))
	o.rule("broken", "{dept}{yyyy}{seq:4}", reserved("8888"))
	damaged := o.rule("damaged", "D{seq:4}")
	one := int64(1)
	damaged.Status.Sequences = []v1alpha1.Sequence{{Prefix: "D", Last: &one}}
	in := func(department string) func(*v1alpha1.EmployeeSpec) {
		return func(s *v1alpha1.EmployeeSpec) { s.Departments = []v1alpha1.EmployeeDepartment{{Name: department}} }
	}
	n := o.process()
	o.expect(n, "small", "S3")
	for name, tc := range map[string]struct {
		employee *v1alpha1.Employee
		reason   string
		stalled  bool
		message  string
	}{
		"no rule":       {o.hire("no-rule", "missing"), v1alpha1.ReasonWaitingForNumber, false, `EmployeeNumberRule "missing" does not exist`},
		"broken rule":   {o.hire("broken-rule", "broken"), v1alpha1.ReasonWaitingForNumber, false, "never makes 8888"},
		"exhausted":     {o.hire("exhausted", "small"), v1alpha1.ReasonNumbersExhausted, true, `"small" has no number of S{seq:1} left`},
		"no department": {o.hire("no-dept", "by-department", in("missing")), v1alpha1.ReasonWaitingForDepartment, false, `Department "missing"`},
		"no code":       {o.hire("no-code", "by-department", in("nocode")), v1alpha1.ReasonInvalidValue, true, `Department "nocode" needs spec.code`},
		"no hire date": {o.hire("no-date", "by-department", func(s *v1alpha1.EmployeeSpec) { s.HireDate = "" }),
			v1alpha1.ReasonInvalidValue, true, "spec.hireDate is needed"},
	} {
		number, err := n.Assign(t.Context(), tc.employee, nobody)
		p, ok := errors.AsType[*Problem](err)
		if number != "" || !ok {
			t.Errorf("%s: assigned %q, %v", name, number, err)
			continue
		}
		if p.Reason != tc.reason || p.Stalled != tc.stalled || !strings.Contains(p.Message, tc.message) {
			t.Errorf("%s: %+v; want %s, stalled %v, with %q", name, p, tc.reason, tc.stalled, tc.message)
		}
	}
	// A department without a code does not matter to a pattern without {dept}.
	o.rule("plain", "P{seq:3}")
	if number, err := n.Assign(t.Context(), o.hire("plain", "plain", in("missing")), nobody); number != "P001" || err != nil {
		t.Errorf("assigned %q, %v without a department", number, err)
	}
	// A status that cannot be read might hide numbers: nothing is assigned then.
	o.must(o.Status().Update(t.Context(), damaged))
	if number, err := n.Assign(t.Context(), o.hire("damaged", "damaged"), nobody); err == nil || !strings.Contains(err.Error(), `reading sequence "D"`) {
		t.Errorf("assigned %q, %v although a counter cannot be read", number, err)
	}
}

// TestP11NumberTroubleStaysWithWhoHasIt: people who are served together, of whom one cannot have a number, and one's
// question never ends well.
func TestP11NumberTroubleStaysWithWhoHasIt(t *testing.T) {
	o := openOffice(t)
	rule := o.rule("by-department", "{dept}{yyyy}{seq:4}")
	n := o.process()
	good, bad, worst := o.hire("good", rule.Name), o.hire("bad", "missing"), o.hire("worst", rule.Name)
	// Somebody has the turn while the others queue.
	d := n.deskOf(o.namespace)
	d.turn <- struct{}{}
	var group sync.WaitGroup
	var number string
	var goodErr, badErr error
	group.Go(func() { number, goodErr = n.Assign(t.Context(), good, nobody) })
	group.Go(func() { _, badErr = n.Assign(t.Context(), bad, nobody) })
	for waiting := 0; waiting < 2; {
		d.mu.Lock()
		waiting = len(d.waiting)
		d.mu.Unlock()
		goruntime.Gosched()
	}
	<-d.turn
	group.Wait()
	if number != "RD20260001" || goodErr != nil || badErr == nil {
		t.Errorf("the good one got %q, %v; the bad one %v", number, goodErr, badErr)
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = n.Assign(t.Context(), worst, func(string) bool { panic("a fault in the caller") })
		t.Error("the fault was swallowed")
	}()
	o.expect(n, rule.Name, "RD20260002")
}

// TestNumbersManySequences: a status as full as the CRD allows can still be written.
func TestNumbersManySequences(t *testing.T) {
	o := openOffice(t)
	rule := o.rule("by-department", "{dept}{yyyy}{mm}{seq:4}")
	last := int64(7)
	for i := range maxSequences - 1 {
		rule.Status.Sequences = append(rule.Status.Sequences, v1alpha1.Sequence{Prefix: fmt.Sprintf("DEPT%04d202601{seq:4}", i), Last: &last})
	}
	o.must(o.Status().Update(t.Context(), rule))
	n := o.process()
	o.expect(n, rule.Name, "RD2026030001", "RD2026030002")
	e := o.hire("one-too-many", rule.Name, func(s *v1alpha1.EmployeeSpec) { s.HireDate = "2026-04-01" })
	_, err := n.Assign(t.Context(), e, nobody)
	if p, ok := errors.AsType[*Problem](err); !ok || p.Reason != v1alpha1.ReasonNumbersExhausted || !strings.Contains(p.Message, "name another rule") {
		t.Errorf("with no room for a sequence: %v", err)
	}
}

// TestNumberLockHoldsAgainstOthers: a rule that somebody else keeps writing is read again; when that never ends, the error says so.
func TestNumberLockHoldsAgainstOthers(t *testing.T) {
	o := openOffice(t)
	rule := o.rule("by-department", "{dept}{yyyy}{seq:4}")
	disturbances := 2
	n := o.intercepted(func(write func() error) error {
		if disturbances > 0 {
			disturbances--
			o.change(rule, reserved(fmt.Sprintf("RD2026000%d", 3+disturbances)))
		}
		return write()
	})
	o.expect(n, rule.Name, "RD20260001", "RD20260002", "RD20260004")
	disturbances = 1000
	if _, err := n.Assign(t.Context(), o.hire("unlucky", rule.Name), nobody); !apierrors.IsConflict(err) {
		t.Errorf("with a rule that never rests: %v", err)
	}
}
