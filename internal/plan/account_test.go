package plan_test

import (
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/plan"
)

// verdict is a plan in short: its actions in order, or the reason of its hold.
func verdict(p *plan.Plan) string {
	if p.Hold != nil {
		return string(p.Hold.Reason)
	}
	var words []string
	for _, a := range p.Actions {
		word := string(a.Kind) + " " + a.ID
		if a.Kind == plan.Update {
			word += " {" + a.Profile.Set.String() + "}"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

type row struct {
	name   string
	wish   func(*plan.Wish)
	record plan.Record
	facts  func(*plan.Facts)
	// want is the verdict; empty means in sync.
	want string
	// record after it.
	after plan.Record
	// says must be part of the hold's message.
	says string
}

// decide runs one row on a tenant that was listed completely.
func (r row) decide(c directory.Capabilities) plan.Plan {
	w := wished()
	if r.wish != nil {
		r.wish(&w)
	}
	f := plan.Facts{Capabilities: c, Listed: true, Complete: true}
	if r.facts != nil {
		r.facts(&f)
	}
	return plan.For(w, r.record, f)
}

func check(t *testing.T, c directory.Capabilities, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			p := r.decide(c)
			if got := verdict(&p); got != r.want {
				t.Errorf("verdict %q, want %q (%+v)", got, r.want, p.Hold)
			}
			if p.Record != r.after {
				t.Errorf("record\n%+v, want\n%+v", p.Record, r.after)
			}
			if p.InSync() != (r.want == "") {
				t.Errorf("in sync: %t", p.InSync())
			}
			if p.Hold != nil && !strings.Contains(p.Hold.Message, r.says) {
				t.Errorf("message %q does not say %q", p.Hold.Message, r.says)
			}
		})
	}
}

func seen(change ...func(*directory.Account)) func(*plan.Facts) {
	return func(f *plan.Facts) { f.Account = account(f.Capabilities, change...) }
}

func creating() plan.Record { return plan.Record{ID: "E0001", Origin: plan.Creating} }

func TestBeforeAnythingIsKnown(t *testing.T) {
	check(t, open(), []row{
		{
			name: "P4: a second claimant is refused, whatever else is known", record: ours(),
			facts: func(f *plan.Facts) { seen(titled("经理"))(f); f.Claimant = "the Employee zhao" },
			want:  "DataConflict", says: "the Employee zhao holds the account", after: ours(),
		},
		{
			name:  "P5: nothing is done before the first listing",
			facts: func(f *plan.Facts) { f.Listed, f.Complete = false, false },
			want:  "WaitingForAccount",
		},
		{
			name: "P5: nor is anything concluded of an account of ours", record: ours(),
			facts: func(f *plan.Facts) { f.Listed, f.Complete = false, false },
			want:  "WaitingForAccount", after: ours(),
		},
	})
}

