// Package approval says, purely, what exactly is asked and how a decision stands (P7).
//
// A question has a digest over all that the answer is about. A decision repeats it, so
// that it is about this question and no other: what is asked about more people, fewer, or
// the same ones for something else is another question, and nobody has decided it.
package approval
