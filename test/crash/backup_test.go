package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"filippo.io/age"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/simulator/core"
)

// vault applies a storage with an off-site place and returns its key.
func (s *scene) vault() *age.X25519Identity {
	s.Helper()
	key, err := age.GenerateX25519Identity()
	s.must(err)
	bs, secret := world.Storage(s.namespace, s.namespace, key)
	s.apply(secret, bs)
	return key
}

// backup is one of the directory.
func (s *scene) backup(name, account string) *v1alpha1.Backup {
	b := world.Backup(s.namespace, name, account)
	b.Spec.Datasets = []v1alpha1.Dataset{"Directory"}
	return b
}

// ready waits until an object is Ready.
func (s *scene) ready(o client.Object, name string) {
	s.Helper()
	s.eventually(name+" is Ready", func() error {
		if ok, why := world.Stand(get(s, o, name)); !ok {
			return errors.New(why)
		}
		return nil
	})
}

// sound fails if an archive lists that cannot be verified, and returns how many list.
func (s *scene) sound(key age.Identity) int {
	s.Helper()
	keys, err := shared.Sound(s.ctx, s.namespace, s.namespace, key)
	s.must(err)
	return len(keys)
}

// diesWithin kills the manager a random moment from now.
func (s *scene) diesWithin(chance *rand.Rand, most time.Duration) {
	s.Helper()
	moment := time.NewTimer(time.Duration(chance.Int64N(int64(most))))
	select {
	case <-moment.C:
	case <-s.manager.Done():
		s.Fatalf("the manager ended by itself: %v", s.manager.Wait(s.ctx))
	}
	s.manager.Kill()
}

// TestP1KillNineAtRandomMomentsOfABackup: whatever the manager was doing when it died, nothing lists that cannot be
// verified, and in the end every Backup is Ready and has one archive.
func TestP1KillNineAtRandomMomentsOfABackup(t *testing.T) {
	seed := seeded(t)
	chance := rand.New(rand.NewPCG(seed, seed))
	s := setUp(t, "p1-kill", both)
	s.people(30)
	key := s.vault()
	s.start()
	s.allReady()
	for _, tenant := range s.tenants {
		s.fault(tenant, core.Fault{Kind: core.KindLatency, DelayMillis: 10})
	}
	const deaths = 12
	for died := range deaths {
		name := fmt.Sprintf("b%02d", died)
		s.apply(s.backup(name, both[died%2]))
		s.eventually("its attempt begins", func() error {
			if get(s, &v1alpha1.Backup{}, name).Status.StartTime == nil {
				return errors.New("it does not")
			}
			return nil
		})
		s.diesWithin(chance, 400*time.Millisecond)
		s.sound(key)
		s.start()
	}
	s.allReady()
	if n := s.sound(key); n != deaths {
		t.Errorf("%d archives list for %d Backups", n, deaths)
	}
	for _, b := range must(shared.Company(s.ctx, s.namespace))(s).Backups {
		if b.Spec.ArchiveKey != "" {
			t.Errorf("the archive of an attempt that died was adopted: %s", b.Spec.ArchiveKey)
		}
	}
}

func must[T any](v T, err error) func(*scene) T {
	return func(s *scene) T {
		s.Helper()
		s.must(err)
		return v
	}
}

// TestP3KillNineAtRandomMomentsOfARestore: people who were deleted by hand come back once, whenever the manager died.
func TestP3KillNineAtRandomMomentsOfARestore(t *testing.T) {
	seed := seeded(t)
	chance := rand.New(rand.NewPCG(seed, seed))
	s := setUp(t, "p3-restore", []string{world.DingTalk})
	const people, gone = 40, 30
	s.people(people)
	s.vault()
	s.start()
	s.allReady()
	s.apply(s.backup("whole", world.DingTalk))
	s.ready(&v1alpha1.Backup{}, "whole")
	tenant := s.tenants[world.DingTalk]
	for n := 1; n <= gone; n++ {
		s.must(tenant.Remove(s.ctx, world.Number(n)))
	}
	s.readings(1)
	s.fault(tenant, core.Fault{Kind: core.KindLatency, DelayMillis: 60})
	back := world.Restore(s.namespace, "back", "whole")
	back.Spec.Action = v1alpha1.RestoreExecute
	s.apply(back)
	for range 5 {
		created := must(tenant.Created(s.ctx))(s)
		s.eventually("it goes on", func() error {
			now, err := tenant.Created(s.ctx)
			if err == nil && sum(now) == sum(created) && sum(now) < people+gone {
				err = errors.New("nobody came back")
			}
			return err
		})
		s.diesWithin(chance, 200*time.Millisecond)
		s.start()
	}
	s.ready(&v1alpha1.Restore{}, "back")
	s.allReady()
	s.exact()
	for id, times := range must(tenant.Created(s.ctx))(s) {
		want := 1
		for n := 1; n <= gone; n++ {
			if id == world.Number(n) {
				want = 2 // by their Employee, and by the Restore
			}
		}
		if times != want {
			t.Errorf("%s was created %d times, want %d", id, times, want)
		}
	}
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}
