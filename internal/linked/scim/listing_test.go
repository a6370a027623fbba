package scim

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
	"rollcall.dev/rollcall/internal/linked"
)

// paged answers /Users with what page says of a start and a count.
func paged(t *testing.T, page func(start, count int) string) *peer {
	return stub(t, map[string]http.HandlerFunc{"GET /Users": func(w http.ResponseWriter, r *http.Request) {
		start, _ := strconv.Atoi(r.URL.Query().Get("startIndex"))
		count, _ := strconv.Atoi(r.URL.Query().Get("count"))
		says(200, page(start, count))(w, r)
	}})
}

func listed(t *testing.T, s *System) ([]string, error) {
	var ids []string
	err := s.List(t.Context(), func(a linked.Account) error {
		ids = append(ids, a.ID)
		return nil
	})
	return ids, err
}

// from are accounts from one number to another.
func from(first, last int) (all []string) {
	for i := first; i <= last; i++ {
		all = append(all, account(strconv.Itoa(i)))
	}
	return all
}

// Liars that the whole listing can be had from all the same.
func TestPagingSurvivesLiars(t *testing.T) {
	for name, page := range map[string]func(start, count int) string{
		"beyond the end is the first page": func(start, _ int) string {
			if start > 4 {
				start = 1
			}
			return list(4, from(start, min(start+1, 4))...)
		},
		"ignores start and count": func(int, int) string { return list(4, from(1, 4)...) },
		"absent when empty": func(start, _ int) string {
			if start > 4 {
				return `{"totalResults":4}`
			}
			return list(4, from(start, 4)...)
		},
		"null when empty": func(start, _ int) string {
			if start > 4 {
				return `{"totalResults":4,"Resources":null}`
			}
			return list(4, from(start, 4)...)
		},
		"total as text": func(start, _ int) string { return list(`"4"`, from(start, 4)...) },
		"no total": func(start, _ int) string {
			return strings.Replace(list(4, from(start, min(start+1, 4))...), `"totalResults":4,`, "", 1)
		},
		"names in another case": func(start, _ int) string {
			return strings.NewReplacer("Resources", "resources", "totalResults", "totalresults", `"id"`, `"ID"`).Replace(list(4, from(start, 4)...))
		},
		"pages go back": func(start, count int) string { // each begins two before what was asked for
			if start > 6 {
				return list(4)
			}
			return list(4, from(max(1, start-2), min(4, max(1, start-2)+2))...)
		},
		"says nonsense of its pages": func(start, _ int) string {
			return strings.Replace(list(4, from(start, 4)...), `"totalResults"`, `"itemsPerPage":0,"startIndex":-7,"totalResults"`, 1)
		},
		"somebody twice": func(start, _ int) string {
			return list(4, append(from(start, 4), from(start, 4)...)...)
		},
		"fewer than count": func(start, _ int) string {
			if start > 4 {
				return list(4)
			}
			return list(4, account(strconv.Itoa(start)))
		},
		"ids as numbers": func(start, _ int) string {
			text := list(4, from(start, 4)...)
			for i := range 5 {
				text = strings.ReplaceAll(text, fmt.Sprintf(`"id":"%d"`, i), fmt.Sprintf(`"id":%d`, i))
			}
			return text
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := paged(t, page)
			ids, err := listed(t, p.open(Options{}))
			if err != nil || !slices.Equal(ids, []string{"1", "2", "3", "4"}) {
				t.Errorf("got %q, %v", ids, err)
			}
			if n := len(p.recorded()); n > 16 {
				t.Errorf("%d calls for four accounts", n)
			}
		})
	}
}

// Liars that nobody can list: an error, never a listing that misses somebody.
func TestP5_ContradictionIsNoListing(t *testing.T) {
	endless := 0
	for name, page := range map[string]func(start, count int) string{
		"the total is too large": func(start, _ int) string { return list(5, from(start, 4)...) },
		"the total is too small": func(start, _ int) string { return list(2, from(start, 4)...) },
		"the total never stays": func(start, _ int) string {
			endless++
			return list(4+endless, from(start, 4)...)
		},
		"somebody twice, and not the same": func(start, _ int) string {
			return list(4, append(from(start, 4), strings.Replace(account("1"), "true", "false", min(1, max(0, 5-start))))...)
		},
		"one account under two ids":      func(int, int) string { return list(2, `{"id":"1","ID":"2"}`, `{"id":"1","ID":"3"}`) },
		"an account without an id":       func(int, int) string { return list(1, `{"userName":"x"}`) },
		"an id that is a path":           func(int, int) string { return list(1, account("..")) },
		"an id with a control character": func(int, int) string { return list(1, account(`a\nb`)) },
		"an id that is too long":         func(int, int) string { return list(1, account(strings.Repeat("a", maxID+1))) },
		"no list":                        func(int, int) string { return `{"Resources":{"id":"1"}}` },
		"no JSON":                        func(int, int) string { return `<html>` },
		"half of it":                     func(int, int) string { return list(1, account("1"))[:60] },
		"nothing of a list":              func(int, int) string { return `{}` },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := listed(t, paged(t, page).open(Options{}))
			refusedAs(t, err, directory.Unavailable)
		})
	}
}

