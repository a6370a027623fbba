package plan_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/plan"
)

const auditors = "4711"

// people are holders, each "id" or "id/department,department"; "#7" is department 7.
func people(ids ...string) (members []directory.RoleMember) {
	for _, id := range ids {
		m := directory.RoleMember{Role: auditors}
		if unit, is := strings.CutPrefix(id, "#"); is {
			m.Department = unit
		} else {
			var reach string
			m.Account, reach, _ = strings.Cut(id, "/")
			if reach != "" {
				m.Scope = strings.Split(reach, ",")
			}
		}
		members = append(members, m)
	}
	return members
}

// declaredHolders are people as a wish has them.
func declaredHolders(ids ...string) map[string][]string {
	holders := map[string][]string{}
	for _, m := range people(ids...) {
		holders[m.Account] = m.Scope
	}
	return holders
}

// terse is people read back.
func terse(members []directory.RoleMember) (ids []string) {
	for _, m := range members {
		switch {
		case m.Department != "":
			ids = append(ids, "#"+m.Department)
		case len(m.Scope) > 0:
			ids = append(ids, m.Account+"/"+strings.Join(m.Scope, ","))
		default:
			ids = append(ids, m.Account)
		}
	}
	return ids
}

func list(words string) []string {
	if words == "" {
		return nil
	}
	return strings.Fields(words)
}

