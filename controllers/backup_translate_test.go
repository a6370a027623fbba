package controllers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup"
	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/backup/restore"
	"rollcall.dev/rollcall/internal/backup/storage"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
)

// Every way in which a backup or a restore can end has a reason that is documented, words that say what it is about, and no
// word of what caused it (P12).
func TestEveryEndOfABackupHasAReason(t *testing.T) {
	const private = "13812345678"
	cause := errors.New("the answer was " + private)
	place := func(c storage.Class) error {
		return &storage.Error{Class: c, Place: "s3://acme", Key: "acme/wecom", Op: "reading the seal", Message: "it says so", Err: cause}
	}
	platform := func(c directory.Class) error {
		return &directory.Error{Class: c, Operation: "user/get", Code: "42", Message: "it says so", Err: cause}
	}
	for name, c := range map[string]struct {
		err          error
		reason, says string
		waits        bool // it passes by itself
	}{
		"damaged":     {&archive.Damage{What: "part 3"}, v1alpha1.ReasonArchiveDamaged, "the archive is damaged: part 3", false},
		"wrong":       {&backup.Mismatch{People: 3}, v1alpha1.ReasonArchiveDamaged, "3 people of the sample are different", false},
		"newer":       {&archive.Unsupported{What: "the archive has format 9"}, v1alpha1.ReasonNotSupported, "format 9", false},
		"other key":   {archive.ErrWrongKey, v1alpha1.ReasonKeyWrong, "other recipients", false},
		"conflicts":   {restore.ErrConflicts, v1alpha1.ReasonRestoreConflicts, "conflicts came up", false},
		"conflicting": {errStopped, v1alpha1.ReasonRestoreConflicts, "conflicts came up", false},
		"stopped":     {context.Canceled, v1alpha1.ReasonProgressing, "interrupted", true},
		"too long":    {context.DeadlineExceeded, v1alpha1.ReasonProgressing, "interrupted", true},
		"unrecorded": {&directory.Error{Class: directory.Unavailable, Operation: "audit", Message: "the trail cannot be written", Err: errors.Join(execute.ErrUnrecorded, cause)},
			v1alpha1.ReasonAuditUnavailable, "the trail cannot be written", true},
		"contact unread": {problem(v1alpha1.ReasonWaitingForContact, "the contact data could not be read"), v1alpha1.ReasonWaitingForContact, "contact data", true},
		"unknown":        {cause, v1alpha1.ReasonUnavailable, "could not be reached", true},

		"place is down":    {place(storage.Unavailable), v1alpha1.ReasonStorageUnavailable, "s3://acme/acme/wecom: reading the seal: it says so", true},
		"place denies":     {place(storage.Denied), v1alpha1.ReasonStorageDenied, "it says so", false},
		"place is full":    {place(storage.Full), v1alpha1.ReasonStorageFull, "it says so", false},
		"archive is gone":  {place(storage.NotFound), v1alpha1.ReasonArchiveMissing, "it says so", false},
		"archive is held":  {place(storage.Held), v1alpha1.ReasonLegalHold, "it says so", true},
		"seal is damaged":  {place(storage.Damaged), v1alpha1.ReasonArchiveDamaged, "it says so", false},
		"place is invalid": {place(storage.Invalid), v1alpha1.ReasonInvalidValue, "it says so", false},

		"nobody there":     {platform(directory.NotFound), v1alpha1.ReasonUnavailable, "user/get: it says so", true},
		"there already":    {platform(directory.AlreadyExists), v1alpha1.ReasonDataConflict, "it says so", false},
		"taken":            {platform(directory.Conflict), v1alpha1.ReasonDataConflict, "it says so", false},
		"invalid":          {platform(directory.Invalid), v1alpha1.ReasonInvalidValue, "it says so", false},
		"rejected":         {platform(directory.Unauthenticated), v1alpha1.ReasonCredentialsRejected, "it says so", false},
		"denied":           {platform(directory.PermissionDenied), v1alpha1.ReasonPermissionDenied, "it says so", false},
		"too many calls":   {platform(directory.RateLimited), v1alpha1.ReasonRateLimited, "it says so", true},
		"quota":            {platform(directory.QuotaExceeded), v1alpha1.ReasonQuotaExceeded, "it says so", false},
		"platform is down": {platform(directory.Unavailable), v1alpha1.ReasonUnavailable, "platform code 42", true},
		"no such API":      {platform(directory.NotSupported), v1alpha1.ReasonNotSupported, "it says so", false},
		"never answered":   {platform(directory.OutcomeUnknown), v1alpha1.ReasonOutcomeUnknown, "it says so", true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, err := range []error{c.err, fmt.Errorf("%s: %w", private, c.err), errors.Join(c.err, cause)} {
				p := problemOfBackup(err)
				if p.Reason != c.reason || p.Stalled == c.waits || !strings.Contains(p.Message, c.says) {
					t.Errorf("%+v", p)
				}
				if strings.Contains(p.Message, private) {
					t.Error("P12: the message has personal data")
				}
				documented(t, p.Reason)
			}
		})
	}
	for class := range storageReasons {
		documented(t, problemOfStorage(place(class)).Reason)
	}
	for class := range reasons {
		documented(t, problemOf(platform(class)).Reason)
	}
}

// documented: docs/reasons.md has a chapter on it.
func documented(t *testing.T, reason string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "reasons.md"))
	if err != nil {
		t.Fatal(err)
	}
	heading := strings.TrimSpace(v1alpha1.ReasonCodes[reason] + " " + reason)
	if !strings.Contains(string(text), "\n### "+heading+"\n") {
		t.Errorf("docs/reasons.md has no chapter %q", heading)
	}
}

func TestAFileBesideAnArchiveThatCannotBeReadSaysWhy(t *testing.T) {
	down := &storage.Error{Class: storage.Unavailable, Message: "it broke off"}
	for name, c := range map[string]struct {
		err    error
		reason string
	}{
		"its place is down":          {fmt.Errorf("reading the header: %w", down), v1alpha1.ReasonStorageUnavailable},
		"it is for another key":      {fmt.Errorf("opening: %w", &age.NoIdentityMatchError{}), v1alpha1.ReasonKeyWrong},
		"it is not what was written": {errors.New("unexpected intro"), v1alpha1.ReasonArchiveDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			if p := problemOfBackup(unreadable(begunFile, c.err)); p.Reason != c.reason {
				t.Errorf("%+v", p)
			}
		})
	}
}
