package controllers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/test/simulator/core"
	"rollcall.dev/rollcall/test/simulator/dingtalk"
	"rollcall.dev/rollcall/test/simulator/wecom"
)

// company is the world of one spec: a namespace, and a tenant on each of two platforms that nobody else calls.
type company struct {
	namespace       string
	number          int64 // of the company, in corp ids and secrets
	sim             *core.Core
	wecom, dingtalk *twin
	people          int
	spec            string
	// leavers are the user ids of people who may be removed: who leaves.
	leavers []string
	// private is what nobody may find in a status, an event, a metric or a log.
	private []string
}

// twin is one simulated platform with one tenant.
type twin struct {
	core.Platform
	sim            *core.Core
	handler        http.Handler
	server         *httptest.Server
	tenant, corpID string
	keys           map[string]string // of the credentials Secret
}

var companies atomic.Int64

// founded makes the company of a spec, and has it examined and dissolved at the end.
func founded() *company {
	GinkgoHelper()
	c := &company{number: companies.Add(1), spec: CurrentSpecReport().FullText()}
	c.sim = core.New(core.Options{})
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "company-"}}
	Expect(api.Create(ctx, ns)).To(Succeed())
	c.namespace = ns.Name
	c.wecom = c.tenant("wecom", wecom.New(c.sim), fmt.Sprintf("wwcompany%06d", c.number), `{"name":"tenant","title":"样板公司",
		"corpId":"%[1]s","syncSecret":"%[1]s-sync-secret","apps":[{"name":"rollcall","agentId":1000002,"secret":"%[1]s-app-secret"}],
		"options":{"attributes":["工号","工位"],"creator":"founder"}}`)
	c.wecom.keys = map[string]string{"syncSecret": c.wecom.corpID + "-sync-secret", "appSecret": c.wecom.corpID + "-app-secret"}
	c.dingtalk = c.tenant("dingtalk", dingtalk.New(c.sim), fmt.Sprintf("dingcompany%06d", c.number), `{"name":"tenant","title":"样板公司",
		"corpId":"%[1]s","apps":[{"name":"rollcall","appKey":"%[1]s-key","appSecret":"%[1]s-app-secret","agentId":3000000001}],
		"options":{"extensionFields":["工位"],"enterpriseAccounts":true}}`)
	c.dingtalk.keys = map[string]string{"appKey": c.dingtalk.corpID + "-key", "appSecret": c.dingtalk.corpID + "-app-secret"}
	c.private = append(c.private, c.wecom.keys["syncSecret"], c.wecom.keys["appSecret"], c.dingtalk.keys["appSecret"])
	DeferCleanup(c.end)
	return c
}

func (c *company) tenant(platform string, handler http.Handler, corpID, spec string) *twin {
	GinkgoHelper()
	t := &twin{sim: c.sim, handler: handler, tenant: "tenant", corpID: corpID}
	t.Platform, _ = c.sim.Platform(platform)
	Expect(t.AddTenant(fmt.Appendf(nil, spec, corpID))).To(Succeed())
	Expect(c.sim.Limits.Set(platform, core.Limits{Unlimited: true}, true)).To(Succeed())
	t.server = httptest.NewServer(handler)
	DeferCleanup(t.server.Close)
	return t
}

// ended are the companies whose objects were deleted; that they go is looked at when all specs have run.
var ended []*company

var _ = AfterSuite(func() {
	for _, c := range ended {
		c.gone()
	}
})

// end looks whether every object tells the truth and nobody's data was told, then deletes everything.
func (c *company) end() {
	c.sim.Faults.Clear()
	if CurrentSpecReport().Failed() {
		c.testify()
	} else {
		c.honest()
		c.discreet()
		Expect(c.sim.Log.Entries(core.Query{})).NotTo(ContainElement(And(HaveField("Operation", MatchRegexp("(?i)delete|remove|terminate")), HaveField("Operation", Not(HaveSuffix("removerolesforemps"))),
			HaveField("Subject", Not(BeElementOf(c.leavers))))), "nobody is ever deleted on a platform who does not leave")
	}
	c.pardon()
	for _, kind := range []client.Object{&v1alpha1.PermissionBinding{}, &v1alpha1.Offboarding{}, &v1alpha1.EnterpriseAccount{}, &v1alpha1.Employee{}, &v1alpha1.LinkedSystem{}, &v1alpha1.Department{}, &v1alpha1.EmployeeNumberRule{},
		&v1alpha1.Restore{}, &v1alpha1.Backup{}, &v1alpha1.BackupSchedule{}, &v1alpha1.BackupStorage{}} {
		Expect(api.DeleteAllOf(ctx, kind, client.InNamespace(c.namespace))).To(Succeed())
	}
	ended = append(ended, c)
}