func TestRoles(t *testing.T) {
	for name, c := range map[string]struct {
		// lists of people, as people reads them
		wish, granted, members, keep, elsewhere, gone string
		exclusive, folds, builtIn                     bool
		minimum                                       int

		revoke, unseen, grant, rescoped, record, others, units string
		hold                                                   string
		byHand                                                 []string
		synced                                                 bool
	}{
		"nothing is declared, nobody has it":                 {synced: true},
		"who is declared gets it":                            {wish: "A B", grant: "A B", record: "A B"},
		"who has it keeps it, and is ours":                   {wish: "A B", members: "A", grant: "B", record: "A B"},
		"all is as declared":                                 {wish: "A B", granted: "A B", members: "B A", record: "A B", synced: true},
		"a grant comes back that somebody took away by hand": {wish: "A", granted: "A", grant: "A", record: "A"},
		"who is not declared any more loses it":              {wish: "A", granted: "A B", members: "A B", revoke: "B", record: "A B"},
		"a revocation that was seen is forgotten":            {wish: "A", granted: "A B", members: "A", gone: "B", record: "A", synced: true},
		"P5: who is not listed may hold it":                  {wish: "A", granted: "A B", members: "A", revoke: "B", unseen: "B", record: "A B"},
		"P5: nobody is listed, and all may hold it":          {granted: "A B", revoke: "A B", unseen: "A B", record: "A B"},
		"P5: not listed, and kept":                           {granted: "A B", keep: "A", elsewhere: "B", record: "A B", synced: true},
		"P5: not listed, and perhaps the last":               {granted: "A", minimum: 1, record: "A", synced: true},
		"P5: not listed, and another is left": {granted: "A B", members: "B", minimum: 1, revoke: "A", unseen: "A", record: "A B",
			hold: "1 would lose the role and only 0 do"},
		"taken, and given again by hand":               {granted: "A", members: "A", gone: "A", revoke: "A", record: "A"},
		"P5: ids fold, and what was taken was":         {granted: "liu", gone: "LIU", folds: true, synced: true},
		"an end takes it from all whom it was granted": {granted: "A B", members: "A B C", revoke: "A B", record: "A B", others: "C"},
		"additive leaves others, and says so":          {wish: "A", granted: "A", members: "A C D", record: "A", others: "C D", synced: true},
		"exclusive takes it from others":               {wish: "A", granted: "A", members: "A C", exclusive: true, revoke: "C", record: "A"},
		"an exclusive end takes it from all":           {granted: "A", members: "A C", exclusive: true, revoke: "C A", record: "A"},
		"who is kept keeps it":                         {wish: "A", granted: "A", members: "A C", exclusive: true, keep: "C", record: "A", synced: true},
		"who is kept was ours and stays so":            {granted: "C", members: "C", exclusive: true, keep: "C", record: "C", synced: true},
		"who is declared elsewhere keeps it":           {granted: "A B", members: "A B", elsewhere: "B", exclusive: true, revoke: "A", record: "A B"},
		"a wider scope":                                {wish: "A/7,8", granted: "A", members: "A/7", grant: "A/7,8", rescoped: "A", record: "A"},
		"a narrower scope than the whole company":      {wish: "A/7", granted: "A", members: "A", grant: "A/7", rescoped: "A", record: "A"},
		"the whole company in place of a scope":        {wish: "A", granted: "A", members: "A/7", grant: "A", rescoped: "A", record: "A"},
		"the same scope in another order":              {wish: "A/8,7,8", granted: "A", members: "A/7,8", record: "A", synced: true},
		"others' scopes are theirs":                    {wish: "A", granted: "A", members: "A C/7", record: "A", others: "C", synced: true},
		"the last holders stay": {granted: "A B", members: "A B", minimum: 1, revoke: "A", record: "A B",
			hold: "2 would lose the role and only 1 do, because protection.minimumHolders is 1"},
		"who was never declared goes first": {granted: "A B", members: "A B C", exclusive: true, minimum: 2, revoke: "C", record: "A B",
			hold: "3 would lose the role and only 1 do"},
		"a grant that was not seen does not count": {wish: "B", granted: "A B", members: "A", minimum: 1, grant: "B", record: "A B",
			hold: "1 would lose the role and only 0 do"},
		"a grant that was seen counts":          {wish: "B", granted: "A B", members: "A B", minimum: 1, revoke: "A", record: "A B"},
		"fewer than the minimum have it anyway": {granted: "A", members: "A", minimum: 3, record: "A", hold: "only 0 do"},
		"case does not matter where ids fold": {wish: "liu Liu ZHAO", granted: "LIU wang", members: "LIU Wang", folds: true,
			revoke: "Wang", grant: "ZHAO", record: "Liu Wang ZHAO"},
		"case matters elsewhere":             {wish: "liu", granted: "liu", members: "LIU", grant: "liu", record: "liu", others: "LIU"},
		"a wider scope of a folded id":       {wish: "liu/7", granted: "liu", members: "LIU", folds: true, grant: "LIU/7", rescoped: "LIU", record: "liu"},
		"additive leaves departments":        {wish: "A", granted: "A", members: "A #7 #6", record: "A", units: "6 7", synced: true},
		"exclusive takes it from them":       {wish: "A", granted: "A", members: "A #7 #6", exclusive: true, revoke: "#6 #7", record: "A"},
		"not before who is declared has it":  {wish: "A B", granted: "A", members: "A #7", exclusive: true, grant: "B", record: "A B", units: "7"},
		"not while it may be why one has it": {members: "#7", exclusive: true, keep: "K", units: "7", hold: "1 departments have the role with everybody in them, and may be how 1 who are protected have it"},
		"not below the minimum": {wish: "A", granted: "A", members: "A #7", exclusive: true, minimum: 2, record: "A", units: "7",
			hold: "keep it because only 1 hold it themselves and protection.minimumHolders is 2"},
		"of the platform's own role a person takes care": {wish: "A B/7 D C", granted: "A", members: "B C/7 X #7", exclusive: true, builtIn: true,
			byHand: []string{
				"take the role from the account X", "take the role from the department 7", "give the role to the account A",
				"let the role reach the departments 7 for the account B",
				"let the role reach the whole company for the account C", "give the role to the account D",
			}},
		"of the platform's own role the last holder stays, whatever is protected": {members: "X", exclusive: true, builtIn: true, hold: "1 would lose the role and only 0 do"},
		"P5: of the platform's own role nothing is taken from who is not listed":  {granted: "A", members: "X", builtIn: true, others: "X", synced: true},
		"of the platform's own role that is as declared nobody has to":            {wish: "A", members: "A", builtIn: true, synced: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := plan.RoleFacts{Capabilities: directory.Capabilities{FoldsIDs: c.folds}, Members: people(list(c.members)...), Gone: list(c.gone), BuiltIn: c.builtIn, Elsewhere: list(c.elsewhere)}
			w := plan.RoleWish{Role: auditors, Holders: declaredHolders(list(c.wish)...), Exclusive: c.exclusive, Minimum: c.minimum, Keep: list(c.keep)}
			p := plan.ForRole(w, plan.RoleRecord{Granted: list(c.granted)}, f)
			for what, pair := range map[string][2][]string{
				"revoke": {terse(p.Revoke), list(c.revoke)}, "unseen": {p.Unseen, list(c.unseen)}, "grant": {terse(p.Grant), list(c.grant)}, "rescoped": {p.Rescoped, list(c.rescoped)},
				"record": {p.Record.Granted, list(c.record)}, "others": {p.Others, list(c.others)}, "departments": {p.OtherDepartments, list(c.units)},
				"by hand": {p.ByHand, c.byHand},
			} {
				if !slices.Equal(pair[0], pair[1]) {
					t.Errorf("%s: got %q, want %q", what, pair[0], pair[1])
				}
			}
			for _, m := range slices.Concat(p.Revoke, p.Grant) {
				if m.Role != auditors {
					t.Errorf("of the role %q", m.Role)
				}
			}
			if p.Role != auditors || p.InSync() != c.synced {
				t.Errorf("in sync: %t, role %q", p.InSync(), p.Role)
			}
			switch {
			case p.Hold == nil && c.hold != "":
				t.Errorf("does not hold, want %q", c.hold)
			case p.Hold != nil && (c.hold == "" || p.Hold.Reason != plan.ProtectedHolders || !strings.Contains(p.Hold.Message, c.hold)):
				t.Errorf("holds: %+v, want %q", *p.Hold, c.hold)
			}
		})
	}
}

