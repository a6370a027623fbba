package dingtalk_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/test/simulator/core"
)

// The same company comes in the same order however its calls overtake each other, and
// who is in several departments with the same row.
func TestExportsOfTheSameCompanyAreAlike(t *testing.T) {
	c := newCompany(t)
	d := c.open(t, appSecret).(directory.Exporter)
	c.seed(t, 130, 8)
	departments, err := c.platform.Objects(acme, "departments")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, o := range departments {
		ids = append(ids, fmt.Sprint(decode(t, []byte(encode(t, o)))["dept_id"]))
	}
	for n := range 30 {
		in := ids[n%len(ids)] + "," + ids[(n+3)%len(ids)]
		if err := c.platform.Merge(acme, "users", fmt.Sprintf("S%05d", n+1), []byte(`{"dept_id_list":[`+in+`]}`)); err != nil {
			t.Fatal(err)
		}
	}
	export := func() (items []string) {
		sum, err := d.Export(t.Context(), directory.DatasetDirectory, directory.Scope{}, func(i directory.Item) error {
			items = append(items, i.Part+"/"+i.ID+" "+string(i.Raw))
			return nil
		})
		if err != nil || len(sum.Gaps) != 0 {
			t.Fatal(sum, err)
		}
		return items
	}
	first := export()
	for range 3 {
		if again := export(); !slices.Equal(first, again) {
			t.Fatalf("%d items, then %d, or in another order", len(first), len(again))
		}
	}
}

// simulation is what a part of a dataset is read from: a collection of the simulator,
// and how one of its objects comes out. Without that only their number is compared.
type simulation struct {
	collection string
	exported   func(object map[string]any) any
}

// What the simulated tenant has of a past is exported whole and unchanged, within the
// platform's windows and pages.
func TestDatasets(t *testing.T) {
	today := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	c := foundCompany(t, core.Options{Clock: core.NewClock(func() time.Time { return today })})
	c.now = func() time.Time { return today.Add(time.Minute) } // whoever leaves has left before
	d := c.open(t, appSecret).(directory.Exporter)
	c.seed(t, 120, 4)
	c.configure(t, `{"exclusive":true,"history":{"days":150,"seed":7}}`)
	for n := range 55 {
		if err := c.platform.Remove(acme, "users", fmt.Sprintf("S%05d", n+1)); err != nil {
			t.Fatal(err)
		}
	}
	asItIs := func(object map[string]any) any { return object }
	without := func(field string) func(map[string]any) any {
		return func(object map[string]any) any {
			delete(object, field)
			return object
		}
	}
	for set, parts := range map[directory.Dataset]map[string]simulation{
		directory.DatasetDirectory: {
			directory.PartAccounts: {"users", nil}, directory.PartRoles: {"roles", nil}, directory.PartDepartments: {"departments", asItIs},
		},
		directory.DatasetApprovals: {"instances": {"approvals", func(object map[string]any) any {
			return map[string]any{
				"processCode": object["processCode"], "processInstanceId": object["businessId"],
				"processInstance": without("processCode")(object),
			}
		}}},
		directory.DatasetAttendance: {"results": {"punches", nil}, "punches": {"punches", asItIs}},
		directory.DatasetReports:    {"reports": {"reports", asItIs}},
		directory.DatasetRoster: {
			"on-job":     {"users", func(object map[string]any) any { return map[string]any{"status": "3", "userid": object["userid"]} }},
			"fields":     {"users", nil},
			"dismissals": {"dismissions", asItIs},
			"leavers":    {"leavers", asItIs},
		},
		directory.DatasetGroups: {"groups": {"groups", asItIs}},
		directory.DatasetFiles: {
			"workspaces": {"workspaces", asItIs}, "nodes": {"nodes", without("parentNodeId")},
			"spaces": {"spaces", asItIs}, "entries": {"dentries", asItIs},
		},
		directory.DatasetOperationLogs: {"files": {"fileLogs", asItIs}},
		directory.DatasetCalendars:     {"events": {"events", asItIs}},
	} {
		exported := map[string][]string{}
		seen := map[string]bool{}
		sum, err := d.Export(t.Context(), set, directory.Scope{}, func(i directory.Item) error {
			if key := i.Part + "/" + i.ID; seen[key] {
				t.Errorf("%s: %s comes twice", set, key)
			} else {
				seen[key] = true
			}
			exported[i.Part] = append(exported[i.Part], encode(t, decode(t, i.Raw)))
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", set, err)
		}
		for _, g := range sum.Gaps {
			if g.Class != directory.NotSupported { // all permissions are there
				t.Errorf("%s: gap %+v", set, g)
			}
		}
		for part, from := range parts {
			c.compare(t, string(set)+"/"+part, exported[part], from)
		}
	}
}

// compare wants everything that a collection has, and nothing else.
func (c *company) compare(t *testing.T, what string, got []string, from simulation) {
	t.Helper()
	objects, err := c.platform.Objects(acme, from.collection)
	if err != nil || len(objects) == 0 || len(got) != len(objects) {
		t.Errorf("%s: %d exported of %d, %v", what, len(got), len(objects), err)
		return
	}
	if from.exported == nil {
		return
	}
	var want []string
	for _, o := range objects {
		want = append(want, encode(t, from.exported(decode(t, []byte(encode(t, o))))))
	}
	slices.Sort(got)
	slices.Sort(want)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s: exported\n%s, there is\n%s", what, got[i], want[i])
			return
		}
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// decode keeps numbers as they are written: some ids are too long for a float.
func decode(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return object
}
