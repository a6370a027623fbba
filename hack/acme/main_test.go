package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/simulator/core"
	"rollcall.dev/rollcall/test/simulator/dingtalk"
	"rollcall.dev/rollcall/test/simulator/webhook"
	"rollcall.dev/rollcall/test/simulator/wecom"
)

// The sample in the tree is what this program writes.
func TestSampleIsUpToDate(t *testing.T) {
	texts, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	sample := filepath.Join("..", "..", "config", "samples", "acme")
	found := map[string]bool{}
	for _, pattern := range []string{"*", "*/*"} {
		files, err := filepath.Glob(filepath.Join(sample, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if text, err := os.ReadFile(file); err == nil {
				name := filepath.ToSlash(strings.TrimPrefix(file, sample+string(filepath.Separator)))
				found[name] = true
				if !bytes.Equal(text, texts[name]) {
					t.Errorf("%s is not what is generated: go run ./hack/acme", name)
				}
			}
		}
	}
	for name := range texts {
		if !found[name] {
			t.Errorf("%s is missing: go run ./hack/acme", name)
		}
	}
	again, err := generate()
	if err != nil || len(again) != len(texts) {
		t.Fatal(err, len(again))
	}
}

func TestRunReplacesWhatWasThere(t *testing.T) {
	out := t.TempDir()
	stale := filepath.Join(out, "employees", "closed-branch.yaml")
	if err := os.MkdirAll(filepath.Dir(stale), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stale, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(out); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("the people of a unit that is gone stay")
	}
	if _, err := os.Stat(filepath.Join(out, "employees", "rd.yaml")); err != nil {
		t.Error(err)
	}
}

// world is the sample as Kubernetes reads it.
type world struct {
	accounts    map[string]v1alpha1.EnterpriseAccount
	departments map[string]v1alpha1.Department
	employees   map[string]v1alpha1.Employee
	rules       map[string]v1alpha1.EmployeeNumberRule
	systems     map[string]v1alpha1.LinkedSystem
	secrets     map[string]corev1.Secret
}

func read(t *testing.T) world {
	t.Helper()
	texts, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	w := world{
		map[string]v1alpha1.EnterpriseAccount{}, map[string]v1alpha1.Department{}, map[string]v1alpha1.Employee{},
		map[string]v1alpha1.EmployeeNumberRule{}, map[string]v1alpha1.LinkedSystem{}, map[string]corev1.Secret{},
	}
	for name, text := range texts {
		for _, document := range strings.Split("\n"+string(text), "\n---\n") {
			var head metav1.TypeMeta
			if err := yaml.Unmarshal([]byte(document), &head); err != nil {
				t.Fatalf("%s: %v in\n%s", name, err, document)
			}
			switch head.Kind {
			case "EnterpriseAccount":
				add(t, w.accounts, document, func(o *v1alpha1.EnterpriseAccount) string { return o.Name })
			case "Department":
				add(t, w.departments, document, func(o *v1alpha1.Department) string { return o.Name })
			case "Employee":
				add(t, w.employees, document, func(o *v1alpha1.Employee) string { return o.Name })
			case "EmployeeNumberRule":
				add(t, w.rules, document, func(o *v1alpha1.EmployeeNumberRule) string { return o.Name })
			case "LinkedSystem":
				add(t, w.systems, document, func(o *v1alpha1.LinkedSystem) string { return o.Name })
			case "Secret":
				add(t, w.secrets, document, func(o *corev1.Secret) string { return o.Name })
			}
		}
	}
	return w
}

func add[T any](t *testing.T, to map[string]T, document string, name func(*T) string) {
	t.Helper()
	var o T
	if err := yaml.UnmarshalStrict([]byte(document), &o); err != nil {
		t.Fatalf("%v in\n%s", err, document)
	}
	if _, twice := to[name(&o)]; twice {
		t.Errorf("there are two called %s", name(&o))
	}
	to[name(&o)] = o
}

func TestSizes(t *testing.T) {
	w := read(t)
	levels := map[int]int{}
	for _, d := range w.departments {
		depth := 1
		for d.Spec.ParentRef.Name != "" {
			d = w.departments[d.Spec.ParentRef.Name]
			depth++
		}
		levels[depth]++
	}
	if len(w.employees) != 250 || len(w.departments) != 30 || len(levels) != 4 || len(w.accounts) != 2 {
		t.Errorf("%d people, %d departments by level %v, %d accounts", len(w.employees), len(w.departments), levels, len(w.accounts))
	}
	of := map[string]int{}
	for _, e := range w.employees {
		s := e.Spec
		of["frozen"] += count(s.State == v1alpha1.EmployeeFrozen)
		of["by rule"] += count(s.NumberRuleRef.Name != "")
		of["in a Secret"] += count(s.Contact.SecretRef.Name != "")
		of["in two departments"] += count(len(s.Departments) == 2)
		of["enterprise"] += count(s.Accounts[0].Type == v1alpha1.AccountEnterprise)
		of["reporting to nobody"] += count(s.ManagerRef.Name == "")
		of["in linked systems"] += count(len(s.LinkedAccounts) == 2)
	}
	want := map[string]int{"in linked systems": 9, "frozen": 2, "by rule": 12, "in a Secret": 8, "in two departments": 12, "enterprise": 1, "reporting to nobody": 1}
	for what, n := range want {
		if of[what] != n {
			t.Errorf("%d people are %s, want %d", of[what], what, n)
		}
	}
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// Everything that is referred to is there, or somebody would wait for ever.
func TestReferences(t *testing.T) {
	w := read(t)
	for name, d := range w.departments {
		if _, ok := w.departments[d.Spec.ParentRef.Name]; d.Spec.ParentRef.Name != "" && !ok {
			t.Errorf("department %s lies below nothing", name)
		}
		if d.Spec.Code == "" || len(d.Spec.Managers) == 0 || len(d.Spec.Accounts) != 2 {
			t.Errorf("department %s lacks a code, managers or an account", name)
		}
		for _, m := range d.Spec.Managers {
			if !isIn(w.employees[m.Name], name) {
				t.Errorf("%s manages %s from outside", m.Name, name)
			}
		}
	}
	for name, e := range w.employees {
		if _, ok := w.employees[e.Spec.ManagerRef.Name]; e.Spec.ManagerRef.Name != "" && !ok {
			t.Errorf("%s reports to nobody there", name)
		}
		if _, ok := w.rules[e.Spec.NumberRuleRef.Name]; e.Spec.NumberRuleRef.Name != "" && !ok {
			t.Errorf("%s has a number of no rule", name)
		}
		if ref := e.Spec.Contact.SecretRef.Name; ref != "" && w.secrets[ref].StringData["mobile"] == "" {
			t.Errorf("%s has no contact data", name)
		}
		for _, d := range e.Spec.Departments {
			if _, ok := w.departments[d.Name]; !ok {
				t.Errorf("%s is in no department %s", name, d.Name)
			}
		}
		for _, a := range e.Spec.Accounts {
			if _, ok := w.accounts[a.Name]; !ok || (a.Name == "dingtalk" && e.Spec.State == v1alpha1.EmployeeFrozen) {
				t.Errorf("%s cannot be on %s as declared", name, a.Name)
			}
		}
		for _, l := range e.Spec.LinkedAccounts {
			system, ok := w.systems[l.Name]
			if _, has := w.secrets[system.Spec.CredentialsSecretRef.Name]; !ok || !has {
				t.Errorf("%s cannot be in %s: it is not declared, or has no credentials", name, l.Name)
			}
		}
	}
}

func isIn(e v1alpha1.Employee, department string) bool {
	for _, d := range e.Spec.Departments {
		if d.Name == department {
			return true
		}
	}
	return false
}

// Reporting lines end at one person, and nobody is their own manager's manager.
func TestReportingLines(t *testing.T) {
	w := read(t)
	for name, e := range w.employees {
		for steps := 0; e.Spec.ManagerRef.Name != ""; steps++ {
			if steps > 6 {
				t.Fatalf("the reporting line of %s has no end", name)
			}
			e = w.employees[e.Spec.ManagerRef.Name]
		}
		if e.Spec.Title != "首席执行官" {
			t.Errorf("the reporting line of %s ends at %s, %s", name, e.Name, e.Spec.Title)
		}
	}
}

// Platforms take each mobile number and address once, and DingTalk no hyphens in the names of departments.
func TestPlatformsTakeIt(t *testing.T) {
	w := read(t)
	seen := map[string]string{}
	once := func(what, value, by string) {
		if other := seen[what+value]; other != "" || value == "" {
			t.Errorf("%s and %s have the same %s %q", by, other, what, value)
		}
		seen[what+value] = by
	}
	for name, e := range w.employees {
		c := e.Spec.Contact
		if ref := c.SecretRef.Name; ref != "" {
			c.Mobile, c.Email = w.secrets[ref].StringData["mobile"], w.secrets[ref].StringData["email"]
		}
		once("mobile", c.Mobile, name)
		once("email", c.Email, name)
		if e.Spec.NumberRuleRef.Name == "" {
			once("number", e.Spec.Number, name)
		}
		if !strings.HasPrefix(c.Mobile, "+86-1380000") || !strings.HasSuffix(c.Email, "@example.com") {
			t.Errorf("the contact data of %s looks real", name)
		}
		if day, err := time.Parse(time.DateOnly, e.Spec.HireDate); err != nil || day.Weekday() == time.Sunday {
			t.Errorf("%s was hired on %s: %v", name, e.Spec.HireDate, err)
		}
	}
	for name, d := range w.departments {
		once("name below "+d.Spec.ParentRef.Name, d.Spec.DisplayName, name)
		once("code", d.Spec.Code, name)
		if strings.ContainsAny(d.Spec.DisplayName, "-,，") {
			t.Errorf("DingTalk refuses the name of %s", name)
		}
	}
}

// The simulator takes the credentials, and knows the attributes.
func TestSimulatorKnowsTheCompany(t *testing.T) {
	w := read(t)
	c := core.New(core.Options{})
	ding, we := httptest.NewServer(dingtalk.New(c)), httptest.NewServer(wecom.New(c))
	t.Cleanup(ding.Close)
	t.Cleanup(we.Close)
	secret := func(account string) map[string]string {
		return w.secrets[w.accounts[account].Spec.CredentialsSecretRef.Name].StringData
	}
	corp := w.accounts["wecom"].Spec.WeCom.CorpID
	for name, address := range map[string]string{
		"appSecret on DingTalk": ding.URL + "/gettoken?" + url.Values{"appkey": {secret("dingtalk")["appKey"]}, "appsecret": {secret("dingtalk")["appSecret"]}}.Encode(),
		"syncSecret on WeCom":   we.URL + "/cgi-bin/gettoken?" + url.Values{"corpid": {corp}, "corpsecret": {secret("wecom")["syncSecret"]}}.Encode(),
		"appSecret on WeCom":    we.URL + "/cgi-bin/gettoken?" + url.Values{"corpid": {corp}, "corpsecret": {secret("wecom")["appSecret"]}}.Encode(),
	} {
		if code := errcode(t, address); code != 0 {
			t.Errorf("the simulator refuses %s: errcode %d", name, code)
		}
	}
	if key := w.secrets["doors-credentials"].StringData["signingKey"]; key != webhook.DemoKey {
		t.Errorf("the simulator refuses the signingKey %q", key)
	}
	for _, p := range c.Platforms() {
		told, err := json.Marshal(p.Tenants())
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]string{"dingtalk": w.accounts["dingtalk"].Spec.DingTalk.CorpID, "wecom": corp}
		for _, word := range []string{"职级", "工位", known[p.Name()]} {
			if !strings.Contains(string(told), `"`+word+`"`) {
				t.Errorf("%s knows no %s", p.Name(), word)
			}
		}
	}
}

func errcode(t *testing.T, address string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	var answer struct {
		Code int `json:"errcode"`
	}
	if err := json.NewDecoder(reply.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Code
}
