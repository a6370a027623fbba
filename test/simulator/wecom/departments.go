package wecom

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	maxDepartmentID = 1<<31 - 1 // 90205: a 32-bit integer
	maxDepartments  = 30_000
	maxDepth        = 15
	maxNameLength   = 64

	// firstOrder is that of a first department whose order is not given; each
	// next one is orderStep less, and so behind it. Unconfirmed.
	firstOrder = 100_000_000
	orderStep  = 1000

	waitingRoomName = "其他（待设置部门）"
)

func departmentEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"department/create": {do: createDepartment, access: syncOnly, body: true, write: true, subject: "id"},
		"department/update": {do: updateDepartment, access: syncOnly, body: true, write: true, subject: "id"},
		"department/delete": {do: deleteDepartment, access: syncOnly, write: true, subject: "id"},
		"department/simplelist": {do: simpleDepartments, access: anyone, listing: true, subject: "id",
			defaults: []string{"department_id"}},
		"department/get": {do: getDepartment, access: detail, subject: "id"},
		"department/list": {do: listDepartments, access: detail, listing: true, subject: "id",
			defaults: []string{"department"}},
	}
}

// queryID reads an id of the query; what is no number is 40058.
func queryID(value string) (int, *failure) {
	id, err := strconv.Atoi(value)
	if err != nil {
		return 0, fail(40058)
	}
	return id, nil
}

// number reads a whole number of a form. A value of another type, or out of
// the range, is 60009, as seen for parentid, order and id.
func number(f *form, name string, least, most int64) (int64, state, *failure) {
	v, s := read[int64](f, name)
	if s == wrong || s == given && (v < least || v > most) {
		return 0, s, fail(60009)
	}
	return v, s, nil
}

// names checks name and name_en. The codes are those seen in 2020: an empty
// name is 40058 and an absent one 60001, for name_en the other way round.
func (x *exchange) names(d *Department, creating bool) *failure {
	name, s := read[string](x.form, "name")
	switch {
	case s != given && creating:
		return fail(60001)
	case s == given && name == "":
		return fail(40058)
	case utf8.RuneCountInString(name) > maxNameLength:
		return fail(60001)
	case forbidden(name):
		return fail(60009)
	case s == given:
		d.Name = name
	}
	english, s := read[string](x.form, "name_en")
	switch {
	case s == given && english == "":
		return fail(60001)
	case utf8.RuneCountInString(english) > maxNameLength:
		return fail(40058)
	case forbidden(english):
		return fail(60009)
	case s == given:
		d.NameEn = english
	}
	return nil
}

// forbidden finds what 90205 does not allow in a name.
func forbidden(name string) bool { return strings.ContainsAny(name, `\:*?"<>|｜`) }

func createDepartment(x *exchange) (fields, *failure) {
	t := x.tenant
	d := &Department{}
	if f := x.names(d, true); f != nil {
		return nil, f
	}
	parent, _, f := number(x.form, "parentid", 0, maxDepartmentID)
	if f != nil {
		return nil, f
	}
	if f := x.orderOf(d); f != nil {
		return nil, f
	}
	id, s, f := number(x.form, "id", 0, maxDepartmentID)
	if f != nil {
		return nil, f
	}
	if s == given && id == 0 {
		return nil, fail(60123)
	}
	if _, ok := t.department(int(parent), core.Live); !ok { // 0 when it is not given
		return nil, fail(60004)
	}
	d.ID, d.ParentID = int(id), int(parent)
	if f := t.placeable(d); f != nil {
		return nil, f
	}
	if d.ID == 0 {
		d.ID = t.nextID(nil)
	}
	if !x.form.has("order") {
		d.Order = t.lastOrder(d.ParentID)
	}
	t.putDepartment(d)
	return fields{"errmsg": "created", "id": d.ID}, nil
}

func (x *exchange) orderOf(d *Department) *failure {
	order, s, f := number(x.form, "order", 0, 1<<32-1)
	if f == nil && s == given {
		d.Order = uint32(order)
	}
	return f
}

