// Package leaving decides, purely, what is to be done next for somebody who leaves
// an account: one step after another, each at most begun again, and the account's
// removal behind a list of guards that nothing goes around.
//
// It knows no Kubernetes, no clock and no platform: terms, progress and facts come
// in, a [Decision] goes out. Progress is what was durably recorded; whoever carries a
// decision out records it first.
package leaving
