package controllers

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// callable reads an account that may be called: it is there, stays, and is not suspended.
func callable(ctx context.Context, c client.Reader, namespace, name string) (*v1alpha1.EnterpriseAccount, *Problem, error) {
	account := &v1alpha1.EnterpriseAccount{}
	err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, account)
	switch {
	case apierrors.IsNotFound(err):
		return nil, problem(v1alpha1.ReasonWaitingForAccount, fmt.Sprintf("there is no EnterpriseAccount %q in this namespace", name)), nil
	case err != nil:
		return nil, nil, fmt.Errorf("reading the EnterpriseAccount: %w", err)
	case !account.DeletionTimestamp.IsZero():
		return nil, problem(v1alpha1.ReasonWaitingForAccount, fmt.Sprintf("the EnterpriseAccount %q is being deleted: its platform is not called any more", name)), nil
	case account.Spec.Mode == v1alpha1.ModeSuspended:
		return nil, problem(v1alpha1.ReasonSuspended, fmt.Sprintf("the EnterpriseAccount %q is Suspended: its platform is not called", name)), nil
	}
	return account, nil, nil
}

// exportable is callable for a Backup: the last one of a company that leaves a platform, and
// those of people who leave, are made while the account is being deleted.
func exportable(ctx context.Context, c client.Reader, b *v1alpha1.Backup) (*v1alpha1.EnterpriseAccount, *Problem, error) {
	account := &v1alpha1.EnterpriseAccount{}
	err := c.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: b.Spec.AccountRef.Name}, account)
	if err == nil && !account.DeletionTimestamp.IsZero() && b.Labels[v1alpha1.OffboardingLabel] != "" && account.Spec.Mode != v1alpha1.ModeSuspended {
		return account, nil, nil
	}
	if err == nil && !account.DeletionTimestamp.IsZero() && exits(account) && b.Name == exitBackupName(account) {
		return account, nil, nil
	}
	return callable(ctx, c, b.Namespace, b.Spec.AccountRef.Name)
}

// notConnected is how an account stands whose tenant does not run.
func notConnected(account *v1alpha1.EnterpriseAccount) *Problem {
	return problem(v1alpha1.ReasonWaitingForAccount, fmt.Sprintf("the EnterpriseAccount %q is not connected to its platform; its conditions say why", account.Name))
}

// backupStorage reads a storage that others refer to.
func backupStorage(ctx context.Context, c client.Reader, namespace, name string) (*v1alpha1.BackupStorage, *Problem, error) {
	bs := &v1alpha1.BackupStorage{}
	err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, bs)
	if apierrors.IsNotFound(err) {
		return nil, problem(v1alpha1.ReasonWaitingForStorage, fmt.Sprintf("there is no BackupStorage %q in this namespace", name)), nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the BackupStorage: %w", err)
	}
	return bs, nil, nil
}

// usable says why nothing is written to a storage, or read, for now.
func usable(bs *v1alpha1.BackupStorage) *Problem {
	c := meta.FindStatusCondition(bs.Status.Conditions, v1alpha1.ConditionReady)
	if c == nil || c.ObservedGeneration != bs.Generation {
		return problem(v1alpha1.ReasonWaitingForStorage, fmt.Sprintf("the BackupStorage %q was not probed yet", bs.Name))
	}
	if c.Status != metav1.ConditionTrue {
		return problem(v1alpha1.ReasonWaitingForStorage, fmt.Sprintf("the BackupStorage %q is not ready: %s", bs.Name, c.Message))
	}
	return nil
}

// copying: a storage has an off-site place.
func copying(bs *v1alpha1.BackupStorage) bool {
	return bs.Spec.Offsite.Local.Folder != "" || bs.Spec.Offsite.S3.Bucket != ""
}

// readied passes what Backups and Restores wait for in a storage: that it appears,
// becomes ready or no longer is, or is declared otherwise.
var readied = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok1 := e.ObjectOld.(*v1alpha1.BackupStorage)
		after, ok2 := e.ObjectNew.(*v1alpha1.BackupStorage)
		return ok1 && ok2 && (before.Generation != after.Generation || (usable(before) == nil) != (usable(after) == nil))
	},
}

// problemOfReady is the problem that a Ready condition tells of; nil if it tells of none.
func problemOfReady(conditions []metav1.Condition) *Problem {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if c == nil || c.Status == metav1.ConditionTrue {
		return nil
	}
	return problemAgain(c.Reason, c.Message)
}
