// Package numbering makes employee numbers from a pattern such as {dept}{yyyy}{seq:4}.
//
// It is pure: who remembers how far a sequence has come, and who else uses a
// number, is told to it. A [Pattern] filled in with a department and a date is a
// [Shape], which has one sequence; a [Rule] counts through that sequence; a [Ledger]
// knows every number that sequences have passed, whatever their patterns.
//
// Numbers are equal when they differ in upper and lower case only, see [Fold].
package numbering