// pardon takes the policies away, whoever needs them: who is deleted after that leaves nothing.
func (c *company) pardon() {
	GinkgoHelper()
	var policies v1alpha1.OffboardingPolicyList
	Expect(api.List(ctx, &policies, client.InNamespace(c.namespace))).To(Succeed())
	for i := range policies.Items {
		p := &policies.Items[i]
		Expect(client.IgnoreNotFound(api.Delete(ctx, p))).To(Succeed())
		Eventually(func() error {
			if err := api.Get(ctx, client.ObjectKeyFromObject(p), p); err != nil {
				return client.IgnoreNotFound(err)
			}
			p.Finalizers = nil
			return client.IgnoreNotFound(api.Update(ctx, p))
		}).Should(Succeed())
		Eventually(exists(p)).Should(BeFalse())
	}
}

// gone waits until everything of the company is deleted.
func (c *company) gone() {
	GinkgoHelper()
	Eventually(func() []string {
		var left []string
		for _, o := range c.objects() {
			left = append(left, fmt.Sprintf("%T %s\n%s", o, o.GetName(), statusOf(o)))
		}
		return left
	}).Should(BeEmpty(), "every object of %q can be deleted", c.spec)
	var secrets corev1.SecretList
	Expect(api.List(ctx, &secrets, client.InNamespace(c.namespace))).To(Succeed())
	Expect(secrets.Items).NotTo(ContainElement(HaveField("Finalizers", Not(BeEmpty()))), "no Secret of %q is held when nobody uses it", c.spec)
}

// testify shows what is needed to understand a failure.
func (c *company) testify() {
	var b strings.Builder
	for _, o := range c.objects() {
		fmt.Fprintf(&b, "%T %s, generation %d\n%s\n", o, o.GetName(), o.GetGeneration(), statusOf(o))
	}
	for _, e := range c.sim.Log.Entries(core.Query{}) {
		fmt.Fprintf(&b, "%s %s %s %s as %s: %s %s\n", e.Time.Format("05.000"), e.Platform, e.Operation, e.Subject, e.Credential, e.Code, e.Fault)
	}
	for line := range strings.Lines(logged.text()) {
		if strings.Contains(line, c.namespace) {
			b.WriteString(line)
		}
	}
	AddReportEntry("the company at the end", b.String(), ReportEntryVisibilityFailureOrVerbose)
}

// objects are all objects of ours in the company.
func (c *company) objects() []client.Object {
	GinkgoHelper()
	var found []client.Object
	var accounts v1alpha1.EnterpriseAccountList
	var departments v1alpha1.DepartmentList
	var employees v1alpha1.EmployeeList
	var rules v1alpha1.EmployeeNumberRuleList
	var storages v1alpha1.BackupStorageList
	var schedules v1alpha1.BackupScheduleList
	var backups v1alpha1.BackupList
	var restores v1alpha1.RestoreList
	var policies v1alpha1.OffboardingPolicyList
	var offboardings v1alpha1.OffboardingList
	var bindings v1alpha1.PermissionBindingList
	var systems v1alpha1.LinkedSystemList
	for _, list := range []client.ObjectList{&systems, &policies, &offboardings, &bindings, &accounts, &departments, &employees, &rules, &storages, &schedules, &backups, &restores} {
		Expect(api.List(ctx, list, client.InNamespace(c.namespace))).To(Succeed())
	}
	for i := range accounts.Items {
		found = append(found, &accounts.Items[i])
	}
	for i := range departments.Items {
		found = append(found, &departments.Items[i])
	}
	for i := range employees.Items {
		found = append(found, &employees.Items[i])
	}
	for i := range rules.Items {
		found = append(found, &rules.Items[i])
	}
	for i := range storages.Items {
		found = append(found, &storages.Items[i])
	}
	for i := range schedules.Items {
		found = append(found, &schedules.Items[i])
	}
	for i := range backups.Items {
		found = append(found, &backups.Items[i])
	}
	for i := range restores.Items {
		found = append(found, &restores.Items[i])
	}
	for i := range bindings.Items {
		found = append(found, &bindings.Items[i])
	}
	for i := range systems.Items {
		found = append(found, &systems.Items[i])
	}
	for i := range policies.Items {
		found = append(found, &policies.Items[i])
	}
	for i := range offboardings.Items {
		found = append(found, &offboardings.Items[i])
	}
	return found
}

