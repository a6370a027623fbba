package controllers

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/directory/directorytest"
	"rollcall.dev/rollcall/internal/jobs"
)

// farewell is the step of an exit that tells everybody, on a platform that knows a notice again for an hour.
type farewell struct {
	*testing.T
	*directorytest.Fake
	now    time.Time
	people []string
	step   *v1alpha1.ExitStepStatus
}

func newFarewell(t *testing.T) *farewell {
	f := &farewell{T: t, Fake: directorytest.NewFake(directory.Capabilities{Platform: "Open", RootDepartment: "1", NoticeWindow: time.Hour})}
	f.now = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	f.Now = func() time.Time { return f.now }
	for n := range 150 {
		f.joins(fmt.Sprintf("E%04d", 2*n))
	}
	f.step = &v1alpha1.ExitStepStatus{Name: v1alpha1.ExitNotify}
	return f
}

func (f *farewell) joins(id string) {
	f.Place(directory.Account{ID: id})
	f.people = append(f.people, id)
	slices.Sort(f.people)
}

// send tells the next, with these faults on the way. A crash loses what came of it.
func (f *farewell) send(crash bool, faults ...directorytest.Fault) {
	f.Helper()
	f.Next("Notify", faults...)
	s := &exitScope{account: &v1alpha1.EnterpriseAccount{}, step: f.step.DeepCopy(), now: metav1.NewTime(f.now)}
	w := &exitWork{directory: f.Fake, cursor: s.step.Cursor, people: f.people, text: "再见"}
	s.sending(w)
	f.step = s.step.DeepCopy() // it is written before anybody is told
	o, err := w.notify(f.Context())
	if !crash {
		s.take(jobs.State[struct{}, exitOutcome]{Result: o, Err: err})
		f.step = s.step
	}
}

// ends sends until everybody was told, and fails unless that many may not have been, and nobody was twice.
func (f *farewell) ends(unknown int32) {
	f.Helper()
	for range 5 {
		f.send(false)
	}
	if f.step.State != "Done" || f.step.Unknown != unknown {
		f.Errorf("it is %s (%s), and %d may not have been told; want %d", f.step.State, f.step.Message, f.step.Unknown, unknown)
	}
	times := map[string]int{}
	for _, m := range f.Messages() {
		times[m.To]++
	}
	told := 0
	for id, n := range times {
		if told++; n > 1 {
			f.Errorf("%s was told %d times", id, n)
		}
	}
	if told < len(f.people)-int(unknown) {
		f.Errorf("%d of %d were told", told, len(f.people))
	}
}

// TestP3NobodyIsToldTwiceThatTheCompanyLeaves: whatever becomes of an answer, and whenever the manager is back.
func TestP3NobodyIsToldTwiceThatTheCompanyLeaves(t *testing.T) {
	for name, do := range map[string]func(*farewell) (unknown int32){
		"all goes well": func(*farewell) int32 { return 0 },
		"an answer is lost": func(f *farewell) int32 {
			f.send(false, directorytest.Lost())
			f.now = f.now.Add(59 * time.Minute)
			return 0
		},
		"a crash after it was sent": func(f *farewell) int32 {
			f.send(true)
			f.now = f.now.Add(59 * time.Minute)
			return 0
		},
		"a crash, and a long while": func(f *farewell) int32 {
			f.send(true)
			f.now = f.now.Add(time.Hour)
			return 100
		},
		"a lost answer, and somebody new among them": func(f *farewell) int32 {
			f.send(false, directorytest.Lost())
			f.joins("E0001")
			return 100
		},
		"a lost answer, then a refusal, and a long while": func(f *farewell) int32 {
			f.send(false, directorytest.Lost())
			f.send(false, directorytest.Refused(directory.RateLimited))
			f.now = f.now.Add(time.Hour)
			return 100
		},
		"a refusal, and a long while": func(f *farewell) int32 {
			f.send(false, directorytest.Refused(directory.RateLimited))
			f.now = f.now.Add(24 * time.Hour)
			return 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFarewell(t)
			f.ends(do(f))
		})
	}
}
