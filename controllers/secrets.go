package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
)

// heldSecret reads a Secret past the cache and keeps it from vanishing while it is
// needed (P10); nil if there is none. Leaving: it is being deleted, and stays only for its users.
// Nothing is held anew for a user that goes itself: nobody would let it go again.
func heldSecret(ctx context.Context, c client.Client, live client.Reader, user client.Object, name string) (secret *corev1.Secret, leaving bool, err error) {
	secret = &corev1.Secret{}
	err = live.Get(ctx, client.ObjectKey{Namespace: user.GetNamespace(), Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("reading a Secret: %w", err)
	case !secret.DeletionTimestamp.IsZero():
		return secret, true, nil
	case user.GetDeletionTimestamp() != nil:
		return secret, false, nil
	}
	return secret, false, kube.AddFinalizer(ctx, c, secret, v1alpha1.CredentialsFinalizer)
}

// releaseSecrets lets Secrets go that nobody reads any more. Whoever leaves, an object
// that is about to lose its finalizer, does not count.
func releaseSecrets(ctx context.Context, c client.Client, namespace string, leaves types.UID) error {
	secrets := &metav1.PartialObjectMetadataList{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	if err := c.List(ctx, secrets, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing Secrets: %w", err)
	}
	for i := range secrets.Items {
		if !controllerutil.ContainsFinalizer(&secrets.Items[i], v1alpha1.CredentialsFinalizer) {
			continue
		}
		secret := secrets.Items[i].DeepCopy() // the list is the cache's own
		needed, err := secretNeeded(ctx, c, namespace, secret.Name, leaves)
		if err != nil {
			return err
		}
		if needed {
			continue
		}
		secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
		if err := kube.RemoveFinalizer(ctx, c, secret, v1alpha1.CredentialsFinalizer); err != nil {
			return err
		}
	}
	return nil
}

// secretNeeded reports whether an account, a linked system or a storage reads the Secret. An account that
// is being deleted is called only for those who leave or go with the namespace, and two of them must not wait for each other. A
// storage that is being deleted still deletes archives for its Backups.
func secretNeeded(ctx context.Context, c client.Client, namespace, name string, leaves types.UID) (needed bool, err error) {
	for _, list := range []client.ObjectList{&v1alpha1.EnterpriseAccountList{}, &v1alpha1.BackupStorageList{}, &v1alpha1.LinkedSystemList{}} {
		if err := c.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{indexSecret: name}); err != nil {
			return false, fmt.Errorf("listing who reads a Secret: %w", err)
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			switch user := item.(type) {
			case *v1alpha1.EnterpriseAccount:
				leavings, err := openLeavings(ctx, c, namespace, indexAccount, user.Name)
				if err != nil {
					return err
				}
				people := requests[v1alpha1.EmployeeList](ctx, c, namespace, indexAccount, user.Name)
				needed = needed || user.DeletionTimestamp.IsZero() || leavings+len(people) > 0
			case *v1alpha1.BackupStorage:
				needed = needed || user.UID != leaves
			case *v1alpha1.LinkedSystem:
				leavings, err := openLeavings(ctx, c, namespace, indexSystem, user.Name)
				if err != nil {
					return err
				}
				needed = needed || user.DeletionTimestamp.IsZero() || leavings > 0
			}
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	return needed, nil
}
