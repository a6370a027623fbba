// Package linkedtest holds the contract of a linked system, which every protocol passes against a real peer,
// and a system in memory for tests of what stands on one.
package linkedtest
