package plan

import (
	"maps"
	"slices"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
)

// UnlinkAct says what is done to a linked account of somebody who is frozen, or leaves.
type UnlinkAct string

// The acts; they equal the API's.
const (
	ActDisable UnlinkAct = "Disable"
	ActDelete  UnlinkAct = "Delete"
	ActRetain  UnlinkAct = "Retain"
)

// LinkWish is what is declared for one person in one linked system.
type LinkWish struct {
	// ID that the declaration pins; empty when the account is to be found.
	ID string
	// Login of a new account, by which an existing one is found, too.
	Login string
	// Renames: the login was declared for this person, so that an account with another one is changed.
	Renames bool
	// Number is the employee number.
	Number string
	// State is directory.Active or directory.Frozen.
	State directory.State
	// Provision: an account that does not exist is created.
	Provision bool
	// OnFreeze is what a freeze does.
	OnFreeze UnlinkAct
	// Attributes by the names of the mapping; an empty list takes one away.
	Attributes map[string][]string
	// Parts: nothing is wished but that access ends, and no Attributes. Made are those that an account is recognized by which was
	// asked for before; nil if they cannot be told.
	Parts    bool
	Made     map[string][]string
	Adoption Adoption
	// Version identifies the declaration. Attributes that cannot be read back are written
	// when it changes, and ignored writes are tried again.
	Version string
}

// LinkRecord is what is durably known of a linked account.
type LinkRecord struct {
	// ID is the system's own id; empty while nobody knows it.
	ID     string
	Origin Origin
	// DisabledByUs: a declaration disabled the account, or was about to.
	DisabledByUs bool
	// Applied is the LinkWish.Version last written in full, or that a creation was first asked for with. Ignored
	// are the attributes that the system silently refused of it.
	Applied string
	Ignored []string
	// Updates counts those that were answered: what is declared once more after something else was is another act.
	Updates int64
}

// LinkFacts is what is known of the person's account in the system now.
type LinkFacts struct {
	Capabilities linked.Capabilities
	// Read: the system was read at least once.
	Read bool
	// Account is the one with LinkRecord.ID, else with LinkWish.ID; nil if it is not known to be there. Where
	// nothing can be read it is what receipts said, nil if there was none.
	Account *linked.Account
	// Absent: a direct read of this id said not-found, after the listing.
	Absent bool
	// Doubtful: it is being written to, or was and could not be read since.
	Doubtful bool
	// Candidates are accounts with the person's number, else with the login, that are nobody's.
	Candidates []linked.Account
	// Sought: the system was asked for number and login since it was last read, and since anything was created.
	Sought bool
	// Claimant names the Employee that has the account, or would have it, instead; empty if nobody does.
	Claimant string

	// taken is the id of an account that was this person's until we disabled it: it is recognized by that id.
	taken string
}

// LinkAction is one call to make.
type LinkAction struct {
	Kind Kind
	// ID of the account; empty for Find and Create.
	ID string
	// Wish is for Find, Create and Update: of the last exactly what differs.
	Wish linked.Wish
	// Removes: the account is gone after this, or, for Check, is to be gone.
	Removes bool
	// Asked is the version of the declaration that a creation was first asked for with.
	Asked string
}

// LinkPlan is what to do: actions in their order, or a hold, never both. With neither the
// account is as wished. Record has to be durable before.
type LinkPlan struct {
	Record  LinkRecord
	Actions []LinkAction
	Hold    *Hold
	// Differ are attributes that are not as wished, "login" among them; Unseen those that cannot be read. Sorted.
	Differ, Unseen []string
	// StateDiffers: the account can be used and is not to be, or the other way round.
	StateDiffers bool
}

// InSync reports that the account was seen to be as wished.
func (p *LinkPlan) InSync() bool { return p.Hold == nil && len(p.Actions) == 0 }

// Digest is equal for plans that do the same. Never persist it: it covers personal data.
func (p *LinkPlan) Digest() string { return digest(p.Actions) }

