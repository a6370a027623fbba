package dingtalk_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/test/simulator/core"
)

// leaver is a company with a leaver E0001 and a successor E0002.
func (c *company) leaver(t *testing.T) directory.Directory {
	t.Helper()
	d := c.open(t, appSecret)
	for i, id := range []string{"E0001", "E0002"} {
		if _, err := d.CreateAccount(t.Context(), id, directory.Ordinary, person("+86-1380055000"+string(rune('1'+i)))); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// object is one of a collection of the simulator, nil if there is none.
func (c *company) object(t *testing.T, collection, key, id string) map[string]any {
	t.Helper()
	objects, err := c.platform.Objects(acme, collection)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if got := decode(t, []byte(encode(t, o))); got[key] == id {
			return got
		}
	}
	return nil
}

func TestHandOver(t *testing.T) {
	c := newCompany(t)
	d := c.leaver(t)
	last := time.Date(2026, 3, 31, 0, 0, 0, 0, time.FixedZone("", 8*60*60))
	err := d.(directory.Remover).Remove(t.Context(), "E0001", directory.Removal{Successor: "E0002", Reason: "contract ended", LastDay: last})
	if err != nil {
		t.Fatal(err)
	}
	passed := map[string]bool{}
	left := c.object(t, "left", "id", "E0001")
	list, _ := left["handedOver"].([]any)
	for _, h := range list {
		if what := h.(map[string]any); what["to"] == "E0002" && what["state"] == "done" {
			passed[fmt.Sprint(what["what"])] = true
		}
	}
	if len(passed) != 5 {
		t.Errorf("handed over %v, want approvals, documents, drive, permissions and subordinates", passed)
	}
	record := c.object(t, "dismissions", "userId", "E0001")
	if record["reasonMemo"] != "contract ended" || fmt.Sprint(record["lastWorkDay"]) != fmt.Sprint(last.UnixMilli()) || record["handoverUserId"] != "E0002" {
		t.Errorf("Smart HR has %v", record)
	}
}

func TestRemovalsThatAreRefused(t *testing.T) {
	const readAndManage = `"qyapi_base","qyapi_get_member","qyapi_manage_addresslist"`
	c := newCompany(t)
	d := c.leaver(t)
	r := d.(directory.Remover)
	with, without := directory.Removal{Successor: "E0002", Reason: "x"}, directory.Removal{Reason: "x"}
	there := func(id string) {
		t.Helper()
		if _, err := d.Account(t.Context(), id); err != nil {
			t.Errorf("%s is not there any more: %v", id, err)
		}
	}
	for _, how := range []directory.Removal{with, without} {
		err := r.Remove(t.Context(), "manager7001", how)
		if directory.ClassOf(err) != directory.Conflict || !strings.Contains(err.Error(), "主管理员") {
			t.Errorf("the main administrator: %v", err)
		}
		there("manager7001")
	}
	for _, options := range []string{`{"smartHR":false}`, `{"smartHR":true,"permissions":[` + readAndManage + `]}`} {
		c.configure(t, options)
		err := r.Remove(t.Context(), "E0001", with)
		e, _ := errors.AsType[*directory.Error](err)
		if e == nil || e.Class != directory.PermissionDenied || e.Code == "" || !strings.Contains(e.Message, "Hrm.Process.ReadWrite") {
			t.Errorf("with %s: %v, want one that names the right", options, err)
		}
		there("E0001")
	}
	if err := r.Remove(t.Context(), "E0001", without); err != nil {
		t.Errorf("without a successor: %v", err)
	}
	if _, err := d.Account(t.Context(), "E0001"); directory.ClassOf(err) != directory.NotFound {
		t.Errorf("removed without a successor: %v", err)
	}
}

func TestBuiltInRolesStay(t *testing.T) {
	d := newCompany(t).leaver(t)
	k := d.(directory.RoleRevoker)
	roles, err := k.RolesOf(t.Context(), "manager7001")
	if err != nil || len(roles) != 1 {
		t.Fatal(roles, err)
	}
	err = k.RemoveFromRole(t.Context(), roles[0].Role, roles)
	if directory.ClassOf(err) != directory.PermissionDenied || !strings.Contains(err.Error(), "admin console") {
		t.Errorf("got %v", err)
	}
	if again, err := k.RolesOf(t.Context(), "manager7001"); err != nil || len(again) != 1 {
		t.Errorf("afterwards: %v, %v", again, err)
	}
}

func TestResidualsOfSmartHR(t *testing.T) {
	c := newCompany(t)
	d := c.leaver(t)
	if err := d.(directory.Remover).Remove(t.Context(), "E0001", directory.Removal{Successor: "E0002"}); err != nil {
		t.Fatal(err)
	}
	if err := c.platform.Merge(acme, "dismissions", "E0001", []byte(`{"status":1}`)); err != nil {
		t.Fatal(err)
	}
	left, err := d.(directory.ResidualFinder).Residuals(t.Context(), "E0001")
	if err != nil || len(left) != 1 || !strings.Contains(left[0], "Smart HR") {
		t.Errorf("found %q, %v", left, err)
	}
}

// P3: within the window, a notice that is sent again reaches nobody twice, at whatever time of day.
func TestP3NoticeWindowIsSafe(t *testing.T) {
	start := time.Date(2026, 3, 1, 16, 0, 0, 0, time.UTC) // midnight in China
	c := foundCompany(t, core.Options{Clock: core.NewClock(func() time.Time { return start })})
	c.now = c.core.Clock.Now
	d := c.leaver(t)
	n := d.(directory.Notifier)
	const step, days = 3 * time.Hour, 3
	sent := map[string]time.Time{}
	repeated := 0
	for range days * int(24*time.Hour/step) {
		for text, at := range sent {
			if c.now().Sub(at) < d.Capabilities().NoticeWindow {
				repeated++
				if _, err := n.Notify(t.Context(), []string{"E0001"}, text); err != nil {
					t.Fatal(err)
				}
			}
		}
		text := "交接 " + c.now().Format(time.RFC3339)
		sent[text] = c.now()
		if _, err := n.Notify(t.Context(), []string{"E0001"}, text); err != nil {
			t.Fatal(err)
		}
		if got := c.received(t, "E0001"); got != len(sent) {
			t.Fatalf("received %d messages, want %d", got, len(sent))
		}
		c.core.Clock.Advance(step)
	}
	if repeated == 0 {
		t.Error("no notice was ever repeated")
	}
}

// Sixty notices to a hundred people are more than DingTalk delivers in a minute: all arrive.
func TestManyNoticesArrive(t *testing.T) {
	c := newCompany(t)
	c.now = c.core.Clock.Now
	d := c.open(t, appSecret)
	c.seed(t, 99, 2)
	l, err := d.List(t.Context())
	if err != nil || len(l.Accounts) != 100 {
		t.Fatal(len(l.Accounts), err)
	}
	var everybody []string
	for _, a := range l.Accounts {
		everybody = append(everybody, a.ID)
	}
	for n := range 60 {
		text := fmt.Sprintf("交接 %d", n)
		_, err := d.(directory.Notifier).Notify(t.Context(), everybody, text)
		if wait := directory.RetryAfter(err); directory.ClassOf(err) == directory.RateLimited && wait > 0 {
			c.core.Clock.Advance(wait)
			_, err = d.(directory.Notifier).Notify(t.Context(), everybody, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range everybody {
		if got := c.received(t, id); got != 60 {
			t.Fatalf("%s received %d notices, want 60", id, got)
		}
	}
}
