package scim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/linked/linkedtest"
)

// The contract: each of these runs over both peers, which disagree wherever the RFCs let them.

const (
	department = schemaEnterprise + ":department"
	employeeNo = schemaEnterprise + ":employeeNumber"
)

var order = linked.Order{Key: "k-1", Reason: "leaving"}

// What every linked system keeps. The peers say which groups an account is in, there.
func TestContract(t *testing.T) {
	for name, start := range makers {
		for _, o := range []Options{{}, {Writes: PatchWithoutPath, Filters: No, PageSize: 3}, {Writes: Put, Groups: Yes, ETags: Yes}} {
			t.Run(fmt.Sprintf("%s %s", name, o.Writes), func(t *testing.T) {
				linkedtest.Contract(t, func(t *testing.T, strangers int) linkedtest.Peer {
					p := tap(t, name, start(t, limits{tellGroups: true}))
					group := p.make("/Groups", resource{"schemas": []any{schemaGroup}, "displayName": "staff"})
					for i := range strangers {
						p.make("/Users", resource{"schemas": []any{schemaUser}, "userName": fmt.Sprint("stranger", i), "active": true})
					}
					return linkedtest.Peer{
						System:     p.open(o, "displayName", department, "emails", "title"),
						Base:       map[string][]string{"displayName": {"somebody"}},
						Attributes: []string{"title", department},
						Join: func(t *testing.T, id string) {
							status, _ := p.ask(http.MethodPatch, "/Groups/"+group, patchOf(operation{Op: "add", Path: "members", Value: []any{resource{"value": id}}}))
							if status >= 300 {
								t.Fatalf("joining a group: %d", status)
							}
						},
						SignsIn: func(_ *testing.T, id, _ string) bool { return p.user(id).get("active") == true },
						Secrets: []string{token},
					}
				})
			})
		}
	}
}

func TestDiscovers(t *testing.T) {
	onBoth(t, func(t *testing.T, p *peer) {
		c, err := p.open(Options{}, "displayName", department).Discover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"PATCH", "filter", "groups"}; !slices.Equal(c.Words, want) || len(c.Limits) > 0 {
			t.Errorf("says %q, limits %q; want %q without limits", c.Words, c.Limits, want)
		}
		if c.Protocol != "SCIM" || !c.Lists || !c.Reads || !c.Creates || !c.Updates || !c.Disables || !c.Deletes || !c.Groups || c.DisableRemoves {
			t.Errorf("capabilities %+v", c)
		}
		for _, c := range p.recorded() {
			if c.header.Get("Accept") != "application/scim+json" || c.method != http.MethodGet {
				t.Errorf("%s %s accepts %q", c.method, c.path, c.header.Get("Accept"))
			}
		}
	})
}

// What was declared wins over what the system says of itself.
func TestDeclaredWins(t *testing.T) {
	onBothLimited(t, limits{noFilter: true, noPatch: true}, func(t *testing.T, p *peer) {
		c, err := p.open(Options{}).Discover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"PUT", "groups"}; !slices.Equal(c.Words, want) || c.Groups || len(c.Limits) != 2 {
			t.Errorf("says %q, limits %q; want %q, and no removal from groups", c.Words, c.Limits, want)
		}
		c, err = p.open(Options{Writes: Patch, Filters: Yes, ETags: Yes, Groups: No, Disabling: Removes}).Discover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"PATCH", "filter", "ETag"}; !slices.Equal(c.Words, want) || c.Groups || !c.DisableRemoves {
			t.Errorf("says %q, want %q", c.Words, want)
		}
	})
}

func TestRefusesWrongCredentials(t *testing.T) {
	onBoth(t, func(t *testing.T, p *peer) {
		s := p.open(Options{})
		s.client.authorization = "Bearer another"
		_, err := s.Discover(t.Context())
		refusedAs(t, err, directory.Unauthenticated)
		refusedAs(t, s.Disable(t.Context(), "x", order), directory.Unauthenticated)
	})
}

