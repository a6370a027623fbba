package manifests

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
)

// Company is what is written.
type Company struct {
	Departments []directory.Department
	People      []directory.Account
}

// Set is a company as files.
type Set struct {
	// Departments and People are how many objects there are, LeftOut how many values,
	// people and departments a comment stands in for.
	Departments, People, LeftOut int

	files map[string][]byte
}

// All gives the files by their path, always in the same order.
func (s *Set) All() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, path := range slices.Sorted(maps.Keys(s.files)) {
			if !yield(path, s.files[path]) {
				return
			}
		}
	}
}

// For writes a company whose objects list the EnterpriseAccounts of these names: the
// departments in one file, people in one for each department below the company, and
// a kustomization.yaml that names them all.
func For(c Company, accounts []string) (*Set, error) {
	w := newWriter(c, accounts)
	w.company()
	for _, id := range w.order {
		w.department(id)
	}
	for i := range w.people {
		w.person(&w.people[i])
	}
	if err := w.refer(); err != nil {
		return nil, err
	}
	return w.set, w.index()
}

const (
	departmentsFile = "departments.yaml"
	indexFile       = "kustomization.yaml"
	employeesFolder = "employees/"
)

// object is one to be written, with what had to be left out of it.
type object struct {
	file     string
	manifest any
	notes    []string
	left     []string
}

func (o *object) say(note string) { o.notes = append(o.notes, note) }

func (o *object) leave(format string, a ...any) { o.left = append(o.left, fmt.Sprintf(format, a...)) }

type writer struct {
	set      *Set
	accounts []string

	departments map[string]*directory.Department
	people      []directory.Account
	// order has the departments below the company, parents first; root is the company.
	order []string
	root  string
	// unit and employee are the objects by id, in the order of units and employees.
	unit     map[string]*v1alpha1.Department
	employee map[string]*v1alpha1.Employee
	objects  map[string]*object
	names    map[string]bool
	// lost are comments of whole people and departments, by file.
	lost map[string][]string
}

func newWriter(c Company, accounts []string) *writer {
	w := &writer{set: &Set{files: map[string][]byte{}}, accounts: slices.Sorted(slices.Values(accounts)),
		departments: map[string]*directory.Department{}, unit: map[string]*v1alpha1.Department{},
		employee: map[string]*v1alpha1.Employee{}, objects: map[string]*object{}, names: map[string]bool{}, lost: map[string][]string{}}
	w.accounts = slices.Compact(w.accounts)
	for i := range c.Departments {
		w.departments[c.Departments[i].ID] = &c.Departments[i]
	}
	w.people = slices.Clone(c.People)
	slices.SortFunc(w.people, func(a, b directory.Account) int { return cmp.Compare(a.ID, b.ID) })
	w.people = slices.CompactFunc(w.people, func(a, b directory.Account) bool { return a.ID == b.ID })
	w.sort()
	return w
}

// sort puts departments into an order, parents first, and leaves out what does not
// hang below the company.
func (w *writer) sort() {
	children := map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(w.departments)) {
		if parent := w.departments[id].Parent; parent != "" {
			children[parent] = append(children[parent], id)
		} else {
			w.root = cmp.Or(w.root, id)
		}
	}
	reached := map[string]bool{w.root: true}
	if w.root != "" {
		for queue := children[w.root]; len(queue) > 0; queue = queue[1:] {
			w.order, reached[queue[0]] = append(w.order, queue[0]), true
			queue = append(queue, children[queue[0]]...)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.departments)) {
		if !reached[id] {
			w.leave(departmentsFile, "department %q: it is not below the company", id)
		}
	}
}

func (w *writer) leave(file, format string, a ...any) {
	w.lost[file] = append(w.lost[file], fmt.Sprintf(format, a...))
}

// company declares the company itself, if people are right in it.
func (w *writer) company() {
	d := w.departments[w.root]
	inIt := func(a directory.Account) bool { _, in := a.Profile.In(w.root); return in }
	if d == nil || !slices.ContainsFunc(w.people, inIt) {
		return
	}
	if !departmentName(d.Name) {
		w.leave(departmentsFile, "department %q: the company's name cannot be a displayName", w.root)
		return
	}
	o, u := &object{file: departmentsFile}, w.declare("company", w.root)
	o.say("the company itself: displayName has to be its name on every account, or it is renamed there")
	for i := range u.Spec.Accounts {
		u.Spec.Accounts[i].DepartmentID = companyID
	}
	o.manifest = u
	w.objects["d"+w.root] = o
}

// companyID is the company's own id on DingTalk and WeCom (docs/department.md).
const companyID = "1"

func departmentName(s string) bool { return fits(s, 64) && !strings.ContainsAny(s, `\:*?"<>|`) }

// declare begins the object of a department.
func (w *writer) declare(name, id string) *v1alpha1.Department {
	w.names[name] = true
	u := &v1alpha1.Department{TypeMeta: typeMeta("Department"), ObjectMeta: metav1.ObjectMeta{Name: name}}
	u.Spec.DisplayName = w.departments[id].Name
	for _, a := range w.accounts {
		u.Spec.Accounts = append(u.Spec.Accounts, v1alpha1.DepartmentAccount{Name: a})
	}
	w.unit[id] = u
	w.set.Departments++
	return u
}

