package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"net/url"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

// Bounds of one listing: a system beyond them is taken for one that never ends.
const (
	mostPages     = 5_000 // of one reading from the first page to the end
	mostResources = 200_000
	mostOfOnePage = 20_000 // some ignore count
	mostBytes     = 4 << 30
	longest       = time.Hour
	// mostMoves of the total, while a reading goes on, are those of people who come and go.
	mostMoves = 100
	// Without a total the end is not in sight: from grace pages on each has to bring so many on average.
	grace, fewest = 100, 10
	// mostFound at once have one number or login.
	mostFound = 20
)

// page is one answer of a listing (RFC 7644 §3.4.2).
type page struct {
	total     int // -1 = not told
	resources []json.RawMessage
}

// pageOf takes an answer apart without believing in its size: an absent list is an
// empty one, and each element stays as it came.
func pageOf(q *request, body []byte) (*page, error) {
	p := &page{total: -1}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if t, err := decoder.Token(); err != nil || t != json.Delim('{') {
		return nil, incomprehensible(q, "the answer is not a list of SCIM")
	}
	scim := false
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, incomprehensible(q, "the answer is not a list of SCIM")
		}
		name, _ := key.(string)
		switch strings.ToLower(name) {
		case "resources":
			scim = true
			err = p.take(decoder)
		case "totalresults":
			scim = true
			err = p.count(decoder)
		default:
			var skipped json.RawMessage
			err = decoder.Decode(&skipped)
		}
		if err != nil {
			return nil, incomprehensible(q, "the answer is not a list of SCIM")
		}
	}
	if t, err := decoder.Token(); err != nil || t != json.Delim('}') || !scim {
		return nil, incomprehensible(q, "the answer is not a list of SCIM")
	}
	return p, nil
}

var errShape = errors.New("not a list")

// take reads the array of resources, or null.
func (p *page) take(decoder *json.Decoder) error {
	switch t, err := decoder.Token(); {
	case err != nil:
		return err
	case t == nil:
		return nil
	case t != json.Delim('['):
		return errShape
	}
	for decoder.More() {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return err
		}
		if p.resources = append(p.resources, raw); len(p.resources) > mostOfOnePage {
			return errShape
		}
	}
	_, err := decoder.Token()
	return err
}

// count reads totalResults, which is a string with some.
func (p *page) count(decoder *json.Decoder) error {
	var raw json.RawMessage
	if err := decoder.Decode(&raw); err != nil {
		return err
	}
	if n, err := strconv.Atoi(strings.Trim(string(raw), `"`)); err == nil && n >= 0 {
		p.total = n
	}
	return nil
}

// collection is /Users or /Groups.
type collection struct {
	operation string
	path      string
	query     url.Values
}

var (
	users  = collection{operation: "users/list", path: "/Users"}
	groups = collection{operation: "groups/list", path: "/Groups"}
)

// filtered is the same, asked by a filter.
func (c collection) filtered(filter string) collection {
	c.operation = strings.Replace(c.operation, "/list", "/find", 1)
	c.query = url.Values{"filter": {filter}}
	return c
}

// walk is one listing under way.
type walk struct {
	s     *System
	in    collection
	count int // of resources that are asked for in one page
	began time.Time
	pages int // of this reading
	bytes int64
	// union is all ids of all passes; each is visited once.
	union map[string]struct{}
	visit func(id string, raw json.RawMessage) error
}

// pass is what one reading from the first page to the end has shown.
type pass struct {
	seen  map[string]uint64 // by id, what it was like
	total int               // -1 = not told
	moves int               // of the total
	pages int               // with something new in them
	first string
	// shaky: it contradicts itself: the total changed under way, more came than that, or somebody came twice and not
	// the same. Entries may have been skipped.
	shaky bool
}

// sound: the reading does not contradict itself. Without a total only another one can tell.
func (p *pass) sound() bool { return !p.shaky && p.total >= 0 && p.total == len(p.seen) }