// placeable refuses an id or a name among siblings that is taken, and a place
// that is full or too deep.
func (t *tenant) placeable(d *Department) *failure {
	if _, taken := t.department(d.ID, core.Live); taken {
		return existed(d.ID)
	}
	if f := t.distinct(d); f != nil {
		return f
	}
	if t.departments.Len() >= maxDepartments {
		return fail(81001)
	}
	if t.depth(d.ParentID) >= maxDepth {
		return fail(81002)
	}
	return t.room(d.ParentID)
}

// existed names the department that is in the way, as seen on the wire.
func existed(id int) *failure { return failText(60008, "department existed: %d is existed", id) }

// distinct compares names, English ones too, with those of the siblings.
func (t *tenant) distinct(d *Department) *failure {
	for _, other := range t.departments.All(core.Live) {
		if other.ParentID != d.ParentID || other.ID == d.ID {
			continue
		}
		same := other.Name == d.Name || d.NameEn != "" && (other.NameEn == d.NameEn || other.Name == d.NameEn)
		if same {
			return existed(other.ID)
		}
	}
	return nil
}

// lastOrder sorts a department behind its siblings.
func (t *tenant) lastOrder(parent int) uint32 {
	last := uint32(firstOrder + orderStep)
	for _, d := range t.departments.All(core.Live) {
		if d.ParentID == parent {
			last = min(last, d.Order)
		}
	}
	return last - min(last, orderStep)
}

func updateDepartment(x *exchange) (fields, *failure) {
	t := x.tenant
	id, s := read[int](x.form, "id")
	old, ok := t.department(id, core.Live)
	if s != given || !ok {
		return nil, fail(60003)
	}
	d := *old
	if f := x.names(&d, false); f != nil {
		return nil, f
	}
	if x.form.has("parentid") {
		parent, s := read[int](x.form, "parentid")
		if f := t.movable(old, parent, s == given); f != nil {
			return nil, f
		}
		d.ParentID = parent
	}
	if f := x.orderOf(&d); f != nil {
		return nil, f
	}
	if f := t.distinct(&d); f != nil {
		return nil, f
	}
	t.putDepartment(&d)
	return fields{"errmsg": "updated"}, nil
}

// movable refuses a new parent that is unknown (60124), below the department
// (60010), full (81001) or too deep (81002).
func (t *tenant) movable(d *Department, parent int, readable bool) *failure {
	if readable && parent == d.ParentID {
		return nil
	}
	if _, ok := t.department(parent, core.Live); !ok || !readable || d.ID == rootID {
		return fail(60124)
	}
	below := t.subtree(d.ID, core.Live)
	if below[parent] {
		return fail(60010)
	}
	if f := t.room(parent); f != nil {
		return f
	}
	height := 0
	for id := range below {
		height = max(height, t.depth(id)-t.depth(d.ID)+1)
	}
	if t.depth(parent)+height > maxDepth {
		return fail(81002)
	}
	return nil
}

// deleteDepartment looks for members before it looks for departments below.
func deleteDepartment(x *exchange) (fields, *failure) {
	id, f := queryID(x.query.Get("id"))
	if f != nil {
		return nil, f
	}
	if f := x.tenant.removable(id); f != nil {
		return nil, f
	}
	x.tenant.removeDepartment(id)
	return fields{"errmsg": "deleted"}, nil
}

func (t *tenant) removable(id int) *failure {
	if _, ok := t.department(id, core.Live); !ok {
		return fail(60123)
	}
	if t.staff[id] > 0 {
		return fail(60005)
	}
	for _, d := range t.departments.All(core.Live) {
		if d.ParentID == id {
			return fail(60006)
		}
	}
	if id == rootID {
		return fail(60007)
	}
	return nil
}

func (t *tenant) removeDepartment(id int) {
	t.departments.Delete(strconv.Itoa(id))
	for key, tag := range t.tags.All(core.Live) {
		if i := slices.Index(tag.Parties, id); i >= 0 {
			changed := *tag
			changed.Parties = slices.Delete(slices.Clone(tag.Parties), i, i+1)
			t.tags.Put(key, &changed)
		}
	}
}

