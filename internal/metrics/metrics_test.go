package metrics_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
	"rollcall.dev/rollcall/internal/httpx"
	"rollcall.dev/rollcall/internal/metrics"
	"rollcall.dev/rollcall/internal/mirror"
	"rollcall.dev/rollcall/internal/plan"
	"rollcall.dev/rollcall/internal/tenant"
)

var wecom = types.NamespacedName{Namespace: "acme", Name: "wecom"}

// bench is a registry with a clock.
type bench struct {
	*testing.T
	*metrics.Metrics
	registry *prometheus.Registry
	at       time.Time
}

func open(t *testing.T) *bench {
	b := &bench{T: t, registry: prometheus.NewPedanticRegistry(), at: time.Unix(1000, 0)}
	b.Metrics = metrics.New(b.registry, func() time.Time { return b.at })
	return b
}

// series is every series as "name{label=value,…}" with its value: of a
// histogram its count.
func (b *bench) series() map[string]float64 {
	b.Helper()
	families, err := b.registry.Gather()
	if err != nil {
		b.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			value := float64(m.GetHistogram().GetSampleCount()) + m.GetCounter().GetValue() + m.GetGauge().GetValue() // it is one of them
			all[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = value
		}
	}
	return all
}

func (b *bench) has(series string, want float64) {
	b.Helper()
	all := b.series()
	if got, ok := all[series]; !ok || got != want {
		b.Errorf("%s is %v, want %v; there are %v", series, got, want, all)
	}
}

// house is a tenant that is not run: its mirror is filled by hand.
func house(t *testing.T, now func() time.Time) (*tenant.Tenant, *directorytest.Fake) {
	t.Helper()
	c := directory.Capabilities{Platform: "Open", Reads: directory.AllFields, RootDepartment: "1"}
	f := directorytest.NewFake(c)
	tn := tenant.New(wecom.String(), f, httpx.NewBudget(httpx.Limits{}, nil, nil), time.Minute, now, deaf{})
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		tn.Run(ended)
	})
	return tn, f
}

type deaf struct{}

func (deaf) Refreshed(string, mirror.Changes, error) {}
func (deaf) Ended(string, string)                    {}

func TestCalls(t *testing.T) {
	b := open(t)
	o := b.Observer(wecom)
	o.Called(httpx.Call{Operation: "user/get", Priority: httpx.Edit, Outcome: httpx.OutcomeAnswered, Status: 200, Duration: time.Second, Wait: time.Millisecond})
	o.Called(httpx.Call{Operation: "user/get", Priority: httpx.Sweep, Outcome: httpx.OutcomeNotSent})
	o.Answered("user/get", "")
	o.Answered("user/get", string(directory.NotFound))
	o.Throttled("user/get", time.Second)
	o.Throttled("", time.Second)
	o.Opened(true)
	b.has("rollcall_platform_calls_total{account=wecom,namespace=acme,operation=user/get,outcome=answered,status=200}", 1)
	b.has("rollcall_platform_calls_total{account=wecom,namespace=acme,operation=user/get,outcome=not_sent,status=}", 1)
	b.has("rollcall_platform_call_seconds{account=wecom,namespace=acme,operation=user/get}", 2)
	b.has("rollcall_platform_wait_seconds{account=wecom,namespace=acme,priority=edit}", 1)
	b.has("rollcall_platform_wait_seconds{account=wecom,namespace=acme,priority=sweep}", 1)
	b.has("rollcall_platform_answers_total{account=wecom,class=OK,namespace=acme,operation=user/get}", 1)
	b.has("rollcall_platform_answers_total{account=wecom,class=NotFound,namespace=acme,operation=user/get}", 1)
	b.has("rollcall_platform_throttled_total{account=wecom,namespace=acme,operation=user/get}", 1)
	b.has("rollcall_platform_throttled_total{account=wecom,namespace=acme,operation=}", 1)
	b.has("rollcall_platform_unavailable{account=wecom,namespace=acme}", 1)
	o.Opened(false)
	b.has("rollcall_platform_unavailable{account=wecom,namespace=acme}", 0)
}