func TestRoleDigestsTellPlansApart(t *testing.T) {
	of := func(w plan.RoleWish) string {
		p := plan.ForRole(w, plan.RoleRecord{}, plan.RoleFacts{})
		return p.Digest()
	}
	seen := map[string]bool{}
	for _, w := range []plan.RoleWish{
		{Role: "1", Holders: declaredHolders("A")}, {Role: "1", Holders: declaredHolders("B")}, {Role: "1", Holders: declaredHolders("A/7")},
		{Role: "2", Holders: declaredHolders("A")}, {Role: "1"},
	} {
		d := of(w)
		if again := of(w); seen[d] || again != d {
			t.Errorf("the digest of %+v is that of another plan, or not the same twice", w)
		}
		seen[d] = true
	}
}

// office is one role on a model platform, and what a controller durably knows.
type office struct {
	caps    directory.Capabilities
	people  map[string]directory.RoleMember // by key
	units   map[string]bool
	granted []string
	// gone are those from whom the last round took it.
	gone []string
	// min is how few held it at any moment, since it was last set.
	min int
}

func (o *office) key(id string) string {
	if o.caps.FoldsIDs {
		return strings.ToLower(id)
	}
	return id
}

func (o *office) members() (all []directory.RoleMember) {
	for _, k := range slices.Sorted(maps.Keys(o.people)) {
		all = append(all, o.people[k])
	}
	for _, id := range slices.Sorted(maps.Keys(o.units)) {
		all = append(all, directory.RoleMember{Role: auditors, Department: id})
	}
	return all
}

func (o *office) facts(elsewhere []string) plan.RoleFacts {
	return plan.RoleFacts{Capabilities: o.caps, Members: o.members(), Gone: o.gone, Elsewhere: elsewhere}
}

