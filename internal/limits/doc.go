// Package limits decides, purely, how many people may lose access to an account in a
// while (P6). It counts in a sliding window, in number and in percent, and it latches:
// from the first who is over the limit until nobody waits any more, nobody else is
// admitted, however much time passes. A limit that only slowed a mistake down would let
// all of it through in the end.
//
// It keeps nothing itself. Who was admitted and who waits is given to it, so that it
// decides the same after a restart.
package limits
