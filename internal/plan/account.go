package plan

import (
	"cmp"
	"slices"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
)

// Wish is what is declared for one person on one tenant.
type Wish struct {
	// ID is the user id: pinned by the declaration, or chosen by us from the number.
	ID     string
	Pinned bool
	Type   directory.AccountType
	// State is directory.Active or directory.Frozen.
	State    directory.State
	Profile  directory.Profile
	Adoption Adoption
	// Version identifies the declaration. Fields that cannot be read back are written
	// when it changes, and ignored writes are tried again.
	Version string
}

// Record is what we durably know of the account.
type Record struct {
	ID     string
	Origin Origin
	// Invited: the platform sent an invitation that is not accepted yet.
	Invited bool
	// FrozenByUs: a declaration froze the account.
	FrozenByUs bool
	// Applied is the Wish.Version last written in full, Ignored what the platform
	// silently refused of it.
	Applied string
	Ignored directory.Fields
}

// Facts is what is known of the person's account now.
type Facts struct {
	Capabilities directory.Capabilities
	// Listed: the tenant's directory was read at least once.
	Listed bool
	// Complete: absence from the listing means something.
	Complete bool
	// Account is the account as last seen: under Record.ID if there is one, else under
	// Wish.ID. Nil means that the listing does not have it.
	Account *directory.Account
	// Absent: a direct read said not-found, after the listing.
	Absent bool
	// Doubtful: it is being written to, or was and could not be read since.
	Doubtful bool
	// Namesakes are accounts under other ids that carry the person's number and are
	// nobody's.
	Namesakes []directory.Account
	// Claimant names the Employee that holds the account instead; empty if nobody does.
	Claimant string
}

// Action is one call to make.
type Action struct {
	Kind Kind
	ID   string
	// Type and State are for Create, Profile for Create and Update (exactly what differs).
	Type    directory.AccountType
	State   directory.State
	Profile directory.Profile
}

// Plan is what to do: actions in their order, or a hold, never both. With
// neither the account is as wished.
type Plan struct {
	Record  Record
	Actions []Action
	Hold    *Hold
	// Differ are the fields that are not as wished; Unseen those that cannot be read.
	Differ, Unseen directory.Fields
	// StateDiffers: the account's state is not as wished.
	StateDiffers bool
}

// InSync reports that the account was seen to be as wished.
func (p *Plan) InSync() bool { return p.Hold == nil && len(p.Actions) == 0 }

// Digest is equal for plans that do the same. Never persist it: it covers personal data.
func (p *Plan) Digest() string { return digest(p.Actions) }

// For decides what to do for one person on one tenant.
func For(w Wish, r Record, f Facts) Plan {
	w.Profile.Set &= f.Capabilities.Writes | f.Capabilities.Creates | f.Capabilities.Reads
	p := Plan{Record: r}
	switch {
	case f.Claimant != "":
		p.Hold = hold(DataConflict, "%s holds the account %q on this tenant; two people cannot share one: correct the number or userID of one of them", f.Claimant, w.ID)
	case !f.Listed:
		p.Hold = hold(WaitingForAccount, "waiting until the directory of the tenant was read for the first time")
	case f.Doubtful:
		p.Actions = []Action{{Kind: Confirm, ID: cmp.Or(r.ID, w.ID)}}
	case f.Account == nil:
		absent(w, f, &p)
	case !p.Record.Origin.Owned():
		adopt(w, f, &p)
	default:
		converge(w, f, &p)
	}
	return p
}

// absent decides about an account that the listing does not have.
func absent(w Wish, f Facts, p *Plan) {
	switch r := &p.Record; {
	case r.Origin.Owned():
		vanished(f, p)
	case r.Invited:
		p.Hold = hold(InvitationPending, "an invitation was sent; the account appears when the person accepts it in the app. To invite again, remove the account from spec.accounts and add it back, or, if it is the only one, delete the Employee and declare it again")
	case r.Origin != Creating && !w.Pinned && len(f.Namesakes) > 0:
		adoptNamesake(w, f, p)
	case w.State == directory.Frozen && r.Origin == Creating && !f.Absent:
		// A creation may have happened and not been answered: there may be somebody to freeze (P2).
		p.Actions = []Action{{Kind: Confirm, ID: w.ID}}
	case !f.Complete && !f.Absent:
		p.Actions = []Action{{Kind: Confirm, ID: w.ID}}
	case w.State == directory.Frozen && !f.Capabilities.CreatesFrozen:
		// Nobody who is declared frozen is given a usable account, even for a moment.
	default:
		p.Record.ID, p.Record.Origin = w.ID, Creating
		// An earlier attempt that began frozen may be the one that comes to be.
		p.Record.FrozenByUs = p.Record.FrozenByUs || w.State == directory.Frozen
		profile := w.Profile.Clone()
		profile.Set &= f.Capabilities.Writes | f.Capabilities.Creates
		p.Actions = []Action{{Kind: Create, ID: w.ID, Type: w.Type, State: w.State, Profile: profile}}
	}
}

// vanished: an account of ours that is gone is never made again unasked (P5).
func vanished(f Facts, p *Plan) {
	switch {
	case f.Absent:
		p.Hold = hold(Vanished, "the account %q existed and is gone from the platform, by no act of Rollcall. It is not created again unasked: if that is wanted, remove the account from spec.accounts and add it back, or, if it is the only one, delete the Employee and declare it again", p.Record.ID)
	case !f.Complete:
		p.Hold = hold(DirectoryIncomplete, "the last listing does not show the account %q, and the listing is incomplete: nothing is concluded from that", p.Record.ID)
	default:
		p.Actions = []Action{{Kind: Confirm, ID: p.Record.ID}}
	}
}

