package ldap

import (
	"context"
	"fmt"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"rollcall.dev/rollcall/internal/directory"
)

// What a listing may come to.
const (
	pageSize   = 200 // slapd gives 500 at once, Active Directory 1000
	maxEntries = 200_000
	// emptyPages in a row, each of which promises another one, are no listing.
	emptyPages = 5
	// From grace pages on each has to have so many entries on average, else nobody sees its end.
	grace, fewest = 100, 5
	// mostPages, longest and mostBytes of one listing; a thousand people are some MiB.
	mostPages = 10_000
	longest   = time.Hour
	mostBytes = 512 << 20
)

// listing is one under way.
type listing struct {
	size         uint32 // of a page
	most         int    // bytes
	began        time.Time
	seen         map[string]bool // by canonical DN
	pages, empty int
	bytes        int
}

// eachPage reads a subtree in pages (RFC 2696), all on one connection.
func (s *system) eachPage(ctx context.Context, q query, size uint32, each func(*goldap.Entry) error) error {
	q.scope, q.paging, q.pin = goldap.ScopeWholeSubtree, goldap.NewControlPaging(size), &pin{}
	defer s.client.unpin(q.pin)
	l := &listing{size: size, most: s.mostBytes, began: s.client.now(), seen: map[string]bool{}}
	for {
		page, err := s.search(ctx, q)
		if err != nil {
			return err
		}
		for _, e := range page {
			if err := l.take(e); err != nil {
				return err
			}
			if err := each(e); err != nil {
				return err
			}
		}
		if len(q.paging.Cookie) == 0 {
			return nil
		}
		if err := l.promising(len(page), s.client.now()); err != nil {
			return err
		}
	}
}

// take counts an entry, or does not believe it.
func (l *listing) take(e *goldap.Entry) error {
	dn := canonical(e.DN)
	switch {
	case len(l.seen) == maxEntries:
		return problem(directory.QuotaExceeded, "search", "there are more entries than are listed")
	case l.seen[dn] || len(dn) > 4096:
		return contradiction()
	}
	l.seen[dn] = true
	if l.bytes += len(dn) + sizeOf(e); l.bytes > l.most {
		return problem(directory.QuotaExceeded, "search", "the listing is larger than is believed: it was given up")
	}
	return nil
}

// promising looks, when a page promises another one, whether an end is in sight: who gives one entry at a time is given up at
// once, and not when the time is over.
func (l *listing) promising(page int, now time.Time) error {
	if l.pages, l.empty = l.pages+1, l.empty+1; page > 0 {
		l.empty = 0
	}
	few := l.pages >= grace && len(l.seen) < (l.pages-1)*min(fewest, int(l.size))
	switch {
	case l.empty == emptyPages:
		return contradiction()
	case few, l.pages == mostPages, now.Sub(l.began) > longest:
		return problem(directory.Unavailable, "search", fmt.Sprintf("the listing does not end: it was given up after %d pages, which brought %d entries", l.pages, len(l.seen)))
	}
	return nil
}

// sizeOf is how many bytes an entry has.
func sizeOf(e *goldap.Entry) int {
	n := 0
	for _, a := range e.Attributes {
		for _, v := range a.ByteValues {
			n += len(v)
		}
	}
	return n
}

func contradiction() error {
	return problem(directory.Unavailable, "search", "the listing contradicts itself: entries come twice, or pages never end")
}

// pages gathers a subtree.
func (s *system) pages(ctx context.Context, q query, size uint32) ([]*goldap.Entry, error) {
	var all []*goldap.Entry
	err := s.eachPage(ctx, q, size, func(e *goldap.Entry) error {
		all = append(all, e)
		return nil
	})
	return all, err
}