func TestAbsentAccounts(t *testing.T) {
	pinned := func(w *plan.Wish) { w.Pinned = true }
	check(t, open(), []row{
		{name: "P3: created, and recorded before", want: "Create E0001", after: creating()},
		{name: "P3: created under the pinned id", wish: pinned, want: "Create E0001", after: creating()},
		{
			name:  "P5: an incomplete listing is confirmed first",
			facts: func(f *plan.Facts) { f.Complete = false }, want: "Confirm E0001",
		},
		{
			name:  "P5: created when the direct read said not-found too",
			facts: func(f *plan.Facts) { f.Complete, f.Absent = false, true }, want: "Create E0001", after: creating(),
		},
		{
			name: "P3: a creation that came to nothing is made again", record: creating(),
			want: "Create E0001", after: creating(),
		},
		{
			name: "P3: a creation that was neither answered nor looked up is looked up", record: creating(),
			facts: func(f *plan.Facts) { f.Doubtful = true }, want: "Confirm E0001", after: creating(),
		},
		{
			name:   "P3: an invitation is not repeated",
			record: plan.Record{ID: "E0001", Origin: plan.Creating, Invited: true},
			want:   "InvitationPending", after: plan.Record{ID: "E0001", Origin: plan.Creating, Invited: true},
		},
		{
			name: "P2: who is declared frozen gets no account",
			wish: func(w *plan.Wish) { w.State = directory.Frozen }, want: "",
		},
		{
			name: "P5: and an incomplete listing does not prove that there is nobody to freeze",
			wish: func(w *plan.Wish) { w.State = directory.Frozen }, facts: func(f *plan.Facts) { f.Complete = false }, want: "Confirm E0001",
		},
		{
			name: "P2: unless it can begin frozen",
			wish: func(w *plan.Wish) { w.State = directory.Frozen }, facts: func(f *plan.Facts) { f.Capabilities.CreatesFrozen = true },
			want: "Create E0001", after: plan.Record{ID: "E0001", Origin: plan.Creating, FrozenByUs: true},
		},
		{
			name:   "P2: and a beginning that was frozen by us is remembered until it is seen otherwise",
			record: plan.Record{ID: "E0001", Origin: plan.Creating, FrozenByUs: true},
			want:   "Create E0001", after: plan.Record{ID: "E0001", Origin: plan.Creating, FrozenByUs: true},
		},
		{
			name:   "P2: a creation without an answer is looked up before a freeze finds nobody",
			record: creating(), wish: func(w *plan.Wish) { w.State = directory.Frozen },
			want: "Confirm E0001", after: creating(),
		},
		{
			name:   "P2: and there is nobody to freeze when it is not found",
			record: creating(), wish: func(w *plan.Wish) { w.State = directory.Frozen },
			facts: func(f *plan.Facts) { f.Absent = true }, want: "", after: creating(),
		},
	})
}

func TestP5Vanished(t *testing.T) {
	adopted := plan.Record{ID: "E0001", Origin: plan.Adopted, Applied: "2"}
	check(t, open(), []row{
		{name: "a listing alone proves nothing", record: ours(), want: "Confirm E0001", after: ours()},
		{
			name: "an incomplete one not even a doubt", record: ours(),
			facts: func(f *plan.Facts) { f.Complete = false }, want: "DirectoryIncomplete", after: ours(),
		},
		{
			name: "what is gone is held, not made again", record: ours(),
			facts: func(f *plan.Facts) { f.Absent = true }, want: "Vanished", says: "by no act of Rollcall", after: ours(),
		},
		{
			name: "adopted accounts too", record: adopted,
			facts: func(f *plan.Facts) { f.Absent = true }, want: "Vanished", after: adopted,
		},
		{
			name: "although somebody carries the number", record: ours(),
			facts: func(f *plan.Facts) {
				f.Absent = true
				f.Namesakes = []directory.Account{*account(f.Capabilities, under("liu"))}
			},
			want: "Vanished", after: ours(),
		},
		{
			name: "although frozen is wished", record: ours(), wish: func(w *plan.Wish) { w.State = directory.Frozen },
			facts: func(f *plan.Facts) { f.Absent = true }, want: "Vanished", after: ours(),
		},
		{name: "what comes back is ours", record: ours(), facts: seen(), want: "", after: ours()},
	})
}

func TestP3CreationsThatWereNotAnswered(t *testing.T) {
	check(t, open(), []row{
		{
			name: "what we asked for is ours, and contact data that cannot be read is written again", record: creating(), facts: seen(),
			want: "Update E0001 {mobile, email}", after: plan.Record{ID: "E0001", Origin: plan.Created},
		},
		{
			name: "what differs is put right", record: creating(), facts: seen(titled("经理")),
			want: "Update E0001 {mobile, email, title}", after: plan.Record{ID: "E0001", Origin: plan.Created},
		},
		{
			name:   "an accepted invitation",
			record: plan.Record{ID: "E0001", Origin: plan.Creating, Invited: true, Applied: "2"}, facts: seen(),
			want: "", after: ours(),
		},
		{
			name: "P4: somebody else under the id is not what we asked for", record: creating(), facts: seen(named("赵敏")),
			want: "AdoptionReview", says: "differs in: name", after: creating(),
		},
		{
			name:   "P4: nor is it under Never",
			record: creating(), facts: seen(named("赵敏")), wish: func(w *plan.Wish) { w.Adoption = plan.Never },
			want: "DataConflict", after: creating(),
		},
		{
			name: "a namesake is not looked at while a creation is open", record: creating(),
			facts: func(f *plan.Facts) { f.Namesakes = []directory.Account{*account(f.Capabilities, under("liu"))} },
			want:  "Create E0001", after: creating(),
		},
	})
}

