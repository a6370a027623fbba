package backup

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"

	"rollcall.dev/rollcall/internal/directory"
)

// Mismatch is an export that says something else of people than the platform
// does, read one by one, though they have not changed in between.
type Mismatch struct {
	// People are how many of the sample.
	People int
}

func (m *Mismatch) Error() string {
	return fmt.Sprintf("the export is wrong: %d people of the sample are different when the platform is asked for them one by one", m.People)
}

// sample is a few people of an export, every one as likely as the other, the same
// ones for the same archive.
type sample struct {
	size   int
	seen   int
	people []directory.Account
	dice   *rand.Rand
}

func newSample(key string, size int) *sample {
	return &sample{size: size, dice: rand.New(rand.NewChaCha8(sha256.Sum256([]byte(key))))} //nolint:gosec // chance is all that is needed
}

// offer takes the account in, or not (algorithm R).
func (s *sample) offer(a *directory.Account) {
	s.seen++
	if len(s.people) < s.size {
		s.people = append(s.people, *a)
	} else if at := s.dice.IntN(s.seen); at < s.size {
		s.people[at] = *a
	}
}

// compare reads the people of the sample one by one. Who differs is exported once
// more: where the new export agrees with what was read, the person has changed.
func (s *sample) compare(ctx context.Context, d directory.Directory, again directory.Exporter) (sampled, equal int, err error) {
	var changed []string
	for i := range s.people {
		was := &s.people[i]
		is, err := d.Account(ctx, was.ID)
		switch {
		case directory.ClassOf(err) == directory.NotFound:
		case err != nil:
			return 0, 0, err
		case same(was, &is):
			equal++
		default:
			changed = append(changed, was.ID)
		}
	}
	if len(changed) == 0 {
		return len(s.people), equal, nil
	}
	wrong, err := exportedWrong(ctx, d, again, changed)
	if err == nil && wrong > 0 {
		err = &Mismatch{People: wrong}
	}
	return len(s.people), equal, err
}

// exportedWrong counts who is exported differently from what is read at the same time.
func exportedWrong(ctx context.Context, d directory.Directory, again directory.Exporter, people []string) (wrong int, err error) {
	exported := map[string]directory.Account{}
	_, err = again.Export(ctx, directory.DatasetDirectory, directory.Scope{Accounts: people}, func(i directory.Item) error {
		if i.Account != nil {
			exported[i.Account.ID] = *i.Account
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for id, a := range exported {
		is, err := d.Account(ctx, id)
		switch {
		case directory.ClassOf(err) == directory.NotFound:
		case err != nil:
			return 0, err
		case !same(&a, &is):
			wrong++
		}
	}
	return wrong, nil
}

// same compares what was exported with what is read, as far as both know it.
func same(was, is *directory.Account) bool {
	differ, _ := directory.Differ(&was.Profile, &is.Profile)
	return differ == 0 && was.State == is.State && (was.Type == is.Type || was.Type == "" || is.Type == "")
}
