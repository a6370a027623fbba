package core

import "time"

// ByHand is who made somebody leave when it was an administrator, not a call.
const ByHand = "hand"

// Left is one leaving, as the control endpoint shows it: who, when, by which call, and
// what went to whom. Somebody who came back and left again has left twice.
type Left struct {
	ID         string    `json:"id"`
	Time       time.Time `json:"time"`
	By         string    `json:"by"` // the path of the call, or [ByHand]
	Credential string    `json:"credential,omitempty"`
	// HandedOver is empty, not missing, if nothing was.
	HandedOver []HandOver `json:"handedOver"`
}

// HandOver is what one person took over from somebody who left.
type HandOver struct {
	What  string    `json:"what"`            // in the words of the platform's package: "approvals", "customer"
	To    string    `json:"to"`              // user id
	Items []string  `json:"items,omitempty"` // ids of what moved, where the simulator knows such things
	State string    `json:"state"`
	Time  time.Time `json:"time"` // of the state
}

// The states of a hand-over.
const (
	HandedOver    = "done"
	HandOverWaits = "waiting"
	Refused       = "refused"
	TakerFull     = "full"
)
