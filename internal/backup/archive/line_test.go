package archive

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"rollcall.dev/rollcall/internal/directory"
)

// The words of the format, as a reader of ten years from now knows them. A test that
// fails here says that old archives would be read otherwise: make a new Format.
func TestWordsOfTheFormatDoNotChange(t *testing.T) {
	want := []string{
		`{"id":"7","department":{"id":"7","name":"研发部","parent":"1","order":-3,"managers":["A0001"]},` +
			`"raw":{"dept_id":7,"unknown":{"x":[1.50,1e3,null]}}}`,
		`{"id":"A0001","account":{"id":"A0001","type":"Ordinary","state":"Active","name":"苏小小","number":"A0001","mobile":"+86-13800000001",` +
			`"telephone":"","title":"Engineer <R&D>","workplace":"","hireDate":"2024-02-29","departments":["7","2"],"departmentOrder":{"7":1763},` +
			`"primaryDepartment":"7","leads":["7"],"manager":"A0009","attributes":{"a":"","工位":"3F-12"}},` +
			`"raw":{"userid":"A0001","z":1,"a":"<&>","z":2}}`,
		`{"id":"A0002","account":{"id":"A0002","type":"Enterprise","state":"Frozen"},"raw":{"userid":"A0002"}}`,
		`{"id":"r1","role":{"id":"r1","name":"HR","group":"职务","builtIn":true},"raw":{"id":"r1"}}`,
		`{"id":"r1/A0001","member":{"role":"r1","account":"A0001","scope":["7"]}}`,
		`{"id":"e1","raw":["login"]}`,
	}
	for i, l := range company() {
		b, err := marshal(l.Item)
		if err != nil || string(b) != want[i]+"\n" {
			t.Errorf("%s\nwant %s (%v)", b, want[i], err)
		}
	}
}

func TestRawKeepsWhatThePlatformWrote(t *testing.T) {
	for raw, want := range map[string]string{
		"{ \"a\" :\n 1.000,\t\"b\":\"\\u4e2d\\/\" }": `{"a":1.000,"b":"\u4e2d\/"}`,
		`12345678901234567890`:                       `12345678901234567890`,
		`{"a":1,"a":2}`:                              `{"a":1,"a":2}`,
		`"<script>&"`:                                `"<script>&"`,
	} {
		b, err := marshal(directory.Item{Part: "x", ID: "1", Raw: json.RawMessage(raw)})
		if err != nil {
			t.Fatal(err)
		}
		it, err := unmarshal("x", bytes.TrimSuffix(b, []byte("\n")))
		if err != nil || string(it.Raw) != want {
			t.Errorf("%s came back as %s (%v)", raw, it.Raw, err)
		}
	}
}

func TestRawThatIsNoJSONIsRefusedWithoutQuotingIt(t *testing.T) {
	_, err := marshal(directory.Item{Part: "accounts", ID: "A0001", Raw: json.RawMessage(`{"mobile":13800000001"}`)})
	if err == nil || strings.Contains(err.Error(), "138") || strings.Contains(err.Error(), "A0001") {
		t.Errorf("the error is %v", err)
	}
}

// Whatever was read of a person comes back: the same fields are known, and equal.
func FuzzAccountComesBack(f *testing.F) {
	f.Add(uint32(directory.AllFields), "苏小小", "A0001", "7", int64(3), true, "k", "v")
	f.Add(uint32(0), "", "", "", int64(0), false, "", "")
	f.Fuzz(func(t *testing.T, set uint32, name, id, dept string, order int64, leads bool, k, v string) {
		for _, s := range []string{name, id, dept, k, v} {
			if !utf8.ValidString(s) {
				return
			}
		}
		want := directory.Account{ID: id, Type: directory.Ordinary, State: directory.Frozen, Profile: directory.Profile{
			Set: directory.Fields(set) & directory.AllFields, Name: name, Number: id, Mobile: v, Email: k, Telephone: name, Title: v,
			Workplace: dept, HireDate: k, Primary: dept, Manager: id, Attributes: map[string]string{k: v, v: k},
			Memberships: []directory.Membership{{Department: dept + "1", Order: order, Leader: leads}, {Department: dept, Leader: !leads}},
		}}
		b, err := marshal(directory.Item{Part: directory.PartAccounts, ID: id, Account: &want})
		if err != nil {
			t.Fatal(err)
		}
		it, err := unmarshal(directory.PartAccounts, b)
		if err != nil {
			t.Fatal(err)
		}
		have := *it.Account
		if have.ID != want.ID || have.Type != want.Type || have.State != want.State || have.Profile.Set != want.Profile.Set {
			t.Fatalf("%+v came back as %+v", want, have)
		}
		differ, unseen := directory.Differ(&want.Profile, &have.Profile)
		back, unseenBack := directory.Differ(&have.Profile, &want.Profile)
		if differ|unseen|back|unseenBack != 0 {
			t.Fatalf("%s differ, %s is not seen", differ|back, unseen|unseenBack)
		}
		again, err := marshal(directory.Item{Part: directory.PartAccounts, ID: id, Account: &have})
		if err != nil || !bytes.Equal(b, again) {
			t.Fatalf("written again it is\n%s\nnot\n%s", again, b)
		}
	})
}

func FuzzDepartmentAndRoleComeBack(f *testing.F) {
	f.Add(uint8(0xff), "研发部", "7", int64(-1), "A1", true)
	f.Fuzz(func(t *testing.T, set uint8, name, id string, order int64, who string, yes bool) {
		if !utf8.ValidString(name) || !utf8.ValidString(id) || !utf8.ValidString(who) {
			return
		}
		d := directory.Department{ID: id, Set: directory.DepartmentFields(set) & 0x1f}
		if d.Set.Has(directory.DepartmentName) {
			d.Name = name
		}
		if d.Set.Has(directory.DepartmentParent) {
			d.Parent = who
		}
		if d.Set.Has(directory.DepartmentOrder) {
			d.Order = order
		}
		if d.Set.Has(directory.DepartmentManagers) && yes {
			d.Managers = []string{who, name}
		}
		if d.Set.Has(directory.DepartmentKey) {
			d.Key = who
		}
		r := directory.Role{ID: id, Name: name, Group: who, BuiltIn: yes}
		m := directory.RoleMember{Role: id, Account: who, Scope: []string{name}}
		for _, want := range []directory.Item{{ID: id, Department: &d}, {ID: id, Role: &r}, {ID: id, Member: &m}} {
			b, err := marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			have, err := unmarshal("", b)
			if err != nil || !reflect.DeepEqual(want, have) {
				t.Errorf("%s came back as %+v (%v)", b, have, err)
			}
		}
	})
}