func TestChangesAndDrift(t *testing.T) {
	b := open(t)
	b.Changed(wecom, plan.Freeze)
	b.Changed(wecom, plan.Freeze)
	b.Drifted(wecom)
	b.has("rollcall_account_changes_total{account=wecom,action=Freeze,namespace=acme}", 2)
	b.has("rollcall_drift_found_total{account=wecom,namespace=acme}", 1)
}

func count(n int32) *int32 { return &n }

func TestPeople(t *testing.T) {
	b := open(t)
	tn, _ := house(t, time.Now)
	b.People(wecom, tn, &v1alpha1.PeopleCount{
		Declared: count(7), Managed: count(6), Unmanaged: count(5), Differing: count(4), Frozen: count(3), Invited: count(2), Vanished: count(1),
	})
	for i, kind := range []string{"vanished", "invited", "frozen", "differing", "unmanaged", "managed", "declared"} {
		b.has("rollcall_people{account=wecom,kind="+kind+",namespace=acme}", float64(i+1))
	}
	b.People(wecom, tn, &v1alpha1.PeopleCount{Declared: count(8)})
	b.has("rollcall_people{account=wecom,kind=declared,namespace=acme}", 8)
	b.has("rollcall_people{account=wecom,kind=managed,namespace=acme}", 6)
}

