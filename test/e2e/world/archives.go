package world

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"filippo.io/age"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/backup/storage"
)

// Archives is the volume for local storages that the managers of a world share.
func (w *World) Archives() string { return filepath.Join(w.dir, "archives") }

// The names of the BackupStorage, and of the Secret with its key.
const (
	StorageName   = "archives"
	storageSecret = "archives-key"
)

// Storage declares a place on the volume, with an off-site place beside it, and its key. Folder is in both.
func Storage(namespace, folder string, key *age.X25519Identity) (*v1alpha1.BackupStorage, *corev1.Secret) {
	bs := &v1alpha1.BackupStorage{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: StorageName},
		Spec: v1alpha1.BackupStorageSpec{
			Location:             v1alpha1.StorageLocation{Local: v1alpha1.LocalVolume{Folder: folder}},
			Offsite:              v1alpha1.StorageLocation{Local: v1alpha1.LocalVolume{Folder: "offsite/" + folder}},
			Encryption:           v1alpha1.Encryption{IdentitySecretRef: v1alpha1.SecretReference{Name: storageSecret}},
			ProbeIntervalSeconds: 5,
		},
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: storageSecret},
		StringData: map[string]string{"identity": key.String() + "\n"},
	}
	return bs, secret
}

// Backup declares one of a whole account.
func Backup(namespace, name, account string) *v1alpha1.Backup {
	return &v1alpha1.Backup{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.BackupSpec{
			AccountRef: v1alpha1.AccountReference{Name: account},
			StorageRef: v1alpha1.StorageReference{Name: StorageName},
		},
	}
}

// Restore declares a dry run.
func Restore(namespace, name, backup string) *v1alpha1.Restore {
	return &v1alpha1.Restore{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.RestoreSpec{BackupRef: v1alpha1.BackupReference{Name: backup}},
	}
}

// Sound reads every archive that lists in the folder back with the key, and in the off-site place, and returns their keys.
// An archive that lists and cannot be verified is an error.
func (w *World) Sound(ctx context.Context, namespace, folder string, key age.Identity) ([]string, error) {
	var keys []string
	var errs []error
	for _, at := range []string{"offsite/" + folder, folder} {
		place, err := storage.Open(ctx, storage.Config{Local: &storage.Local{Root: w.Archives(), Folder: at}})
		if err != nil {
			return nil, fmt.Errorf("opening %s: %w", at, err)
		}
		if keys, err = place.List(ctx, namespace); err != nil {
			return nil, fmt.Errorf("listing %s: %w", at, err)
		}
		for _, k := range keys {
			if err := verify(ctx, place, k, key); err != nil {
				errs = append(errs, fmt.Errorf("%s in %s: %w", k, at, err))
			}
		}
		errs = append(errs, place.Close())
	}
	return keys, errors.Join(errs...)
}

func verify(ctx context.Context, place *storage.Place, key string, identity age.Identity) error {
	seal, err := place.Sealed(ctx, key)
	if err != nil {
		return err
	}
	r, err := place.Read(ctx, key)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = archive.Verify(r, seal, identity)
	return err
}
