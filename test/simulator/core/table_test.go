package core

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

func keys(t *Table[int], at View) []string {
	list := []string{}
	for k := range t.All(at) {
		list = append(list, k)
	}
	return list
}

func TestTable(t *testing.T) {
	j := newJournal(NewClock(nil))
	table := NewTable[int](j)
	table.Put("b", 1)
	table.Put("a", 2)
	before := j.Now()
	table.Put("b", 3)
	if !table.Delete("a") || table.Delete("a") || table.Delete("x") {
		t.Error("Delete does not tell what was there")
	}
	if got := keys(table, Live); !slices.Equal(got, []string{"b"}) || table.Len() != 1 {
		t.Errorf("rows now: %v", got)
	}
	if got := keys(table, before); !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("rows before: %v", got)
	}
	if v, ok := table.Get("b", before); !ok || v != 1 {
		t.Errorf("b before: %d %v", v, ok)
	}
	if _, ok := table.Get("x", Live); ok {
		t.Error("x is there")
	}
	table.Put("a", 4)
	if v, ok := table.Get("a", Live); !ok || v != 4 || table.Len() != 2 {
		t.Errorf("a again: %d %v", v, ok)
	}
}

// TestTableForgets: what no fault pins and nobody can name any more is dropped.
func TestTableForgets(t *testing.T) {
	j := newJournal(NewClock(nil))
	table := NewTable[int](j)
	table.Put("pinned", 1)
	pin := j.pin()
	for i := range 3 * keepWrites {
		table.Put("busy", i)
		table.Put("pinned", i)
	}
	if v, _ := table.Get("pinned", pin); v != 1 {
		t.Errorf("the pinned version is %d", v)
	}
	j.unpin(pin)
	table.Put("pinned", 0)
	table.Put("busy", 0)
	for key, r := range table.rows {
		if len(r.versions) > keepWrites+1 {
			t.Errorf("%s has %d versions", key, len(r.versions))
		}
	}
	for i := range 3 * keepWrites {
		key := fmt.Sprint(i)
		table.Put(key, i)
		table.Delete(key)
	}
	if len(table.rows) > 3*keepWrites/2 || len(table.rows) != len(table.order) {
		t.Errorf("%d rows, %d keys for %d that are there", len(table.rows), len(table.order), table.Len())
	}
}

// FuzzTable compares a table's past with copies of a map.
func FuzzTable(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 0x81, 1, 2, 0x80})
	f.Fuzz(func(t *testing.T, ops []byte) {
		j := newJournal(NewClock(nil))
		table, model := NewTable[int](j), map[string]int{}
		past := map[View]map[string]int{}
		for i, op := range ops {
			key := string(rune('a' + op&7))
			if op&0x80 != 0 {
				delete(model, key)
				table.Delete(key)
			} else {
				model[key] = i
				table.Put(key, i)
			}
			past[j.Now()] = maps.Clone(model)
		}
		past[Live] = model
		for at, want := range past {
			if got := maps.Collect(table.All(at)); !maps.Equal(got, want) {
				t.Fatalf("at %d: %v, want %v", at, got, want)
			}
		}
		if table.Len() != len(model) {
			t.Fatalf("length %d, want %d", table.Len(), len(model))
		}
	})
}

func TestClock(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	c := NewClock(func() time.Time { return now })
	if got := c.Advance(time.Hour); !got.Equal(now.Add(time.Hour)) {
		t.Errorf("advanced to %v", got)
	}
	c.Advance(-time.Hour)
	now = now.Add(time.Second)
	if got := c.Now(); !got.Equal(now.Add(time.Hour)) {
		t.Errorf("now is %v", got)
	}
}

func TestMerge(t *testing.T) {
	type inner struct {
		A int `json:"a"`
		B int `json:"b"`
	}
	type object struct {
		Name  string   `json:"name"`
		Big   int64    `json:"big"`
		List  []string `json:"list"`
		Inner inner    `json:"inner"`
	}
	start := object{"x", 9_007_199_254_740_993, []string{"1"}, inner{1, 2}}
	got, err := Merge(start, json.RawMessage(`{"name":"y","list":["2","3"],"inner":{"b":5}}`))
	if err != nil || got.Name != "y" || got.Big != start.Big || len(got.List) != 2 || got.Inner != (inner{1, 5}) {
		t.Errorf("merged: %+v, %v", got, err)
	}
	if got, err := Merge(start, json.RawMessage(`{"name":null,"inner":null}`)); err != nil || got.Name != "" || got.Inner != (inner{}) {
		t.Errorf("removed: %+v, %v", got, err)
	}
	for _, bad := range []string{`{"title":"y"}`, `[]`, `"x"`, `{"big":"x"}`, `{`, ``} {
		if _, err := Merge(start, json.RawMessage(bad)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestSeed(t *testing.T) {
	s := Seed{Users: 500, Departments: 40}
	seen := map[string]bool{}
	unique := func(values ...string) {
		for _, v := range values {
			if seen[v] {
				t.Errorf("%s twice", v)
			}
			seen[v] = true
		}
	}
	parents := map[int]bool{0: true}
	for d := range s.Tree() {
		unique(d.Name)
		if !parents[d.Parent] {
			t.Errorf("department %d comes before its parent", d.Number)
		}
		parents[d.Number] = true
	}
	people := 0
	for p := range s.People() {
		unique(p.ID, p.Mobile, p.Email)
		if !parents[p.Department] || p.Name == "" || p.Title == "" || len(p.Mobile) != 11 {
			t.Errorf("%+v", p)
		}
		people++
	}
	if people != 500 || len(parents) != 41 {
		t.Errorf("%d people, %d departments", people, len(parents))
	}
	for _, bad := range []Seed{{Users: -1}, {Users: 100_000}, {Departments: 30_001}, {First: -1}} {
		if bad.Validate() == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}
