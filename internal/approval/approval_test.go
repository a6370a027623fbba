package approval_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/approval"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func question() approval.Question {
	return approval.Question{
		Purpose: "RemovalLimit", Namespace: "acme", Account: "wecom",
		Subjects: []approval.Subject{
			{Kind: "Offboarding", Name: "li-na-1", UID: "u1", Number: "E0001", Action: "Leave"},
			{Kind: "Offboarding", Name: "wang-fang-1", UID: "u2", Number: "E0002", Action: "Leave"},
			{Kind: "Employee", Name: "zhao-lei", UID: "u3", Number: "E0003", Action: "Freeze"},
		},
	}
}

// TestP7DigestIsOfExactlyWhatIsAsked: nothing of a question can change without its digest, but the order.
func TestP7DigestIsOfExactlyWhatIsAsked(t *testing.T) {
	known := question().Digest()
	if len(known) != 64 || strings.Trim(known, "0123456789abcdef") != "" {
		t.Errorf("digest %q", known)
	}
	for range 20 {
		q := question()
		rand.Shuffle(len(q.Subjects), func(i, j int) { q.Subjects[i], q.Subjects[j] = q.Subjects[j], q.Subjects[i] })
		first := q.Subjects[0]
		if q.Digest() != known {
			t.Error("the order matters")
		}
		if q.Subjects[0] != first {
			t.Error("the question was changed")
		}
	}
	seen := map[string]string{known: "as it was"}
	for name, change := range map[string]func(*approval.Question){
		"purpose":           func(q *approval.Question) { q.Purpose = "Departure" },
		"namespace":         func(q *approval.Question) { q.Namespace = "acme2" },
		"account":           func(q *approval.Question) { q.Account = "dingtalk" },
		"no account":        func(q *approval.Question) { q.Account = "" },
		"one fewer":         func(q *approval.Question) { q.Subjects = q.Subjects[:2] },
		"one more":          func(q *approval.Question) { q.Subjects = append(q.Subjects, approval.Subject{UID: "u4"}) },
		"another object":    func(q *approval.Question) { q.Subjects[1].UID = "u9" },
		"another kind":      func(q *approval.Question) { q.Subjects[1].Kind = "Employee" },
		"another name":      func(q *approval.Question) { q.Subjects[1].Name = "wang-fang-2" },
		"another person":    func(q *approval.Question) { q.Subjects[1].Number = "E0009" },
		"another action":    func(q *approval.Question) { q.Subjects[2].Action = "Leave" },
		"terms":             func(q *approval.Question) { q.Terms = "to 飞书" },
		"other terms":       func(q *approval.Question) { q.Terms = "to nowhere" },
		"borders of fields": func(q *approval.Question) { q.Subjects[1].Name, q.Subjects[1].UID = "wang-fang-1u", "2" },
	} {
		q := question()
		change(&q)
		if other, taken := seen[q.Digest()]; taken {
			t.Errorf("%q has the digest of %q", name, other)
		}
		seen[q.Digest()] = name
	}
}

func record(change ...func(*approval.Record)) approval.Record {
	r := approval.Record{Question: question(), Digest: question().Digest(), Expires: noon.Add(time.Hour)}
	for _, c := range change {
		c(&r)
	}
	return r
}

func decided(verdict approval.State) func(*approval.Record) {
	return func(r *approval.Record) { r.Verdict, r.DecidedDigest = string(verdict), r.Digest }
}

// TestP7Judge: a decision counts for exactly what it was about, and an approval for a while.
func TestP7Judge(t *testing.T) {
	expired := func(r *approval.Record) { r.Expires = noon }
	withdrawn := func(r *approval.Record) { r.Withdrawn = true }
	smuggled := func(r *approval.Record) {
		r.Question.Subjects = append(r.Question.Subjects, approval.Subject{Kind: "Offboarding", UID: "u4", Action: "Leave"})
	}
	for name, c := range map[string]struct {
		record approval.Record
		want   approval.State
	}{
		"nobody has decided":              {record(), approval.Pending},
		"approved":                        {record(decided(approval.Approved)), approval.Approved},
		"rejected":                        {record(decided(approval.Rejected)), approval.Rejected},
		"nobody has decided in time":      {record(expired), approval.Expired},
		"approved, and too late to begin": {record(decided(approval.Approved), expired), approval.Expired},
		"rejected stays rejected":         {record(decided(approval.Rejected), expired), approval.Rejected},
		"withdrawn":                       {record(withdrawn), approval.Withdrawn},
		"withdrawn, decided nevertheless": {record(withdrawn, decided(approval.Approved)), approval.Withdrawn},
		"the list was changed before":     {record(smuggled), approval.Stale},
		"the list was changed after":      {record(decided(approval.Approved), smuggled), approval.Stale},
		"list and digest were changed after": {record(decided(approval.Approved), smuggled, func(r *approval.Record) {
			r.Digest = r.Question.Digest()
		}), approval.Stale},
		"decided about something else": {record(decided(approval.Approved), func(r *approval.Record) {
			r.DecidedDigest = strings.Repeat("0", 64)
		}), approval.Stale},
		"no verdict that is known": {record(decided("Perhaps")), approval.Pending},
	} {
		if got := approval.Judge(c.record, noon); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestSortIsAsPeopleLook(t *testing.T) {
	subjects := question().Subjects
	slices.Reverse(subjects)
	approval.Sort(subjects)
	if subjects[0].Number != "E0001" || subjects[2].Number != "E0003" {
		t.Errorf("%+v", subjects)
	}
}