// ForLink decides what to do for one person in one linked system.
func ForLink(w LinkWish, r LinkRecord, f LinkFacts) LinkPlan {
	p := LinkPlan{Record: r}
	switch {
	case f.Claimant != "":
		p.Hold = hold(DataConflict, "%s has this account of the linked system, or its login; two people cannot share one: correct accountID, login or number of one of them", f.Claimant)
	case !f.Read:
		p.Hold = hold(WaitingForAccount, "waiting until the linked system was read for the first time")
	case f.Doubtful && f.Capabilities.Reads && linkID(w, r) != "":
		p.Actions = []LinkAction{{Kind: Confirm, ID: linkID(w, r)}}
	case r.Origin.Owned():
		owned(w, f, &p)
	default:
		link(w, f, &p)
	}
	return p
}

// linkID is the id that the account has, or is to have; empty if it is to be found.
func linkID(w LinkWish, r LinkRecord) string {
	if r.ID != "" && r.Origin.Owned() {
		return r.ID
	}
	return w.ID
}

// owned decides about an account that is ours.
func owned(w LinkWish, f LinkFacts, p *LinkPlan) {
	r := &p.Record
	deleted := r.DisabledByUs && w.OnFreeze == ActDelete && w.State == directory.Frozen
	switch {
	case f.Account != nil || !f.Capabilities.Reads:
		convergeLink(w, f, p)
	case f.Absent && deleted:
		r.Origin = "" // the freeze has removed it, as was declared
	case f.Absent:
		p.Hold = hold(Vanished, "the account existed and is gone from the linked system, by no act of Rollcall. It is not created again unasked: if that is wanted, take the system off spec.linkedAccounts and add it back")
	default: // a listing lacks it, which proves nothing (P5)
		p.Actions = []LinkAction{{Kind: Confirm, ID: r.ID}}
	}
}

// link decides about somebody of whom no account is ours yet.
func link(w LinkWish, f LinkFacts, p *LinkPlan) {
	r := &p.Record
	if r.Origin == "" && (w.State != directory.Frozen || !r.DisabledByUs) {
		// An account that a freeze has deleted is not remembered any longer than that; one that was taken off the person until it was looked for.
		was := *r
		*r = LinkRecord{}
		if was.DisabledByUs && was.ID != "" {
			f.taken = was.ID
			defer func() { remember(was, p) }()
		}
	}
	deleted := r.Origin == "" && r.DisabledByUs && f.Account == nil && len(f.Candidates) == 0
	switch {
	case deleted: // by the freeze, which goes on
	case w.ID != "":
		pinned(w, f, p)
	case !f.Capabilities.Reads:
		blind(w, f, p)
	default:
		search(w, f, p)
	}
}

// remember keeps, while it is looked for, which account was this person's.
func remember(was LinkRecord, p *LinkPlan) {
	if p.Record.Origin == "" && len(p.Actions) > 0 {
		p.Record = LinkRecord{ID: was.ID, DisabledByUs: true}
	}
}

// search decides about somebody who is to be found, or made.
func search(w LinkWish, f LinkFacts, p *LinkPlan) {
	asked := p.Record.Origin == Creating
	switch {
	case len(f.Candidates) == 1:
		adoptLink(w, f, &f.Candidates[0], p)
	case len(f.Candidates) > 1 && (!asked || f.Sought):
		p.Hold = hold(DataConflict, "%d accounts of the linked system have this number or login: pin the right one in spec.linkedAccounts[].accountID", len(f.Candidates))
	case !f.Sought && (asked || !f.Capabilities.Lists):
		p.Actions = []LinkAction{seek(w)} // a creation may have happened and not been answered (P3)
	case w.State == directory.Frozen:
		// Nobody who is declared frozen is given a usable account, even for a moment. What was asked for before was looked for.
		if asked {
			p.Record = LinkRecord{}
		}
	case !w.Provision:
		p.Hold = hold(WaitingForAccount, "no account with this number or login is there yet, and onJoin is LinkOnly: it is linked when it appears")
	case !f.Sought:
		p.Actions = []LinkAction{seek(w)}
	default:
		createLink(w, f, p)
	}
}

func seek(w LinkWish) LinkAction {
	return LinkAction{Kind: Find, Wish: linked.Wish{Login: w.Login, Number: w.Number}}
}

