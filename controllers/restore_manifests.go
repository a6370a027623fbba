package controllers

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup/restore"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/manifests"
)

// manifestsFile holds the YAML, a tar as archives are.
const manifestsFile = "manifests.tar.zst.age"

// manifests writes the archive's directory as YAML beside it. No platform is read or changed.
func (w *restoreWork) manifests(ctx context.Context, places *Places, from *restore.Snapshot) (o restoreOutcome, err error) {
	set, err := manifests.For(chosen(from, &w.restore.Spec.Select), w.restore.Spec.Target.Manifests.Accounts)
	if err != nil {
		return o, fmt.Errorf("writing manifests: %w", err)
	}
	made, left := int32(set.Departments+set.People), int32(set.LeftOut) // a company has no two billion people
	digest := digestOf(set.All())
	o.plan = &restorePlanned{counts: v1alpha1.RestorePlan{Digest: digest, Create: &made, Impossible: &left}}
	allowed := w.restore.Spec.PlanDigest
	if o.refused = w.step == restoreExecute && allowed != "" && allowed != digest; o.refused || w.step == restorePlan {
		return o, nil
	}
	o.reportKey = path.Join(w.backup.Status.Archive.Key, w.file(manifestsFile))
	return o, w.put(ctx, places, manifestsFile, func(out io.Writer) error { return writeTar(out, set.All(), w.backup) })
}

// chosen is what of a directory is selected. Departments are written whole: people stand in them.
func chosen(from *restore.Snapshot, s *v1alpha1.RestoreSelection) manifests.Company {
	all := manifests.Company{Departments: from.Departments, People: from.Accounts}
	if len(s.UserIDs) == 0 && len(s.DepartmentIDs) == 0 {
		return all
	}
	under := map[string]bool{}
	for _, id := range s.DepartmentIDs {
		under[id] = true
	}
	for range from.Departments { // as deep as it may be
		for i := range from.Departments {
			d := &from.Departments[i]
			under[d.ID] = under[d.ID] || under[d.Parent]
		}
	}
	in := func(m directory.Membership) bool { return under[m.Department] }
	all.People = nil
	for i := range from.Accounts {
		if a := &from.Accounts[i]; slices.Contains(s.UserIDs, a.ID) || slices.ContainsFunc(a.Profile.Memberships, in) {
			all.People = append(all.People, *a)
		}
	}
	return all
}

func digestOf(files iter.Seq2[string, []byte]) string {
	h := sha256.New()
	for name, text := range files {
		_, _ = fmt.Fprintf(h, "%s %d\n", name, len(text)) // a hash takes everything
		_, _ = h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func writeTar(out io.Writer, files iter.Seq2[string, []byte], b *v1alpha1.Backup) error {
	t := tar.NewWriter(out)
	for name, text := range files {
		h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(text)), ModTime: b.Status.Archive.Time.Time}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(text); err != nil {
			return err
		}
	}
	return t.Close()
}
