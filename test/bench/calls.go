package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/simulator/core"
)

func count(calls []core.Entry, that func(core.Entry) bool) (n float64) {
	for _, c := range calls {
		if that(c) {
			n++
		}
	}
	return n
}

// is reports whether the call is of this operation, which is the end of a path.
func is(c core.Entry, operation string) bool { return strings.HasSuffix(c.Operation, "/"+operation) }

// listings are the operations that read the whole directory, page by page, and what is needed to begin and to count.
var listings = map[string][]string{
	world.WeCom:    {"user/list_id", "user/list", "department/list", "department/simplelist", "gettoken"},
	world.DingTalk: {"auth/scopes", "user/list", "user/count", "department/listsub", "gettoken", "accessToken"},
}

func (b *bench) lists(c core.Entry) bool {
	if is(c, "department/get") && c.Subject == "1" {
		return true // the company itself
	}
	return slices.ContainsFunc(listings[b.platform], func(operation string) bool { return is(c, operation) })
}

// beginsPass reports whether the call is the first of a full reading. A second page of WeCom's ids would look alike: there are
// 10,000 on a page.
func (b *bench) beginsPass(c core.Entry) bool {
	return is(c, "user/list_id") || is(c, "auth/scopes")
}

// page is how many people a list page has on the platform. WeCom's listing is by department, and has no pages.
func (b *bench) page() float64 {
	if b.platform == world.WeCom {
		return 10_000
	}
	return 100
}

func writes(c core.Entry) bool {
	return slices.ContainsFunc([]string{"create", "update", "delete", "disable", "enable", "signOut"}, func(verb string) bool {
		return strings.HasSuffix(c.Operation, "/"+verb)
	})
}

// whole leaves out the calls before the first full reading, and those of the last, which may not be over.
func whole(calls []core.Entry, begins func(core.Entry) bool) []core.Entry {
	first := slices.IndexFunc(calls, begins)
	last := len(calls) - 1
	for last > first && !begins(calls[last]) {
		last--
	}
	return calls[max(0, first):max(0, last)]
}

// sayCalls tells how often which call was made, and how many went in each second.
func (b *bench) sayCalls(calls []core.Entry) {
	var pace []int
	for _, c := range calls {
		second := int(c.Time.Sub(calls[0].Time).Seconds())
		for len(pace) <= second {
			pace = append(pace, 0)
		}
		pace[second]++
	}
	b.say("calls by second: %v", pace)
	counts := map[string]int{}
	for _, c := range calls {
		counts[c.Operation+" "+c.Code]++
	}
	for _, k := range slices.SortedFunc(maps.Keys(counts), func(x, y string) int { return cmp.Compare(counts[y], counts[x]) }) {
		b.say("%6d %s", counts[k], k)
	}
}