// round is what a controller does once: the record, then the revocations, then the
// grants, until it crashes after so many steps. The platform does what it is asked.
func (o *office) round(w plan.RoleWish, elsewhere []string, steps int) plan.RolePlan {
	p := plan.ForRole(w, plan.RoleRecord{Granted: o.granted}, o.facts(elsewhere))
	if steps == 0 {
		return p
	}
	o.granted, o.gone = p.Record.Granted, nil
	var taken []string
	for _, m := range p.Revoke {
		if steps--; steps <= 0 {
			return p
		}
		delete(o.people, o.key(m.Account))
		delete(o.units, m.Department)
		taken = append(taken, m.Account)
		o.min = min(o.min, len(o.people))
	}
	for _, m := range p.Grant {
		if steps--; steps <= 0 {
			return p
		}
		if have, holds := o.people[o.key(m.Account)]; holds {
			m.Account = have.Account
		}
		o.people[o.key(m.Account)] = m
	}
	o.gone = taken
	return p
}

const whole = 1 << 20 // steps that no plan here has

func (d *dice) ids(from ...string) (some []string) {
	for _, id := range from {
		if d.one(2) {
			some = append(some, id)
		}
	}
	return some
}

var names = []string{"ann", "Ann", "bob", "Cho", "dai", "eve"}

func (d *dice) roleWish() plan.RoleWish {
	w := plan.RoleWish{Role: auditors, Holders: map[string][]string{}, Exclusive: d.one(2), Minimum: d.n(4), Keep: pick(d, nil, d.ids(names...))}
	for _, id := range d.ids(names...) {
		w.Holders[id] = pick(d, nil, []string{"7"}, []string{"8", "7"})
	}
	return w
}

func (d *dice) office() *office {
	o := &office{caps: directory.Capabilities{FoldsIDs: d.one(2)}, people: map[string]directory.RoleMember{}, units: map[string]bool{}}
	for _, id := range d.ids(names...) {
		o.people[o.key(id)] = directory.RoleMember{Role: auditors, Account: id, Scope: pick(d, nil, []string{"7"})}
	}
	if d.one(3) {
		o.units["9"] = true
	}
	o.granted = pick(d, nil, d.ids(names...))
	return o
}

// protected are those who may lose it by no act of the binding.
func (o *office) protected(w plan.RoleWish, elsewhere []string) map[string]bool {
	set := map[string]bool{}
	for _, id := range slices.Concat(w.Keep, elsewhere) {
		set[o.key(id)] = true
	}
	return set
}

// FuzzP6HoldersAreNeverBelowTheMinimum: of those who were seen to hold the role so many
// are left, whatever is declared, and whatever a crash leaves undone; neither who is kept
// nor who is declared elsewhere, or here, is among those who lose it.
func FuzzP6HoldersAreNeverBelowTheMinimum(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &dice{b}
		o, w, elsewhere := d.office(), d.roleWish(), d.ids(names...)
		before, safe := maps.Clone(o.people), o.protected(w, elsewhere)
		o.min = len(o.people)
		floor := min(w.Minimum, len(o.people))
		p := o.round(w, elsewhere, d.n(8))
		for range 3 {
			o.round(w, elsewhere, whole)
		}
		if o.min < floor {
			t.Errorf("%d were left, want %d: %+v", o.min, floor, p)
		}
		for k := range before {
			if _, holds := o.people[k]; !holds && (safe[k] || declares(o, w, k)) {
				t.Errorf("%s lost it: %+v", k, w)
			}
		}
		left := len(before)
		for _, m := range p.Revoke {
			if m.Account != "" {
				left--
				continue
			}
			if left < w.Minimum || !w.Exclusive {
				t.Errorf("a department loses it, and %d are left: %+v", left, p)
			}
			for k := range safe {
				if _, holds := before[k]; !holds {
					t.Errorf("a department loses it, through which %s may have it", k)
				}
			}
		}
	})
}

