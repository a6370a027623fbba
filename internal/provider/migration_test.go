package provider_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup"
	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/backup/restore"
	"rollcall.dev/rollcall/internal/backup/storage"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/httpx"
	"rollcall.dev/rollcall/internal/provider/dingtalk"
	"rollcall.dev/rollcall/internal/provider/wecom"
	"rollcall.dev/rollcall/test/simulator/core"
	simulatedDingTalk "rollcall.dev/rollcall/test/simulator/dingtalk"
	simulatedWeCom "rollcall.dev/rollcall/test/simulator/wecom"
)

// settings of a tenant whose budget nothing paces.
func settings(t *testing.T, endpoint string, secrets map[string]string) directory.Settings {
	t.Helper()
	client, err := httpx.Client(httpx.Options{Budget: httpx.NewBudget(httpx.Limits{}, nil, nil)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	s := directory.Settings{Endpoint: endpoint, HTTP: client, Now: time.Now, Throttled: func(string, time.Duration) {}, Secrets: map[string][]byte{}}
	for k, v := range secrets {
		s.Secrets[k] = []byte(v)
	}
	return s
}

func openDingTalk(t *testing.T) directory.Directory {
	t.Helper()
	c := core.New(core.Options{})
	server := httptest.NewServer(simulatedDingTalk.New(c))
	t.Cleanup(server.Close)
	if err := c.Limits.Set("dingtalk", core.Limits{Unlimited: true}, true); err != nil {
		t.Fatal(err)
	}
	d, err := dingtalk.Descriptor().New(settings(t, server.URL, map[string]string{"appKey": "dingacme0001", "appSecret": "acme-app-secret", "agentId": "3000000001"}))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func openWeCom(t *testing.T) directory.Directory {
	t.Helper()
	c, spec := core.New(core.Options{}), simulatedWeCom.BuiltIn()[0]
	server := httptest.NewServer(simulatedWeCom.New(c))
	t.Cleanup(server.Close)
	if err := c.Limits.Set("wecom", core.Limits{Unlimited: true}, true); err != nil {
		t.Fatal(err)
	}
	p, _ := c.Platform("wecom")
	if err := p.Create(spec.Name, "users", "creator", []byte(`{"name":"创建者","mobile":"13900000000"}`)); err != nil {
		t.Fatal(err)
	}
	s := settings(t, server.URL, map[string]string{"syncSecret": spec.SyncSecret, "appSecret": spec.Apps[0].Secret})
	s.Tenant, s.NumberAttribute = spec.CorpID, "工号"
	d, err := wecom.Descriptor().New(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// demo is the company of config/samples/acme.
type demo struct {
	departments []v1alpha1.Department
	people      []v1alpha1.Employee
	contacts    map[string]corev1.Secret
}

func readDemo(t *testing.T) demo {
	t.Helper()
	folder := filepath.Join("..", "..", "config", "samples", "acme")
	d := demo{contacts: map[string]corev1.Secret{}}
	d.departments = decode[v1alpha1.Department](t, filepath.Join(folder, "departments.yaml"))
	files, err := filepath.Glob(filepath.Join(folder, "employees", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		d.people = append(d.people, decode[v1alpha1.Employee](t, f)...)
	}
	d.people = slices.DeleteFunc(d.people, func(e v1alpha1.Employee) bool {
		return !slices.ContainsFunc(e.Spec.Accounts, func(a v1alpha1.EmployeeAccount) bool { return a.Name == "dingtalk" })
	})
	for i := range d.people {
		if s := &d.people[i].Spec; s.Number == "" { // a rule would make it
			s.Number = fmt.Sprintf("N%04d", i)
		}
	}
	for _, s := range decode[corev1.Secret](t, filepath.Join(folder, "contacts.yaml")) {
		d.contacts[s.Name] = s
	}
	return d
}

func decode[T any](t *testing.T, file string) (all []T) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for document := range bytes.SplitSeq(text, []byte("---\n")) {
		var one T
		if err := yaml.Unmarshal(document, &one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

// settle makes the company on a platform, as it is declared, and gives a role to the first two.
func (d demo) settle(t *testing.T, on directory.Directory) {
	t.Helper()
	ids := map[string]string{"": on.Capabilities().RootDepartment}
	for left := len(d.departments); len(ids) <= left; {
		before := len(ids)
		for _, unit := range d.departments {
			parent, there := ids[unit.Spec.ParentRef.Name]
			if _, made := ids[unit.Name]; made || !there {
				continue
			}
			id, err := on.CreateDepartment(t.Context(), directory.Department{
				Set:  directory.DepartmentName | directory.DepartmentParent | directory.DepartmentOrder,
				Name: unit.Spec.DisplayName, Parent: parent, Order: int64(unit.Spec.Order),
			})
			if err != nil {
				t.Fatal(err)
			}
			ids[unit.Name] = id
		}
		if len(ids) == before {
			t.Fatal("the departments of the demo company have a circle")
		}
	}
	numbers := map[string]string{}
	for _, e := range d.people {
		numbers[e.Name] = e.Spec.Number
	}
	for _, e := range d.people {
		p := d.profile(&e.Spec, ids)
		if _, err := on.CreateAccount(t.Context(), e.Spec.Number, directory.Ordinary, p); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range d.people {
		if boss := numbers[e.Spec.ManagerRef.Name]; boss != "" {
			if err := on.UpdateAccount(t.Context(), e.Spec.Number, directory.Profile{Set: directory.FieldManager, Manager: boss}); err != nil {
				t.Fatal(err)
			}
		}
	}
	d.lead(t, on, ids, numbers)
}

func (d demo) lead(t *testing.T, on directory.Directory, ids, numbers map[string]string) {
	t.Helper()
	for _, unit := range d.departments {
		lead := directory.Department{ID: ids[unit.Name], Set: directory.DepartmentManagers}
		for _, m := range unit.Spec.Managers {
			lead.Managers = append(lead.Managers, numbers[m.Name])
		}
		if len(lead.Managers) == 0 {
			continue
		}
		if err := on.UpdateDepartment(t.Context(), lead); err != nil {
			t.Fatal(err)
		}
	}
	k := on.(directory.RoleKeeper)
	id, err := k.CreateRole(t.Context(), directory.Role{Name: "审计员", Group: "内控"})
	if err == nil {
		err = k.AddToRole(t.Context(), id, []directory.RoleMember{{Account: d.people[0].Spec.Number}, {Account: d.people[1].Spec.Number}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (d demo) profile(s *v1alpha1.EmployeeSpec, ids map[string]string) directory.Profile {
	p := directory.Profile{
		Set: directory.FieldName | directory.FieldNumber | directory.FieldMobile | directory.FieldTitle | directory.FieldWorkplace |
			directory.FieldHireDate | directory.FieldDepartments,
		Name: s.Name, Number: s.Number, Mobile: s.Contact.Mobile, Email: s.Contact.Email,
		Title: s.Title, Workplace: s.Workplace, HireDate: s.HireDate, Attributes: map[string]string{},
	}
	if name := s.Contact.SecretRef.Name; name != "" {
		secret := d.contacts[name]
		p.Mobile, p.Email = secret.StringData["mobile"], secret.StringData["email"]
	}
	if p.Email != "" {
		p.Set |= directory.FieldEmail
	}
	for _, m := range s.Departments {
		p.Memberships = append(p.Memberships, directory.Membership{Department: ids[m.Name]})
	}
	for _, a := range s.Attributes {
		p.Set |= directory.FieldAttributes
		p.Attributes[a.Name] = a.Value
	}
	return p
}

// backedUp is what an archive of the platform gives back, verified.
func backedUp(t *testing.T, from directory.Directory) restore.Snapshot {
	t.Helper()
	place, err := storage.Open(t.Context(), storage.Config{Local: &storage.Local{Root: t.TempDir(), Folder: "backups"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = place.Close() })
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)
	j := backup.Job{
		Key:    storage.NewKey("acme", "dingtalk", "dingcorpacme", at, "1a2b3c4d"),
		Header: archive.Header{Platform: "DingTalk", Tenant: "dingcorpacme", Namespace: "acme", Account: "dingtalk", Time: at},
		Source: from, Datasets: []directory.Dataset{directory.DatasetDirectory}, Primary: place,
		Recipients: []age.Recipient{key.Recipient()}, Identities: []age.Identity{key},
	}
	r, err := backup.Run(t.Context(), j)
	if err != nil || r.Evidence.Sampled != 20 || r.Evidence.SampleEqual != 20 || len(r.Evidence.Findings) > 0 {
		t.Fatalf("%+v, %v", r.Evidence, err)
	}
	f, err := place.Read(t.Context(), j.Key)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	reader, err := archive.NewReader(f, key)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	s, err := restore.Load(reader, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// by counts the things of a kind and verdict, and lists the fields that Impossible names.
func by(items []restore.Item) (counts map[string]int64, lost []string) {
	counts = map[string]int64{}
	for _, it := range items {
		counts[fmt.Sprintf("%s %s", it.Verdict, it.Kind)] += it.Count
		if it.Verdict == restore.Impossible {
			lost = append(lost, fmt.Sprintf("%s %s %s", it.Kind, it.ID, strings.Join(it.Fields, ",")))
		}
	}
	slices.Sort(lost)
	return counts, lost
}

// The demo company moves from DingTalk to WeCom: departments by their names, people by
// their numbers; what WeCom has no place for is said.
func TestTheDemoCompanyMovesFromDingTalkToWeCom(t *testing.T) {
	company, from, to := readDemo(t), openDingTalk(t), openWeCom(t)
	company.settle(t, from)
	archived := backedUp(t, from)
	target, err := restore.Observe(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	p := restore.For(archived, target, to.Capabilities(), wecom.Descriptor().AccountID, restore.Options{})
	counts, lost := by(p.Items)
	people := int64(len(company.people))
	want := map[string]int64{
		"Create Departments": int64(len(company.departments)), "Keep Departments": 1, "Create People": people + 1, // DingTalk's founder
		"Create Roles": 1, "Impossible People": people, "Impossible Roles": 4, // hire dates; DingTalk's own roles
	}
	if !maps.Equal(counts, want) || !slices.Equal(lost, []string{"People * hireDate", "Roles * "}) {
		t.Fatalf("the plan is %+v, want %+v; lost: %q", counts, want, lost)
	}
	r, err := restore.Execute(t.Context(), to, execute.By{}, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if after, _ := by(r.Items); !maps.Equal(after, want) {
		t.Errorf("the report is %+v, want what was planned: %+v", after, want)
	}
	company.arrived(t, archived, to)
	if target, err = restore.Observe(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	again := restore.For(archived, target, to.Capabilities(), wecom.Descriptor().AccountID, restore.Options{})
	if again.Counts.Create+again.Counts.Change+again.Counts.Conflicts != 0 {
		t.Errorf("afterwards there is still to do: %+v", again.Counts)
	}
}

// arrived compares everybody, as declared, with what the new platform tells of them.
func (d demo) arrived(t *testing.T, archived restore.Snapshot, to directory.Directory) {
	t.Helper()
	s, err := restore.Observe(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, u := range append(slices.Clone(s.Departments), archived.Departments...) {
		names[u.ID] = u.Name
	}
	was := map[string]directory.Account{}
	for _, a := range archived.Accounts {
		was[a.ID] = a
	}
	in := func(p *directory.Profile) (units []string) {
		for _, m := range p.Memberships {
			units = append(units, fmt.Sprintf("%s %t", names[m.Department], m.Leader))
		}
		slices.Sort(units)
		return units
	}
	for _, e := range d.people {
		old := was[e.Spec.Number]
		now, err := to.Account(t.Context(), e.Spec.Number)
		if err != nil {
			t.Errorf("%s: %v", e.Spec.Number, err)
			continue
		}
		if now.Profile.Name != e.Spec.Name || now.Profile.Title != e.Spec.Title || now.Profile.Number != e.Spec.Number ||
			now.Profile.Manager != old.Profile.Manager || !slices.Equal(in(&now.Profile), in(&old.Profile)) {
			t.Errorf("%s arrived as %+v, was %+v", e.Spec.Number, now, old)
		}
	}
	if len(s.Members) != 2 || len(s.Roles) != 1 || s.Roles[0].Name != "审计员" {
		t.Errorf("roles %+v, held by %+v", s.Roles, s.Members)
	}
}
