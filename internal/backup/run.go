package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"filippo.io/age"

	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/backup/storage"
	"rollcall.dev/rollcall/internal/directory"
)

// Job is one backup to make.
type Job struct {
	// Key is where the archive goes; see [storage.NewKey]. A failed job needs another.
	Key string
	// Header is written into the archive.
	Header archive.Header
	// Source is read; it has to be a [directory.Exporter].
	Source directory.Directory
	// Datasets to export, the directory among them in any case; none is all that
	// the platform offers.
	Datasets []directory.Dataset
	Scope    directory.Scope
	// Primary is written and read, Offsite, if there is one, gets a copy.
	Primary, Offsite *storage.Place
	// Recipients can open the archive; one of Identities has to, for it to be verified.
	Recipients []age.Recipient
	Identities []age.Identity
	// Sample is how many people are compared with the platform, 0 is 20; chosen
	// people are compared all.
	Sample int
	// Expected is about how many items there will be, if that is known.
	Expected int64
	// Progress is told how many items are exported, of how many; nil tells nobody.
	Progress func(done, total int64)
}

// Result is an archive that was read back and found whole.
type Result struct {
	Key      string
	Seal     archive.Seal
	Evidence Evidence
}

// Evidence is what proves an archive.
type Evidence struct {
	archive.Evidence
	// Copied: the off-site copy was read back as well, and is equal.
	Copied bool
	// Sampled people were compared with the platform, and SampleEqual of them were
	// as exported. The others changed since; if the export were wrong, it would have failed.
	Sampled, SampleEqual int
	// Findings are in words for people what else is worth knowing.
	Findings []string
}

// sampleSize is how many people are compared with the platform unless somebody says otherwise.
const sampleSize = 20

// Run makes an archive and verifies it. On an error nothing of it lists. The
// error is a [storage.Error], an [archive.Damage], [archive.ErrWrongKey], an
// [archive.Unsupported], a [Mismatch], or a [directory.Error] of the platform.
func Run(ctx context.Context, j Job) (Result, error) {
	source, ok := j.Source.(directory.Exporter)
	if !ok {
		return Result{}, &directory.Error{Class: directory.NotSupported, Operation: "export", Message: "this platform hands nothing out"}
	}
	sample := newSample(j.Key, max(cmp.Or(j.Sample, sampleSize), len(j.Scope.Accounts)))
	seal, err := write(ctx, source, j, sample)
	if err != nil {
		// The seal may be there all the same, if only its answer was lost.
		return Result{}, errors.Join(err, withdraw(ctx, j.Primary, j.Key, seal))
	}
	result, err := prove(ctx, j, seal, source, sample)
	if err != nil {
		return Result{}, errors.Join(err, withdraw(ctx, j.Offsite, j.Key, seal), withdraw(ctx, j.Primary, j.Key, seal))
	}
	return result, nil
}

// withdrawTimeout bounds what a run does after it was told to end.
const withdrawTimeout = 20 * time.Second

// withdraw deletes what lists and was not proven: an attempt that failed leaves
// nothing behind, also when it was told to end. Under another seal it is not ours.
func withdraw(ctx context.Context, from *storage.Place, key string, seal archive.Seal) error {
	if from == nil || seal.SHA256 == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTimeout)
	defer cancel()
	there, err := from.Sealed(ctx, key)
	switch {
	case storage.ClassOf(err) == storage.NotFound:
		return ignoreDone(from.Discard(ctx, key))
	case err != nil:
		return err
	}
	if s, err := archive.ParseSeal(there); err == nil && s.SHA256 != seal.SHA256 {
		return nil
	}
	return ignoreDone(from.Delete(ctx, key))
}

// write exports everything into the storage, and seals it.
func write(ctx context.Context, source directory.Exporter, j Job, sample *sample) (archive.Seal, error) {
	upload, err := j.Primary.Create(ctx, j.Key)
	if err != nil {
		return archive.Seal{}, err
	}
	defer upload.Abort()
	w, err := archive.NewWriter(upload, j.Header, j.Recipients...)
	if err != nil {
		return archive.Seal{}, err
	}
	if err := export(ctx, source, w, j, sample); err != nil {
		return archive.Seal{}, err
	}
	if _, err := w.Close(); err != nil {
		return archive.Seal{}, err
	}
	if err := upload.Close(); err != nil {
		return archive.Seal{}, err
	}
	seal, err := w.Seal()
	if err != nil {
		return archive.Seal{}, err
	}
	return seal, j.Primary.Seal(ctx, j.Key, seal.Encode())
}

// export writes one dataset after the other.
func export(ctx context.Context, source directory.Exporter, w *archive.Writer, j Job, sample *sample) error {
	missing := map[directory.Dataset]string{}
	for _, offer := range source.Offers() {
		missing[offer.Dataset] = offer.Missing
	}
	var done, people int64
	tell := func() {
		if j.Progress != nil {
			j.Progress(done, max(done, j.Expected))
		}
	}
	for _, d := range wanted(j.Datasets) {
		why, offered := missing[d]
		if !offered {
			why = "the platform has no such data"
		}
		if why != "" {
			w.Missing(d, directory.NotSupported, why)
			continue
		}
		sum, err := source.Export(ctx, d, j.Scope, func(i directory.Item) error {
			if i.Account != nil {
				people++
				sample.offer(i.Account)
			}
			done++
			tell()
			return w.Add(d, i)
		})
		switch class := directory.ClassOf(err); {
		case err == nil && people == 0: // the directory comes first
			err = &directory.Error{Class: directory.NotFound, Operation: "export", Message: "none of the people to back up is there"}
		case err == nil:
			err = w.End(d, sum)
		case d != directory.DatasetDirectory && (class == directory.PermissionDenied || class == directory.NotSupported):
			w.Missing(d, class, err.Error())
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wanted are the datasets in their order, the directory among them.
func wanted(chosen []directory.Dataset) []directory.Dataset {
	return slices.DeleteFunc(directory.Datasets(), func(d directory.Dataset) bool {
		return len(chosen) > 0 && d != directory.DatasetDirectory && !slices.Contains(chosen, d)
	})
}

// prove copies a sealed archive, reads both back, and compares with the platform.
func prove(ctx context.Context, j Job, seal archive.Seal, source directory.Exporter, sample *sample) (Result, error) {
	result, err := Verify(ctx, Check{Key: j.Key, Primary: j.Primary, Offsite: j.Offsite, Identities: j.Identities})
	if err != nil {
		return Result{}, err
	}
	if result.Seal.SHA256 != seal.SHA256 {
		return Result{}, &archive.Damage{What: "the storage gave back the seal of another archive"}
	}
	e := &result.Evidence
	e.Sampled, e.SampleEqual, err = sample.compare(ctx, j.Source, source)
	e.Findings = append(e.Findings, totals(&seal.Manifest)...)
	return result, err
}

// totals compares what was exported with the platform's own counts.
func totals(m *archive.Manifest) (findings []string) {
	for _, d := range m.Datasets {
		for _, p := range d.Parts {
			if p.PlatformTotal != nil && *p.PlatformTotal != p.Items && len(m.People) == 0 {
				findings = append(findings, fmt.Sprintf("%s/%s: the platform counts %d, the archive has %d", d.Name, p.Name, *p.PlatformTotal, p.Items))
			}
		}
	}
	return findings
}

// ignoreDone drops the error of tidying up what is not there, or may not be touched.
func ignoreDone(err error) error {
	switch storage.ClassOf(err) {
	case storage.NotFound, storage.Held:
		return nil
	}
	return err
}
