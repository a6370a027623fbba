// Package core is what every simulated platform has in common: the clock, the
// log of calls, injected faults, rate limits, versioned tables and the seam
// through which the control endpoint looks into a platform and edits it by hand.
//
// # How a platform is built
//
// A platform is a type that implements [Platform]. Its package has a function
//
//	func New(c *core.Core) http.Handler
//
// that makes the platform and returns c.Register(platform): the handler for
// the platform's own address. Register also makes the platform known to the
// control endpoint, so that nobody else needs its type.
//
// One call goes through these stations, in this order:
//
//  1. [Platform.Describe] says what the request is: tenant, operation, subject
//     and the name of the credential. It changes nothing.
//  2. Faults that match are drawn. Latency is waited for; a fault of kind hang,
//     dropBefore, httpStatus, error, throttle or ipban ends the call here.
//  3. The rate limits are asked; beyond them [Platform.Throttled] answers.
//  4. [Platform.Do] performs the call. Listings ask [Call.Rows], reads ask
//     [Call.At], so that partialPage, emptyListing and stale take effect.
//     The field of an ignoreField fault is already missing in [Call.Body].
//  5. The answer is written (or, with dropAfter, the connection is closed), and
//     the call is logged, never with a secret, a token or a body.
//
// # State
//
// A tenant keeps its rows in [Table] values that share one [Journal]. Rows are
// immutable: a change puts a new value. That is what makes stale reads cheap:
// a [View] names a moment, and a table can be read as it was then. Tables are
// not locked; the tenant's own lock guards them. Clocks, journals, faults, limits
// and the log are safe for concurrent use.
package core