func createLink(w LinkWish, f LinkFacts, p *LinkPlan) {
	switch {
	case !f.Capabilities.Creates:
		p.Hold = hold(NotSupported, "the linked system creates no accounts by API: create it there, and it is linked")
	case w.Login == "":
		p.Hold = hold(InvalidValue, "the login of a new account is empty: correct the LinkedSystem's login, or set spec.linkedAccounts[].login")
	default:
		asked := w.Version
		if p.Record.Origin == Creating && p.Record.Applied != "" {
			asked = p.Record.Applied // it is the same creation, whatever was declared since
		}
		p.Record = LinkRecord{Origin: Creating, Applied: asked}
		attributes := maps.Clone(w.Attributes)
		maps.DeleteFunc(attributes, func(_ string, values []string) bool { return len(values) == 0 })
		p.Actions = []LinkAction{{Kind: Create, Asked: asked, Wish: linked.Wish{Login: w.Login, Number: w.Number, Attributes: attributes}}}
	}
}

// pinned decides about an account whose id is declared.
func pinned(w LinkWish, f LinkFacts, p *LinkPlan) {
	switch {
	case f.Account != nil:
		adoptLink(w, f, f.Account, p)
	case !f.Capabilities.Reads: // the id is all that is known, and it is declared
		p.Record = LinkRecord{ID: w.ID, Origin: Adopted, Applied: p.Record.Applied}
		convergeLink(w, f, p)
	case !f.Absent:
		p.Actions = []LinkAction{{Kind: Confirm, ID: w.ID}}
	default:
		p.Hold = hold(WaitingForAccount, "the linked system has no account with the declared accountID: correct it, or leave it out")
	}
}

// blind decides where nothing can be read: whoever is not pinned can only be created. Asking again
// is harmless, because the order's key is the same.
func blind(w LinkWish, f LinkFacts, p *LinkPlan) {
	switch {
	case w.State == directory.Frozen && p.Record.Origin == "":
	case f.taken != "" && w.OnFreeze != ActDelete && w.Adoption != Never: // one that a freeze has deleted is made anew
		p.Record = LinkRecord{ID: f.taken, Origin: Adopted, DisabledByUs: true}
		convergeLink(w, f, p)
	case !w.Provision && p.Record.Origin == "":
		p.Hold = hold(WaitingForAccount, "the linked system cannot be asked who is who, and onJoin is LinkOnly: set spec.linkedAccounts[].accountID")
	default: // one that was asked for and not answered is asked for again even for somebody frozen: else nobody could disable it (P2)
		createLink(w, f, p)
	}
}

// adoptLink decides about an account that is there and not ours.
func adoptLink(w LinkWish, f LinkFacts, a *linked.Account, p *LinkPlan) {
	f.Account = a
	isPinned := w.ID != "" && w.ID == a.ID
	differ, _ := differLink(w, f.Capabilities, a)
	stateDiffers, stranger := stateOfLink(w, a), strange(w, f.Capabilities, a, p.Record.Origin == Creating)
	switch {
	case isPinned:
		p.Record = LinkRecord{ID: a.ID, Origin: Adopted, DisabledByUs: a.ID == f.taken}
	case stranger != nil:
		p.Hold = stranger
		return
	case p.Record.Origin == Creating && isAskedFor(w, a, differ):
		// We asked for it and never learned the outcome: this is it (P3). Which version of the declaration it
		// was made from is not known.
		p.Record = LinkRecord{ID: a.ID, Origin: Created}
	case !adoptByPolicy(w, f, a, withState(differ, stateDiffers), p):
		p.Differ, p.StateDiffers = differ, stateDiffers
		return
	}
	convergeLink(w, f, p)
}

// strange says why an account that nobody pinned is not taken for the person's, whatever the adoption policy; nil if it may be.
func strange(w LinkWish, c linked.Capabilities, a *linked.Account, asked bool) *Hold {
	switch {
	case a.Number != "" && !strings.EqualFold(a.Number, w.Number):
		return hold(DataConflict, "the account with this login carries another employee number: correct one of them, or pin the account in spec.linkedAccounts[].accountID if it is the right one")
	case asked && w.Parts && !madeFor(w, c, a):
		return hold(DataConflict, "a creation was asked for and not answered, and the account that has its login now cannot be told from somebody else's: if it is this person's, give it the employee number in the linked system; else take the login from it")
	case !asked && w.Parts && a.Number == "":
		return hold(AdoptionReview, "an account has the login of somebody who has departed, and no employee number: it may be somebody else's by now, and is left alone. If it is this person's, pin it in spec.linkedAccounts[].accountID")
	}
	return nil
}