func inNamespace(c *company) client.DeleteAllOfOption { return client.InNamespace(c.namespace) }

// versions are the versions of all objects by kind and name.
func (c *company) versions() map[string]string {
	GinkgoHelper()
	versions := map[string]string{}
	for _, o := range c.objects() {
		versions[fmt.Sprintf("%T %s", o, o.GetName())] = o.GetResourceVersion()
	}
	return versions
}

// settled waits until nothing was written for longer than the counts on accounts lag behind, which they do so that a
// thousand changes are one write.
func (c *company) settled() {
	GinkgoHelper()
	var before map[string]string
	Eventually(func() bool {
		last := before
		before = c.versions()
		return maps.Equal(last, before)
	}).WithPolling(3*time.Second).Should(BeTrue(), "it comes to rest")
}

// looks is how often the controller has reconciled.
func looks(controller string) float64 {
	GinkgoHelper()
	families, err := crmetrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	n := 0.0
	for _, f := range families {
		if f.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "controller" && l.GetValue() == controller {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return n
}

// atRest looks whether an account is left alone when it is looked at again, because its Secret was touched.
func (c *company) atRest(a *v1alpha1.EnterpriseAccount, s *corev1.Secret) {
	GinkgoHelper()
	Expect(of(a)()).NotTo(BeNil())
	since := metav1.Now()
	Eventually(func() int64 { return time.Now().Unix() }).Should(BeNumerically(">", since.Unix()), "times in conditions are whole seconds")
	version, before := a.ResourceVersion, looks("enterpriseaccount")
	change(s, func(s *corev1.Secret) { s.Labels = map[string]string{"touched": fmt.Sprint(before)} })
	Eventually(looks).WithArguments("enterpriseaccount").Should(BeNumerically(">", before))
	Consistently(of(a), "200ms").Should(HaveField("ResourceVersion", version))
}

// meta names an object of the company.
func (c *company) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: c.namespace, Name: name}
}

// secret makes a Secret; what it holds is private.
func (c *company) secret(name string, keys map[string]string) *corev1.Secret {
	GinkgoHelper()
	s := &corev1.Secret{ObjectMeta: c.meta(name), StringData: keys}
	for _, v := range keys {
		c.private = append(c.private, v)
	}
	return create(s)
}

// account is an EnterpriseAccount of the twin's tenant, its listings far apart, and not created yet.
func (c *company) account(t *twin, change ...func(*v1alpha1.EnterpriseAccount)) *v1alpha1.EnterpriseAccount {
	name := t.Name()
	a := &v1alpha1.EnterpriseAccount{ObjectMeta: c.meta(name), Spec: v1alpha1.EnterpriseAccountSpec{
		CredentialsSecretRef: v1alpha1.SecretReference{Name: name + "-credentials"}, ResyncIntervalSeconds: 86400,
	}}
	endpoint := v1alpha1.Endpoint(t.server.URL)
	if name == "wecom" {
		a.Spec.WeCom = v1alpha1.WeComTenant{CorpID: t.corpID, Endpoint: endpoint, NumberAttribute: "工号"}
	} else {
		a.Spec.DingTalk = v1alpha1.DingTalkTenant{CorpID: t.corpID, Endpoint: endpoint}
	}
	for _, f := range change {
		f(a)
	}
	return a
}

