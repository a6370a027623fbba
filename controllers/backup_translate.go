package controllers

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup"
	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/backup/restore"
	"rollcall.dev/rollcall/internal/backup/storage"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/kube"
)

// problemOfBackup translates an error of a backup or a restore: it is of the archive,
// of its place, or of the platform. Only their own words are known to be safe to show (P12).
func problemOfBackup(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if p := problemOfArchive(err); p != nil {
		return p
	}
	if _, ok := errors.AsType[*storage.Error](err); ok {
		return problemOfStorage(err)
	}
	if _, ok := errors.AsType[*directory.Error](err); ok {
		return problemOf(err)
	}
	switch {
	case errors.Is(err, errStopped), errors.Is(err, restore.ErrConflicts):
		return problem(v1alpha1.ReasonRestoreConflicts, errStopped.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return problem(v1alpha1.ReasonProgressing, "it was interrupted, and is tried again")
	}
	return problemOf(err)
}

// problemOfArchive is what is wrong with an archive itself, nil if nothing is.
func problemOfArchive(err error) *Problem {
	if d, ok := errors.AsType[*archive.Damage](err); ok {
		return problem(v1alpha1.ReasonArchiveDamaged, d.Error())
	}
	if m, ok := errors.AsType[*backup.Mismatch](err); ok {
		return problem(v1alpha1.ReasonArchiveDamaged, m.Error()+"; nothing of it was kept")
	}
	if u, ok := errors.AsType[*archive.Unsupported](err); ok {
		return problem(v1alpha1.ReasonNotSupported, u.Error())
	}
	if errors.Is(err, archive.ErrWrongKey) {
		return problem(v1alpha1.ReasonKeyWrong, archive.ErrWrongKey.Error())
	}
	return nil
}

// archiveStatus is what a seal says of its archive.
func archiveStatus(key string, s *archive.Seal) v1alpha1.Archive {
	at, size := metav1.NewTime(s.Manifest.Time), s.Size
	return v1alpha1.Archive{
		Key: key, Time: &at, SizeBytes: &size, SizeText: sizeText(size), SHA256: s.SHA256, Format: int32(s.Manifest.Format),
		Platform: s.Manifest.Platform, Tenant: s.Manifest.Tenant,
	}
}

// sizeText writes a size for tables.
func sizeText(n int64) string {
	const step = 1024
	size, units := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for len(units) > 1 && size >= step {
		size, units = size/step, units[1:]
	}
	if units[0] == "B" {
		return fmt.Sprintf("%d%s", n, units[0])
	}
	return fmt.Sprintf("%.1f%s", size, units[0])
}

// maxGaps is how many gaps of a dataset are shown; the manifest has all. The CRD says so too.
const maxGaps = 16

func datasetsOf(m *archive.Manifest) []v1alpha1.BackupDataset {
	var all []v1alpha1.BackupDataset
	for _, d := range m.Datasets {
		out := v1alpha1.BackupDataset{Name: v1alpha1.Dataset(d.Name)}
		var items int64
		for _, p := range d.Parts {
			items += p.Items
		}
		out.Items = &items
		gap := func(words string) {
			if words != "" && len(out.Gaps) < maxGaps {
				out.Gaps = append(out.Gaps, kube.Truncate(words, 512))
			}
		}
		gap(d.Missing)
		for _, g := range d.Gaps {
			if g.Part != "" {
				g.Reason = g.Part + ": " + g.Reason
			}
			gap(g.Reason)
		}
		all = append(all, out)
	}
	return all
}

func progressOf(done, total int64) v1alpha1.Progress {
	return v1alpha1.Progress{Done: &done, Total: &total, Text: fmt.Sprintf("%d/%d", done, total)}
}

// datasets are those that were asked for; none is all.
func datasets(b *v1alpha1.Backup) []directory.Dataset {
	var wanted []directory.Dataset
	for _, d := range b.Spec.Datasets {
		wanted = append(wanted, directory.Dataset(d))
	}
	return wanted
}
