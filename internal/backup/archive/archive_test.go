package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"testing"
	"time"

	"filippo.io/age"

	"rollcall.dev/rollcall/internal/directory"
)

// key is an identity of the test's own.
func key(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

var header = Header{
	Tool: "rollcall test", Platform: "DingTalk", Tenant: "dingacme", Namespace: "acme", Account: "acme-dingtalk", Backup: "nightly-1",
	Time: time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC),
}

// company is a small directory: some of everything the format has words for.
func company() []Line {
	d := directory.DatasetDirectory
	person := directory.Account{
		ID: "A0001", Type: directory.Ordinary, State: directory.Active,
		Profile: directory.Profile{
			Set:  directory.AllFields &^ directory.FieldEmail,
			Name: "苏小小", Number: "A0001", Mobile: "+86-13800000001", Title: "Engineer <R&D>", HireDate: "2024-02-29",
			Memberships: []directory.Membership{{Department: "7", Order: 1763, Leader: true}, {Department: "2"}},
			Primary:     "7", Manager: "A0009", Attributes: map[string]string{"工位": "3F-12", "a": ""},
		},
	}
	return []Line{
		{d, directory.Item{Part: directory.PartDepartments, ID: "7", Raw: json.RawMessage(`{"dept_id":7,"unknown":{"x":[1.50,1e3,null]}}`),
			Department: &directory.Department{
				Set: directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder | directory.DepartmentManagers,
				ID:  "7", Name: "研发部", Parent: "1", Order: -3, Managers: []string{"A0001"},
			}}},
		{d, directory.Item{Part: directory.PartAccounts, ID: "A0001", Raw: json.RawMessage(`{"userid":"A0001","z":1,"a":"<&>","z":2}`), Account: &person}},
		{d, directory.Item{Part: directory.PartAccounts, ID: "A0002", Raw: json.RawMessage(`{"userid":"A0002"}`),
			Account: &directory.Account{ID: "A0002", Type: directory.Enterprise, State: directory.Frozen}}},
		{d, directory.Item{Part: directory.PartRoles, ID: "r1", Raw: json.RawMessage(`{"id":"r1"}`),
			Role: &directory.Role{ID: "r1", Name: "HR", Group: "职务", BuiltIn: true}}},
		{d, directory.Item{Part: directory.PartMembers, ID: "r1/A0001",
			Member: &directory.RoleMember{Role: "r1", Account: "A0001", Scope: []string{"7"}}}},
		{directory.DatasetOperationLogs, directory.Item{Part: "events", ID: "e1", Raw: json.RawMessage(`["login"]`)}},
	}
}

// write makes an archive of the lines.
func write(t testing.TB, lines []Line, to ...age.Recipient) ([]byte, Seal) {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, header, to...)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if err := w.Add(l.Dataset, l.Item); err != nil {
			t.Fatal(err)
		}
	}
	total := directory.Summary{Totals: map[string]int64{directory.PartAccounts: 3},
		Gaps: []directory.Gap{{Part: directory.PartAccounts, Class: directory.NotFound, Reason: "1 account went away while it was read"}}}
	if err := errors.Join(w.End(directory.DatasetDirectory, total), w.End(directory.DatasetOperationLogs, directory.Summary{})); err != nil {
		t.Fatal(err)
	}
	w.Missing(directory.DatasetMessages, directory.NotSupported, "DingTalk hands out no chats")
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := w.Seal()
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), s
}

func read(t testing.TB, b []byte, ids ...age.Identity) ([]Line, *Manifest) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(b), ids...)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var lines []Line
	for {
		l, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines, r.Manifest()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	id := key(t)
	b, seal := write(t, company(), id.Recipient())
	lines, m := read(t, b, id)
	if want := company(); !reflect.DeepEqual(lines, want) {
		t.Errorf("read %s\nwant %s", show(lines), show(want))
	}
	if !bytes.Equal(m.Encode(), seal.Manifest.Encode()) {
		t.Errorf("the manifest that was read is another one than was written:\n%s\n%s", m.Encode(), seal.Manifest.Encode())
	}
	e, err := Verify(bytes.NewReader(b), seal.Encode(), id)
	if err != nil {
		t.Fatal(err)
	}
	if e.Items != int64(len(company())) || e.Bytes != int64(len(b)) || e.Parts != 5 {
		t.Errorf("evidence is %+v", e)
	}
}

func show(lines []Line) string {
	var b bytes.Buffer
	for _, l := range lines {
		j, err := marshal(l.Item)
		fmt.Fprintf(&b, "\n  %s/%s %s %v", l.Dataset, l.Part, bytes.TrimSpace(j), err)
	}
	return b.String()
}