// An entry is removed between two pages, so another one is skipped: the second pass has it.
func TestTwoPassesFindWhoWasSkipped(t *testing.T) {
	calls := 0
	p := paged(t, func(start, count int) string {
		calls++
		all := from(1, 6)
		if calls > 1 {
			all = all[1:]
		}
		return list(len(all), all[min(start-1, len(all)):min(start-1+count, len(all))]...)
	})
	ids, err := listed(t, p.open(Options{PageSize: 3}))
	if err != nil || !slices.Equal(ids, []string{"1", "2", "3", "5", "6", "4"}) {
		t.Errorf("got %q, %v; want all that were there, 4 from the second pass", ids, err)
	}
}

// One was removed and one was added between two pages: no total tells. Who is looked for
// is looked for twice before they count as missing.
func TestP3_MissingOnlyAfterTwoPasses(t *testing.T) {
	calls := 0
	p := paged(t, func(start, count int) string {
		calls++
		all := from(1, 6)
		if calls > 1 {
			all = append(all[1:], account("7"))
		}
		return list(len(all), all[min(start-1, len(all)):min(start-1+count, len(all))]...)
	})
	found, err := p.open(Options{PageSize: 3, Filters: No}).Find(t.Context(), "", "user-4")
	if err != nil || len(found) != 1 || found[0].ID != "4" {
		t.Errorf("found %+v, %v", found, err)
	}
}

// AWS: at most 50, whose number it calls the total, and no second page.
func TestListingThatIsCut(t *testing.T) {
	config := says(200, `{"patch":{"supported":true},"filter":{"supported":true,"maxResults":3},"etag":{"supported":false}}`)
	for name, c := range map[string]struct {
		knowsPages bool
		class      directory.Class
	}{"cut": {false, directory.Unavailable}, "just as many as that": {true, ""}} {
		t.Run(name, func(t *testing.T) {
			p := paged(t, func(start, count int) string {
				if !c.knowsPages {
					return list(3, from(1, 3)...)
				}
				return list(3, from(start, min(3, start+count-1))...)
			})
			inner := p.server
			p.server = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/ServiceProviderConfig" {
					config(w, r)
					return
				}
				inner.ServeHTTP(w, r)
			})
			_, err := listed(t, p.open(Options{}))
			refusedAs(t, err, c.class)
		})
	}
}

// Endless pages end: by their number, and by the time that they take.
func TestEndlessPages(t *testing.T) {
	t.Run("time", func(t *testing.T) {
		p := paged(t, func(start, _ int) string { return list(mostPages-10, account(strconv.Itoa(start))) })
		s := p.open(Options{})
		at := now
		s.settings.Now = func() time.Time { at = at.Add(time.Minute); return at }
		_, err := listed(t, s)
		refusedAs(t, err, directory.Unavailable, "does not end")
		if n := len(p.recorded()); n > 70 {
			t.Errorf("%d calls in an hour at one a minute", n)
		}
	})
	t.Run("bytes", func(t *testing.T) {
		p := paged(t, func(start, _ int) string {
			return list(1000, account(strconv.Itoa(start), `,"bio":"`+strings.Repeat("x", 1<<17)+`"`))
		})
		s := p.open(Options{})
		s.mostBytes = 1 << 20
		_, err := listed(t, s)
		refusedAs(t, err, directory.Unavailable, "does not end")
		if n := len(p.recorded()); n > 12 {
			t.Errorf("%d calls of 128 KiB for a bound of 1 MiB", n)
		}
	})
	t.Run("pages", func(t *testing.T) {
		p := paged(t, func(start, _ int) string { return untold(from(start, start+fewest-1)...) })
		s := p.open(Options{})
		s.client.http = &http.Client{Transport: httpx.InMemory(p.server)}
		n := 0
		err := s.List(t.Context(), func(linked.Account) error { n++; return nil })
		refusedAs(t, err, directory.Unavailable, "does not end")
		if n != mostPages*fewest {
			t.Errorf("%d accounts", n)
		}
	})
	t.Run("accounts", func(t *testing.T) {
		p := paged(t, func(start, _ int) string {
			var all strings.Builder
			for i := range mostOfOnePage {
				fmt.Fprintf(&all, `,{"id":"%d"}`, start+i)
			}
			return untold(all.String()[1:])
		})
		_, err := listed(t, p.open(Options{}))
		refusedAs(t, err, directory.Unavailable, "does not end")
		if n := len(p.recorded()); n > mostResources/mostOfOnePage+5 {
			t.Errorf("%d calls", n)
		}
	})
	t.Run("one page", func(t *testing.T) {
		p := paged(t, func(int, int) string {
			return list(1, account("1")+strings.Repeat(`,{"id":"1"}`, mostOfOnePage))
		})
		_, err := listed(t, p.open(Options{}))
		refusedAs(t, err, directory.Unavailable)
	})
}