func (w *writer) department(id string) {
	d := w.departments[id]
	parent := w.unit[d.Parent]
	switch {
	case parent == nil && d.Parent != w.root:
		w.leave(departmentsFile, "department %q: the department above it is left out", id)
		return
	case !departmentName(d.Name):
		w.leave(departmentsFile, "department %q: its name cannot be a displayName", id)
		return
	}
	o, u := &object{file: departmentsFile}, w.declare(w.name("dept-", id), id)
	if d.Parent != w.root {
		u.Spec.ParentRef.Name = parent.Name
	}
	if d.Order >= 1 && d.Order <= 100_000 {
		u.Spec.Order = int32(d.Order)
	} else if d.Order != 0 {
		o.leave("order %d", d.Order)
	}
	o.manifest = u
	w.objects["d"+id] = o
}

// top is the department right below the company that a department is in.
func (w *writer) top(id string) string {
	for range w.departments {
		d := w.departments[id]
		if d == nil || id == w.root || d.Parent == w.root {
			break
		}
		id = d.Parent
	}
	return id
}

// refer writes what names people, now that it is known who is there, and the files.
func (w *writer) refer() error {
	var order []string
	for _, id := range append([]string{w.root}, w.order...) {
		if d := w.departments[id]; d != nil {
			for _, manager := range d.Managers {
				w.manages(id, manager)
			}
		}
		order = append(order, "d"+id)
	}
	for i := range w.people {
		w.referPerson(&w.people[i])
		order = append(order, "p"+w.people[i].ID)
	}
	for _, id := range order {
		if o := w.objects[id]; o != nil {
			if err := w.write(o); err != nil {
				return err
			}
		}
	}
	for _, file := range slices.Sorted(maps.Keys(w.lost)) {
		for _, why := range w.lost[file] {
			w.comment(file, why)
		}
	}
	return nil
}

func (w *writer) referPerson(p *directory.Account) {
	e := w.employee[p.ID]
	if e == nil {
		return
	}
	switch boss := w.employee[p.Profile.Manager]; {
	case p.Profile.Manager == "":
	case boss == nil:
		w.objects["p"+p.ID].leave("managerRef: the manager is not among these people")
	case boss == e:
		w.objects["p"+p.ID].leave("managerRef: nobody can manage themselves")
	default:
		e.Spec.ManagerRef.Name = boss.Name
	}
	for _, m := range p.Profile.Memberships {
		if m.Leader {
			w.manages(m.Department, p.ID)
		}
	}
}

// manages makes somebody a manager of a department that they are in.
func (w *writer) manages(department, person string) {
	u, e := w.unit[department], w.employee[person]
	if u == nil {
		return
	}
	o := w.objects["d"+department]
	if e == nil || !slices.ContainsFunc(e.Spec.Departments, func(d v1alpha1.EmployeeDepartment) bool { return d.Name == u.Name }) {
		o.leave("managers: %q is not among the people in it", person)
		return
	}
	ref := v1alpha1.EmployeeReference{Name: e.Name}
	switch {
	case slices.Contains(u.Spec.Managers, ref):
	case len(u.Spec.Managers) == 10:
		o.leave("managers: %q is the eleventh", person)
	default:
		u.Spec.Managers = append(u.Spec.Managers, ref)
	}
}

func (w *writer) write(o *object) error {
	b, err := yaml.Marshal(o.manifest)
	if err != nil {
		return fmt.Errorf("writing a manifest: %w", err)
	}
	text := w.set.files[o.file]
	if len(text) > 0 {
		text = append(text, "---\n"...)
	}
	for _, note := range o.notes {
		text = fmt.Appendf(text, "# %s\n", note)
	}
	for _, what := range o.left {
		text = fmt.Appendf(text, "# left out: %s\n", what)
		w.set.LeftOut++
	}
	w.set.files[o.file] = append(text, b...)
	return nil
}

func (w *writer) comment(file, why string) {
	w.set.files[file] = fmt.Appendf(w.set.files[file], "# left out: %s\n", why)
	w.set.LeftOut++
}

// index is the kustomization: kubectl apply -k applies it.
func (w *writer) index() error {
	k := struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Resources  []string `json:"resources"`
	}{"kustomize.config.k8s.io/v1beta1", "Kustomization", slices.Sorted(maps.Keys(w.set.files))}
	// A file of nothing but comments is no resource.
	k.Resources = slices.DeleteFunc(k.Resources, func(path string) bool { return !bytes.Contains(w.set.files[path], []byte("\nkind: ")) })
	b, err := yaml.Marshal(k)
	if err != nil {
		return fmt.Errorf("writing the kustomization: %w", err)
	}
	head := fmt.Sprintf("# Written by Rollcall from a backup: %d departments, %d people; left out: %d (see the comments).\n", w.set.Departments, w.set.People, w.set.LeftOut)
	w.set.files[indexFile] = append([]byte(head), b...)
	return nil
}

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: kind}
}
