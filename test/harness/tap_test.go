package harness

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// victim counts how often it was killed.
type victim struct{ killed int }

func (v *victim) Kill() { v.killed++ }

// tapped is a platform that remembers what reached it, and a tap before it.
func tapped(t *testing.T) (tap *Tap, ask func(path string) error, reached func() []string) {
	t.Helper()
	var mu sync.Mutex
	var paths []string
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		paths = append(paths, r.URL.Path)
		w.Header().Set("X-Was", r.URL.Path)
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "done")
	}))
	t.Cleanup(platform.Close)
	tap = &Tap{counts: map[string]int{}}
	t.Cleanup(tap.Stop)
	address, err := tap.Platform(t.Context(), platform.URL)
	if err != nil {
		t.Fatal(err)
	}
	ask = func(path string) error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+path, strings.NewReader("body"))
		if err != nil {
			return err
		}
		reply, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = reply.Body.Close() }()
		text, err := io.ReadAll(reply.Body)
		if err != nil || reply.StatusCode != http.StatusTeapot || string(text) != "done" || reply.Header.Get("X-Was") != path {
			return fmt.Errorf("status %d, %q: %w", reply.StatusCode, text, err)
		}
		return nil
	}
	return tap, ask, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(paths)
	}
}

func TestTapKillsBeforeAndAfter(t *testing.T) {
	for _, after := range []bool{false, true} {
		moment := Moment{What: "POST /user/delete", Nth: 2, After: after}
		t.Run(moment.String(), func(t *testing.T) {
			tap, ask, reached := tapped(t)
			if err := ask("/user/delete"); err != nil {
				t.Fatal(err)
			}
			v := &victim{}
			struck := tap.Kill(moment, v) // what was before does not count
			for _, path := range []string{"/user/delete", "/user/get"} {
				if err := ask(path); err != nil || v.killed != 0 {
					t.Fatalf("%s: %v, killed %d times", path, err, v.killed)
				}
			}
			if err := ask("/user/delete"); err == nil {
				t.Error("the dead was answered")
			}
			<-struck
			if err := ask("/user/get"); err == nil {
				t.Error("the dead was answered later")
			}
			if v.killed != 1 {
				t.Errorf("killed %d times", v.killed)
			}
			want := []string{"/user/delete", "/user/delete", "/user/get"}
			if after {
				want = append(want, "/user/delete")
			}
			if got := reached(); !slices.Equal(got, want) {
				t.Errorf("reached the platform: %v, want %v", got, want)
			}
			tap.Reset()
			if err := ask("/user/get"); err != nil {
				t.Errorf("after Reset: %v", err)
			}
		})
	}
}

func TestTapPauses(t *testing.T) {
	tap, ask, reached := tapped(t)
	var seen []string
	struck := tap.Pause(Moment{Nth: 2}, func() { seen = reached() })
	for _, path := range []string{"/a", "/b", "/c"} {
		if err := ask(path); err != nil {
			t.Fatal(err)
		}
	}
	<-struck
	if !slices.Equal(seen, []string{"/a"}) || !slices.Equal(reached(), []string{"/a", "/b", "/c"}) {
		t.Errorf("paused after %v, reached %v", seen, reached())
	}
	var events []string
	for _, e := range tap.Events() {
		events = append(events, e.What)
	}
	if !slices.Equal(events, []string{"POST /a", "POST /b", "POST /c"}) {
		t.Errorf("events: %v", events)
	}
}

// A client behind the tap is whom its kubeconfig says, its watches are answered as they come, and only its writes are events.
func TestTapBeforeTheAPIServer(t *testing.T) {
	ctx := deadline(t, 2*time.Minute)
	cp, err := StartControlPlane(ctx, Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cp.Stop)
	tap, err := cp.StartTap(ctx, cp.admin, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tap.Stop)
	config, err := clientcmd.BuildConfigFromFlags("", tap.KubeconfigPath())
	if err != nil {
		t.Fatal(err)
	}
	maps := kubernetes.NewForConfigOrDie(config).CoreV1().ConfigMaps(metav1.NamespaceDefault)
	watch, err := maps.Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	create := func(ctx context.Context, name string) error {
		_, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		return err
	}
	if err := create(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the watch tells", func() bool {
		e := <-watch.ResultChan()
		m, ok := e.Object.(*corev1.ConfigMap)
		return ok && m.Name == "one"
	})
	tap.Kill(Moment{What: "POST configmaps", Nth: 1, After: true}, &victim{})
	if err := create(ctx, "two"); err == nil {
		t.Error("the dead was answered")
	}
	if _, err := maps.Get(ctx, "two", metav1.GetOptions{}); err != nil {
		t.Errorf("the write did not happen: %v", err)
	}
	tap.Reset()
	if err := maps.Delete(ctx, "two", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	if events := tap.Events(); len(events) != 1 || events[0].What != "DELETE configmaps" {
		t.Errorf("events: %+v", events)
	}
}

func TestTapNamesEvents(t *testing.T) {
	for line, want := range map[string]string{
		"PATCH /apis/rollcall.dev/v1alpha1/namespaces/acme/offboardings/p1/status":      "PATCH offboardings/status",
		"POST /apis/rollcall.dev/v1alpha1/namespaces/acme/backups":                      "POST backups",
		"PUT /api/v1/namespaces/acme/secrets/s":                                         "PUT secrets",
		"PATCH /api/v1/namespaces/acme":                                                 "PATCH namespaces",
		"GET /api/v1/namespaces/acme/secrets/s":                                         "",
		"PUT /apis/coordination.k8s.io/v1/namespaces/acme/leases/rollcall.dev":          "",
		"POST /apis/events.k8s.io/v1/namespaces/acme/events":                            "",
		"POST /apis/authorization.k8s.io/v1/subjectaccessreviews":                       "",
		"DELETE /apis/rollcall.dev/v1alpha1/namespaces/acme/employees":                  "DELETE employees",
		"PATCH /apis/rollcall.dev/v1alpha1/namespaces/acme/enterpriseaccounts/a/status": "PATCH enterpriseaccounts/status",
	} {
		method, path, _ := strings.Cut(line, " ")
		if got := writeOf(httptest.NewRequest(method, path, nil)); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	for line, want := range map[string]string{
		"POST /topapi/v2/user/delete":                "POST /topapi/v2/user/delete",
		"GET /v1.0/calendar/users/abc9/calendars":    "GET /v1.0/calendar/users/*/calendars",
		"POST /v1.0/contact/orgAccounts/disable":     "POST /v1.0/contact/orgAccounts/disable",
		"POST /cgi-bin/user/update?access_token=abc": "POST /cgi-bin/user/update",
	} {
		method, path, _ := strings.Cut(line, " ")
		if got := callOf(httptest.NewRequest(method, path, nil)); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
