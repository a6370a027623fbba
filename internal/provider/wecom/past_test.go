package wecom_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/test/simulator/core"
)

// withPast is a company whose people have done things for 90 days.
func withPast(t *testing.T, people int, options string) (*company, directory.Exporter) {
	t.Helper()
	c := newCompany(t)
	if err := c.platform.Configure(c.spec.Name, []byte(`{"history":{"days":90,"seed":7}`+options+`}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.platform.Seed(c.spec.Name, core.Seed{Users: people, Departments: 2}); err != nil {
		t.Fatal(err)
	}
	e, ok := c.open(t, c.spec.SyncSecret, c.spec.Apps[0].Secret).(directory.Exporter)
	if !ok {
		t.Fatal("nothing is handed out")
	}
	return c, e
}

// parts counts what an export emits, by part.
func parts(t *testing.T, e directory.Exporter, name directory.Dataset, s directory.Scope) (map[string]int, directory.Summary, error) {
	t.Helper()
	n := map[string]int{}
	sum, err := e.Export(t.Context(), name, s, func(i directory.Item) error { n[i.Part]++; return nil })
	return n, sum, err
}

func TestThePastIsExportedWhole(t *testing.T) {
	c, e := withPast(t, 130, "")
	count := func(collection string) int {
		t.Helper()
		all, err := c.platform.Objects(c.spec.Name, collection)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	scope := directory.Scope{From: c.now().Add(-100 * 24 * time.Hour)}
	for name, want := range map[directory.Dataset]map[string]int{
		directory.DatasetApprovals:     {"approvals": count("approvals")},
		directory.DatasetAttendance:    {"punches": count("checkins")},
		directory.DatasetReports:       {"reports": count("journals")},
		directory.DatasetOperationLogs: {"administrators": count("adminlog"), "users": count("memberlog")},
		directory.DatasetGroups:        {"groups": count("groups")},
		directory.DatasetFiles:         {"spaces": count("spaces"), "files": count("files") - count("spaces")}, // each has a folder
	} {
		got, sum, err := parts(t, e, name, scope)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: exported %v, %v, want %v", name, got, err, want)
		}
		for part, n := range want {
			if n == 0 {
				t.Errorf("%s: there are no %s to export", name, part)
			}
		}
		// Groups without customers and spaces that nobody let be archived are missing.
		partly := name == directory.DatasetGroups || name == directory.DatasetFiles
		if len(sum.Gaps) != 0 && !partly || len(sum.Gaps) != 1 && partly {
			t.Errorf("%s: gaps %+v", name, sum.Gaps)
		}
	}
	got, sum, err := parts(t, e, directory.DatasetRoster, scope)
	if err != nil || got["people"] != count("users") || got["fields"] == 0 || len(sum.Gaps) != 0 {
		t.Errorf("roster: exported %v, %+v, %v", got, sum, err)
	}
}

// Every record is handed out once, and as the platform has it.
func TestThePastIsExportedUnchanged(t *testing.T) {
	c, e := withPast(t, 40, "")
	asItIs := func(object map[string]any) map[string]any { return object }
	for _, tt := range []struct {
		set              directory.Dataset
		part, collection string
		exported         func(map[string]any) map[string]any
	}{
		{directory.DatasetApprovals, "approvals", "approvals", asItIs},
		{directory.DatasetAttendance, "punches", "checkins", asItIs},
		{directory.DatasetReports, "reports", "journals", asItIs},
		{directory.DatasetOperationLogs, "administrators", "adminlog", asItIs},
		{directory.DatasetOperationLogs, "users", "memberlog", asItIs},
		{directory.DatasetFiles, "spaces", "spaces", func(o map[string]any) map[string]any {
			return map[string]any{"spaceid": o["spaceid"], "space_name": o["space_name"], "is_space_superadmin": 1}
		}},
	} {
		var got, there []string
		_, err := e.Export(t.Context(), tt.set, directory.Scope{From: c.now().Add(-100 * 24 * time.Hour)}, func(i directory.Item) error {
			if i.Part == tt.part {
				got = append(got, canonical(t, i.Raw))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		objects, err := c.platform.Objects(c.spec.Name, tt.collection)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			there = append(there, canonical(t, tt.exported(o.(map[string]any))))
		}
		slices.Sort(got)
		slices.Sort(there)
		if len(there) == 0 || !slices.Equal(got, there) {
			t.Errorf("%s/%s: exported %d, there are %d", tt.set, tt.part, len(got), len(there))
		}
	}
}

// canonical writes a value so that equal ones are written alike, numbers as they are.
func canonical(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var plain any
	if err := d.Decode(&plain); err != nil {
		t.Fatal(err)
	}
	if raw, err = json.Marshal(plain); err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestThePastOfAChosenPersonIsTheirsAlone(t *testing.T) {
	c, e := withPast(t, 20, "")
	scope := directory.Scope{From: c.now().Add(-100 * 24 * time.Hour)}
	const chosen = "S00001" // who, being among the first, has a chat and a space too
	for _, name := range []directory.Dataset{directory.DatasetApprovals, directory.DatasetAttendance, directory.DatasetReports, directory.DatasetRoster,
		directory.DatasetGroups, directory.DatasetFiles} {
		all, _, err := parts(t, e, name, scope)
		if err != nil {
			t.Fatal(err)
		}
		one, _, err := parts(t, e, name, directory.Scope{From: scope.From, Accounts: []string{chosen}})
		if err != nil {
			t.Fatal(err)
		}
		for part := range all {
			if part != "fields" && (one[part] == 0 || one[part] >= all[part]) {
				t.Errorf("%s: %d %s of one person, %d of all", name, one[part], part, all[part])
			}
		}
	}
}

func TestTooManyApprovalsAtOnceAreReadInPieces(t *testing.T) {
	c, e := withPast(t, 20, "")
	scope := directory.Scope{From: c.now().Add(-100 * 24 * time.Hour)}
	all, _, err := parts(t, e, directory.DatasetApprovals, scope)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.platform.Configure(c.spec.Name, []byte(`{"maxApprovals":5}`)); err != nil {
		t.Fatal(err)
	}
	got, _, err := parts(t, e, directory.DatasetApprovals, scope)
	if err != nil || got["approvals"] != all["approvals"] {
		t.Errorf("exported %v, %v, want %v", got, err, all)
	}
}

func TestClosedProductsSayWhereTheyAreOpened(t *testing.T) {
	c, e := withPast(t, 3, `,"closed":["approval","checkin","journal","hr","log","customer","archive"]`)
	scope := directory.Scope{From: c.now().Add(-24 * time.Hour)}
	for name, words := range map[directory.Dataset]string{
		directory.DatasetApprovals: "审批", directory.DatasetAttendance: "打卡", directory.DatasetReports: "汇报",
		directory.DatasetRoster: "人事助手", directory.DatasetOperationLogs: "使用分析", directory.DatasetGroups: "客户联系",
		directory.DatasetFiles: "文件内容存档",
	} {
		_, _, err := parts(t, e, name, scope)
		want(t, err, directory.PermissionDenied, words)
	}
	if _, sum, err := parts(t, e, directory.DatasetDirectory, scope); err != nil || strings.Contains(fmt.Sprint(sum.Gaps), "console") {
		t.Errorf("the directory needs no product: %v, %+v", err, sum.Gaps)
	}
}