// FuzzP6TheLastAdministratorStays: whatever is declared in turn, ends or is forgotten, and wherever each
// round crashes, somebody administers the platform who did before; and nobody is asked to take that
// from the last one, where a person has to do it.
func FuzzP6TheLastAdministratorStays(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &dice{b}
		o := d.office()
		for range 1 + d.n(4) {
			w, elsewhere := d.roleWish(), d.ids(names...)
			w.Minimum = 1 + d.n(2)
			if d.one(4) {
				w.Holders = nil
			}
			facts := o.facts(elsewhere)
			facts.BuiltIn = true
			unguarded := w
			unguarded.Minimum = d.n(2)
			asked := plan.ForRole(unguarded, plan.RoleRecord{Granted: o.granted}, facts)
			taken := 0
			for _, todo := range asked.ByHand {
				if strings.HasPrefix(todo, "take the role from the account") {
					taken++
				}
			}
			if left := len(o.people) - taken; taken > 0 && left < 1 {
				t.Errorf("somebody is asked to leave %d administrators: %q", left, asked.ByHand)
			}
			had := len(o.people)
			o.min = had
			o.round(w, elsewhere, d.n(6))
			if o.min < min(had, w.Minimum) {
				t.Errorf("%d administrators were left of %d: %+v", o.min, had, w)
			}
		}
	})
}

func declares(o *office, w plan.RoleWish, key string) bool {
	for id := range w.Holders {
		if o.key(id) == key {
			return true
		}
	}
	return false
}

// FuzzP5WhoIsNotListedIsNotForgotten: of the holders any may be missing from what is read, in each
// round but the last that takes something; whoever was granted the role loses it in the end all
// the same, when nothing declares it any more.
func FuzzP5WhoIsNotListedIsNotForgotten(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &dice{b}
		o := d.office()
		o.granted = nil
		before := maps.Clone(o.people)
		w := d.roleWish()
		w.Minimum = 0
		o.round(w, nil, whole)
		for range 1 + d.n(3) {
			some := d.ids(names...)
			facts := o.facts(nil)
			facts.Members = slices.DeleteFunc(facts.Members, func(m directory.RoleMember) bool { return slices.Contains(some, m.Account) })
			p := plan.ForRole(plan.RoleWish{Role: auditors}, plan.RoleRecord{Granted: o.granted}, facts)
			o.granted, o.gone = p.Record.Granted, nil
			for _, m := range p.Revoke {
				delete(o.people, o.key(m.Account))
				o.gone = append(o.gone, m.Account)
			}
		}
		for k := range o.people {
			if _, had := before[k]; !had || declares(o, w, k) {
				t.Errorf("%s has the role for ever: %q are on record", k, o.granted)
			}
		}
	})
}

// FuzzP4OnlyWhatWasGrantedIsTaken: an additive binding takes the role from those only to whom
// it gave it, or whom it declared; and says who else has it.
func FuzzP4OnlyWhatWasGrantedIsTaken(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &dice{b}
		o, w, elsewhere := d.office(), d.roleWish(), d.ids(names...)
		w.Exclusive = false
		ours := map[string]bool{}
		for _, id := range o.granted {
			ours[o.key(id)] = true
		}
		p := o.round(w, elsewhere, 0)
		for _, m := range p.Revoke {
			if m.Department != "" || !ours[o.key(m.Account)] {
				t.Errorf("takes it from %+v, who never had it from the binding", m)
			}
		}
		for k, m := range o.people {
			other := !ours[k] && !declares(o, w, k) && !o.protected(w, elsewhere)[k]
			if slices.Contains(p.Others, m.Account) != other {
				t.Errorf("%s among others: %t", m.Account, !other)
			}
		}
		if len(p.OtherDepartments) != len(o.units) {
			t.Errorf("departments %q", p.OtherDepartments)
		}
	})
}

