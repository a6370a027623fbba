package world

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"filippo.io/age"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/harness"
)

// The keys of the S3 server, which is on loopback only.
const (
	bucketKey    = "rollcalltestroot"
	bucketSecret = "not-a-secret-only-on-loopback"
)

// Gateway is the URL of a real S3 server over the archives of the world: the folder of each namespace is a bucket, and what is
// written to it lies where a local storage of that folder would have it. It is started when it is first asked for.
func (w *World) Gateway(ctx context.Context) (url string, err error) {
	w.starting.Lock()
	defer w.starting.Unlock()
	if w.gateway == nil {
		w.gateway, err = harness.StartS3(ctx, harness.S3Options{Dir: w.Archives(), Key: bucketKey, Secret: bucketSecret, LogDir: w.dir})
		if err != nil {
			return "", err
		}
	}
	return w.gateway.URL, nil
}

// Bucket declares the bucket of a namespace on an S3 server as the storage [StorageName], and makes it.
func (w *World) Bucket(namespace, url string, key *age.X25519Identity) (*v1alpha1.BackupStorage, []*corev1.Secret, error) {
	if err := os.Mkdir(filepath.Join(w.Archives(), namespace), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, nil, fmt.Errorf("making a bucket: %w", err)
	}
	storage, secret := Storage(namespace, namespace, key)
	storage.Spec.Location = v1alpha1.StorageLocation{S3: v1alpha1.S3Bucket{
		Bucket: namespace, Endpoint: v1alpha1.Endpoint(url), Addressing: v1alpha1.AddressingPath,
		CredentialsSecretRef: v1alpha1.SecretReference{Name: "bucket-key"},
	}}
	keys := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "bucket-key"},
		StringData: map[string]string{"accessKeyID": bucketKey, "secretAccessKey": bucketSecret},
	}
	return storage, []*corev1.Secret{secret, keys}, nil
}
