package directorytest

import (
	"testing"

	"rollcall.dev/rollcall/internal/directory"
)

// Twin is a fresh tenant of a simulated platform together with the directory
// under test. Run opens one for each subtest and changes it as it likes.
type Twin struct {
	// Directory is under test. Its credentials may do everything.
	Directory directory.Directory
	// Misled reaches the same tenant with a wrong secret.
	Misled directory.Directory
	// AccountID is the Descriptor's function.
	AccountID func(number string) (string, error)
	// Attributes are two extension attributes that the tenant's console defines,
	// beside the one for employee numbers.
	Attributes [2]string
	// Secrets are the secrets in use. Tokens that the platform hands out may be
	// added; they must not show in an error either.
	Secrets []string

	// Calls counts the calls that the platform has seen, those for tokens included.
	Calls func() int
	// Throttled counts how often Settings.Throttled was called.
	Throttled func() int
	// Seed adds invented people and departments behind the directory's back.
	Seed func(t *testing.T, people, departments int)
	// Remove deletes an account behind the directory's back.
	Remove func(t *testing.T, id string)
	// Messages counts the messages that an account has received; nil if nobody counts.
	Messages func(t *testing.T, id string) int
	// Inflict makes the platform misbehave from the next call on.
	Inflict func(t *testing.T, m Malady)
	// Heal ends every malady, except Down, which nothing ends.
	Heal func(t *testing.T)
}

// Malady is a way for a platform to misbehave.
type Malady string

// The maladies that every twin must be able to inflict.
const (
	// ExpiredTokens makes all tokens handed out so far invalid, once.
	ExpiredTokens Malady = "ExpiredTokens"
	// Throttling answers every call but those for tokens as the platform answers
	// too many calls.
	Throttling Malady = "Throttling"
	// LostCreate performs creations of accounts and never answers them.
	LostCreate Malady = "LostCreate"
	// LostUpdate performs updates of accounts and never answers them.
	LostUpdate Malady = "LostUpdate"
	// LostRemove performs removals of accounts, and never answers them. Only those whose
	// directory is a Remover must be able to inflict it.
	LostRemove Malady = "LostRemove"
	// BadGateway answers every call but those for tokens with HTTP 502 and a page of HTML.
	BadGateway Malady = "BadGateway"
	// Garbage answers every call but those for tokens with HTTP 200 and a page of HTML.
	Garbage Malady = "Garbage"
	// PartialListing leaves rows of people out of the listing that has their details.
	PartialListing Malady = "PartialListing"
	// EmptyListing lets every listing succeed without a row.
	EmptyListing Malady = "EmptyListing"
	// IgnoredTitle lets writes of accounts succeed and drops the title from them.
	IgnoredTitle Malady = "IgnoredTitle"
	// Denied answers every call but those for tokens as the platform answers
	// credentials that may not do this.
	Denied Malady = "Denied"
	// Down refuses connections for the rest of the twin's life.
	Down Malady = "Down"
)
