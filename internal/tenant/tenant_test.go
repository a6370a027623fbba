package tenant_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/httpx"
	"rollcall.dev/rollcall/internal/mirror"
	"rollcall.dev/rollcall/internal/tenant"
)

func capabilities() directory.Capabilities {
	return directory.Capabilities{
		Platform: "Open", Reads: directory.AllFields, Writes: directory.AllFields,
		DepartmentWrites: directory.DepartmentName | directory.DepartmentParent, ChoosesDepartmentID: true, RootDepartment: "1",
	}
}

// diary is what tenants told the controllers.
type diary struct {
	mu        sync.Mutex
	refreshed []refreshed
	ended     []string
}

type refreshed struct {
	tenant  string
	at      time.Time
	changes mirror.Changes
	err     error
}

func (d *diary) Refreshed(name string, c mirror.Changes, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refreshed = append(d.refreshed, refreshed{name, time.Now(), c, err})
}

func (d *diary) Ended(name, key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = append(d.ended, name+" "+key)
}

// readings returns what was told since the last time.
func (d *diary) readings() []refreshed {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.refreshed
	d.refreshed = nil
	return all
}

// house is one running tenant in a bubble of fake time.
type house struct {
	*testing.T
	*directorytest.Fake
	*diary
	tenant *tenant.Tenant
}

const interval = 10 * time.Minute

// inHouse runs a tenant whose first readings meet the faults.
func inHouse(t *testing.T, prepare func(*directorytest.Fake), f func(*house)) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{T: t, Fake: directorytest.NewFake(capabilities()), diary: &diary{}}
		if prepare != nil {
			prepare(h.Fake)
		}
		h.tenant = tenant.New("acme/wecom", h.Fake, httpx.NewBudget(httpx.Limits{}, nil, nil), interval, time.Now, h.diary)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); h.tenant.Run(ctx) }()
		defer func() { cancel(); <-done }()
		synctest.Wait()
		f(h)
	})
}

// pass lets time go by and everything that is due happen.
func (h *house) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestFirstReading(t *testing.T) {
	inHouse(t, nil, func(h *house) {
		all := h.readings()
		if len(all) != 1 || all[0].err != nil || !all[0].changes.First || all[0].tenant != "acme/wecom" {
			h.Errorf("told %+v", all)
		}
		if s := h.tenant.Mirror.State(); !s.Complete() || s.Accounts != 1 {
			h.Errorf("mirror %+v", s)
		}
		if h.Count("Check") != 1 {
			h.Errorf("calls %v", h.Calls())
		}
	})
}

func TestCredentialsAreCheckedBeforeTheFirstReading(t *testing.T) {
	rejected := directorytest.Refused(directory.Unauthenticated)
	inHouse(t, func(f *directorytest.Fake) { f.Next("Check", rejected, rejected) }, func(h *house) {
		all := h.readings()
		if len(all) != 1 || directory.ClassOf(all[0].err) != directory.Unauthenticated || h.Count("List") > 0 {
			h.Errorf("told %+v, calls %v", all, h.Calls())
		}
		if s := h.tenant.Mirror.State(); s.Err == nil || s.Listed {
			h.Errorf("mirror %+v", s)
		}
		h.pass(2 * time.Second)
		h.pass(4 * time.Second)
		if s := h.tenant.Mirror.State(); s.Err != nil || !s.Listed || h.Count("Check") != 3 {
			h.Errorf("mirror %+v, calls %v", s, h.Calls())
		}
		h.tenant.Poke()
		synctest.Wait()
		if h.Count("Check") != 3 || h.Count("List") != 2 {
			h.Errorf("a check before every reading: %v", h.Calls())
		}
	})
}

func TestFailedReadingsBackOff(t *testing.T) {
	down := directorytest.Refused(directory.Unavailable)
	inHouse(t, func(f *directorytest.Fake) { f.Every("List", down) }, func(h *house) {
		for _, wait := range []int{2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600} {
			if all := h.readings(); len(all) != 1 || all[0].err == nil {
				h.Fatalf("told %+v", all)
			}
			h.pass(time.Duration(wait)*time.Second - time.Millisecond)
			if all := h.readings(); len(all) > 0 {
				h.Fatalf("tried again before %d s", wait)
			}
			h.pass(time.Millisecond)
		}
		h.Every("List", directorytest.Fault{})
		h.readings()
		h.pass(interval)
		if all := h.readings(); len(all) != 1 || all[0].err != nil || !all[0].changes.First {
			h.Fatalf("after it came back: %+v", all)
		}
		h.Every("List", down)
		h.tenant.Poke()
		synctest.Wait()
		h.readings()
		if h.pass(2 * time.Second); len(h.readings()) != 1 {
			h.Error("a success did not end the backoff")
		}
	})
}