func TestP4Adoption(t *testing.T) {
	policy := func(a plan.Adoption, more ...func(*plan.Wish)) func(*plan.Wish) {
		return func(w *plan.Wish) {
			w.Adoption = a
			for _, f := range more {
				f(w)
			}
		}
	}
	frozenWish := func(w *plan.Wish) { w.State = directory.Frozen }
	adopted := plan.Record{ID: "E0001", Origin: plan.Adopted, Applied: "2"}
	check(t, open(), []row{
		{name: "Review adopts what is equal, and takes what it cannot read for right", facts: seen(), want: "", after: adopted},
		{
			name: "Review shows the difference", facts: seen(titled("经理"), frozen), want: "AdoptionReview",
			says: "differs in: title, state",
		},
		{
			name: "no policy is Review", wish: policy(""), facts: seen(titled("经理")), want: "AdoptionReview",
		},
		{
			name: "a policy from the future is Review", wish: policy("Merge"), facts: seen(titled("经理")), want: "AdoptionReview",
		},
		{
			name: "Review does not freeze on first sight", wish: frozenWish, facts: seen(), want: "AdoptionReview", says: "differs in: state",
		},
		{
			name: "Review adopts who is frozen as declared", wish: frozenWish, facts: seen(frozen), want: "",
			after: plan.Record{ID: "E0001", Origin: plan.Adopted, Applied: "2", FrozenByUs: true},
		},
		{name: "Never refuses", wish: policy(plan.Never), facts: seen(), want: "DataConflict", says: "adoptionPolicy is Never"},
		{
			name: "Overwrite writes what differs and what cannot be read", wish: policy(plan.Overwrite), facts: seen(titled("经理")),
			want: "Update E0001 {mobile, email, title}", after: plan.Record{ID: "E0001", Origin: plan.Adopted},
		},
		{
			name: "Overwrite freezes first", wish: policy(plan.Overwrite, frozenWish), facts: seen(titled("经理")),
			want:  "Freeze E0001, Update E0001 {mobile, email, title}",
			after: plan.Record{ID: "E0001", Origin: plan.Adopted, FrozenByUs: true},
		},
		{
			name: "Overwrite gives no access back that a person took", wish: policy(plan.Overwrite), facts: seen(frozen),
			want: "FrozenElsewhere", after: plan.Record{ID: "E0001", Origin: plan.Adopted},
		},
	})
}

func TestNamesakes(t *testing.T) {
	carry := func(ids ...string) func(*plan.Facts) {
		return func(f *plan.Facts) {
			for _, id := range ids {
				f.Namesakes = append(f.Namesakes, *account(f.Capabilities, under(id)))
			}
		}
	}
	check(t, open(), []row{
		{
			name: "who carries the number is adopted under their id", facts: carry("liu"), want: "",
			after: plan.Record{ID: "liu", Origin: plan.Adopted, Applied: "2"},
		},
		{
			name: "frozen or not", wish: func(w *plan.Wish) { w.State, w.Adoption = directory.Frozen, plan.Overwrite }, facts: carry("liu"),
			want:  "Freeze liu, Update liu {mobile, email}",
			after: plan.Record{ID: "liu", Origin: plan.Adopted, FrozenByUs: true},
		},
		{
			name: "the policy holds for them too", wish: func(w *plan.Wish) { w.Adoption = plan.Never }, facts: carry("liu"),
			want: "DataConflict", says: `"liu" exists already`,
		},
		{
			name: "several are for a person to choose from", facts: carry("g", "f", "e", "d", "c", "b", "a"),
			want: "DataConflict", says: "7 accounts carry this employee number (a, b, c, d, e): pin the right one",
		},
		{
			name: "a pinned id looks at nobody else", wish: func(w *plan.Wish) { w.Pinned = true }, facts: carry("liu"),
			want: "Create E0001", after: creating(),
		},
	})
}

