package restore

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
)

// Kind is a kind of thing in a directory, as Restore.spec.select.kinds calls it.
type Kind string

// The kinds. Memberships say who is in which department, leads it, and reports to whom.
const (
	Departments Kind = "Departments"
	People      Kind = "People"
	Memberships Kind = "Memberships"
	Roles       Kind = "Roles"
)

// Verdict says what becomes of a thing.
type Verdict string

// The verdicts.
const (
	Conflict   Verdict = "Conflict"   // somebody else has what must be unique
	Impossible Verdict = "Impossible" // the target has no place for it, or no API
	Failed     Verdict = "Failed"     // it was tried; only in a Report
	Change     Verdict = "Change"     // it exists and is made as it was
	Create     Verdict = "Create"     // it is made
	Keep       Verdict = "Keep"       // it exists and is left alone
)

// Everything is the id of an Item that speaks of more than one thing.
const Everything = "*"

// Item is the verdict on one thing, or on so many alike. It holds ids and names of
// fields, no personal data: it may be shown.
type Item struct {
	Verdict Verdict `json:"verdict"`
	Kind    Kind    `json:"kind"`
	// ID is the id in the archive.
	ID string `json:"id"`
	// TargetID is the id on the target, where it is another and known.
	TargetID string   `json:"targetID,omitempty"`
	Fields   []string `json:"fields,omitempty"`
	Message  string   `json:"message,omitempty"`
	// Count is how many things the item speaks of, at least 1.
	Count int64 `json:"count"`
}

// Counts counts things by verdict.
type Counts struct {
	Create, Change, Keep, Impossible, Conflicts, Failed int64
}

func count(items []Item) (c Counts) {
	for i := range items {
		n := items[i].Count
		switch items[i].Verdict {
		case Create:
			c.Create += n
		case Change:
			c.Change += n
		case Keep:
			c.Keep += n
		case Impossible:
			c.Impossible += n
		case Conflict:
			c.Conflicts += n
		case Failed:
			c.Failed += n
		}
	}
	return c
}

// Options say what is restored, and how.
type Options struct {
	// Kinds; nil is all.
	Kinds []Kind
	// UserIDs and DepartmentIDs choose, as the archive has them, people, and
	// departments with all that is under them and everybody in it; nil is everything.
	UserIDs, DepartmentIDs []string
	// Overwrite makes what exists and differs as it was.
	Overwrite bool
	// SkipConflicts leaves out what is in conflict; otherwise a conflict stops everything.
	SkipConflicts bool
	// Begun is what [Plan.Begun] said when this restore was first executed: what was
	// made since is its own, and is finished.
	Begun []Thing
	// Declared is of people of whom the archive may lack something, by their user ids
	// there: see [Plan.Lacking].
	Declared map[string]Declared

	// scratch: the target is made for this archive, people keep their ids there.
	scratch bool
}

// Thing names something in an archive.
type Thing struct {
	Kind Kind   `json:"kind"`
	ID   string `json:"id"`
}

// Declared is what somebody declares somewhere else than in the archive.
type Declared struct {
	// Number is whose it is; who has another one is somebody else.
	Number        string
	Mobile, Email string
	// Primary is the main one of their departments, by its id in the archive.
	Primary string
}

// Lack is somebody whom a plan makes without something that an archive may lack.
type Lack struct {
	// ID and TargetID are their user ids in the archive and on the target.
	ID, TargetID string
	// Number is their employee number in the archive; empty if that has none.
	Number string
	Fields directory.Fields
}

// Plan is what a restore would do.
type Plan struct {
	// Items are in the order in which things are done.
	Items  []Item
	Counts Counts
	// Digest names exactly this plan: what it says, and every value that it writes.
	Digest string

	work    work
	lacking []Lack
	skip    bool
	again   func(target Snapshot, begun []Thing) Plan
	begun   []Thing
}

// Begun lists what the plan makes. Whoever keeps the list before executing can
// finish what a crash interrupts: see Options.Begun.
func (p *Plan) Begun() []Thing {
	begun := slices.Clone(p.begun)
	for i := range p.Items {
		if it := &p.Items[i]; it.Verdict == Create {
			begun = append(begun, Thing{it.Kind, it.ID})
		}
	}
	return begun
}

// Lacking are those whom the plan makes without a mobile number, without a mail address,
// or in several departments of which none is the main one. An archive may not have that:
// the app that exported it was not allowed to read it, or the platform does not tell.
// Whoever knows it plans again with Options.Declared.
func (p *Plan) Lacking() []Lack { return p.lacking }

// work is what Execute does, in this order. Departments that are yet to be made go
// by [unmade] names until then.
type work struct {
	Departments []departmentStep
	Accounts    []accountStep
	Leads       []leadStep
	Roles       []roleStep
}

type departmentStep struct {
	Item    int
	Archive string
	Wish    directory.Department
	Create  bool
}

type accountStep struct {
	Items  []int
	ID     string
	Type   directory.AccountType
	Wish   directory.Profile
	Create bool
	Frozen bool
	// Wave: the accounts of a wave need nobody of a later one.
	Wave int
	// Boss is who manages somebody who is made before them.
	Boss     string
	Unfreeze bool
}