func TestThePlatformsOwnPauseIsKept(t *testing.T) {
	limited := directorytest.Fault{Err: &directory.Error{Class: directory.RateLimited, Operation: "list", Message: "slower", RetryAfter: time.Hour}}
	inHouse(t, func(f *directorytest.Fake) { f.Next("List", limited) }, func(h *house) {
		h.readings()
		h.pass(time.Hour - time.Millisecond)
		if all := h.readings(); len(all) > 0 {
			h.Errorf("tried again at %v", all)
		}
		if h.pass(time.Millisecond); len(h.readings()) != 1 {
			h.Error("not tried again")
		}
	})
}

func TestP13IdleIsFree(t *testing.T) {
	inHouse(t, nil, func(h *house) {
		h.readings()
		first := len(h.Calls())
		h.pass(100 * interval)
		all := h.readings()
		if n := len(all); n < 91 || n > 111 {
			h.Errorf("%d readings in 100 intervals", n)
		}
		if h.Count("List")-1 != len(all) || len(h.Calls())-first != len(all) {
			h.Errorf("idle, and it calls %d times for %d readings", len(h.Calls())-first, len(all))
		}
		even := true
		for i, r := range all {
			if r.err != nil || r.changes.First || len(r.changes.Accounts)+len(r.changes.Departments) > 0 {
				h.Fatalf("told %+v", r)
			}
			if i > 0 {
				gap := r.at.Sub(all[i-1].at)
				if gap < interval*9/10 || gap > interval*11/10 {
					h.Fatalf("read after %s", gap)
				}
				even = even && gap == interval
			}
		}
		if even {
			h.Error("tenants that start together read together for ever")
		}
	})
}

func TestReadingsGoBehindEverythingElse(t *testing.T) {
	var priority httpx.Priority
	look := directorytest.Fault{Before: func(ctx context.Context) { priority = httpx.PriorityFrom(ctx) }}
	priority = httpx.Freeze
	inHouse(t, func(f *directorytest.Fake) { f.Next("List", look) }, func(h *house) {
		if priority != httpx.Sweep {
			h.Errorf("reads with priority %s", priority)
		}
	})
}

func TestPoke(t *testing.T) {
	inHouse(t, nil, func(h *house) {
		h.readings()
		for range 5 {
			h.tenant.Poke()
		}
		synctest.Wait()
		if n := len(h.readings()); n < 1 || n > 2 {
			h.Errorf("poked, and it read %d times", n)
		}
		h.Place(directory.Account{ID: "E1", Type: directory.Ordinary, State: directory.Active})
		h.tenant.Poke()
		synctest.Wait()
		if all := h.readings(); len(all) != 1 || len(all[0].changes.Accounts) != 1 || all[0].changes.Accounts[0] != "E1" {
			h.Errorf("told %+v", all)
		}
	})
}

func TestSetInterval(t *testing.T) {
	inHouse(t, nil, func(h *house) {
		h.readings()
		h.tenant.SetInterval(interval)
		synctest.Wait()
		if len(h.readings()) > 0 {
			h.Error("P13: nothing changed, and it reads")
		}
		h.tenant.SetInterval(time.Minute)
		synctest.Wait()
		h.readings()
		if h.pass(66 * time.Second); len(h.readings()) != 1 {
			h.Error("the new interval is not kept")
		}
	})
}

func TestTheLaneTellsWhenTasksEnd(t *testing.T) {
	inHouse(t, nil, func(h *house) {
		h.tenant.Lane.Offer("employee/ann", execute.Task{Digest: "1", Run: func(context.Context) execute.Outcome { return execute.Outcome{} }})
		synctest.Wait()
		if len(h.ended) != 1 || h.ended[0] != "acme/wecom employee/ann" {
			h.Errorf("ended %v", h.ended)
		}
	})
}

func TestAnEndingTenantTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, d := directorytest.NewFake(capabilities()), &diary{}
		f.Every("List", directorytest.Fault{Before: func(ctx context.Context) { <-ctx.Done() }})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		tn := tenant.New("acme/wecom", f, nil, interval, time.Now, d)
		go func() { defer close(done); tn.Run(ctx) }()
		synctest.Wait()
		cancel()
		<-done
		if all := d.readings(); len(all) > 0 {
			t.Errorf("told %+v", all)
		}
	})
}