// open puts the company on the platforms, with credentials that work.
func (c *company) open(platforms ...*twin) {
	GinkgoHelper()
	for _, t := range platforms {
		c.secret(t.Name()+"-credentials", t.keys)
		create(c.account(t))
	}
}

// trail is an audit trail on a disk that can be full.
type trail struct {
	*audit.Folder
	path string
	full atomic.Bool
}

func (t *trail) Append(ctx context.Context, first uint64, lines []byte) error {
	if t.full.Load() {
		return errors.New("no space left on device")
	}
	return t.Folder.Append(ctx, first, lines)
}

// trails are those of accounts whose specs ask for one.
var trails sync.Map

// trailOf opens the audit trail of an account, nil if it has none.
func trailOf(account types.NamespacedName) (*audit.Log, error) {
	if t, ok := trails.Load(account); ok {
		return audit.New(t.(*trail), time.Now), nil
	}
	return nil, nil //nolint:nilnil // no records are kept
}

// trail gives the company's account on WeCom a trail; it is opened after that.
func (c *company) trail() *trail {
	GinkgoHelper()
	t := &trail{path: filepath.Join(GinkgoT().TempDir(), "trail")}
	t.Folder = audit.NewFolder(t.path)
	trails.Store(types.NamespacedName{Namespace: c.namespace, Name: "wecom"}, t)
	return t
}

// of are the records of an action. The whole trail has to be unbroken.
func (t *trail) of(action string) (found []audit.Record) {
	GinkgoHelper()
	text, err := audit.OpenFolder(t.path)
	Expect(err).NotTo(HaveOccurred())
	defer text.Close()
	_, err = audit.Verify(text, audit.Head{}, func(r *audit.Record) {
		if r.Action == action {
			found = append(found, *r)
		}
	})
	Expect(err).NotTo(HaveOccurred())
	return found
}

// mode changes how an account works.
func mode(m v1alpha1.Mode) func(*v1alpha1.EnterpriseAccount) {
	return func(a *v1alpha1.EnterpriseAccount) { a.Spec.Mode = m }
}

// department is a Department on both platforms, not created yet.
func (c *company) department(name, displayName string, change ...func(*v1alpha1.Department)) *v1alpha1.Department {
	d := &v1alpha1.Department{ObjectMeta: c.meta(name), Spec: v1alpha1.DepartmentSpec{
		DisplayName: displayName, Accounts: []v1alpha1.DepartmentAccount{{Name: "wecom"}, {Name: "dingtalk"}},
	}}
	for _, f := range change {
		f(d)
	}
	return d
}

func below(parent string) func(*v1alpha1.Department) {
	return func(d *v1alpha1.Department) { d.Spec.ParentRef.Name = parent }
}

func ledBy(managers ...string) func(*v1alpha1.Department) {
	return func(d *v1alpha1.Department) {
		d.Spec.Managers = nil
		for _, m := range managers {
			d.Spec.Managers = append(d.Spec.Managers, v1alpha1.EmployeeReference{Name: m})
		}
	}
}

// on puts a department or a person on these accounts only.
func on[T *v1alpha1.Department | *v1alpha1.Employee](accounts ...string) func(T) {
	return func(o T) {
		switch o := any(o).(type) {
		case *v1alpha1.Department:
			o.Spec.Accounts = nil
			for _, a := range accounts {
				o.Spec.Accounts = append(o.Spec.Accounts, v1alpha1.DepartmentAccount{Name: a})
			}
		case *v1alpha1.Employee:
			o.Spec.Accounts = nil
			for _, a := range accounts {
				o.Spec.Accounts = append(o.Spec.Accounts, v1alpha1.EmployeeAccount{Name: a})
			}
		}
	}
}

