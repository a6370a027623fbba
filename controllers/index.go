package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// Indexes of the cache. The values are names in the object's namespace.
const (
	// indexNumber: the employee number, folded to lower case.
	indexNumber = "number"
	// indexClaim: "<account>/<user id>", folded: what an Employee holds or would take, and what an Offboarding is about.
	indexClaim = "claim"
	// indexAccount: EnterpriseAccounts that an object is on, or was.
	indexAccount = "account"
	// indexDepartment: Departments of an Employee; the parent of a Department.
	indexDepartment = "department"
	// indexName: the displayName of a Department.
	indexName = "displayName"
	// indexManager: the managerRef of an Employee; the managers of a Department.
	indexManager = "manager"
	// indexSecret: Secrets that an object reads.
	indexSecret = "secret"
	// indexRule: the numberRuleRef of an Employee.
	indexRule = "rule"
	// indexStorage: the storageRef of a Backup, a BackupSchedule or the terms of an Offboarding.
	indexStorage = "storage"
	// indexSchedule: the BackupSchedule that made a Backup.
	indexSchedule = "schedule"
	// indexPeople: the Employees that a Backup chooses.
	indexPeople = "people"
	// indexBackup: the backupRef of a Restore; the Backups of an Offboarding.
	indexBackup = "backup"
	// indexRemoval: EnterpriseAccounts that an Employee or an Offboarding was admitted on, or waits to be.
	indexRemoval = "removal"
	// indexDigest: the digest of what an Approval asks.
	indexDigest = "digest"
	// indexSubject: the UIDs of what an Approval lists.
	indexSubject = "subject"
	// indexTarget: where a Restore restores to.
	indexTarget = "target"
	// indexConcern: what a PermissionBinding depends on.
	indexConcern = "concern"
	// indexSystem: LinkedSystems that an Employee has an account in, or is to, and that an Offboarding unlinks.
	indexSystem = "system"
	// indexLink: "<system>/<account id>" that an Employee has, or that is declared for it, or that an Offboarding unlinks.
	indexLink = "link"
)

