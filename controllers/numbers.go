package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/numbering"
)

// Numbers assigns employee numbers. A number is recorded in the status of its EmployeeNumberRule before anybody is told of
// it: whatever dies then leaves a gap, and never uses a number twice.
//
// All Assigns of a process must go through one Numbers. Several processes may assign at once; the lock on the rule's
// version decides between them.
type Numbers struct {
	// Client writes; what it reads may be cached.
	Client client.Client
	// Reader reads past the cache.
	Reader client.Reader

	mu    sync.Mutex
	desks map[string]*desk // by namespace
}

// desk is where the Employees of a namespace queue for numbers. Whoever has the turn serves all who wait, with one write
// for each rule. It is one for all rules, because two rules may make the same numbers.
type desk struct {
	turn    chan struct{}
	mu      sync.Mutex
	waiting []*application
	pledges pledges // only for whoever has the turn
}

// application is one Employee's wish for a number, and the answer once done is closed.
type application struct {
	employee   *v1alpha1.Employee
	department *v1alpha1.Department // nil if it does not exist
	taken      func(number string) bool
	done       chan struct{}
	number     string
	err        error
}

// errInterrupted is the answer of a turn that did not end.
var errInterrupted = errors.New("assigning numbers was interrupted")

// conflicts is how often, and how quickly, a rule is read again when somebody else wrote it in between.
var conflicts = wait.Backoff{Steps: 10, Duration: 10 * time.Millisecond, Factor: 1.5, Jitter: 0.5}

// Assign returns the Employee's number: the one that it has, or a new one of the rule that it names. The caller writes it
// to status.number, by a write that is refused if the Employee has changed since it was read.
//
// taken says whether a number is in use, by an Employee or on a platform. It is told numbers as they would be assigned and
// must not tell upper from lower case. It may be called from another goroutine, but never after Assign has returned.
//
// The error is a *Problem when somebody has to act or something has to appear first.
func (n *Numbers) Assign(ctx context.Context, employee *v1alpha1.Employee, taken func(number string) bool) (string, error) {
	live := &v1alpha1.Employee{}
	if err := n.Reader.Get(ctx, client.ObjectKeyFromObject(employee), live); err != nil {
		return "", fmt.Errorf("reading employee %q: %w", employee.Name, err)
	}
	switch {
	case live.UID != employee.UID:
		return "", fmt.Errorf("assigning a number to employee %q: another of that name took its place", employee.Name)
	case declaredNumber(live) != "":
		return declaredNumber(live), nil
	case !live.DeletionTimestamp.IsZero():
		return "", problem(v1alpha1.ReasonWaitingForNumber, "no number is assigned to an Employee that is being deleted")
	}
	if number, err := n.earlier(ctx, live); err != nil || number != "" {
		return number, err
	}
	department, err := departmentOf(ctx, n.Client, live)
	if err != nil {
		return "", err
	}
	a := &application{employee: live, department: department, taken: taken, done: make(chan struct{}), err: errInterrupted}
	d := n.deskOf(live.Namespace)
	d.queue(a)
	select {
	case <-a.done:
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
		n.serve(ctx, d) // a too, unless whoever had the turn before has done so
	}
	return a.number, a.err
}

// earlier is the number that the same person had before: who left under the object's name, and has the same name
// themselves. It is empty if nobody did, or if somebody else bears the number by now.
func (n *Numbers) earlier(ctx context.Context, e *v1alpha1.Employee) (string, error) {
	var all v1alpha1.OffboardingList
	if err := n.Reader.List(ctx, &all, client.InNamespace(e.Namespace), client.MatchingFields{fieldEmployee: e.Name}); err != nil {
		return "", fmt.Errorf("listing the leavings of the Employee's name: %w", err)
	}
	var last *v1alpha1.Offboarding
	for i := range all.Items {
		ob := &all.Items[i]
		same := ob.Spec.PersonName == e.Spec.Name && ob.Spec.Number != "" && ob.Spec.Mode == v1alpha1.OffboardingExecute
		if same && (last == nil || older(last, ob)) {
			last = ob
		}
	}
	if last == nil {
		return "", nil
	}
	numbers, err := n.inUse(ctx, e.Namespace)
	if err != nil || slices.ContainsFunc(numbers, func(number string) bool { return fold(number) == fold(last.Spec.Number) }) {
		return "", err
	}
	return last.Spec.Number, nil
}