// person is an Employee of the department rd on both platforms, not created yet. Names and numbers are nobody else's.
func (c *company) person(name string, change ...func(*v1alpha1.Employee)) *v1alpha1.Employee {
	c.people++
	id := c.number*100 + int64(c.people)
	e := &v1alpha1.Employee{ObjectMeta: c.meta(name), Spec: v1alpha1.EmployeeSpec{
		Number: fmt.Sprintf("E%04d", c.people), Name: "张" + inChinese(id), Title: "工程师",
		Contact:     v1alpha1.Contact{Mobile: fmt.Sprintf("+86-1370%07d", id), Email: fmt.Sprintf("person.%07d@example.com", id)},
		Departments: []v1alpha1.EmployeeDepartment{{Name: "rd"}},
		Accounts:    []v1alpha1.EmployeeAccount{{Name: "wecom"}, {Name: "dingtalk"}},
	}}
	for _, f := range change {
		f(e)
	}
	c.private = append(c.private, e.Spec.Name)
	if e.Spec.Contact.Mobile != "" {
		c.private = append(c.private, bare(e.Spec.Contact.Mobile))
	}
	if e.Spec.Contact.Email != "" {
		c.private = append(c.private, e.Spec.Contact.Email)
	}
	return e
}

// inChinese spells a number with characters that no message of ours has.
func inChinese(n int64) string {
	return strings.Map(func(r rune) rune { return []rune("甲乙丙丁戊己庚辛壬癸")[r-'0'] }, fmt.Sprint(n))
}

// bare is a mainland number as the platforms keep it.
func bare(mobile string) string { return strings.TrimPrefix(mobile, "+86-") }

func in(departments ...string) func(*v1alpha1.Employee) {
	return func(e *v1alpha1.Employee) {
		e.Spec.Departments = nil
		for _, d := range departments {
			e.Spec.Departments = append(e.Spec.Departments, v1alpha1.EmployeeDepartment{Name: d})
		}
		e.Spec.PrimaryDepartment = departments[0]
	}
}

func reportingTo(manager string) func(*v1alpha1.Employee) {
	return func(e *v1alpha1.Employee) { e.Spec.ManagerRef.Name = manager }
}

func titled(title string) func(*v1alpha1.Employee) {
	return func(e *v1alpha1.Employee) { e.Spec.Title = title }
}

func numbered(number string) func(*v1alpha1.Employee) {
	return func(e *v1alpha1.Employee) { e.Spec.Number = number }
}

func frozen(e *v1alpha1.Employee) {
	e.Spec.State, e.Spec.StateReason = v1alpha1.EmployeeFrozen, "长期病假"
}

func active(e *v1alpha1.Employee) { e.Spec.State, e.Spec.StateReason = v1alpha1.EmployeeActive, "" }

// entry changes the person's entry for an account.
func entry(account string, f func(*v1alpha1.EmployeeAccount)) func(*v1alpha1.Employee) {
	return func(e *v1alpha1.Employee) {
		for i := range e.Spec.Accounts {
			if e.Spec.Accounts[i].Name == account {
				f(&e.Spec.Accounts[i])
			}
		}
	}
}

func adopting(account string, p v1alpha1.AdoptionPolicy) func(*v1alpha1.Employee) {
	return entry(account, func(a *v1alpha1.EmployeeAccount) { a.AdoptionPolicy = p })
}

func pinned(account, userID string) func(*v1alpha1.Employee) {
	return entry(account, func(a *v1alpha1.EmployeeAccount) { a.UserID = userID })
}

// create creates an object and returns it.
func create[T client.Object](o T) T {
	GinkgoHelper()
	Expect(api.Create(ctx, o)).To(Succeed())
	return o
}

// change edits an object, as often as it takes.
func change[T client.Object](o T, edits ...func(T)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := api.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		for _, edit := range edits {
			edit(o)
		}
		err := api.Update(ctx, o)
		if err != nil && !apierrors.IsConflict(err) {
			return StopTrying("the edit is refused").Wrap(err)
		}
		return err
	}).Should(Succeed())
}

// remove deletes an object, which may stay for a while.
func remove(o client.Object) {
	GinkgoHelper()
	Expect(api.Delete(ctx, o)).To(Succeed())
}

// later lets what is created next be younger: ages are in whole seconds.
func later(o client.Object) {
	GinkgoHelper()
	Eventually(func() int64 { return time.Now().Unix() }).Should(BeNumerically(">", o.GetCreationTimestamp().Unix()))
}