// SetupIndexes registers the indexes that the controllers list by.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, i := range []struct {
		object  client.Object
		field   string
		extract client.IndexerFunc
	}{
		{&v1alpha1.Employee{}, indexNumber, employeeIndex(numberKeys)},
		{&v1alpha1.Employee{}, indexClaim, employeeIndex(claimKeys)},
		{&v1alpha1.Employee{}, indexAccount, employeeIndex(employeeAccounts)},
		{&v1alpha1.Employee{}, indexDepartment, employeeIndex(employeeDepartments)},
		{&v1alpha1.Employee{}, indexManager, employeeIndex(func(e *v1alpha1.Employee) []string { return named(e.Spec.ManagerRef.Name) })},
		{&v1alpha1.Employee{}, indexSecret, employeeIndex(func(e *v1alpha1.Employee) []string { return named(e.Spec.Contact.SecretRef.Name) })},
		{&v1alpha1.Employee{}, indexRule, employeeIndex(func(e *v1alpha1.Employee) []string { return named(e.Spec.NumberRuleRef.Name) })},
		{&v1alpha1.Employee{}, indexRemoval, employeeIndex(employeeRemovals)},
		{&v1alpha1.Offboarding{}, indexRemoval, offboardingIndex(offboardingRemovals)},
		{&v1alpha1.Approval{}, indexAccount, approvalIndex(func(a *v1alpha1.Approval) []string { return named(a.Spec.AccountName) })},
		{&v1alpha1.Approval{}, indexDigest, approvalIndex(func(a *v1alpha1.Approval) []string { return named(a.Spec.Digest) })},
		{&v1alpha1.Approval{}, indexSubject, approvalIndex(approvalSubjects)},
		{&v1alpha1.Department{}, indexAccount, departmentIndex(departmentAccounts)},
		{&v1alpha1.Department{}, indexClaim, departmentIndex(departmentClaims)},
		{&v1alpha1.Department{}, indexDepartment, departmentIndex(func(d *v1alpha1.Department) []string { return named(d.Spec.ParentRef.Name) })},
		{&v1alpha1.Department{}, indexName, departmentIndex(func(d *v1alpha1.Department) []string { return named(d.Spec.DisplayName) })},
		{&v1alpha1.Department{}, indexManager, departmentIndex(departmentManagers)},
		{&v1alpha1.EnterpriseAccount{}, indexSecret, accountSecrets},
		{&v1alpha1.BackupStorage{}, indexSecret, storageSecrets},
		{&v1alpha1.BackupSchedule{}, indexAccount, scheduleIndex(func(s *v1alpha1.BackupSchedule) string { return s.Spec.AccountRef.Name })},
		{&v1alpha1.BackupSchedule{}, indexStorage, scheduleIndex(func(s *v1alpha1.BackupSchedule) string { return s.Spec.StorageRef.Name })},
		{&v1alpha1.Backup{}, indexStorage, backupIndex(func(b *v1alpha1.Backup) []string { return named(b.Spec.StorageRef.Name) })},
		{&v1alpha1.Backup{}, indexSchedule, backupIndex(func(b *v1alpha1.Backup) []string { return named(b.Labels[v1alpha1.ScheduleLabel]) })},
		{&v1alpha1.Backup{}, indexAccount, backupIndex(func(b *v1alpha1.Backup) []string { return named(b.Spec.AccountRef.Name) })},
		{&v1alpha1.Backup{}, indexPeople, backupIndex(backupPeople)},
		{&v1alpha1.Restore{}, indexBackup, restoreIndex(func(rs *v1alpha1.Restore) string { return rs.Spec.BackupRef.Name })},
		{&v1alpha1.Offboarding{}, indexNumber, offboardingIndex(func(ob *v1alpha1.Offboarding) []string { return named(fold(ob.Spec.Number)) })},
		{&v1alpha1.Offboarding{}, indexAccount, offboardingIndex(offboardingAccounts)},
		{&v1alpha1.Offboarding{}, indexClaim, offboardingIndex(offboardingClaims)},
		{&v1alpha1.Offboarding{}, indexBackup, offboardingIndex(offboardingBackups)},
		{&v1alpha1.Offboarding{}, indexStorage, offboardingIndex(func(ob *v1alpha1.Offboarding) []string { return named(ob.Spec.Terms.Backup.StorageRef.Name) })},
		{&v1alpha1.PermissionBinding{}, indexAccount, bindingIndex(func(b *v1alpha1.PermissionBinding) []string { return named(b.Spec.AccountRef.Name) })},
		{&v1alpha1.PermissionBinding{}, indexConcern, bindingIndex(concerns)},
		{&v1alpha1.Employee{}, indexSystem, employeeIndex(employeeSystems)},
		{&v1alpha1.Employee{}, indexLink, employeeIndex(linkKeys)},
		{&v1alpha1.Offboarding{}, indexSystem, offboardingIndex(offboardingSystems)},
		{&v1alpha1.Offboarding{}, indexLink, offboardingIndex(offboardingLinks)},
		{&v1alpha1.LinkedSystem{}, indexSecret, systemSecrets},
		{&v1alpha1.Restore{}, indexTarget, restoreIndex(func(rs *v1alpha1.Restore) string { return rs.Status.Target })},
	} {
		if err := indexer.IndexField(ctx, i.object, i.field, i.extract); err != nil {
			return fmt.Errorf("indexing %T by %s: %w", i.object, i.field, err)
		}
	}
	return nil
}

func employeeIndex(keys func(*v1alpha1.Employee) []string) client.IndexerFunc {
	return func(o client.Object) []string {
		if e, ok := o.(*v1alpha1.Employee); ok {
			return keys(e)
		}
		return nil
	}
}

func departmentIndex(keys func(*v1alpha1.Department) []string) client.IndexerFunc {
	return func(o client.Object) []string {
		if d, ok := o.(*v1alpha1.Department); ok {
			return keys(d)
		}
		return nil
	}
}

func approvalIndex(keys func(*v1alpha1.Approval) []string) client.IndexerFunc {
	return func(o client.Object) []string {
		if a, ok := o.(*v1alpha1.Approval); ok {
			return keys(a)
		}
		return nil
	}
}

