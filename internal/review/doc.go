// Package review decides when a right is reviewed, when an unanswered review escalates, and
// what silence means in the end; and writes down all reviews of a period for those who ask
// later. It is pure: the time is given to it, and it keeps nothing.
package review
