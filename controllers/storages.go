package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"filippo.io/age"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/backup/storage"
)

// Storages says how the place of a BackupStorage is reached. It calls no place itself.
type Storages struct {
	Client client.Client
	// Live reads Secrets past the cache: their contents are never kept.
	Live client.Reader
	// Directory is where the volume for local storages is mounted; empty if there is none.
	Directory string
}

// Access is what is needed to reach a place and to read what lies there.
type Access struct {
	location storage.Config
	offsite  *storage.Config
	// Identities open archives, the newest first; Recipients can open new ones.
	Identities []age.Identity
	Recipients []age.Recipient
	// Names are the recipients in text.
	Names []string
	// Leaving: a Secret is being deleted, and is kept only because of this storage.
	Leaving *Problem
	// Fingerprint changes with everything above.
	Fingerprint string
}

// Places are the places of a BackupStorage; Offsite is nil if none is wanted.
type Places struct {
	Location, Offsite *storage.Place
}

// keys of the Secrets.
const (
	identityKey        = "identity"
	accessKeyIDKey     = "accessKeyID"
	secretAccessKeyKey = "secretAccessKey"
)

// Resolve finds out how the place is reached, or what somebody has to do first. It holds the Secrets.
func (s *Storages) Resolve(ctx context.Context, bs *v1alpha1.BackupStorage) (*Access, *Problem, error) {
	a := &Access{}
	p, err := s.keys(ctx, bs, a)
	if p != nil || err != nil {
		return nil, p, err
	}
	location, p, err := s.place(ctx, bs, &bs.Spec.Location, a)
	if p != nil || err != nil {
		return nil, p, err
	}
	a.location = *location
	if o := &bs.Spec.Offsite; o.Local.Folder != "" || o.S3.Bucket != "" {
		if a.offsite, p, err = s.place(ctx, bs, o, a); p != nil || err != nil {
			return nil, p, err
		}
	}
	a.Fingerprint, err = fingerprint(bs, a)
	return a, nil, err
}

// keys reads who can open archives.
func (s *Storages) keys(ctx context.Context, bs *v1alpha1.BackupStorage, a *Access) (*Problem, error) {
	name := bs.Spec.Encryption.IdentitySecretRef.Name
	secret, err := s.secret(ctx, bs, name, a)
	if err != nil {
		return nil, err
	}
	if secret == nil {
		return problem(v1alpha1.ReasonKeyMissing, fmt.Sprintf("the Secret %q does not exist; create it with the key %s, an age identity as age-keygen prints it", name, identityKey)), nil
	}
	ids, own, err := archive.ParseIdentities(secret.Data[identityKey])
	if err != nil {
		return problem(v1alpha1.ReasonKeyMissing, fmt.Sprintf("the key %s of the Secret %q: %s", identityKey, name, err)), nil
	}
	others, err := archive.ParseRecipients(bs.Spec.Encryption.Recipients...)
	if err != nil {
		return problem(v1alpha1.ReasonInvalidValue, "encryption.recipients: "+err.Error()), nil
	}
	a.Identities, a.Recipients = ids, append([]age.Recipient{own}, others...)
	if text, ok := own.(fmt.Stringer); ok {
		a.Names = append(a.Names, text.String())
	}
	for _, r := range bs.Spec.Encryption.Recipients {
		if len(a.Names) == 0 || r != a.Names[0] {
			a.Names = append(a.Names, r)
		}
	}
	return nil, nil
}

// secret reads one of the storage's Secrets.
func (s *Storages) secret(ctx context.Context, bs *v1alpha1.BackupStorage, name string, a *Access) (*corev1.Secret, error) {
	secret, leaving, err := heldSecret(ctx, s.Client, s.Live, bs, name)
	if leaving {
		a.Leaving = problem(v1alpha1.ReasonCredentialsLeaving, fmt.Sprintf("the Secret %q is being deleted, and is kept only because this storage needs it", name))
	}
	return secret, err
}

// place translates one location.
func (s *Storages) place(ctx context.Context, bs *v1alpha1.BackupStorage, at *v1alpha1.StorageLocation, a *Access) (*storage.Config, *Problem, error) {
	if at.Local.Folder != "" {
		if s.Directory == "" {
			return nil, problem(v1alpha1.ReasonNotSupported, "this manager has no volume for local storages: start it with --backup-directory, or use s3"), nil
		}
		return &storage.Config{Local: &storage.Local{Root: s.Directory, Folder: at.Local.Folder}}, nil, nil
	}
	name := at.S3.CredentialsSecretRef.Name
	secret, err := s.secret(ctx, bs, name, a)
	if err != nil {
		return nil, nil, err
	}
	if secret == nil {
		return nil, problem(v1alpha1.ReasonCredentialsMissing, fmt.Sprintf("the Secret %q does not exist; create it with the keys %s and %s", name, accessKeyIDKey, secretAccessKeyKey)), nil
	}
	for _, key := range []string{accessKeyIDKey, secretAccessKeyKey} {
		if len(secret.Data[key]) == 0 {
			return nil, problem(v1alpha1.ReasonCredentialsMissing, fmt.Sprintf("the Secret %q lacks the key %s", name, key)), nil
		}
	}
	return &storage.Config{S3: &storage.S3{
		Bucket: at.S3.Bucket, Prefix: at.S3.Prefix, Region: at.S3.Region, Endpoint: string(at.S3.Endpoint),
		PathStyle: at.S3.Addressing == v1alpha1.AddressingPath, CA: []byte(at.S3.CABundle),
		AccessKeyID: string(secret.Data[accessKeyIDKey]), SecretAccessKey: string(secret.Data[secretAccessKeyKey]),
	}}, nil, nil
}

// fingerprint tells one way to reach a place from another.
func fingerprint(bs *v1alpha1.BackupStorage, a *Access) (string, error) {
	text, err := json.Marshal([]any{bs.UID, bs.Generation, a.location, a.offsite, a.Names})
	if err != nil {
		return "", fmt.Errorf("telling places apart: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// Open opens the places. A volume may not answer: never do this in a reconcile.
func (a *Access) Open(ctx context.Context) (*Places, error) {
	location, err := storage.Open(ctx, a.location)
	if err != nil {
		return nil, err
	}
	places := &Places{Location: location}
	if a.offsite != nil {
		if places.Offsite, err = storage.Open(ctx, *a.offsite); err != nil {
			return nil, errors.Join(err, location.Close())
		}
	}
	return places, nil
}

// Close frees what the places hold.
func (p *Places) Close() error {
	err := p.Location.Close()
	if p.Offsite != nil {
		err = errors.Join(err, p.Offsite.Close())
	}
	return err
}

// storageReasons is the one table from an error's class to the API's reason.
var storageReasons = map[storage.Class]string{
	storage.Unavailable: v1alpha1.ReasonStorageUnavailable,
	storage.Denied:      v1alpha1.ReasonStorageDenied,
	storage.Full:        v1alpha1.ReasonStorageFull,
	storage.NotFound:    v1alpha1.ReasonArchiveMissing,
	storage.Held:        v1alpha1.ReasonLegalHold,
	storage.Damaged:     v1alpha1.ReasonArchiveDamaged,
	storage.Invalid:     v1alpha1.ReasonInvalidValue,
}

// problemOfStorage translates an error of a place. Only a place's own words are known
// to be safe to show (P12).
func problemOfStorage(err error) *Problem {
	e, ok := errors.AsType[*storage.Error](err)
	if !ok {
		return problem(v1alpha1.ReasonStorageUnavailable, "the storage could not be reached")
	}
	return problem(storageReasons[e.Class], e.Error())
}