// each visits every resource of a collection once, in pages. It ends with nil only if it
// has seen all of them. twice: read it once more if it has several pages, as an entry may
// be skipped when others are removed between pages (there is no snapshot).
func (s *System) each(ctx context.Context, in collection, twice bool, visit func(id string, raw json.RawMessage) error) error {
	w := &walk{s: s, in: in, count: s.options.PageSize, began: s.settings.Now(), union: map[string]struct{}{}, visit: visit}
	first, err := w.pass(ctx)
	if err != nil {
		return err
	}
	if first.sound() && (!twice || first.pages <= 1) {
		return w.uncut(ctx, first)
	}
	second, err := w.pass(ctx)
	if err != nil {
		return err
	}
	untold := first.total < 0 && second.total < 0 && !first.shaky && !second.shaky
	if second.sound() || untold && len(first.seen) == len(second.seen) && len(w.union) == len(first.seen) {
		return w.uncut(ctx, second)
	}
	return w.unreadable("the listing contradicts itself: it says that there are %d and gave %d in two readings", second.total, len(w.union))
}

// pass reads from the first page until one is empty, or brings nothing new. The end is
// asked for, not believed: totals lie, and some answer a start beyond the end with the
// first page again.
func (w *walk) pass(ctx context.Context) (*pass, error) {
	p := &pass{seen: map[string]uint64{}, total: -1}
	w.pages = 0
	for start := 1; ; {
		page, err := w.page(ctx, start, w.count)
		if err != nil {
			return nil, err
		}
		if len(page.resources) == 0 {
			// A total that is told for an empty page only is about it alone.
			if start == 1 {
				p.total = page.total
			}
			return p, nil
		}
		fresh, err := w.add(p, page)
		if err != nil {
			return nil, err
		}
		if fresh == 0 {
			return p, nil
		}
		if p.pages > 0 && p.total != page.total {
			p.moves++
		}
		p.total = page.total
		p.pages++
		tooMany := p.total >= 0 && len(p.seen) > p.total
		if p.shaky = p.shaky || p.moves > 0 || tooMany; tooMany {
			return p, nil
		}
		if err := w.promising(p); err != nil {
			return nil, err
		}
		start += len(page.resources)
	}
}

// promising looks, by what has come so far, whether the end is in sight. Whoever gives one at a time, or always some more, is
// given up at once, and not when the time is over: until then nobody would know that the system cannot be read.
func (w *walk) promising(p *pass) error {
	seen := len(p.seen)
	switch {
	case p.total > mostResources:
		return w.unreadable("the listing says that there are %d, and more than %d are not read", p.total, mostResources)
	case p.moves > mostMoves:
		return w.unreadable("the listing does not end: it was given up after %d pages, because its total changed %d times", w.pages, p.moves)
	case p.total > seen && w.pages+(p.total-seen)*p.pages/seen > mostPages:
		return w.unreadable("the listing was given up after %d pages, with %d of %d: all would take more than %d pages", w.pages, seen, p.total, mostPages)
	case p.total < 0 && p.pages >= grace && seen < (p.pages-1)*min(fewest, w.count):
		return w.unreadable("the listing does not end: it was given up after %d pages, which brought %d and no total", w.pages, seen)
	}
	return nil
}

// add visits what is new of a page.
func (w *walk) add(p *pass, page *page) (fresh int, err error) {
	differs := false
	for _, raw := range page.resources {
		id, ok := idOf(raw)
		if !ok {
			return 0, incomprehensible(get(w.in.operation, "", nil), "the listing has an entry without an id that can be used")
		}
		if p.first == "" {
			p.first = id
		}
		looks := maphash.Bytes(hashSeed, raw)
		if before, again := p.seen[id]; again {
			differs = differs || before != looks
			continue
		}
		fresh++
		if p.seen[id] = looks; len(p.seen) > mostResources {
			return 0, w.endless()
		}
		if _, again := w.union[id]; again {
			continue
		}
		w.union[id] = struct{}{}
		if err := w.visit(id, raw); err != nil {
			return 0, err
		}
	}
	p.shaky = p.shaky || differs && fresh > 0 // a page without anybody new is the end, whatever is in it
	return fresh, nil
}