// fieldEmployee is what the API server selects Offboardings by.
const fieldEmployee = "spec.employeeRef.name"

func (n *Numbers) deskOf(namespace string) *desk {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.desks[namespace] == nil {
		if n.desks == nil {
			n.desks = map[string]*desk{}
		}
		n.desks[namespace] = &desk{turn: make(chan struct{}, 1)}
	}
	return n.desks[namespace]
}

func (d *desk) queue(a *application) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting = append(d.waiting, a)
}

// next empties the queue, the oldest Employees first.
func (d *desk) next() []*application {
	d.mu.Lock()
	defer d.mu.Unlock()
	batch := d.waiting
	d.waiting = nil
	slices.SortFunc(batch, func(a, b *application) int {
		if older(a.employee, b.employee) {
			return -1
		}
		return 1
	})
	return batch
}

// serve answers everybody who waits. One rule's trouble is not another's.
func (n *Numbers) serve(ctx context.Context, d *desk) {
	byRule := map[client.ObjectKey][]*application{}
	for _, a := range d.next() {
		rule := client.ObjectKey{Namespace: a.employee.Namespace, Name: a.employee.Spec.NumberRuleRef.Name}
		byRule[rule] = append(byRule[rule], a)
	}
	for rule, batch := range byRule {
		n.serveRule(ctx, d, rule, batch)
	}
}

func (n *Numbers) serveRule(ctx context.Context, d *desk, rule client.ObjectKey, batch []*application) {
	defer func() { // whatever happens: nobody waits for ever
		for _, a := range batch {
			close(a.done)
		}
	}()
	err := retry.RetryOnConflict(conflicts, func() error { return n.reserve(ctx, d, rule, batch) })
	if err == nil {
		return
	}
	for _, a := range batch {
		a.number, a.err = "", err
	}
}

// reserve picks a number for each of the batch and writes the rule's status. Only when that write succeeded may the numbers
// be used.
func (n *Numbers) reserve(ctx context.Context, d *desk, key client.ObjectKey, batch []*application) error {
	var rules v1alpha1.EmployeeNumberRuleList
	if err := n.Reader.List(ctx, &rules, client.InNamespace(key.Namespace)); err != nil {
		return fmt.Errorf("reading the EmployeeNumberRules: %w", err)
	}
	at := slices.IndexFunc(rules.Items, func(r v1alpha1.EmployeeNumberRule) bool { return r.Name == key.Name })
	if at < 0 {
		return problem(v1alpha1.ReasonWaitingForNumber, fmt.Sprintf("the EmployeeNumberRule %q does not exist", key.Name))
	}
	object := &rules.Items[at]
	before := object.DeepCopy()
	book, err := openBook(object, rules.Items)
	if err != nil {
		return problem(v1alpha1.ReasonWaitingForNumber, fmt.Sprintf("the EmployeeNumberRule %q makes no numbers: %v", key.Name, err))
	}
	book.inUse = func() ([]string, error) { return n.inUse(ctx, key.Namespace) }
	for _, a := range batch {
		a.number, a.err = book.assign(ctx, a, d.pledges.of(object, a.employee))
	}
	if _, err := kube.PatchStatus(ctx, n.Client, before, object); err != nil {
		return fmt.Errorf("reserving numbers of %q: %w", key.Name, err)
	}
	for _, a := range batch {
		if a.err == nil {
			d.pledges.add(object, a.employee, a.number)
		}
	}
	return nil
}

// inUse lists the numbers of all Employees.
func (n *Numbers) inUse(ctx context.Context, namespace string) ([]string, error) {
	var employees v1alpha1.EmployeeList
	if err := n.Client.List(ctx, &employees, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing employees: %w", err)
	}
	return numbersOf(employees.Items), nil
}

