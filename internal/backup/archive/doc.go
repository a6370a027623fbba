// Package archive is the format of backups: docs/archive-format.md says it for
// people, this package for machines.
//
// An archive is one stream, a tar in zstd in age, whose parts are JSON lines in
// files of bounded size, and whose last entry is the manifest. Beside it lies the
// seal: the manifest again, with size and SHA-256 of the encrypted stream.
//
// age does not say who wrote a file, only who can read it: whoever knows a
// recipient can write one (https://age-encryption.org/v1, "Security
// considerations"). So a reader takes nothing on trust: every size is bounded,
// every hash and count is compared.
package archive