func approvalSubjects(a *v1alpha1.Approval) []string {
	var uids []string
	for _, s := range a.Spec.Subjects {
		uids = append(uids, s.UID)
	}
	return uids
}

func accountSecrets(o client.Object) []string {
	if a, ok := o.(*v1alpha1.EnterpriseAccount); ok {
		return named(a.Spec.CredentialsSecretRef.Name)
	}
	return nil
}

func systemSecrets(o client.Object) []string {
	if ls, ok := o.(*v1alpha1.LinkedSystem); ok {
		return named(ls.Spec.CredentialsSecretRef.Name)
	}
	return nil
}

func employeeSystems(e *v1alpha1.Employee) []string {
	var names []string
	for i := range e.Spec.LinkedAccounts {
		names = append(names, e.Spec.LinkedAccounts[i].Name)
	}
	for i := range e.Status.LinkedAccounts {
		if name := e.Status.LinkedAccounts[i].Name; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func offboardingSystems(ob *v1alpha1.Offboarding) []string {
	var names []string
	for i := range ob.Spec.LinkedAccounts {
		names = append(names, ob.Spec.LinkedAccounts[i].Name)
	}
	return names
}

func offboardingLinks(ob *v1alpha1.Offboarding) []string {
	var keys []string
	for i := range ob.Spec.LinkedAccounts {
		keys = append(keys, linkKey(ob.Spec.LinkedAccounts[i].Name, ob.Spec.LinkedAccounts[i].AccountID))
	}
	return keys
}

// linkKey names an account in a linked system. Ids of different cases may be different accounts.
func linkKey(system, id string) string { return system + "/" + id }

func linkKeys(e *v1alpha1.Employee) []string {
	keys := ownedLinks(e)
	for i := range e.Spec.LinkedAccounts {
		if l := &e.Spec.LinkedAccounts[i]; l.AccountID != "" && !slices.Contains(keys, linkKey(l.Name, l.AccountID)) {
			keys = append(keys, linkKey(l.Name, l.AccountID))
		}
	}
	return keys
}

// ownedLinks are of the accounts that the Employee has.
func ownedLinks(e *v1alpha1.Employee) (keys []string) {
	for i := range e.Status.LinkedAccounts {
		if st := &e.Status.LinkedAccounts[i]; isOwned(st.Origin) && st.AccountID != "" {
			keys = append(keys, linkKey(st.Name, st.AccountID))
		}
	}
	return keys
}

func linkStatus(e *v1alpha1.Employee, system string) *v1alpha1.LinkedAccountStatus {
	for i := range e.Status.LinkedAccounts {
		if e.Status.LinkedAccounts[i].Name == system {
			return &e.Status.LinkedAccounts[i]
		}
	}
	return nil
}

func linkSpec(e *v1alpha1.Employee, system string) *v1alpha1.LinkedAccount {
	for i := range e.Spec.LinkedAccounts {
		if e.Spec.LinkedAccounts[i].Name == system {
			return &e.Spec.LinkedAccounts[i]
		}
	}
	return nil
}

func storageSecrets(o client.Object) []string {
	bs, ok := o.(*v1alpha1.BackupStorage)
	if !ok {
		return nil
	}
	names := named(bs.Spec.Encryption.IdentitySecretRef.Name)
	for _, place := range []*v1alpha1.StorageLocation{&bs.Spec.Location, &bs.Spec.Offsite} {
		names = append(names, named(place.S3.CredentialsSecretRef.Name)...)
	}
	return names
}

func scheduleIndex(key func(*v1alpha1.BackupSchedule) string) client.IndexerFunc {
	return func(o client.Object) []string {
		if s, ok := o.(*v1alpha1.BackupSchedule); ok {
			return named(key(s))
		}
		return nil
	}
}

func backupIndex(keys func(*v1alpha1.Backup) []string) client.IndexerFunc {
	return func(o client.Object) []string {
		if b, ok := o.(*v1alpha1.Backup); ok {
			return keys(b)
		}
		return nil
	}
}

func backupPeople(b *v1alpha1.Backup) []string {
	var names []string
	for _, ref := range b.Spec.People.EmployeeRefs {
		names = append(names, ref.Name)
	}
	return names
}

func restoreIndex(key func(*v1alpha1.Restore) string) client.IndexerFunc {
	return func(o client.Object) []string {
		if rs, ok := o.(*v1alpha1.Restore); ok {
			return named(key(rs))
		}
		return nil
	}
}

func offboardingIndex(keys func(*v1alpha1.Offboarding) []string) client.IndexerFunc {
	return func(o client.Object) []string {
		if ob, ok := o.(*v1alpha1.Offboarding); ok {
			return keys(ob)
		}
		return nil
	}
}

func offboardingAccounts(ob *v1alpha1.Offboarding) []string {
	var names []string
	for _, a := range ob.Spec.Accounts {
		names = append(names, a.Name)
	}
	return names
}

func offboardingClaims(ob *v1alpha1.Offboarding) []string {
	var keys []string
	for _, a := range ob.Spec.Accounts {
		keys = append(keys, claimKey(a.Name, a.UserID))
	}
	return keys
}

func offboardingBackups(ob *v1alpha1.Offboarding) []string {
	var names []string
	for _, a := range ob.Status.Accounts {
		names = append(names, named(a.BackupName)...)
	}
	return names
}

func named(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

// declaredNumber is the number that the Employee has or claims; empty before a rule has given one.
func declaredNumber(e *v1alpha1.Employee) string {
	if e.Status.Number != "" {
		return e.Status.Number
	}
	return e.Spec.Number
}

func numberKeys(e *v1alpha1.Employee) []string { return named(fold(declaredNumber(e))) }

func fold(s string) string { return strings.ToLower(s) }

func claimKey(account, id string) string { return account + "/" + fold(id) }

func claimKeys(e *v1alpha1.Employee) []string {
	var keys []string
	for i := range e.Spec.Accounts {
		if id := claimedID(e, &e.Spec.Accounts[i]); id != "" {
			keys = append(keys, claimKey(e.Spec.Accounts[i].Name, id))
		}
	}
	return keys
}

// claimedID is the user id that the Employee has on the account, or would take.
func claimedID(e *v1alpha1.Employee, a *v1alpha1.EmployeeAccount) string {
	if s := accountStatus(e, a.Name); s != nil && s.UserID != "" {
		return s.UserID
	}
	if a.UserID != "" {
		return a.UserID
	}
	return declaredNumber(e)
}

func accountStatus(e *v1alpha1.Employee, account string) *v1alpha1.EmployeeAccountStatus {
	for i := range e.Status.Accounts {
		if e.Status.Accounts[i].Name == account {
			return &e.Status.Accounts[i]
		}
	}
	return nil
}

func departmentStatus(d *v1alpha1.Department, account string) *v1alpha1.DepartmentAccountStatus {
	for i := range d.Status.Accounts {
		if d.Status.Accounts[i].Name == account {
			return &d.Status.Accounts[i]
		}
	}
	return nil
}

func employeeAccounts(e *v1alpha1.Employee) []string {
	var names []string
	for _, a := range e.Spec.Accounts {
		names = append(names, a.Name)
	}
	return names
}

func employeeDepartments(e *v1alpha1.Employee) []string {
	var names []string
	for _, d := range e.Spec.Departments {
		names = append(names, d.Name)
	}
	return names
}

func departmentAccounts(d *v1alpha1.Department) []string {
	var names []string
	for _, a := range d.Spec.Accounts {
		names = append(names, a.Name)
	}
	return names
}

func departmentManagers(d *v1alpha1.Department) []string {
	var names []string
	for _, m := range d.Spec.Managers {
		names = append(names, m.Name)
	}
	return names
}

func departmentClaims(d *v1alpha1.Department) []string {
	var keys []string
	for _, a := range d.Spec.Accounts {
		id := a.DepartmentID
		if s := departmentStatus(d, a.Name); s != nil && s.DepartmentID != "" {
			id = s.DepartmentID
		}
		if id != "" {
			keys = append(keys, claimKey(a.Name, id))
		}
	}
	return keys
}