var mapped = []string{"displayName", "name.familyName", "title", "emails", "phoneNumbers.mobile", department}

func TestCreatesAndReadsBack(t *testing.T) {
	for _, media := range []ContentType{ContentSCIM, ContentJSON} {
		onBoth(t, func(t *testing.T, p *peer) {
			s := p.open(Options{ContentType: media}, mapped...)
			w := linked.Wish{Login: "zhang.san", Number: "E-1001", Attributes: map[string][]string{
				"displayName": {"Zhang San"}, "name.familyName": {"Zhang"}, "emails": {"zhang.san@corp.example"}, department: {"Sales & Service <East>"},
				"phoneNumbers.mobile": {"+86 555"}, "title": {},
			}}
			made, err := s.Create(t.Context(), w, order)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Account(t.Context(), made.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range p.recorded() {
				want := map[ContentType]string{ContentSCIM: "application/scim+json", ContentJSON: "application/json"}[media]
				if c.header.Get("Accept") != want || c.body != "" && c.header.Get("Content-Type") != want {
					t.Errorf("%s %s: %v", c.method, c.path, c.header)
				}
			}
			delete(w.Attributes, "title")
			want := linked.Account{ID: made.ID, Login: w.Login, Number: w.Number, Enabled: true, Attributes: w.Attributes}
			if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(made, want) {
				t.Errorf("made %+v\nread %+v\nwant %+v", made, got, want)
			}
			e := entries(p.user(made.ID).get("emails"))
			if len(e) != 1 || e[0].text("type") != "work" || e[0].text("primary") != "true" {
				t.Errorf("emails %v, want a primary one of type work", e)
			}
		})
	}
}

// The login is taken in another case, which one of the peers does not find by its filter.
func TestP3_TellsWhoHasTheLogin(t *testing.T) {
	onBoth(t, func(t *testing.T, p *peer) {
		id := p.make("/Users", zhang())
		_, err := p.open(Options{}).Create(t.Context(), linked.Wish{Login: "ZHANG.SAN", Number: "E-2"}, order)
		refusedAs(t, err, directory.AlreadyExists, "login")
		if e, _ := directoryError(err); e.Holder != id {
			t.Errorf("held by %q, want %q", e.Holder, id)
		}
	})
}

func TestFinds(t *testing.T) {
	for _, filters := range []Choice{"", No} {
		onBoth(t, func(t *testing.T, p *peer) {
			id := p.make("/Users", zhang())
			other := p.make("/Users", resource{
				"schemas": []any{schemaUser}, "userName": `o"neil \ sons`, "externalId": "E-2", "active": false,
				schemaEnterprise: resource{"employeeNumber": "77"},
			})
			s := p.open(Options{Filters: filters})
			for _, c := range []struct {
				number, login string
				want          []string
			}{
				{"E-1001", "nobody", []string{id}},
				{"E-1001", `o"neil \ sons`, []string{id}}, // the number goes first
				{"E-3", "zhang.san", []string{id}},
				{"", "zhang.san", []string{id}},
				{"", `o"neil \ sons`, []string{other}},
				{"e-1001", "nobody", nil}, // a number minds its case
				{"E-1", "zhang", nil},
				{"E-3", "nobody", nil},
			} {
				found, err := s.Find(t.Context(), c.number, c.login)
				if err != nil {
					t.Fatal(err)
				}
				var ids []string
				for _, a := range found {
					ids = append(ids, a.ID)
				}
				if !slices.Equal(ids, c.want) {
					t.Errorf("number %q, login %q: found %q, want %q", c.number, c.login, ids, c.want)
				}
			}
		})
	}
}

func TestUpdatesOnlyWhatIsDeclared(t *testing.T) {
	for _, way := range []Writes{Patch, PatchWithoutPath, Put} {
		t.Run(string(way), func(t *testing.T) {
			onBoth(t, func(t *testing.T, p *peer) {
				id := p.make("/Users", zhang())
				s := p.open(Options{Writes: way}, append(mapped, "name.middleName", "addresses.locality")[:7]...)
				w := linked.Wish{Login: "zhang.s", Attributes: map[string][]string{
					"displayName": {"Zhang S."}, "title": {}, "name.familyName": {"Zhāng"}, "emails": {"zhang.s@corp.example"}, department: {"Finance"},
				}}
				if err := s.Update(t.Context(), id, w, order); err != nil {
					t.Fatal(err)
				}
				got := p.user(id)
				for path, want := range map[string]any{
					"userName": "zhang.s", "displayName": "Zhang S.", "title": nil, "nickName": "Sanny", "externalId": "E-1001", "active": true,
				} {
					if got.get(path) != want {
						t.Errorf("%s is %v, want %v", path, got.get(path), want)
					}
				}
				if n := got.object("name"); n.text("familyName") != "Zhāng" || n.text("givenName") != "San" {
					t.Errorf("name %v", n)
				}
				if e := got.object(schemaEnterprise); e.text("department") != "Finance" || e.text("costCenter") != "4711" {
					t.Errorf("extension %v", e)
				}
				var emails []string
				for _, e := range entries(got.get("emails")) {
					emails = append(emails, fmt.Sprint(e.text("type"), " ", e.text("value"), " ", e.text("primary")))
				}
				slices.Sort(emails)
				if want := []string{"home zs@home.example ", "work zhang.s@corp.example true"}; !slices.Equal(emails, want) {
					t.Errorf("emails %q, want %q", emails, want)
				}
				p.recorded()
				if err := s.Update(t.Context(), id, w, order); err != nil {
					t.Fatal(err)
				}
				if again := writes(p.recorded()); len(again) > 0 {
					t.Errorf("wrote again what was there: %+v", again)
				}
			})
		})
	}
}

// P9: disabled is what is read back.
func TestP9_DisablesAndEnables(t *testing.T) {
	for _, way := range []Writes{Patch, PatchWithoutPath, Put} {
		t.Run(string(way), func(t *testing.T) {
			onBoth(t, func(t *testing.T, p *peer) {
				id := p.make("/Users", zhang())
				before := p.user(id)
				s := p.open(Options{Writes: way})
				for range 2 { // idempotent
					if err := s.Disable(t.Context(), id, order); err != nil {
						t.Fatal(err)
					}
				}
				if got := p.user(id).get("active"); got != false {
					t.Errorf("active is %v", got)
				}
				if a, err := s.Account(t.Context(), id); err != nil || a.Enabled || !a.Parked {
					t.Errorf("read %+v, %v", a, err)
				}
				for range 2 {
					if err := s.Enable(t.Context(), id, order); err != nil {
						t.Fatal(err)
					}
				}
				after := p.user(id)
				delete(before, "meta")
				delete(after, "meta")
				if !reflect.DeepEqual(before, after) {
					t.Errorf("there and back changed\n%v\nto\n%v", before, after)
				}
				refusedAs(t, s.Disable(t.Context(), "00000000", order), directory.NotFound)
			})
		})
	}
}

// P9: what Disable and Enable say that they saw was read after the write, and is what Account says: nobody reads it again.
func TestP9_TellsWhatItReadBack(t *testing.T) {
	for _, way := range []Writes{Patch, Put} {
		t.Run(string(way), func(t *testing.T) {
			onBoth(t, func(t *testing.T, p *peer) {
				id := p.make("/Users", zhang())
				seedGroups(p, id)
				s := p.open(Options{Writes: way}, "title")
				for _, do := range []func(context.Context, string, linked.Order) error{s.Disable, s.Enable} {
					var saw []linked.Account
					told := order
					told.Saw = func(a linked.Account) { saw = append(saw, a) }
					p.recorded()
					if err := do(t.Context(), id, told); err != nil {
						t.Fatal(err)
					}
					calls := p.recorded()
					wrote := slices.IndexFunc(calls, func(c call) bool { return c.method != http.MethodGet })
					if read := calls[wrote+1]; read.method != http.MethodGet || !strings.HasPrefix(read.path, "/Users/") {
						t.Errorf("after the write it calls %s %s", read.method, read.path)
					}
					if now, err := s.Account(t.Context(), id); err != nil || len(saw) != 1 || !reflect.DeepEqual(saw[0], now) {
						t.Errorf("saw %+v; it is %+v, %v", saw, now, err)
					}
				}
			})
		})
	}
}

// What is known of an account in part is not told of, and makes no failure of a change that was seen.
func TestTellsNothingOfGroupsThatItCannotRead(t *testing.T) {
	disabled := strings.Replace(account("1"), `"active":true`, `"active":false`, 1)
	p := stub(t, map[string]http.HandlerFunc{"PATCH /Users/1": says(204, ""), "GET /Users/1": says(200, disabled), "GET /Groups": says(500, "")})
	told := order
	told.Saw = func(a linked.Account) { t.Errorf("told of %+v", a) }
	if err := p.open(Options{Groups: Yes}).Disable(t.Context(), "1", told); err != nil {
		t.Error(err)
	}
}

// seedGroups makes five groups. The account is in three, in one of them twice where the
// peer lets it; colleagues are in all of them.
func seedGroups(p *peer, id string) (all []string) {
	for i := range 5 {
		members := []any{resource{"value": "colleague-1"}, resource{"value": "colleague-2"}}
		if i%2 == 0 {
			members = slices.Insert(members, 1, any(resource{"value": id}))
		}
		group := p.make("/Groups", resource{"schemas": []any{schemaGroup}, "displayName": fmt.Sprint("group ", i), "members": members})
		all = append(all, group)
	}
	_, _ = p.ask(http.MethodPatch, "/Groups/"+all[2], patchOf(operation{Op: "add", Path: "members", Value: []any{resource{"value": id}}}))
	return all
}

func TestTakesOutOfGroupsAndNobodyElse(t *testing.T) {
	for _, o := range []Options{{}, {Filters: No}, {Writes: PatchWithoutPath}, {Writes: Put, Groups: Yes}} {
		t.Run(fmt.Sprintf("%s filters=%s", o.Writes, o.Filters), func(t *testing.T) {
			onBoth(t, func(t *testing.T, p *peer) {
				person := zhang()
				person["active"] = false
				id := p.make("/Users", person)
				all := seedGroups(p, id)
				s := p.open(o)
				left, err := s.Residuals(t.Context(), id, false)
				want := []string{"a membership in the group " + all[0], "a membership in the group " + all[2], "a membership in the group " + all[4]}
				slices.Sort(want)
				if err != nil || !slices.Equal(left, want) {
					t.Errorf("residuals %q, %v; want %q", left, err, want)
				}
				if a, err := s.Account(t.Context(), id); err != nil || a.Parked || len(a.Groups) != 3 {
					t.Errorf("read %+v, %v; want it in three groups and not parked", a, err)
				}
				p.recorded()
				for range 2 {
					if err := s.Unlink(t.Context(), id, order); err != nil {
						t.Fatal(err)
					}
				}
				calls := writes(p.recorded())
				if len(calls) != 3 {
					t.Errorf("%d writes for three groups", len(calls))
				}
				for _, c := range calls {
					if strings.Contains(c.body, `"path":"members"`) || c.method == http.MethodPatch && !strings.Contains(c.body, `members[value eq \"`+id+`\"]`) {
						t.Errorf("a removal that could mean everybody: %s", c.body)
					}
				}
				for i, group := range all {
					if m := p.members(group); !slices.Equal(m, []string{"colleague-1", "colleague-2"}) {
						t.Errorf("group %d has %q afterwards", i, m)
					}
				}
				if left, err := s.Residuals(t.Context(), id, false); err != nil || left != nil {
					t.Errorf("residuals %q, %v", left, err)
				}
				if a, err := s.Account(t.Context(), id); err != nil || !a.Parked {
					t.Errorf("read %+v, %v; want it parked", a, err)
				}
			})
		})
	}
}

// Groups are found by a filter only once it was seen to work: then one call does.
func TestLearnsTheFilterOfMembers(t *testing.T) {
	onBoth(t, func(t *testing.T, p *peer) {
		id := p.make("/Users", zhang())
		seedGroups(p, id)
		s := p.open(Options{})
		for i := range 2 {
			p.recorded()
			if left, err := s.Residuals(t.Context(), id, false); err != nil || len(left) != 4 {
				t.Fatalf("residuals %q, %v", left, err)
			}
			calls := p.recorded()
			last := calls[len(calls)-1]
			if i == 1 && (len(calls) != 2 || !strings.Contains(last.query, "filter=members")) {
				t.Errorf("%d calls, the last %s?%s", len(calls), last.path, last.query)
			}
		}
	})
}

// A group by PUT is a list of members that may be cut short: only who declares it gets it.
func TestDoesNotPutGroupsUnasked(t *testing.T) {
	onBothLimited(t, limits{noPatch: true}, func(t *testing.T, p *peer) {
		id := p.make("/Users", zhang())
		all := seedGroups(p, id)
		s := p.open(Options{})
		refusedAs(t, s.Unlink(t.Context(), id, order), directory.NotSupported, "by hand")
		if !slices.Contains(p.members(all[0]), id) {
			t.Error("taken out all the same")
		}
	})
}

func TestDeletes(t *testing.T) {
	onBoth(t, func(t *testing.T, p *peer) {
		id := p.make("/Users", zhang())
		s := p.open(Options{})
		left, err := s.Residuals(t.Context(), id, true)
		if err != nil || !slices.Equal(left, []string{"the account is enabled"}) {
			t.Errorf("residuals %q, %v", left, err)
		}
		if err := s.Disable(t.Context(), id, order); err != nil {
			t.Fatal(err)
		}
		left, err = s.Residuals(t.Context(), id, true)
		if err != nil || !slices.Equal(left, []string{"the account is still there, disabled"}) {
			t.Errorf("residuals %q, %v", left, err)
		}
		if err := s.Delete(t.Context(), id, order); err != nil {
			t.Fatal(err)
		}
		if status, _ := p.ask(http.MethodGet, "/Users/"+id, nil); status != http.StatusNotFound {
			t.Errorf("the peer answers %d", status)
		}
		refusedAs(t, s.Delete(t.Context(), id, order), directory.NotFound)
		_, err = s.Account(t.Context(), id)
		refusedAs(t, err, directory.NotFound)
		refusedAs(t, s.Unlink(t.Context(), id, order), directory.NotFound)
		if left, err := s.Residuals(t.Context(), id, true); err != nil || left != nil {
			t.Errorf("residuals %q, %v", left, err)
		}
	})
}

// One peer caps pages, and one answers a page beyond the end with the first one again.
func TestListsEverybodyOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, p *peer) {
		want := map[string]bool{}
		for i := range 107 {
			id := p.make("/Users", resource{"schemas": []any{schemaUser}, "userName": fmt.Sprint("user", i), "active": i%2 == 0})
			want[id] = i%2 == 0
		}
		for _, size := range []int{100, 50, 7, 107} {
			got := map[string]bool{}
			err := p.open(Options{PageSize: size}).List(t.Context(), func(a linked.Account) error {
				if _, twice := got[a.ID]; twice {
					t.Errorf("%s twice", a.Login)
				}
				got[a.ID] = a.Enabled
				if a.Parked {
					t.Errorf("%s counts as parked, and nobody has looked which groups it is in", a.Login)
				}
				return nil
			})
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("pages of %d: %d of %d accounts, %v", size, len(got), len(want), err)
			}
		}
	})
}