func TestMirrorAge(t *testing.T) {
	const age = "rollcall_mirror_age_seconds{account=wecom,namespace=acme}"
	b := open(t)
	tn, f := house(t, func() time.Time { return b.at })
	b.People(wecom, tn, &v1alpha1.PeopleCount{})
	if _, there := b.series()[age]; there {
		t.Error("a mirror that was never filled has an age")
	}
	if _, err := tn.Mirror.Refresh(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	b.has(age, 0)
	b.at = b.at.Add(90 * time.Second)
	b.has(age, 90)
	f.Next("List", directorytest.Refused(directory.Unavailable))
	if _, err := tn.Mirror.Refresh(t.Context(), f); err == nil {
		t.Fatal("the listing did not fail")
	}
	b.has(age, 90) // what failed makes nothing younger
	if _, err := tn.Mirror.Refresh(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	b.has(age, 0)
	// An account that is made anew has another mirror.
	again, _ := house(t, func() time.Time { return b.at })
	b.People(wecom, again, &v1alpha1.PeopleCount{})
	if _, there := b.series()[age]; there {
		t.Error("the age of a mirror that nobody keeps")
	}
}

func TestForget(t *testing.T) {
	b := open(t)
	tn, f := house(t, func() time.Time { return b.at })
	if _, err := tn.Mirror.Refresh(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	dingtalk := types.NamespacedName{Namespace: "acme", Name: "dingtalk"}
	for _, name := range []types.NamespacedName{wecom, dingtalk} {
		b.People(name, tn, &v1alpha1.PeopleCount{Declared: count(7)})
		b.Observer(name).Opened(true)
		b.Changed(name, plan.Create)
	}
	b.Forget(wecom)
	var left []string
	for s := range b.series() {
		left = append(left, s)
	}
	slices.Sort(left)
	want := []string{
		"rollcall_account_changes_total{account=dingtalk,action=Create,namespace=acme}",
		"rollcall_account_changes_total{account=wecom,action=Create,namespace=acme}", // a counter counts on
		"rollcall_mirror_age_seconds{account=dingtalk,namespace=acme}",
		"rollcall_people{account=dingtalk,kind=declared,namespace=acme}",
		"rollcall_platform_unavailable{account=dingtalk,namespace=acme}",
	}
	if !slices.Equal(left, want) {
		t.Errorf("left are %v", left)
	}
}

func TestReviews(t *testing.T) {
	b := open(t)
	reviewers := types.NamespacedName{Namespace: "acme", Name: "reviewers"}
	b.Reviewed(reviewers, true)
	b.has("rollcall_review_overdue{binding=reviewers,namespace=acme}", 1)
	b.Reviewed(reviewers, false)
	b.has("rollcall_review_overdue{binding=reviewers,namespace=acme}", 0)
	b.ForgetBinding(reviewers)
	if all := b.series(); len(all) != 0 {
		t.Errorf("left are %v", all)
	}
}

// TestP12NoLabelNamesAPerson: the labels are a closed list, and a call that is
// made about a person leaves nothing of them, whatever its address and fate.
func TestP12NoLabelNamesAPerson(t *testing.T) {
	b := open(t)
	personal := []string{"liuruyan", "柳如烟", "13800550001", "liu@example.com", "E0001"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "E0001") {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, `{"errcode":60104,"errmsg":"mobile existed:liuruyan"}`)
	}))
	defer server.Close()
	budget := httpx.NewBudget(httpx.Limits{}, nil, b.Observer(wecom))
	c, err := httpx.Client(httpx.Options{Budget: budget})
	if err != nil {
		t.Fatal(err)
	}
	for _, ctx := range []context.Context{t.Context(), httpx.WithOperation(t.Context(), "user/get")} {
		for _, at := range []string{server.URL, "http://127.0.0.1:1"} {
			url := at + "/v1.0/users/E0001/13800550001?userid=liuruyan&email=liu@example.com&name=柳如烟"
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if res, err := c.Do(req); err == nil {
				res.Body.Close()
			}
		}
	}
	tn, _ := house(t, time.Now)
	b.People(wecom, tn, &v1alpha1.PeopleCount{Declared: count(1)})
	b.Changed(wecom, plan.Create)
	b.Drifted(wecom)
	budget.Throttled("user/get", time.Second)
	budget.Answered("user/get", string(directory.Conflict))

	allowed := []string{"namespace", "account", "operation", "outcome", "status", "priority", "class", "kind", "action"}
	families, err := b.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == "rollcall_platform_calls_total" {
				calls++
			}
			for _, l := range m.Label {
				if !slices.Contains(allowed, l.GetName()) {
					t.Errorf("%s has the label %s: can it hold a person's data?", f.GetName(), l.GetName())
				}
				for _, word := range personal {
					if strings.Contains(l.GetValue(), word) {
						t.Errorf("%s{%s=%s} names a person", f.GetName(), l.GetName(), l.GetValue())
					}
				}
			}
		}
	}
	if calls < 4 {
		t.Errorf("only %d kinds of calls were counted", calls)
	}
}

func TestOverdue(t *testing.T) {
	const backup, handOver = "rollcall_offboardings_overdue{account=wecom,namespace=acme,step=Backup}", "rollcall_offboardings_overdue{account=wecom,namespace=acme,step=HandOver}"
	b := open(t)
	one, other := types.NamespacedName{Namespace: "acme", Name: "li-na"}, types.NamespacedName{Namespace: "acme", Name: "wang-fang"}
	at := func(s v1alpha1.OffboardingStepName) map[string]v1alpha1.OffboardingStepName {
		return map[string]v1alpha1.OffboardingStepName{"wecom": s}
	}
	b.Overdue(one, at("Backup"))
	b.Overdue(one, at("Backup")) // it is looked at again
	b.has(backup, 1)
	b.Overdue(other, at("Backup"))
	b.has(backup, 2)
	b.Overdue(one, at("HandOver"))
	b.has(backup, 1)
	b.has(handOver, 1)
	b.Overdue(one, nil)
	b.Overdue(other, nil)
	for _, s := range []string{backup, handOver} {
		if n, there := b.series()[s]; there {
			t.Errorf("%s is %v when nobody is late", s, n)
		}
	}
}
