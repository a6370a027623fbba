package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
)

// archived is a company with a storage and a manager.
type archived struct {
	*testing.T
	*WithT
	world     *world.World
	namespace string
	key       *age.X25519Identity
}

// keeping starts a world with a company that has a storage, and a manager.
func keeping(t *testing.T, namespace string) *archived {
	t.Helper()
	a := &archived{T: t, WithT: NewWithT(t), namespace: namespace}
	a.SetDefaultEventuallyTimeout(3 * time.Minute)
	a.SetDefaultEventuallyPollingInterval(200 * time.Millisecond)
	var err error
	a.world, err = world.Start(t.Context(), world.Options{SimulatorArgs: []string{"--unlimited"}})
	a.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(a.world.Stop)
	a.Expect(a.world.Namespace(t.Context(), namespace)).To(Succeed())
	a.key, err = age.GenerateX25519Identity()
	a.Expect(err).NotTo(HaveOccurred())
	storage, secret := world.Storage(namespace, namespace, a.key)
	a.apply(secret, storage)
	manager, err := a.world.StartManager(t.Context(), world.ManagerOptions{Namespaces: []string{namespace}})
	a.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(manager.Stop)
	return a
}

func (a *archived) apply(objects ...client.Object) {
	a.Helper()
	a.Expect(a.world.Apply(a.Context(), objects...)).To(Succeed())
}

// account makes a tenant on the platform and declares it under the platform's name.
func (a *archived) account(platform string) *world.Tenant {
	a.Helper()
	tenant, err := a.world.Simulator.NewTenant(a.Context(), platform, a.namespace, nil)
	a.Expect(err).NotTo(HaveOccurred())
	account, secret := tenant.Account(a.namespace, platform)
	a.apply(secret, account)
	return tenant
}

func (a *archived) ready(objects ...client.Object) {
	a.Helper()
	for _, o := range objects {
		a.Eventually(func() error {
			if err := a.world.Client.Get(a.Context(), client.ObjectKeyFromObject(o), o); err != nil {
				return err
			}
			if ok, why := world.Stand(o); !ok {
				return errors.New(why)
			}
			return nil
		}).Should(Succeed(), "%T %s is Ready", o, o.GetName())
	}
}

// done applies the objects and waits for them.
func (a *archived) done(objects ...client.Object) {
	a.Helper()
	a.apply(objects...)
	a.ready(objects...)
}

// item is a line of a report.
type item struct {
	Verdict, Kind, ID, TargetID, Message string
	Fields                               []string
	Count                                int32
}

// report reads what a Restore has written beside the archive.
func (a *archived) report(rs *v1alpha1.Restore) (items []item) {
	a.Helper()
	file, err := os.Open(filepath.Join(a.world.Archives(), a.namespace, rs.Status.ReportKey))
	a.Expect(err).NotTo(HaveOccurred())
	defer file.Close()
	plain, err := age.Decrypt(file, a.key)
	a.Expect(err).NotTo(HaveOccurred())
	small, err := zstd.NewReader(plain)
	a.Expect(err).NotTo(HaveOccurred())
	defer small.Close()
	for d := json.NewDecoder(small); d.More(); {
		var it item
		a.Expect(d.Decode(&it)).To(Succeed())
		items = append(items, it)
	}
	return items
}

// tells holds a status against its report, which it returns.
func (a *archived) tells(rs *v1alpha1.Restore, action v1alpha1.RestoreAction) []item {
	a.Helper()
	items, p := a.report(rs), &rs.Status.Plan
	a.Expect(rs.Status.Action).To(Equal(action))
	said := map[string]int32{}
	for verdict, n := range map[string]*int32{
		"Create": p.Create, "Change": p.Change, "Keep": p.Keep, "Impossible": p.Impossible, "Conflict": p.Conflicts, "Failed": p.Failed,
	} {
		if n != nil && *n > 0 {
			said[verdict] = *n
		}
	}
	a.Expect(said).To(Equal(counted(items)))
	return items
}

// counted sums a report up by verdict.
func counted(items []item) map[string]int32 {
	sum := map[string]int32{}
	for _, it := range items {
		sum[it.Verdict] += it.Count
	}
	return sum
}

// somebody is what a platform has of a person, in words that mean the same everywhere.
type somebody struct {
	Name, Mobile, Email, Title, Manager string
	Departments, Leads                  []string
}

// org is the tree of a tenant, as "department < parent", and its people by number; who has none is declared by nobody.
func (a *archived) org(t *world.Tenant) (tree []string, people map[string]somebody) {
	a.Helper()
	units, err := t.Departments(a.Context())
	a.Expect(err).NotTo(HaveOccurred())
	names := map[string]string{"1": "the company"}
	for _, u := range units {
		names[u.ID] = u.Name
	}
	for _, u := range units {
		tree = append(tree, u.Name+" < "+names[u.Parent])
	}
	slices.Sort(tree)
	users, err := t.Users(a.Context())
	a.Expect(err).NotTo(HaveOccurred())
	numbers := map[string]string{}
	for _, u := range users {
		numbers[u.ID] = u.Number
	}
	called := func(ids []string) (all []string) {
		for _, id := range ids {
			all = append(all, names[id])
		}
		slices.Sort(all)
		return all
	}
	people = map[string]somebody{}
	for _, u := range users {
		if u.Number == "" {
			continue
		}
		a.Expect(people).NotTo(HaveKey(u.Number), "P3: somebody is there twice")
		mobile := u.Mobile[max(0, len(u.Mobile)-11):] // with a country, or without
		people[u.Number] = somebody{u.Name, mobile, u.Email, u.Title, numbers[u.Manager], called(u.Departments), called(u.Leads)}
	}
	return tree, people
}