// FuzzP9RolesInSyncAreAsDeclared: an obedient platform is as declared after one round, and
// after two where departments had the role, or holders are protected; then nothing more is done, nothing is done twice
// in a round, and in sync is what was seen so.
func FuzzP9RolesInSyncAreAsDeclared(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &dice{b}
		o, w, elsewhere := d.office(), d.roleWish(), d.ids(names...)
		facts, record := o.facts(elsewhere), plan.RoleRecord{Granted: slices.Clone(o.granted)}
		same := plan.ForRole(w, record, facts)
		hadUnits := len(o.units) > 0
		p := o.round(w, elsewhere, whole)
		if !reflect.DeepEqual(p, same) || p.Digest() != same.Digest() {
			t.Errorf("two plans of one situation:\n%+v\n%+v", p, same)
		}
		touched := map[string]bool{}
		for _, m := range slices.Concat(p.Revoke, p.Grant) {
			k := o.key(m.Account) + "#" + m.Department
			if touched[k] {
				t.Errorf("%s is done to twice: %+v", k, p)
			}
			touched[k] = true
		}
		if hadUnits && w.Exclusive || w.Minimum > 0 {
			p = o.round(w, elsewhere, whole)
		}
		after := o.round(w, elsewhere, 0)
		if len(after.Grant)+len(after.Revoke) > 0 && p.Hold == nil {
			t.Errorf("not done after a round: %+v", after)
		}
		if len(after.Grant) > 0 {
			t.Errorf("still grants: %+v", after)
		}
		if after.InSync() {
			asDeclared(t, o, w, elsewhere, record)
		}
	})
}

// asDeclared fails unless exactly those have the role who are to have it.
func asDeclared(t *testing.T, o *office, w plan.RoleWish, elsewhere []string, record plan.RoleRecord) {
	t.Helper()
	for id := range w.Holders {
		have, holds := o.people[o.key(id)]
		same := slices.ContainsFunc(slices.Sorted(maps.Keys(w.Holders)), func(other string) bool {
			want := slices.Sorted(slices.Values(w.Holders[other]))
			return o.key(other) == o.key(id) && slices.Equal(want, slices.Sorted(slices.Values(have.Scope)))
		})
		if !holds || !same {
			t.Errorf("in sync, and %s has it as %+v", id, have)
		}
	}
	safe := o.protected(w, elsewhere)
	for k := range o.people {
		ours := slices.ContainsFunc(record.Granted, func(id string) bool { return o.key(id) == k })
		if !declares(o, w, k) && !safe[k] && (w.Exclusive || ours) {
			t.Errorf("in sync, and %s has it still", k)
		}
	}
	if w.Exclusive && len(o.units) > 0 {
		t.Error("in sync, and a department has it")
	}
}

// FuzzP3CrashesLeaveNoRightBehind: whatever is declared in turn, and wherever each round
// crashes, who is declared last gets the role, and once nothing is declared nobody has it who
// did not have it before the binding, but whom it must not be taken from.
func FuzzP3CrashesLeaveNoRightBehind(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &dice{b}
		o := d.office()
		o.granted = nil
		before := maps.Clone(o.people)
		var w plan.RoleWish
		for range 1 + d.n(4) {
			w = d.roleWish()
			w.Minimum = 0
			o.round(w, pick(d, nil, d.ids(names...)), d.n(6))
		}
		o.round(w, nil, whole)
		for id := range w.Holders {
			if _, holds := o.people[o.key(id)]; !holds {
				t.Errorf("%s is declared, and was lost", id)
			}
		}
		for k := range o.people {
			known := slices.ContainsFunc(o.granted, func(id string) bool { return o.key(id) == k })
			if _, had := before[k]; !had && !known {
				t.Errorf("%s has the role, and the record does not know: %q", k, o.granted)
			}
		}
		o.round(plan.RoleWish{Role: auditors}, nil, whole)
		for k := range o.people {
			if _, had := before[k]; !had {
				t.Errorf("%s has the role, and nothing declares it", k)
			}
		}
		if end := o.round(plan.RoleWish{Role: auditors}, nil, whole); !end.InSync() || len(end.Record.Granted) > 0 {
			t.Errorf("the end is %+v", end)
		}
	})
}