func TestConverging(t *testing.T) {
	old := plan.Record{ID: "E0001", Origin: plan.Created, Applied: "1"}
	ignoring := plan.Record{ID: "E0001", Origin: plan.Created, Applied: "2", Ignored: directory.FieldTitle}
	check(t, open(), []row{
		{name: "equal is in sync", record: ours(), facts: seen(), want: "", after: ours()},
		{name: "drift is healed, and only drift", record: ours(), facts: seen(titled("经理")), want: "Update E0001 {title}", after: ours()},
		{
			name: "a new declaration writes what cannot be read", record: old, facts: seen(),
			want: "Update E0001 {mobile, email}", after: old,
		},
		{
			name: "P9: an ignored write is not repeated", record: ignoring, facts: seen(titled("经理")),
			want: "WriteIgnored", says: "Open accepted the change of title and did not make it", after: ignoring,
		},
		{
			name: "what else differs is written beside it", record: ignoring, facts: seen(titled("经理"), named("赵敏")),
			want: "Update E0001 {name}", after: ignoring,
		},
		{
			name:   "P9: a new declaration tries again",
			record: plan.Record{ID: "E0001", Origin: plan.Created, Applied: "1", Ignored: directory.FieldTitle},
			facts:  seen(titled("经理")), want: "Update E0001 {mobile, email, title}", after: old,
		},
		{
			name:   "P9: an ignored write that cannot be read is no peace either",
			record: plan.Record{ID: "E0001", Origin: plan.Created, Applied: "2", Ignored: directory.FieldMobile}, facts: seen(),
			want: "WriteIgnored", says: "mobile",
			after: plan.Record{ID: "E0001", Origin: plan.Created, Applied: "2", Ignored: directory.FieldMobile},
		},
		{
			name:   "P9: what was put right since is not ignored any more, so that drift heals again",
			record: ignoring, facts: seen(), want: "", after: ours(),
		},
	})
}

func TestP9WhatCannotBeChanged(t *testing.T) {
	check(t, closed(), []row{
		{
			name: "is said", record: ours(),
			facts: seen(func(a *directory.Account) { a.Profile.Mobile = "+86-13800550099" }),
			want:  "NotSupported", says: "no API to change mobile of an existing account", after: ours(),
		},
		{
			name: "after all else is written", record: ours(),
			facts: seen(titled("经理"), func(a *directory.Account) { a.Profile.Mobile = "+86-13800550099" }),
			want:  "Update E0001 {title}", after: ours(),
		},
		{
			name: "what the platform has no place for is not missed", record: ours(),
			facts: seen(func(a *directory.Account) { a.Profile.Set |= directory.FieldPrimaryDepartment }),
			wish: func(w *plan.Wish) {
				w.Profile.Set |= directory.FieldPrimaryDepartment
				w.Profile.Primary = "7"
			},
			want: "", after: ours(),
		},
	})
}