// waitingRoom is the department of those who have none; 0 if nobody needed it.
func (t *tenant) waitingRoom() int {
	for _, d := range t.departments.All(core.Live) {
		if d.ParentID == rootID && d.Name == waitingRoomName {
			return d.ID
		}
	}
	return 0
}

// wait gives the waiting room. If it has to be made, it gets none of the ids
// that are asked for.
func (t *tenant) wait(asked []int) int {
	id := t.waitingRoom()
	if id == 0 {
		id = t.nextID(asked)
		t.putDepartment(&Department{ID: id, Name: waitingRoomName, ParentID: rootID})
	}
	return id
}

// adopt makes a department for an unknown id that a member was put into.
func (t *tenant) adopt(id int, asked []int) *Department {
	d := &Department{ID: id, Name: strconv.Itoa(id), ParentID: t.wait(asked)}
	for t.distinct(d) != nil {
		d.Name += "-" // a sibling was given just that number as its name
	}
	d.Order = t.lastOrder(d.ParentID)
	t.putDepartment(d)
	return d
}

// listed gives the departments that the query and the caller's sight allow.
func (x *exchange) listed() ([]*Department, *failure) {
	within := map[int]bool(nil)
	if value := x.query.Get("id"); value != "" {
		id, f := queryID(value)
		if f != nil {
			return nil, f
		}
		if _, ok := x.tenant.department(id, x.view); !ok {
			return nil, fail(60123)
		}
		within = x.tenant.subtree(id, x.view)
	}
	sees := x.credential.sees(x.view)
	found := []*Department{}
	for _, d := range x.tenant.departments.All(x.view) {
		if (within == nil || within[d.ID]) && sees.department(d.ID) {
			found = append(found, d)
		}
	}
	keep, _ := x.call.Rows(len(found))
	return found[:keep], nil
}

func simpleDepartments(x *exchange) (fields, *failure) {
	departments, f := x.listed()
	if f != nil {
		return nil, f
	}
	type row struct {
		ID       int    `json:"id"`
		ParentID int    `json:"parentid"`
		Order    uint32 `json:"order"`
	}
	rows := make([]row, 0, len(departments))
	for _, d := range departments {
		rows = append(rows, row{d.ID, d.ParentID, d.Order})
	}
	return fields{"department_id": rows}, nil
}

// unit is a department as department/get and department/list show one.
type unit struct {
	ID       int      `json:"id"`
	Name     string   `json:"name"`
	NameEn   string   `json:"name_en"`
	Leaders  []string `json:"department_leader"`
	ParentID int      `json:"parentid"`
	Order    uint32   `json:"order"`
}

// leaders gives the userids that lead each department.
func (x *exchange) leaders() map[int][]string {
	all := map[int][]string{}
	for _, u := range x.tenant.users.All(x.view) {
		for i, d := range u.Department {
			if u.IsLeaderInDept[i] == 1 {
				all[d] = append(all[d], u.UserID)
			}
		}
	}
	return all
}

func showDepartment(d *Department, leaders map[int][]string) unit {
	return unit{d.ID, d.Name, d.NameEn, orEmpty(leaders[d.ID]), d.ParentID, d.Order}
}

func getDepartment(x *exchange) (fields, *failure) {
	id, f := queryID(x.query.Get("id"))
	if f != nil {
		return nil, f
	}
	d, ok := x.tenant.department(id, x.view)
	if !ok {
		return nil, fail(60123)
	}
	if !x.credential.sees(x.view).department(id) {
		return nil, fail(60011)
	}
	return fields{"department": showDepartment(d, x.leaders())}, nil
}

func listDepartments(x *exchange) (fields, *failure) {
	departments, f := x.listed()
	if f != nil {
		return nil, f
	}
	leaders := x.leaders()
	units := make([]unit, 0, len(departments))
	for _, d := range departments {
		units = append(units, showDepartment(d, leaders))
	}
	return fields{"department": units}, nil
}