// adoptByPolicy takes an account that was there as ours, or says why not.
func adoptByPolicy(w LinkWish, f LinkFacts, a *linked.Account, differ []string, p *LinkPlan) bool {
	switch {
	case w.Adoption == Never:
		p.Hold = hold(DataConflict, "an account with this number or login exists already, and adoptionPolicy is Never: allow its adoption, or pin it in spec.linkedAccounts[].accountID")
		return false
	case a.ID == f.taken: // it is given back as it was taken
		p.Record = LinkRecord{ID: a.ID, Origin: Adopted, DisabledByUs: true}
	case w.Adoption == Overwrite:
		p.Record = LinkRecord{ID: a.ID, Origin: Adopted}
	case len(differ) > 0:
		p.Hold = hold(AdoptionReview, "an account with this number or login exists already and differs in: %s. Make the declaration agree, set adoptionPolicy: Overwrite, or pin it in spec.linkedAccounts[].accountID", strings.Join(differ, ", "))
		return false
	default:
		p.Record = LinkRecord{ID: a.ID, Origin: Adopted, Applied: w.Version} // what cannot be read is taken to be right (P4)
	}
	return true
}

// isAskedFor reports whether an account, which carries no number of somebody else, is the one that a creation was asked for.
func isAskedFor(w LinkWish, a *linked.Account, differ []string) bool {
	return strings.EqualFold(a.Login, w.Login) && (a.Number != "" || len(differ) == 0)
}

// madeFor reports whether an account carries the number, or is as it was asked for, of somebody of whom nothing is wished any more.
func madeFor(w LinkWish, c linked.Capabilities, a *linked.Account) bool {
	if a.Number != "" || w.Made == nil {
		return a.Number != ""
	}
	w.Attributes = w.Made
	differ, _ := differLink(w, c, a)
	return len(differ) == 0
}

func withState(names []string, state bool) []string {
	if state {
		return append(slices.Clone(names), "state")
	}
	return names
}

// stateOfLink reports whether the account can be used, or is there, and is not to be, or the other way round.
func stateOfLink(w LinkWish, a *linked.Account) bool {
	if w.State == directory.Frozen {
		return w.OnFreeze == ActDelete || a.Enabled && w.OnFreeze != ActRetain
	}
	return !a.Enabled
}

// differLink compares what is declared with what is there. Names are sorted.
func differLink(w LinkWish, c linked.Capabilities, a *linked.Account) (differ, unseen []string) {
	names := slices.Sorted(maps.Keys(w.Attributes))
	if !c.Reads || a == nil {
		return nil, names
	}
	if w.Renames && w.Login != "" && !strings.EqualFold(a.Login, w.Login) {
		differ = append(differ, loginName)
	}
	for _, name := range names {
		if !linked.SameValues(a.Attributes[name], w.Attributes[name]) {
			differ = append(differ, name)
		}
	}
	slices.Sort(differ)
	return differ, nil
}

// loginName stands for the login among the names of attributes.
const loginName = "login"

// convergeLink makes an account of ours equal to the wish. Where nothing can be read Account is nil.
func convergeLink(w LinkWish, f LinkFacts, p *LinkPlan) {
	r := &p.Record
	p.Differ, p.Unseen = differLink(w, f.Capabilities, f.Account)
	if f.Account != nil {
		p.StateDiffers = stateOfLink(w, f.Account)
	}
	if r.Applied != w.Version {
		r.Ignored = nil
	}
	// What is seen to be as wished was put right since.
	r.Ignored = slices.DeleteFunc(slices.Clone(r.Ignored), func(name string) bool {
		return !slices.Contains(p.Differ, name) && !slices.Contains(p.Unseen, name)
	})
	if !linkState(w, f, p) || slices.ContainsFunc(p.Actions, func(a LinkAction) bool { return a.Removes }) {
		return
	}
	updateLink(w, f, p)
	if len(p.Actions) > 1 && p.Actions[0].Kind == Enable {
		slices.Reverse(p.Actions) // access is given back last (P2)
	}
	if len(p.Actions) == 0 {
		r.Applied = w.Version
		leftOver(w, f, p)
	}
}

