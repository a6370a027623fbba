package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"filippo.io/age"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
)

// archiving measures a backup of a big company that nobody declares: the platform alone knows it.
type archiving struct {
	*bench
	people, departments int
}

const (
	backupName = "whole"
	megabyte   = 1 << 20
)

func (a *archiving) namespace() string { return "bench-backup-" + a.platform }

func (a *archiving) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for _, step := range []func(context.Context) error{a.settle, a.declare, a.measure} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// settle fills the platform.
func (a *archiving) settle(ctx context.Context) error {
	var err error
	if a.tenant, err = a.world.Simulator.NewTenant(ctx, a.platform, "archive", nil); err != nil {
		return err
	}
	if err := a.world.Simulator.Unlimit(ctx, a.platform); err != nil {
		return err
	}
	a.say("seeding %d people", a.people)
	return a.world.Simulator.Control(ctx, http.MethodPost, "/seed", map[string]any{
		"platform": a.platform, "tenant": "archive", "users": a.people, "departments": a.departments,
	}, nil)
}

// declare applies the account, a place for the archive, and the backup.
func (a *archiving) declare(ctx context.Context) error {
	ns := a.namespace()
	if err := a.world.Namespace(ctx, ns); err != nil {
		return err
	}
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	ea, secret := a.tenant.Account(ns, account)
	ea.Spec.Mode, ea.Spec.ResyncIntervalSeconds = v1alpha1.ModeObserve, 86400
	ea.Spec.RateLimit.RequestsPerSecond = 10000
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: ns, Name: name} }
	return a.world.Apply(ctx, secret, ea,
		&corev1.Secret{ObjectMeta: named("backup-key"), StringData: map[string]string{"identity": key.String()}},
		&v1alpha1.BackupStorage{ObjectMeta: named("archives"), Spec: v1alpha1.BackupStorageSpec{
			Location:   v1alpha1.StorageLocation{Local: v1alpha1.LocalVolume{Folder: "archives"}},
			Encryption: v1alpha1.Encryption{IdentitySecretRef: v1alpha1.SecretReference{Name: "backup-key"}},
		}},
		&v1alpha1.Backup{ObjectMeta: named(backupName), Spec: v1alpha1.BackupSpec{
			AccountRef: v1alpha1.AccountReference{Name: account}, StorageRef: v1alpha1.StorageReference{Name: "archives"},
			Datasets: []v1alpha1.Dataset{"Directory"},
		}},
	)
}

func (a *archiving) measure(ctx context.Context) error {
	var err error
	a.manager, err = a.world.StartManager(ctx, world.ManagerOptions{Namespaces: []string{a.namespace()}, Args: []string{"--log-level=INFO"}})
	if err != nil {
		return err
	}
	defer a.manager.Stop()
	began := time.Now()
	made := &v1alpha1.Backup{}
	if err := a.poll(ctx, func(ctx context.Context) error {
		if err := a.world.Client.Get(ctx, client.ObjectKey{Namespace: a.namespace(), Name: backupName}, made); err != nil {
			return err
		}
		if ready := meta.FindStatusCondition(made.Status.Conditions, v1alpha1.ConditionReady); ready == nil || ready.Status != metav1.ConditionTrue {
			return fmt.Errorf("the backup is not ready: %+v %s", ready, made.Status.Progress.Text)
		}
		return nil
	}); err != nil {
		return err
	}
	a.say("backed up in %s", time.Since(began))
	return a.tell(made)
}

func (a *archiving) tell(made *v1alpha1.Backup) error {
	peak, err := world.PeakMemory(a.manager.PID())
	if err != nil {
		return err
	}
	var size, items int64
	if s := made.Status.Archive.SizeBytes; s != nil {
		size = *s
	}
	if n := made.Status.Verification.Items; n != nil {
		items = *n
	}
	a.figure("backup.peak_mib", float64(peak)/megabyte, under, 200)
	a.figure("backup.peak_to_archive", float64(peak)/float64(size), told, 0)
	a.figure("backup.items_person", float64(items)/float64(a.people), told, 0)
	return nil
}
