// Package restore brings back what an archive holds of a directory: onto the
// account it is from, or onto another one, also of another platform.
//
// [For] is pure: archive and target in, verdicts out. The dry run, the execution,
// the report and the restore test are the same value. [Execute] does what a plan
// says and reads back. Whoever is interrupted plans again: what was done is equal
// by then.
//
// A restore deletes nothing and freezes nobody. Without Options.Overwrite it
// changes nothing that exists (P4), and an account that was frozen comes back
// frozen or not at all.
package restore
