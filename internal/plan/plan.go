package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Reason says why nothing is done. The words equal the API's reasons.
type Reason string

// The reasons for a [Hold].
const (
	DirectoryIncomplete Reason = "DirectoryIncomplete"
	WaitingForAccount   Reason = "WaitingForAccount"
	DataConflict        Reason = "DataConflict"
	AdoptionReview      Reason = "AdoptionReview"
	InvitationPending   Reason = "InvitationPending"
	Vanished            Reason = "Vanished"
	FreezeUnsupported   Reason = "FreezeUnsupported"
	FrozenElsewhere     Reason = "FrozenElsewhere"
	WriteIgnored        Reason = "WriteIgnored"
	NotSupported        Reason = "NotSupported"
	InvalidValue        Reason = "InvalidValue"
)

// Hold is a reason for doing nothing more, and what a person can do about it.
type Hold struct {
	Reason  Reason
	Message string
}

func hold(r Reason, format string, args ...any) *Hold {
	return &Hold{Reason: r, Message: fmt.Sprintf(format, args...)}
}

// Adoption says what may be done with what was there before us.
type Adoption string

// The adoption policies; they equal the API's.
const (
	Review    Adoption = "Review"
	Overwrite Adoption = "Overwrite"
	Never     Adoption = "Never"
)

// Origin says how an account or department became ours; empty means it is not.
type Origin string

// The origins; they equal the API's.
const (
	Creating Origin = "Creating"
	Created  Origin = "Created"
	Adopted  Origin = "Adopted"
)

// Owned reports whether there is something of ours on the platform.
func (o Origin) Owned() bool { return o == Created || o == Adopted }

// Kind is what an action does.
type Kind string

// The kinds of actions.
const (
	// Confirm reads directly what is doubtful, or whether what a listing lacked is really gone.
	Confirm  Kind = "Confirm"
	Create   Kind = "Create"
	Update   Kind = "Update"
	Freeze   Kind = "Freeze"
	Unfreeze Kind = "Unfreeze"
	// Of leaving: see internal/leaving.
	Remove     Kind = "Remove"
	RevokeRole Kind = "RevokeRole"
	GrantRole  Kind = "GrantRole"
	Notify     Kind = "Notify"
	Inherit    Kind = "Inherit"
	// Attest records that a person has done what no API does.
	Attest Kind = "Attest"
	// Of linked systems. Find asks whether somebody is there who is not listed.
	Find    Kind = "Find"
	Disable Kind = "Disable"
	Enable  Kind = "Enable"
	Unlink  Kind = "Unlink"
	Delete  Kind = "Delete"
	// Check looks for what is left of somebody who was unlinked.
	Check Kind = "Check"
)

// Writes reports whether the action changes the platform.
func (k Kind) Writes() bool { return k != Confirm && k != Find && k != Check }

// digest is equal for equal plans only. It stays in memory: it covers personal data.
func digest(v any) string {
	b, err := json.Marshal(v)
	if err != nil { // plans hold nothing that cannot be marshalled
		panic(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