// A company moves: what DingTalk had of it is made on a WeCom tenant that is empty, the report says what did not fit, and the
// Employees find their new accounts.
func TestP3ACompanyMovesFromDingTalkToWeCom(t *testing.T) {
	a := keeping(t, "moves")
	old, next := a.account(world.DingTalk), a.account(world.WeCom)
	units, staff := world.Staff(a.namespace, 24, 6, world.DingTalk)
	for _, e := range staff[1:] {
		e.Spec.HireDate = "2024-03-01" // WeCom has no place for it
		e.Spec.ManagerRef.Name = staff[0].Name
	}
	two := &staff[1].Spec
	two.Departments = append(two.Departments, v1alpha1.EmployeeDepartment{Name: units[0].Name})
	two.PrimaryDepartment = two.Departments[0].Name
	units[3].Spec.Managers = []v1alpha1.EmployeeReference{{Name: staff[2].Name}}
	a.apply(world.Objects(units)...)
	a.done(world.Objects(staff)...)
	a.ready(world.Objects(units)...)
	a.done(world.Backup(a.namespace, "last", world.DingTalk))
	was, before := a.org(old)

	move := world.Restore(a.namespace, "move", "last")
	move.Spec.Target.AccountRef.Name = world.WeCom
	a.done(move)
	a.tells(move, v1alpha1.RestoreDryRun)
	_, nobody := a.org(next)
	a.Expect(nobody).To(BeEmpty(), "a dry run changes nothing")

	a.Expect(world.Update(t.Context(), a.world, move, func(rs *v1alpha1.Restore) {
		rs.Spec.Action, rs.Spec.PlanDigest = v1alpha1.RestoreExecute, rs.Status.Plan.Digest
	})).To(Succeed())
	a.ready(move)
	report := a.tells(move, v1alpha1.RestoreExecute)
	a.Expect(counted(report)).To(Equal(map[string]int32{
		"Create":     6 + 24 + 1, // and the administrator, whom nobody declares
		"Keep":       1,          // the company itself
		"Impossible": 23 + 4,     // the dates of hire, and DingTalk's own roles
	}))
	a.Expect(report).To(ContainElements(
		item{Verdict: "Impossible", Kind: "People", ID: "*", Fields: []string{"hireDate"}, Message: "WeCom has no place for it", Count: 23},
		item{Verdict: "Impossible", Kind: "Roles", ID: "*", Message: "the role belongs to DingTalk; WeCom has its own", Count: 4},
	))
	a.Expect(report).To(ContainElement(And(HaveField("Verdict", "Create"), HaveField("ID", two.Number),
		HaveField("Message", "not in the archive, but declared: primaryDepartment"))), "DingTalk has no main department")
	is, after := a.org(next)
	a.Expect(is).To(Equal(was))
	a.Expect(after).To(Equal(before))
	still, same := a.org(old)
	a.Expect(still).To(Equal(was))
	a.Expect(same).To(Equal(before), "who moves is still there")

	made, err := next.Created(t.Context())
	a.Expect(err).NotTo(HaveOccurred())
	a.Expect(made).To(HaveLen(24 + 1))
	a.Expect(made).To(HaveEach(1), "nobody twice")
	for _, u := range units {
		a.Expect(world.Update(t.Context(), a.world, u, func(d *v1alpha1.Department) {
			d.Spec.Accounts = append(d.Spec.Accounts, v1alpha1.DepartmentAccount{Name: world.WeCom})
		})).To(Succeed())
	}
	for _, e := range staff {
		a.Expect(world.Update(t.Context(), a.world, e, func(e *v1alpha1.Employee) {
			e.Spec.Accounts = append(e.Spec.Accounts, v1alpha1.EmployeeAccount{Name: world.WeCom})
		})).To(Succeed())
	}
	a.ready(world.Objects(staff)...)
	a.Expect(next.Created(t.Context())).To(Equal(made), "their Employees adopt who moved")
}

// Somebody is deleted by mistake on WeCom, which shows no app their mobile number, and takes nobody without: the archive has none,
// and their Employee does.
func TestSomebodyComesBackWithTheMobileNumberThatTheyDeclare(t *testing.T) {
	a := keeping(t, "mistake")
	wecom := a.account(world.WeCom)
	units, staff := world.Staff(a.namespace, 6, 2, world.WeCom)
	a.apply(world.Objects(units)...)
	a.done(world.Objects(staff)...)
	a.done(world.Backup(a.namespace, "good", world.WeCom))
	tree, people := a.org(wecom)
	lost := staff[4]
	a.Expect(wecom.Remove(t.Context(), lost.Spec.Number)).To(Succeed())

	back := world.Restore(a.namespace, "back", "good")
	back.Spec.Action, back.Spec.Select.UserIDs = v1alpha1.RestoreExecute, []string{lost.Spec.Number}
	a.done(back)
	a.Expect(a.tells(back, v1alpha1.RestoreExecute)).To(ContainElement(And(
		HaveField("Verdict", "Create"), HaveField("ID", lost.Spec.Number), HaveField("Message", "not in the archive, but declared: mobile, email"))))
	is, after := a.org(wecom)
	a.Expect(is).To(Equal(tree))
	a.Expect(after).To(Equal(people))
	a.ready(lost)
	text, err := a.world.ManagerLog(a.namespace)
	a.Expect(err).NotTo(HaveOccurred())
	a.Expect(strings.Contains(text, strings.TrimPrefix(lost.Spec.Contact.Mobile, "+86-"))).To(BeFalse(), "P12: the log has a mobile number")
}
