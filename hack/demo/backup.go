package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// keyFile holds the age identity that opens the demo's archives.
func (d *demo) keyFile() string { return filepath.Join(d.dir, "backup-key.txt") }

// archives is where they lie.
func (d *demo) archives() string { return filepath.Join(d.dir, "archives") }

// backUp makes a key, a place and nightly schedules, and a first archive of each tenant.
func (d *demo) backUp(ctx context.Context) error {
	began := time.Now()
	d.out.progress("backup", "making a key and a place for archives")
	if err := os.MkdirAll(d.archives(), 0o750); err != nil {
		return fmt.Errorf("making a place for archives: %w", err)
	}
	if err := d.makeKey(ctx); err != nil {
		return err
	}
	if err := d.kubectl(ctx, "apply", "--server-side", "-k", filepath.Join("config", "samples", "acme-backups")); err != nil {
		return err
	}
	var accounts v1alpha1.EnterpriseAccountList
	if err := d.kube.List(ctx, &accounts, client.InNamespace(company)); err != nil {
		return fmt.Errorf("listing the accounts: %w", err)
	}
	for _, a := range accounts.Items {
		b := &v1alpha1.Backup{ObjectMeta: metav1.ObjectMeta{Namespace: company, Name: a.Name + "-first"}}
		b.Spec.AccountRef.Name, b.Spec.StorageRef.Name, b.Spec.LookbackDays = a.Name, "archives", 7
		if err := d.ensure(ctx, b); err != nil {
			return err
		}
	}
	if err := d.verified(ctx); err != nil {
		return err
	}
	d.out.step("backup", "%d archives written, read back and compared in %s", len(accounts.Items), seconds(began))
	table, err := d.kubectlOutput(ctx, "get", "bst,bsc,bk", "-n", company)
	if err == nil {
		d.out.text("", "$ kubectl get bst,bsc,bk", table)
	}
	return err
}

func (d *demo) makeKey(ctx context.Context) error {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	text := fmt.Sprintf("# public key: %s\n%s\n", identity.Recipient(), identity)
	if err := os.WriteFile(d.keyFile(), []byte(text), 0o600); err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	return d.ensure(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: company, Name: "backup-key"}, StringData: map[string]string{"identity": text},
	})
}

// verified waits until every Backup is, and is counted.
func (d *demo) verified(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.timeout, errTookTooLong)
	defer cancel()
	began, last := time.Now(), ""
	err := wait.PollUntilContextCancel(ctx, 500*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		var all v1alpha1.BackupList
		if err := d.kube.List(ctx, &all, client.InNamespace(company)); err != nil {
			return false, fmt.Errorf("looking at the backups: %w", err)
		}
		done := 0
		last = ""
		for _, b := range all.Items {
			if meta.IsStatusConditionTrue(b.Status.Conditions, v1alpha1.ConditionReady) && meta.IsStatusConditionTrue(b.Status.Conditions, v1alpha1.ConditionVerified) {
				done++
			} else if ready := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
				last += fmt.Sprintf("\n    %s: %s: %s %s", b.Name, ready.Reason, ready.Message, b.Status.Progress.Text)
			}
		}
		d.out.progress("backup", "archives %d/%d · %d s", done, len(all.Items), int(time.Since(began).Seconds()))
		place := &v1alpha1.BackupStorage{}
		if err := d.kube.Get(ctx, client.ObjectKey{Namespace: company, Name: "archives"}, place); err != nil {
			return false, fmt.Errorf("looking at the storage: %w", err)
		}
		counted := place.Status.Archives != nil && int(*place.Status.Archives) == done
		return done > 0 && done == len(all.Items) && counted, nil
	})
	if err != nil {
		return fmt.Errorf("waiting until the backups are verified: %w%s", because(ctx, err), last)
	}
	return nil
}