var hashSeed = maphash.MakeSeed()

// idOf reads the id alone; a number stands for its digits.
func idOf(raw json.RawMessage) (string, bool) {
	var e struct{ ID identifier }
	if json.Unmarshal(raw, &e) != nil {
		return "", false
	}
	return string(e.ID), validID(string(e.ID))
}

// identifier is an id, which with some is a number.
type identifier string

func (i *identifier) UnmarshalJSON(b []byte) error {
	var n json.Number
	if len(b) > 0 && b[0] != '"' {
		err := json.Unmarshal(b, &n)
		*i = identifier(n)
		return err
	}
	return json.Unmarshal(b, (*string)(i))
}

// page reads one page. One that is too large is asked for again, smaller.
func (w *walk) page(ctx context.Context, start, count int) (*page, error) {
	for {
		if w.pages++; w.pages > mostPages || w.s.settings.Now().Sub(w.began) > longest || w.bytes > w.s.mostBytes {
			return nil, w.endless()
		}
		query := url.Values{"startIndex": {strconv.Itoa(start)}, "count": {strconv.Itoa(count)}}
		for k, v := range w.in.query {
			query[k] = v
		}
		q := get(w.in.operation, w.in.path, query)
		body, err := w.s.client.do(ctx, q)
		w.bytes += int64(len(body))
		if errors.Is(err, httpx.ErrBodyTooLarge) && count > 1 {
			count = max(1, count/4)
			w.count = min(w.count, count)
			continue
		}
		if err != nil {
			return nil, err
		}
		return pageOf(q, body)
	}
}

func (w *walk) endless() error {
	return w.unreadable("the listing does not end: it was given up after %d pages and %d entries", w.pages, len(w.union))
}

func (w *walk) unreadable(format string, args ...any) error {
	return &directory.Error{Class: directory.Unavailable, Operation: w.in.operation, Message: fmt.Sprintf(format, args...)}
}

// errCut: nobody knows whether that was all.
var errCut = errors.New("a listing that may be cut")

// uncut is asked of a listing that was one page, exactly as long as the system's own
// maximum: some (AWS) give so many at most, call that the total and know no second page.
// One that knows pages has another first entry at the second place.
func (w *walk) uncut(ctx context.Context, p *pass) error {
	f := w.s.facts.Load()
	if f == nil || f.most == 0 || len(p.seen) != f.most || p.pages != 1 || f.most == 1 {
		return nil
	}
	page, err := w.page(ctx, 2, 1)
	if err != nil {
		return err
	}
	if len(page.resources) > 0 {
		if id, ok := idOf(page.resources[0]); ok && id != p.first {
			return nil
		}
	}
	return &directory.Error{Class: directory.Unavailable, Operation: w.in.operation,
		Message: fmt.Sprintf("the listing may be cut: the system gives at most %d, gave %d and knows no pages", f.most, len(p.seen)), Err: errCut}
}

// hits reads the first page of what a filter finds. honest: the system has answered the
// question: all that it gave match, and it gave all that it has.
func (s *System) hits(ctx context.Context, in collection, matches func(raw json.RawMessage) bool) (found []json.RawMessage, honest bool, err error) {
	w := &walk{s: s, in: in, began: s.settings.Now()}
	p, err := w.page(ctx, 1, s.options.PageSize)
	if err != nil {
		return nil, false, err
	}
	for _, raw := range p.resources {
		if matches(raw) {
			found = append(found, raw)
		}
	}
	return found, len(found) == len(p.resources) && p.total <= len(p.resources), nil
}