// exists reports whether an object is still there.
func exists(o client.Object) func() (bool, error) {
	return func() (bool, error) {
		err := api.Get(ctx, client.ObjectKeyFromObject(o), o)
		return err == nil, client.IgnoreNotFound(err)
	}
}

// of reads an object again and again.
func of[T client.Object](o T) func() (T, error) {
	return func() (T, error) { return o, api.Get(ctx, client.ObjectKeyFromObject(o), o) }
}

// unit is the platform's id of a department, once it is there.
func (c *company) unit(t *twin, name string) int {
	GinkgoHelper()
	d := &v1alpha1.Department{ObjectMeta: c.meta(name)}
	Eventually(of(d)).Should(unitOn(t.Name(), HaveField("Origin", BeElementOf(v1alpha1.OriginCreated, v1alpha1.OriginAdopted))))
	for _, a := range d.Status.Accounts {
		if a.Name == t.Name() {
			id, err := strconv.Atoi(a.DepartmentID)
			Expect(err).NotTo(HaveOccurred())
			return id
		}
	}
	return 0
}

// resync has the account's directory listed anew, and returns when what the listing shows is known, or that it failed.
func (c *company) resync(t *twin) {
	GinkgoHelper()
	a := &v1alpha1.EnterpriseAccount{ObjectMeta: c.meta(t.Name())}
	last := map[string]string{"wecom": "user/list", "dingtalk": "user/count"}[t.Name()] // ends a listing
	since, began := c.sim.Log.Last(), time.Now()
	change(a, func(a *v1alpha1.EnterpriseAccount) {
		a.Spec.ResyncIntervalSeconds = 80000 + a.Spec.ResyncIntervalSeconds%10 + 1
	})
	failed := func() bool {
		GinkgoHelper()
		Expect(of(a)()).NotTo(BeNil())
		return meta.IsStatusConditionFalse(a.Status.Conditions, v1alpha1.ConditionDirectoryRead)
	}
	Eventually(func() bool {
		over := len(t.calls(core.Query{Operation: last, Since: since})) > 0
		return over && (c.listed(a.Name).After(began) || failed())
	}).Should(BeTrue(), "%s is listed anew", a.Name)
}

// listed is when the last successful listing of the account began.
func (c *company) listed(account string) time.Time {
	GinkgoHelper()
	age, known := c.gauge("rollcall_mirror_age_seconds", map[string]string{"account": account})
	if !known {
		return time.Time{}
	}
	return epoch.Add(-time.Duration(age * float64(time.Second)))
}

// gauge is what a metric of the company's namespace with these labels, and no others, says.
func (c *company) gauge(name string, labels map[string]string) (value float64, known bool) {
	GinkgoHelper()
	families, err := measured.Gather()
	Expect(err).NotTo(HaveOccurred())
	for _, f := range families {
		for _, m := range f.GetMetric() {
			of := map[string]string{}
			for _, l := range m.GetLabel() {
				of[l.GetName()] = l.GetValue()
			}
			namespace := of["namespace"]
			if delete(of, "namespace"); f.GetName() == name && namespace == c.namespace && maps.Equal(of, labels) {
				return m.GetGauge().GetValue(), true
			}
		}
	}
	return 0, false
}

// calls are the calls to the tenant.
func (t *twin) calls(q core.Query) []core.Entry {
	q.Platform, q.Tenant = t.Name(), t.tenant
	return t.sim.Log.Entries(q)
}

// made are the calls of an operation about one subject, whatever became of them.
func (t *twin) made(operation, subject string) func() []core.Entry {
	return func() []core.Entry { return t.calls(core.Query{Operation: operation, Subject: subject}) }
}

// writes are the calls that change people or departments.
func (t *twin) writes() []core.Entry {
	var writes []core.Entry
	for _, e := range t.calls(core.Query{}) {
		for _, end := range []string{"/create", "/update", "/delete", "/disable", "/enable", "/signOut"} {
			if strings.HasSuffix(e.Operation, end) {
				writes = append(writes, e)
			}
		}
	}
	return writes
}