// updateLink plans the update of exactly what differs.
func updateLink(w LinkWish, f LinkFacts, p *LinkPlan) {
	update := p.Differ
	if p.Record.Applied != w.Version {
		update = slices.Concat(update, p.Unseen)
	}
	update = slices.DeleteFunc(slices.Clone(update), func(name string) bool { return slices.Contains(p.Record.Ignored, name) })
	if len(update) == 0 || !f.Capabilities.Updates {
		return
	}
	change := linked.Wish{Attributes: map[string][]string{}}
	for _, name := range update {
		if name == loginName && w.Renames {
			change.Login = w.Login
		}
		if values, declared := w.Attributes[name]; declared {
			change.Attributes[name] = values
		}
	}
	p.Actions = append(p.Actions, LinkAction{Kind: Update, ID: p.Record.ID, Wish: change})
}

// linkState plans disabling and enabling. False means that a hold forbids all else.
func linkState(w LinkWish, f LinkFacts, p *LinkPlan) bool {
	r := &p.Record
	enabled := f.Account == nil || f.Account.Enabled
	switch {
	case w.State == directory.Frozen:
		return freezeLink(w, f, enabled, p)
	case r.DisabledByUs && (!enabled || !f.Capabilities.Reads) && !f.Capabilities.Enables:
		p.Hold = hold(NotSupported, "this linked system enables no accounts by API: the account stays disabled; enable it there")
		return false
	case r.DisabledByUs && (!enabled || !f.Capabilities.Reads): // where nothing is read, what was asked for may have been done
		p.Actions = append(p.Actions, LinkAction{Kind: Enable, ID: r.ID})
	case !enabled:
		p.Hold = hold(FrozenElsewhere, "somebody disabled the account in the linked system; access that a person took away is not given back unasked. Declare state: Frozen to agree, or enable it there")
		return false
	default:
		r.DisabledByUs = false
	}
	return true
}

// freezeLink takes access away, as onFreeze says.
func freezeLink(w LinkWish, f LinkFacts, enabled bool, p *LinkPlan) bool {
	r, c := &p.Record, f.Capabilities
	switch {
	case w.OnFreeze == ActRetain: // it stays as it is
	case w.OnFreeze == ActDelete:
		r.DisabledByUs = true
		return deleteLink(c, enabled, p)
	case !enabled:
		r.DisabledByUs = true
	case c.DisableRemoves:
		p.Hold = hold(FreezeUnsupported, "this linked system removes an account for good when it is disabled: it stays usable; set onFreeze: Delete if a freeze is to remove it, or Retain")
		return false
	case !c.Disables:
		p.Hold = hold(FreezeUnsupported, "this linked system disables no accounts by API: the account stays usable; disable it there")
		return false
	default:
		r.DisabledByUs = true
		p.Actions = append(p.Actions, LinkAction{Kind: Disable, ID: r.ID})
	}
	return true
}

// deleteLink takes access away first, and then the account, as a freeze was declared to.
func deleteLink(c linked.Capabilities, enabled bool, p *LinkPlan) bool {
	if !c.Deletes {
		p.Hold = hold(FreezeUnsupported, "this linked system deletes no accounts by API, and onFreeze is Delete: set onFreeze: Disable")
		return false
	}
	if enabled && c.Disables && !c.DisableRemoves {
		p.Actions = append(p.Actions, LinkAction{Kind: Disable, ID: p.Record.ID})
	}
	p.Actions = append(p.Actions, LinkAction{Kind: Delete, ID: p.Record.ID, Removes: true})
	return true
}

// leftOver says what remains different although there is nothing left to write.
func leftOver(w LinkWish, f LinkFacts, p *LinkPlan) {
	switch {
	case w.ID != "" && w.ID != p.Record.ID:
		p.Hold = hold(DataConflict, "another account is linked already, and accountID was changed since: to link the other one, take the system off spec.linkedAccounts and add it back; what is linked now is unlinked then")
	case len(p.Record.Ignored) > 0:
		p.Hold = hold(WriteIgnored, "the linked system accepted the change of %s and did not make it; it is tried again when the declaration changes", strings.Join(p.Record.Ignored, ", "))
	case len(p.Differ) > 0 && !f.Capabilities.Updates:
		p.Hold = hold(NotSupported, "the linked system changes no attributes by API (%s): change them there, or declare what is there", strings.Join(p.Differ, ", "))
	}
}
