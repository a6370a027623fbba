// Package backup makes archives and proves that they can be read (P1): a
// directory's own export becomes an archive in a storage, is copied off-site,
// read back, decrypted, compared with its seal, and a sample of its people with
// the platform. It knows no Kubernetes and no platform.
package backup