// changesSince are the operations that change people since then, by the last two words of their names.
func (t *twin) changesSince(since uint64) []string {
	var changes []string
	for _, e := range t.calls(core.Query{Since: since}) {
		words := strings.Split(e.Operation, "/")
		name := strings.Join(words[max(0, len(words)-2):], "/")
		for _, end := range []string{"/create", "/update", "/delete", "/disable", "/enable", "/signOut", "/terminateAndHandOver", "tagusers", "/send", "/transfer_customer", "roles"} {
			if strings.HasSuffix(name, end) {
				changes = append(changes, name)
			}
		}
	}
	return changes
}

// fault makes the platform misbehave towards the tenant, and returns how to end it.
func (t *twin) fault(f core.Fault) (heal func()) {
	GinkgoHelper()
	f.Platform, f.Tenant = t.Name(), t.tenant
	f, err := t.sim.Faults.Add(f)
	Expect(err).NotTo(HaveOccurred())
	return func() {
		GinkgoHelper()
		Expect(t.sim.Faults.Remove(f.ID)).To(Succeed())
	}
}

// byHand does in the platform's console what an administrator would.
func (t *twin) byHand(collection, id, fields string) {
	GinkgoHelper()
	err := t.Merge(t.tenant, collection, id, []byte(fields))
	if errors.Is(err, core.ErrNotFound) {
		err = t.Create(t.tenant, collection, id, []byte(fields))
	}
	Expect(err).NotTo(HaveOccurred())
}

func (t *twin) configure(options string) {
	GinkgoHelper()
	Expect(t.Configure(t.tenant, []byte(options))).To(Succeed())
}

// wecomUser, dingUser, wecomUnit and dingUnit are what the platforms show of people and departments.
type (
	wecomUser = wecom.User
	wecomUnit = wecom.Department

	dingUser struct {
		UserID           string  `json:"userid"`
		Name             string  `json:"name"`
		Mobile           string  `json:"mobile"`
		JobNumber        string  `json:"job_number"`
		Title            string  `json:"title"`
		Email            string  `json:"email"`
		WorkPlace        string  `json:"work_place"`
		HiredDate        int64   `json:"hired_date"`
		DeptIDList       []int64 `json:"dept_id_list"`
		ManagerUserID    string  `json:"manager_userid"`
		Extension        string  `json:"extension"`
		ExclusiveAccount bool    `json:"exclusive_account"`
		DisableStatus    bool    `json:"disable_status"`
		DeptOrderList    []struct {
			DeptID int64 `json:"dept_id"`
			Order  int64 `json:"order"`
		} `json:"dept_order_list"`
	}
	dingUnit struct {
		DeptID   int64    `json:"dept_id"`
		Name     string   `json:"name"`
		ParentID int64    `json:"parent_id"`
		Order    int64    `json:"order"`
		Managers []string `json:"dept_manager_userid_list"`
		Key      string   `json:"source_identifier"`
	}
)

// seen reads an object of the platform as it is now, nil if there is none.
func seen[T any](t *twin, collection, id string) func() (*T, error) {
	return func() (*T, error) {
		o, err := t.Object(t.tenant, collection, id)
		if errors.Is(err, core.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return decoded[T](o)
	}
}

// all reads a whole collection of the platform.
func all[T any](t *twin, collection string) func() ([]T, error) {
	return func() ([]T, error) {
		objects, err := t.Objects(t.tenant, collection)
		if err != nil {
			return nil, err
		}
		found := make([]T, 0, len(objects))
		for _, o := range objects {
			v, err := decoded[T](o)
			if err != nil {
				return nil, err
			}
			found = append(found, *v)
		}
		return found, nil
	}
}

func decoded[T any](o any) (*T, error) {
	b, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	v := new(T)
	return v, json.Unmarshal(b, v)
}

func onWeCom(c *company, id string) func() (*wecomUser, error) {
	return seen[wecomUser](c.wecom, "users", id)
}

func onDingTalk(c *company, id string) func() (*dingUser, error) {
	return seen[dingUser](c.dingtalk, "users", id)
}