func numbersOf(employees []v1alpha1.Employee) []string {
	numbers := make([]string, 0, len(employees))
	for i := range employees {
		if number := declaredNumber(&employees[i]); number != "" {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

// maxPledges is more than can be under way at once; to forget one costs a gap.
const maxPledges = 1024

// pledges remembers numbers that were reserved and may not be recorded yet, so that an Employee whose status could not be
// written gets the same number at the next try.
type pledges struct {
	numbers map[pledgeKey]string
	order   []pledgeKey
}

type pledgeKey struct {
	rule, employee types.UID
}

func keyOfPledge(r *v1alpha1.EmployeeNumberRule, e *v1alpha1.Employee) pledgeKey {
	return pledgeKey{rule: r.UID, employee: e.UID}
}

func (p *pledges) of(r *v1alpha1.EmployeeNumberRule, e *v1alpha1.Employee) string {
	return p.numbers[keyOfPledge(r, e)]
}

func (p *pledges) add(r *v1alpha1.EmployeeNumberRule, e *v1alpha1.Employee, number string) {
	if p.numbers == nil {
		p.numbers = map[pledgeKey]string{}
	}
	key := keyOfPledge(r, e)
	if _, known := p.numbers[key]; !known {
		p.order = append(p.order, key)
	}
	p.numbers[key] = number
	if len(p.order) > maxPledges {
		delete(p.numbers, p.order[0])
		p.order = p.order[1:]
	}
}

// maxSequences is how many a rule's status holds; the CRD says so too.
const maxSequences = 10000

// book is a rule with its counters, open for assigning.
type book struct {
	object  *v1alpha1.EmployeeNumberRule
	rule    numbering.Rule
	ledger  numbering.Ledger        // of all rules, as they were when the book was opened
	entries map[numbering.Shape]int // where each counter of this rule stands in its status, by folded shape
	inUse   func() ([]string, error)
}

// widen is what to do about a sequence that is used up.
const widen = "give {seq:N} of the pattern more digits or, if the rule has ranges, append one"

// openBook reads a rule's counters, and those of the others of its namespace.
func openBook(object *v1alpha1.EmployeeNumberRule, all []v1alpha1.EmployeeNumberRule) (*book, error) {
	rule, err := numbering.NewRule(object.Spec.Pattern, rangesOf(object), object.Spec.Reserved)
	if err != nil {
		return nil, err
	}
	b := &book{object: object, rule: rule, entries: map[numbering.Shape]int{}}
	if err := b.read(object); err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].UID == object.UID {
			continue
		}
		if err := b.read(&all[i]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// read enters a rule's counters into the ledger.
func (b *book) read(o *v1alpha1.EmployeeNumberRule) error {
	ranges := rangesOf(o)
	for i, s := range o.Status.Sequences {
		shape, err := numbering.ParseShape(s.Prefix)
		if err != nil {
			return fmt.Errorf("status.sequences of EmployeeNumberRule %q: %w", o.Name, err)
		}
		b.ledger.Add(numbering.Sequence{Shape: shape, Last: last(s), Ranges: ranges})
		if o == b.object {
			b.entries[shape.Fold()] = i
		}
	}
	return nil
}

func rangesOf(o *v1alpha1.EmployeeNumberRule) []numbering.Range {
	var ranges []numbering.Range
	for _, r := range o.Spec.Ranges {
		ranges = append(ranges, numbering.Range{Start: int64(r.Start), End: int64(r.End)})
	}
	return ranges
}

func last(s v1alpha1.Sequence) int64 {
	if s.Last == nil {
		return 0
	}
	return *s.Last
}

// assign picks the number and counts it in the status.
func (b *book) assign(ctx context.Context, a *application, pledged string) (string, error) {
	shape, err := b.shape(a.employee, a.department)
	if err != nil {
		return "", err
	}
	if _, ofShape := shape.Value(pledged); ofShape && b.ledger.Passed(pledged) && !a.taken(pledged) {
		return pledged, nil
	}
	number, position, err := b.next(ctx, shape, a.taken)
	switch {
	case errors.Is(err, numbering.ErrExhausted):
		return "", problem(v1alpha1.ReasonNumbersExhausted, fmt.Sprintf("the EmployeeNumberRule %q has no number of %s left; %s", b.object.Name, shape, widen))
	case err != nil:
		return "", err
	}
	if !b.record(shape, position) {
		return "", problem(v1alpha1.ReasonNumbersExhausted, fmt.Sprintf("the EmployeeNumberRule %q keeps %d sequences and can keep no more; name another rule", b.object.Name, maxSequences))
	}
	assigned := int64(1)
	if b.object.Status.Assigned != nil {
		assigned += *b.object.Status.Assigned
	}
	b.object.Status.Assigned, b.object.Status.LastNumber = &assigned, number
	return number, nil
}

// shape fills in the pattern, or says what has to be filled in where.
func (b *book) shape(e *v1alpha1.Employee, department *v1alpha1.Department) (numbering.Shape, error) {
	var v numbering.Values
	if department != nil {
		v.Dept = department.Spec.Code
	}
	if date, err := time.Parse(time.DateOnly, e.Spec.HireDate); err == nil {
		v.Date = date
	}
	shape, err := b.rule.Pattern.Expand(v)
	switch {
	case errors.Is(err, numbering.ErrNoDept) && department == nil:
		return shape, problem(v1alpha1.ReasonWaitingForDepartment, fmt.Sprintf("the Department %q, whose code is part of the number, does not exist", primaryDepartment(e)))
	case errors.Is(err, numbering.ErrNoDept):
		return shape, problem(v1alpha1.ReasonInvalidValue, fmt.Sprintf("the Department %q needs spec.code, e.g. RD: it is part of the numbers of EmployeeNumberRule %q (%s)", primaryDepartment(e), b.object.Name, b.rule.Pattern))
	case errors.Is(err, numbering.ErrNoDate):
		return shape, problem(v1alpha1.ReasonInvalidValue, fmt.Sprintf("spec.hireDate is needed: it is part of the numbers of EmployeeNumberRule %q (%s)", b.object.Name, b.rule.Pattern))
	case err != nil:
		return shape, problem(v1alpha1.ReasonInvalidValue, err.Error())
	}
	return shape, nil
}

// next counts on to the next free number. A sequence that the status does not know begins above the numbers in use: the
// status may have been lost, and those who left since are not listed any more.
func (b *book) next(ctx context.Context, s numbering.Shape, taken func(string) bool) (number string, position int64, err error) {
	if at, known := b.entries[s.Fold()]; known {
		position = last(b.object.Status.Sequences[at])
	} else if numbers, err := b.inUse(); err != nil {
		return "", 0, err
	} else {
		position = b.rule.Above(s, numbers)
	}
	for {
		number, position, err = b.rule.Next(s, position, func(n string) bool { return b.ledger.Passed(n) || taken(n) })
		if !errors.Is(err, numbering.ErrUnfinished) {
			return number, position, err
		}
		if err := ctx.Err(); err != nil {
			return "", 0, err
		}
	}
}

// record keeps how far a sequence has come. It reports whether there was room.
func (b *book) record(s numbering.Shape, position int64) bool {
	status := &b.object.Status
	at, known := b.entries[s.Fold()]
	if !known {
		if at = len(status.Sequences); at >= maxSequences {
			return false
		}
		status.Sequences = append(status.Sequences, v1alpha1.Sequence{Prefix: s.String()})
		b.entries[s.Fold()] = at
	}
	status.Sequences[at].Last = &position
	return true
}

// departmentOf is the Employee's main Department, nil if it does not exist.
func departmentOf(ctx context.Context, c client.Reader, e *v1alpha1.Employee) (*v1alpha1.Department, error) {
	d := &v1alpha1.Department{}
	err := c.Get(ctx, client.ObjectKey{Namespace: e.Namespace, Name: primaryDepartment(e)}, d)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // absence matters to some patterns only
	case err != nil:
		return nil, fmt.Errorf("reading department %q: %w", primaryDepartment(e), err)
	}
	return d, nil
}

// primaryDepartment is the name of the Employee's main Department.
func primaryDepartment(e *v1alpha1.Employee) string {
	if e.Spec.PrimaryDepartment != "" || len(e.Spec.Departments) == 0 {
		return e.Spec.PrimaryDepartment
	}
	return e.Spec.Departments[0].Name
}