func adoptNamesake(w Wish, f Facts, p *Plan) {
	if len(f.Namesakes) > 1 {
		ids := make([]string, 0, len(f.Namesakes))
		for _, a := range f.Namesakes {
			ids = append(ids, a.ID)
		}
		slices.Sort(ids)
		p.Hold = hold(DataConflict, "%d accounts carry this employee number (%s): pin the right one in spec.accounts[].userID", len(ids), strings.Join(ids[:min(5, len(ids))], ", "))
		return
	}
	f.Account = &f.Namesakes[0]
	adopt(w, f, p)
}

// adopt decides about an account that is there and not ours.
func adopt(w Wish, f Facts, p *Plan) {
	a := f.Account
	differ, _ := directory.Differ(&w.Profile, &a.Profile)
	if p.Record.Origin == Creating && p.Record.ID == a.ID && differ&identity == 0 {
		// We asked for it and never learned the outcome: this is it (P3). Which version
		// of the declaration it was made from is not known.
		p.Record.Origin, p.Record.Invited = Created, false
		converge(w, f, p)
		return
	}
	stateDiffers := w.State != a.State
	switch {
	case w.Adoption == Never:
		p.Hold = hold(DataConflict, "the account %q exists already, and adoptionPolicy is Never: allow its adoption, or give the person another number or userID", a.ID)
	case w.Adoption != Overwrite && (differ != 0 || stateDiffers):
		p.Hold = hold(AdoptionReview, "the account %q exists already and differs in: %s. Make the declaration agree, or set adoptionPolicy: Overwrite to replace what the platform has", a.ID, differences(differ, stateDiffers))
		p.Differ, p.StateDiffers = differ, stateDiffers
	default:
		p.Record = Record{ID: a.ID, Origin: Adopted, FrozenByUs: a.State == directory.Frozen && w.State == directory.Frozen}
		if w.Adoption != Overwrite {
			// What cannot be read is taken to be right: nothing is overwritten on first sight (P4).
			p.Record.Applied = w.Version
		}
		converge(w, f, p)
	}
}

// identity is what tells that an account is the one we asked for.
const identity = directory.FieldName | directory.FieldMobile | directory.FieldEmail

func differences(d directory.Fields, state bool) string {
	names := d.Names()
	if state {
		names = append(names, "state")
	}
	return strings.Join(names, ", ")
}

// converge makes an account of ours equal to the wish.
func converge(w Wish, f Facts, p *Plan) {
	p.Differ, p.Unseen = directory.Differ(&w.Profile, &f.Account.Profile)
	p.StateDiffers = w.State != f.Account.State
	p.Record.ID, p.Record.Invited = f.Account.ID, false
	if p.Record.Applied != w.Version {
		p.Record.Ignored = 0
	}
	p.Record.Ignored &= p.Differ | p.Unseen // what is seen to be as wished was put right since
	update := p.Differ & f.Capabilities.Writes &^ p.Record.Ignored
	if p.Record.Applied != w.Version {
		update |= p.Unseen & f.Capabilities.Writes
	}
	if !state(w, f, p) {
		return
	}
	if update != 0 {
		profile := w.Profile.Clone()
		profile.Set = update
		p.Actions = append(p.Actions, Action{Kind: Update, ID: f.Account.ID, Profile: profile})
	}
	order(p)
	if len(p.Actions) == 0 {
		p.Record.Applied = w.Version
		leftover(w, f, p)
	}
}

// state plans freezing and thawing. False means that a hold forbids all else.
func state(w Wish, f Facts, p *Plan) bool {
	r, a := &p.Record, f.Account
	switch {
	case w.State == directory.Frozen && a.State == directory.Frozen:
		r.FrozenByUs = true
	case w.State == directory.Frozen && f.Capabilities.CanFreeze(a.Type):
		r.FrozenByUs = true
		p.Actions = append(p.Actions, Action{Kind: Freeze, ID: a.ID})
	case w.State == directory.Frozen:
		p.Hold = hold(FreezeUnsupported, "%s: the account %q stays usable", f.Capabilities.FreezeLimit, a.ID)
		return false
	case a.State == directory.Frozen && r.FrozenByUs:
		p.Actions = append(p.Actions, Action{Kind: Unfreeze, ID: a.ID})
	case a.State == directory.Frozen:
		p.Hold = hold(FrozenElsewhere, "somebody froze the account %q on the platform; access that a person took away is not given back unasked. Declare state: Frozen to agree, or unfreeze it in the platform's console", a.ID)
		return false
	default:
		r.FrozenByUs = false
	}
	return true
}

// order puts taking access away first, and giving it back last (P2).
func order(p *Plan) {
	if len(p.Actions) > 1 && p.Actions[0].Kind == Unfreeze {
		slices.Reverse(p.Actions)
	}
}

// leftover says what remains different although there is nothing left to write.
func leftover(w Wish, f Facts, p *Plan) {
	ignored := p.Record.Ignored
	stuck := p.Differ &^ f.Capabilities.Writes
	switch {
	case ignored != 0:
		p.Hold = hold(WriteIgnored, "%s accepted the change of %s and did not make it; an administrator, or the person in the app, has to make it. It is tried again when the declaration changes", f.Capabilities.Platform, ignored)
	case stuck != 0:
		p.Hold = hold(NotSupported, "%s has no API to change %s of an existing account: change it by hand on the platform, or declare what is there", f.Capabilities.Platform, stuck)
	}
}