// P3: the answer to a creation is lost. It is unknown, and Find knows.
func TestP3_LostAnswerIsLookedUp(t *testing.T) {
	onBoth(t, func(t *testing.T, p *peer) {
		s := p.open(Options{})
		p.failing(func(w http.ResponseWriter, r *http.Request, forward http.Handler) bool {
			if r.Method != http.MethodPost {
				return false
			}
			forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler) // the connection is cut
		})
		w := linked.Wish{Login: "zhang.san", Number: "E-1001"}
		_, err := s.Create(t.Context(), w, order)
		refusedAs(t, err, directory.OutcomeUnknown)
		if posts := writes(p.recorded()); len(posts) != 1 {
			t.Errorf("%d creations", len(posts))
		}
		p.failing(nil)
		found, err := s.Find(t.Context(), w.Number, w.Login)
		if err != nil || len(found) != 1 || found[0].Login != w.Login {
			t.Fatalf("found %+v, %v", found, err)
		}
		_, err = s.Create(t.Context(), w, order)
		refusedAs(t, err, directory.AlreadyExists)
	})
}

// Weather before a peer: throttling with both kinds of Retry-After, and 5xx.
func TestWeather(t *testing.T) {
	onBoth(t, func(t *testing.T, p *peer) {
		id := p.make("/Users", zhang())
		s := p.open(Options{})
		s.known(t.Context())
		for _, c := range []struct {
			status      int
			retry       string
			read, write directory.Class
			pause       time.Duration
		}{
			{429, "7", directory.RateLimited, directory.RateLimited, 7 * time.Second},
			{429, now.Add(90 * time.Second).Format(http.TimeFormat), directory.RateLimited, directory.RateLimited, 90 * time.Second},
			{429, "", directory.RateLimited, directory.RateLimited, 0},
			{503, "30", directory.Unavailable, directory.OutcomeUnknown, 30 * time.Second},
			{500, "", directory.Unavailable, directory.OutcomeUnknown, -1},
			{502, "soon", directory.Unavailable, directory.OutcomeUnknown, -1},
		} {
			s = p.open(Options{}) // its breaker is its own
			p.failing(nil)
			s.known(t.Context())
			p.told = nil
			p.failing(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
				if c.retry != "" {
					w.Header().Set("Retry-After", c.retry)
				}
				w.WriteHeader(c.status)
				return true
			})
			_, err := s.read(t.Context(), id)
			refusedAs(t, err, c.read)
			if got := directory.RetryAfter(err); got != max(0, c.pause) {
				t.Errorf("%d %q: try again after %s", c.status, c.retry, got)
			}
			if want := (throttle{"users/get", c.pause}); c.pause >= 0 && !slices.Contains(p.told, want) || c.pause < 0 && len(p.told) > 0 {
				t.Errorf("%d %q: told %v, want %v", c.status, c.retry, p.told, want)
			}
			refusedAs(t, s.Disable(t.Context(), id, order), c.write)
		}
		p.failing(nil)
		if err := s.Disable(t.Context(), id, order); err != nil {
			t.Errorf("fair again: %v", err)
		}
	})
}

// All methods are safe for concurrent use; what is learned is learned by whoever comes first.
func TestTogether(t *testing.T) {
	p := tap(t, "elimity", makers["elimity"](t, limits{}))
	s := p.open(Options{}, "title")
	var together sync.WaitGroup
	var ids []string
	for i := range 8 {
		ids = append(ids, p.make("/Users", resource{"schemas": []any{schemaUser}, "userName": fmt.Sprint("user", i), "active": true}))
	}
	seedGroups(p, ids[0])
	for _, id := range ids {
		together.Go(func() {
			err := errors.Join(s.Update(t.Context(), id, linked.Wish{Attributes: map[string][]string{"title": {"x"}}}, order), s.Disable(t.Context(), id, order),
				s.Unlink(t.Context(), id, order), s.List(t.Context(), func(linked.Account) error { return nil }))
			left, residualErr := s.Residuals(t.Context(), id, false)
			if err = errors.Join(err, residualErr); err != nil || left != nil {
				t.Errorf("%q, %v", left, err)
			}
		})
	}
	together.Wait()
}