func spec() tenant.Spec {
	return tenant.Spec{
		Descriptor: directory.Descriptor{Platform: "Open", OperationsPerSecond: 20, New: func(s directory.Settings) (directory.Directory, error) {
			if s.Tenant == "" {
				return nil, &directory.Error{Class: directory.Invalid, Operation: "settings", Message: "corpID is missing"}
			}
			return directorytest.NewFake(capabilities()), nil
		}},
		Settings: directory.Settings{Tenant: "corp", Secrets: map[string][]byte{"secret": []byte("one")}},
		Interval: interval,
	}
}

func TestFingerprint(t *testing.T) {
	same := spec()
	same.Interval, same.PerSecond, same.Descriptor.OperationsPerSecond = time.Hour, 7, 9
	if same.Fingerprint() != spec().Fingerprint() {
		t.Error("a pace is no reason to open a tenant anew")
	}
	for name, change := range map[string]func(*tenant.Spec){
		"platform":  func(s *tenant.Spec) { s.Descriptor.Platform = "Closed" },
		"tenant":    func(s *tenant.Spec) { s.Settings.Tenant = "other" },
		"endpoint":  func(s *tenant.Spec) { s.Settings.Endpoint = "http://127.0.0.1" },
		"legacy":    func(s *tenant.Spec) { s.Settings.LegacyEndpoint = "http://127.0.0.1" },
		"attribute": func(s *tenant.Spec) { s.Settings.NumberAttribute = "工号" },
		"secret":    func(s *tenant.Spec) { s.Settings.Secrets = map[string][]byte{"secret": []byte("two")} },
		"CA":        func(s *tenant.Spec) { s.CABundle = "pem" },
		"epoch":     func(s *tenant.Spec) { s.Epoch = "2" },
	} {
		s := spec()
		if change(&s); s.Fingerprint() == spec().Fingerprint() {
			t.Errorf("another %s, and the fingerprint is the same", name)
		}
	}
}

func TestOpen(t *testing.T) {
	var got directory.Settings
	s := spec()
	s.Descriptor.New = func(settings directory.Settings) (directory.Directory, error) {
		got = settings
		return directorytest.NewFake(capabilities()), nil
	}
	seen := &observer{}
	tn, err := tenant.Open("acme/wecom", s, seen, time.Now, &diary{})
	if err != nil || tn.Name != "acme/wecom" || tn.Directory == nil || tn.Mirror == nil || tn.Lane == nil || tn.Budget == nil {
		t.Fatalf("opened %+v, %v", tn, err)
	}
	if got.Tenant != "corp" || got.HTTP == nil || got.Now == nil {
		t.Errorf("settings %+v", got)
	}
	got.Answered("user/get", directory.NotFound)
	got.Throttled("user/get", time.Second)
	if seen.answered != "user/get NotFound" || seen.throttled != "user/get" {
		t.Errorf("the observer was told %+v", seen)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tn.Run(ended)

	bad := spec()
	bad.CABundle = "no PEM"
	if _, err := tenant.Open("acme/wecom", bad, nil, time.Now, &diary{}); err == nil {
		t.Error("a CA bundle that is none was taken")
	}
	bad = spec()
	bad.Settings.Tenant = ""
	if _, err := tenant.Open("acme/wecom", bad, nil, time.Now, &diary{}); directory.ClassOf(err) != directory.Invalid {
		t.Errorf("incomplete settings: %v", err)
	}
}

type observer struct{ answered, throttled string }

func (*observer) Called(httpx.Call)                             {}
func (o *observer) Answered(operation, class string)            { o.answered = operation + " " + class }
func (o *observer) Throttled(operation string, _ time.Duration) { o.throttled = operation }
func (*observer) Opened(bool)                                   {}

// An unchanged pace costs nothing; another interval begins at once.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := spec()
		tn, err := tenant.Open("acme/wecom", s, nil, time.Now, &diary{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); tn.Run(ctx) }()
		defer func() { cancel(); <-done }()
		synctest.Wait()
		before := len(tn.Directory.(*directorytest.Fake).Calls())
		tn.Pace(s)
		synctest.Wait()
		if len(tn.Directory.(*directorytest.Fake).Calls()) != before {
			t.Error("P13: the same pace, and it reads")
		}
		s.Interval = time.Minute
		tn.Pace(s)
		synctest.Wait()
		if len(tn.Directory.(*directorytest.Fake).Calls()) != before+1 {
			t.Error("another interval does not begin now")
		}
	})
}
