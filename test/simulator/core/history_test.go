package core

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestHistory: a past is the same whenever it is read and whoever else is there,
// every record is found by its id, and pieces of a range make the whole.
func TestHistory(t *testing.T) {
	d := Dataset{
		Name: "notes", Salt: "notes", Every: 7, Hours: []int{9, 15},
		Show:  func(r Record) map[string]any { return map[string]any{"by": r.Person} },
		Stamp: func(map[string]any) (time.Time, string) { return time.Time{}, "" },
	}
	began := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	all := func(n int) func(func(string) bool) {
		return func(yield func(string) bool) {
			for i := range n {
				if !yield(fmt.Sprint("p", i)) {
					return
				}
			}
		}
	}
	span := func(n int, from, to time.Time) Range {
		return Range{History: History{Days: 60, Seed: 3}, Began: began, Now: began, From: from, To: to, View: View(n), All: all(n)}
	}
	ids := func(p *Past, g Range) (list []string) {
		for r := range p.Records(d, g) {
			list = append(list, r.Person+" "+r.ID())
		}
		return list
	}
	p := NewPast()
	whole := ids(p, span(100, time.Time{}, began))
	if len(whole) < 1000 || len(slices.Compact(slices.Sorted(slices.Values(whole)))) != len(whole) {
		t.Fatalf("%d records, or some twice", len(whole))
	}
	middle := began.AddDate(0, 0, -20)
	pieces := append(ids(p, span(100, time.Time{}, middle)), ids(p, span(100, middle.Add(time.Nanosecond), began))...)
	if !slices.Equal(pieces, whole) {
		t.Error("two halves are not the whole")
	}
	more := ids(NewPast(), span(101, time.Time{}, began))
	if kept := slices.DeleteFunc(more, func(s string) bool { return !slices.Contains(whole, s) }); len(kept) != len(whole) {
		t.Error("somebody who came changed what others did")
	}
	g := span(100, time.Time{}, began)
	for r := range p.Records(d, g) {
		if found, ok := p.Record(d, g, r.ID()); !ok || found.Person != r.Person {
			t.Fatalf("%s of %s is not found by its id", r.ID(), r.Person)
		}
	}
	if _, ok := p.Record(d, g, "202601010123"); ok {
		t.Error("a record is found that nobody made")
	}
}