func TestP2Freezing(t *testing.T) {
	frozenWish := func(w *plan.Wish) { w.State = directory.Frozen }
	byUs := plan.Record{ID: "E0001", Origin: plan.Created, Applied: "2", FrozenByUs: true}
	check(t, open(), []row{
		{name: "freezes", record: ours(), wish: frozenWish, facts: seen(), want: "Freeze E0001", after: byUs},
		{
			name: "before it writes", record: ours(), wish: frozenWish, facts: seen(titled("经理")),
			want: "Freeze E0001, Update E0001 {title}", after: byUs,
		},
		{name: "once", record: ours(), wish: frozenWish, facts: seen(frozen), want: "", after: byUs},
		{name: "gives back what it took", record: byUs, facts: seen(frozen), want: "Unfreeze E0001", after: byUs},
		{
			name: "after it has written", record: byUs, facts: seen(frozen, titled("经理")),
			want: "Update E0001 {title}, Unfreeze E0001", after: byUs,
		},
		{
			name: "does not conclude from what is older than an unanswered freeze", record: byUs,
			facts: func(f *plan.Facts) { seen()(f); f.Doubtful = true }, want: "Confirm E0001", after: byUs,
		},
		{name: "and forgets that it took it", record: byUs, facts: seen(), want: "", after: ours()},
		{
			name: "what a person froze stays frozen", record: ours(), facts: seen(frozen, titled("经理")),
			want: "FrozenElsewhere", says: "is not given back unasked", after: ours(),
		},
	})
	check(t, closed(), []row{
		{
			name: "what cannot be frozen is said in words", record: ours(), wish: frozenWish, facts: seen(titled("经理")),
			want: "FreezeUnsupported", says: `Closed freezes enterprise accounts only: the account "E0001" stays usable`, after: ours(),
		},
		{name: "what can is frozen", record: ours(), wish: frozenWish, facts: seen(enterprise), want: "Freeze E0001", after: byUs},
	})
}

func TestWhatAnActionCarries(t *testing.T) {
	c := closed()
	w := wished()
	w.Type = directory.Enterprise
	w.Profile.Set |= directory.FieldPrimaryDepartment | directory.FieldLeads
	p := plan.For(w, plan.Record{}, plan.Facts{Capabilities: c, Listed: true, Complete: true})
	a := p.Actions[0]
	if a.Type != directory.Enterprise {
		t.Errorf("creates an account of type %q", a.Type)
	}
	if want := declared().Set; a.Profile.Set != want {
		t.Errorf("creates with %q, want %q", a.Profile.Set, want)
	}
	a.Profile.Memberships[0].Department = "changed"
	a.Profile.Attributes["工位"] = "changed"
	if w.Profile.Memberships[0].Department != "7" || w.Profile.Attributes["工位"] != "3-17" {
		t.Error("an action shares memory with the wish")
	}
}

func TestDifferencesAreTold(t *testing.T) {
	c := open()
	f := plan.Facts{Capabilities: c, Listed: true, Complete: true, Account: account(c, titled("经理"), frozen)}
	for _, r := range []plan.Record{{}, ours(), {ID: "E0001", Origin: plan.Created, Applied: "2", FrozenByUs: true}} {
		p := plan.For(wished(), r, f)
		if p.Differ != directory.FieldTitle || !p.StateDiffers {
			t.Errorf("record %+v: differs in %q, state %t", r, p.Differ, p.StateDiffers)
		}
	}
}

func TestDigest(t *testing.T) {
	c := open()
	digest := func(change func(*plan.Wish)) string {
		w := wished()
		change(&w)
		p := plan.For(w, ours(), plan.Facts{Capabilities: c, Listed: true, Complete: true, Account: account(c, titled("经理"))})
		return p.Digest()
	}
	same := digest(func(*plan.Wish) {})
	if again := digest(func(*plan.Wish) {}); again != same {
		t.Error("two digests of one plan")
	}
	if other := digest(func(w *plan.Wish) { w.Profile.Title = "总监" }); other == same {
		t.Error("another title, and the digest is the same")
	}
	if strings.Contains(same, "liu") || len(same) != 32 {
		t.Errorf("digest %q", same)
	}
}

func TestKinds(t *testing.T) {
	for kind, writes := range map[plan.Kind]bool{
		plan.Confirm: false, plan.Create: true, plan.Update: true, plan.Freeze: true, plan.Unfreeze: true,
	} {
		if kind.Writes() != writes {
			t.Errorf("%s writes: %t", kind, kind.Writes())
		}
	}
}