// untold is a page of a listing that does not tell how many there are.
func untold(resources ...string) string {
	return strings.Replace(list(0, resources...), `"totalResults":0,`, "", 1)
}

// P11: that no end is in sight shows at once, not when the time for a listing is over: so does the condition of the system.
func TestP11NoEndInSightIsSaidAtOnce(t *testing.T) {
	one := func(total func(start int) int) func(start, count int) string {
		return func(start, _ int) string { return list(total(start), account(strconv.Itoa(start))) }
	}
	for name, c := range map[string]struct {
		page  func(start, count int) string
		most  int
		words string
	}{
		"more than anybody has":   {one(func(int) int { return mostResources + 1 }), 1, "more than 200000 are not read"},
		"one at a time":           {one(func(int) int { return mostPages + 1 }), 1, "with 1 of 5001"},
		"always one more":         {one(func(start int) int { return start + 1 }), mostMoves + 2, "its total changed 101 times"},
		"fewer than came":         {one(func(int) int { return 1 }), 4, "contradicts itself"},
		"one at a time, no total": {func(start, _ int) string { return untold(account(strconv.Itoa(start))) }, grace, "does not end"},
		"slower and slower": {func(start, _ int) string {
			if start == 1 {
				return list(mostResources, from(1, 100)...)
			}
			return list(mostResources, account(strconv.Itoa(start)))
		}, 3, "of 200000"},
	} {
		t.Run(name, func(t *testing.T) {
			p := paged(t, c.page)
			s := p.open(Options{})
			s.known(t.Context())
			p.recorded()
			_, err := listed(t, s)
			refusedAs(t, err, directory.Unavailable, c.words)
			if n := len(p.recorded()); n > c.most {
				t.Errorf("%d calls until it was said, want %d at most", n, c.most)
			}
		})
	}
}

// A large system is read, ten at a time, and it may change meanwhile: then it is read twice.
func TestALargeListingIsRead(t *testing.T) {
	const most, atOnce = 30_000, 10
	now := most
	p := paged(t, func(start, _ int) string {
		if now < most+50 && start > 1000 {
			now++ // somebody joins with each page, for a while
		}
		return list(now, from(start, min(now, start+atOnce-1))...)
	})
	s := p.open(Options{})
	s.client.http = &http.Client{Transport: httpx.InMemory(p.server)}
	if ids, err := listed(t, s); err != nil || len(ids) != most+50 {
		t.Errorf("%d were read, %v", len(ids), err)
	}
}

// A page that is too large is asked for again, smaller, and the account that is too
// large by itself is no answer.
func TestHugeBodies(t *testing.T) {
	blob := strings.Repeat("x", maxPage/10)
	p := paged(t, func(start, count int) string {
		var all []string
		for i := start; i <= min(40, start+count-1); i++ {
			all = append(all, account(strconv.Itoa(i), `,"bio":"`+blob[:maxAccount/2]+`"`))
		}
		return list(40, all...)
	})
	ids, err := listed(t, p.open(Options{}))
	if err != nil || len(ids) != 40 {
		t.Errorf("got %d, %v", len(ids), err)
	}
	p = stub(t, map[string]http.HandlerFunc{"*": func(w http.ResponseWriter, _ *http.Request) {
		for { // until the client has had enough
			if _, err := w.Write([]byte(blob)); err != nil {
				return
			}
		}
	}})
	s := p.open(Options{})
	_, err = listed(t, s)
	refusedAs(t, err, directory.Unavailable, "larger than allowed")
	_, err = s.Account(t.Context(), "1")
	refusedAs(t, err, directory.Unavailable, "larger than allowed")
	refusedAs(t, s.Delete(t.Context(), "1", order), directory.OutcomeUnknown)
	// Some KiB that become 100 MiB.
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 100 {
		_, _ = z.Write([]byte(strings.Repeat(" ", 1<<20)))
	}
	_ = z.Close()
	p = stub(t, map[string]http.HandlerFunc{"*": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	}})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = listed(t, p.open(Options{PageSize: 1}))
	refusedAs(t, err, directory.Unavailable, "larger than allowed")
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 200<<20 {
		t.Errorf("%d MiB were needed for it", (after.TotalAlloc-before.TotalAlloc)>>20)
	}
}
