package world

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// SecretName is the name of the Secret that the EnterpriseAccount of this name takes.
func (t *Tenant) SecretName(account string) string { return account + "-credentials" }

// Account declares the tenant as the EnterpriseAccount of this name, with its Secret. Change it before applying it.
func (t *Tenant) Account(namespace, name string) (*v1alpha1.EnterpriseAccount, *corev1.Secret) {
	account := &v1alpha1.EnterpriseAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.EnterpriseAccountSpec{
			CredentialsSecretRef:  v1alpha1.SecretReference{Name: t.SecretName(name)},
			ResyncIntervalSeconds: 5,
		},
	}
	if t.Platform == WeCom {
		account.Spec.WeCom = v1alpha1.WeComTenant{CorpID: t.CorpID, Endpoint: v1alpha1.Endpoint(t.sim.WeComURL), NumberAttribute: "工号"}
	} else {
		account.Spec.DingTalk = v1alpha1.DingTalkTenant{CorpID: t.CorpID, Endpoint: v1alpha1.Endpoint(t.sim.DingTalkURL)}
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: t.SecretName(name)}, StringData: t.Credentials}
	return account, secret
}

// Department declares a department on the accounts; an empty parent is the company itself.
func Department(namespace, name, displayName, parent string, accounts ...string) *v1alpha1.Department {
	d := &v1alpha1.Department{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.DepartmentSpec{DisplayName: displayName, ParentRef: v1alpha1.DepartmentReference{Name: parent}},
	}
	for _, account := range accounts {
		d.Spec.Accounts = append(d.Spec.Accounts, v1alpha1.DepartmentAccount{Name: account})
	}
	return d
}

// Number is the n-th invented employee number.
func Number(n int) string { return fmt.Sprintf("E%05d", n) }

// Mobile is the n-th invented mobile number.
func Mobile(n int) string { return fmt.Sprintf("+86-139%08d", n) }

// Email is the n-th invented mail address.
func Email(n int) string { return fmt.Sprintf("person%05d@mail.example.com", n) }

// PersonName is the n-th invented name; no two are equal.
func PersonName(n int) string { return fmt.Sprintf("%c%s", surnames[n%len(surnames)], inHan(n)) }

var (
	surnames = []rune("赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜")
	digits   = []rune("安博晨丹恩帆刚浩佳凯")
)

// inHan writes a number with ten characters that occur in given names.
func inHan(n int) string {
	var text string
	for _, c := range fmt.Sprint(n) {
		text += string(digits[c-'0'])
	}
	return text
}

// Title is the n-th invented title.
func Title(n int) string { return fmt.Sprintf("%d级工程师", n%7+1) }

// Person declares the n-th invented person, in the department and on the accounts. The object is called p<n>.
func Person(namespace string, n int, department string, accounts ...string) *v1alpha1.Employee {
	e := &v1alpha1.Employee{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: PersonObject(n)},
		Spec: v1alpha1.EmployeeSpec{
			Number: Number(n), Name: PersonName(n), Title: Title(n),
			Contact:     v1alpha1.Contact{Mobile: Mobile(n), Email: Email(n)},
			Departments: []v1alpha1.EmployeeDepartment{{Name: department}},
		},
	}
	for _, account := range accounts {
		e.Spec.Accounts = append(e.Spec.Accounts, v1alpha1.EmployeeAccount{Name: account})
	}
	return e
}

// PersonObject is the name of the n-th person's Employee.
func PersonObject(n int) string { return fmt.Sprintf("p%05d", n) }

// Staff declares so many people, from number 1, and departments, on the accounts: a tree of three departments below the company
// and below each department, people spread evenly.
func Staff(namespace string, people, departments int, accounts ...string) (units []*v1alpha1.Department, staff []*v1alpha1.Employee) {
	for i := range departments {
		parent := ""
		if i >= 3 {
			parent = unitName(i/3 - 1)
		}
		units = append(units, Department(namespace, unitName(i), fmt.Sprintf("第%d部", i+1), parent, accounts...))
	}
	for n := 1; n <= people; n++ {
		staff = append(staff, Person(namespace, n, unitName(n%departments), accounts...))
	}
	return units, staff
}

func unitName(i int) string { return fmt.Sprintf("d%03d", i+1) }

// Objects puts objects of several kinds into one list.
func Objects[T client.Object](all ...[]T) []client.Object {
	var objects []client.Object
	for _, some := range all {
		for _, o := range some {
			objects = append(objects, o)
		}
	}
	return objects
}

// Update reads the object, changes it and writes it, again when somebody else wrote in between.
func Update[T client.Object](ctx context.Context, w *World, object T, change func(T)) error {
	return retryOnConflict(ctx, func() error {
		if err := w.Client.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return fmt.Errorf("reading %s: %w", object.GetName(), err)
		}
		change(object)
		if err := w.Client.Update(ctx, object); err != nil {
			return fmt.Errorf("changing %s: %w", object.GetName(), err)
		}
		return nil
	})
}