// leadStep writes all who lead a department.
type leadStep struct {
	Items      []int
	Department string
	Managers   []string
}

type roleStep struct {
	Items   []int
	Role    directory.Role
	Create  bool
	Members []directory.RoleMember
}

const unmadePrefix = "\x00"

// unmade stands for a department that has no id yet.
func unmade(archiveID string) string { return unmadePrefix + archiveID }

// For says what it takes to bring back what archive has and target has not. The
// same input gives the same plan, in whatever order the snapshots are. accountID is
// the target's [directory.Descriptor].AccountID.
func For(archive, target Snapshot, caps directory.Capabilities, accountID func(number string) (string, error), o Options) Plan {
	p := newPlanner(archive, target, caps, accountID, o)
	p.placeDepartments()
	p.placePeople()
	p.planDepartments()
	p.planPeople()
	p.planLeads()
	p.planRoles()
	p.settle()
	plan := Plan{Items: p.items, Counts: count(p.items), work: p.work, lacking: p.lacking, skip: o.SkipConflicts, begun: o.Begun}
	plan.Digest = digest(target.Platform, &plan)
	plan.again = func(t Snapshot, begun []Thing) Plan {
		o := o
		o.Begun = begun
		t.Tenant = target.Tenant
		return For(archive, t, caps, accountID, o)
	}
	return plan
}

func digest(platform string, p *Plan) string {
	b, err := json.Marshal(struct {
		Platform string
		Items    []Item
		Work     work
	}{platform, p.Items, p.work})
	if err != nil {
		panic(err) // these types have no values that cannot be written
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// planner is one planning under way.
type planner struct {
	archive, target Snapshot
	caps            directory.Capabilities
	accountID       func(string) (string, error)
	o               Options
	// same: ids of departments and roles mean the same on both sides; keeps: those of people do.
	same, keeps bool
	begun       map[Thing]bool

	items   []Item
	losses  map[string]int // place in items by what is lost
	work    work
	lacking []Lack

	departments departments
	people      people
	// holding are the holders of the target's roles.
	holding map[holder]directory.RoleMember
}

func newPlanner(archive, target Snapshot, caps directory.Capabilities, accountID func(string) (string, error), o Options) *planner {
	p := &planner{archive: sorted(archive), target: sorted(target), caps: caps, accountID: accountID, o: o,
		begun: map[Thing]bool{}, losses: map[string]int{}}
	p.same = archive.Platform == target.Platform && (archive.Tenant == target.Tenant || archive.Tenant == "" || target.Tenant == "")
	p.keeps = p.same || o.scratch
	if archive.Platform != target.Platform {
		rank(&p.archive)
	}
	for _, t := range o.Begun {
		p.begun[t] = true
	}
	return p
}

// sorted puts a snapshot into an order of its own, and drops what is there twice.
func sorted(s Snapshot) Snapshot {
	s.Departments = unique(s.Departments, func(d *directory.Department) string { return d.ID })
	s.Accounts = unique(s.Accounts, func(a *directory.Account) string { return a.ID })
	s.Roles = unique(s.Roles, func(r *directory.Role) string { return r.ID })
	s.Members = unique(s.Members, func(m *directory.RoleMember) string {
		return strings.Join([]string{m.Role, m.Account, m.Department}, "\x00")
	})
	return s
}

func unique[T any](all []T, id func(*T) string) []T {
	out := slices.Clone(all)
	slices.SortFunc(out, func(a, b T) int { return sameThen(id(&a), id(&b), a, b) })
	return slices.CompactFunc(out, func(a, b T) bool { return id(&a) == id(&b) })
}

// written tells apart what has the same id.
func written(thing any) string {
	b, err := json.Marshal(thing)
	if err != nil {
		panic(err) // these types have no values that cannot be written
	}
	return string(b)
}

func (p *planner) restores(k Kind) bool { return p.o.Kinds == nil || slices.Contains(p.o.Kinds, k) }

func (p *planner) add(it Item) int {
	it.Count = max(it.Count, 1)
	if it.TargetID == it.ID {
		it.TargetID = ""
	}
	p.items = append(p.items, it)
	return len(p.items) - 1
}

// lose says that the target has no place for something, once for all whom it concerns alike.
func (p *planner) lose(k Kind, id, field, why string) {
	key := string(k) + "\x00" + field + "\x00" + why
	if at, said := p.losses[key]; said {
		p.items[at].Count++
		p.items[at].ID = Everything
		return
	}
	it := Item{Verdict: Impossible, Kind: k, ID: id, Message: why}
	if field != "" {
		it.Fields = []string{field}
	}
	p.losses[key] = p.add(it)
}

// settle puts the fields of each item in order.
func (p *planner) settle() {
	for i := range p.items {
		slices.Sort(p.items[i].Fields)
		p.items[i].Fields = slices.Compact(p.items[i].Fields)
	}
}

// sameThen orders by id, and what has the same id by all that it says.
func sameThen[T any](a, b string, x, y T) int {
	if a != b {
		return cmp.Compare(a, b)
	}
	return cmp.Compare(written(x), written(y))
}
