package review_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"rollcall.dev/rollcall/internal/review"
)

// sample are the reviews of an invented company, out of order.
func sample() []review.Record {
	return []review.Record{
		{Namespace: "acme", Binding: "auditors", Account: "dingtalk", Role: "审计员", Group: "内控", Risk: "High", Why: "年度审计", Review: "auditors-2", Digest: "d2",
			Asked: at(90), Escalated: at(97), Ended: at(98), Verdict: review.Narrowed, By: "liu@example.com", Reason: "=2+5",
			Holders: []review.Holder{{UserID: "zhao", Number: "E0002", LastActive: "2026-05-21", Lost: new(false)}, {UserID: "ann", Number: "E0001", Lost: new(true)}}},
		{Namespace: "acme", Binding: "auditors", Account: "dingtalk", Role: "审计员", Review: "auditors-1", Asked: at(-3), Ended: at(0), Verdict: review.Confirmed},
		{Namespace: "acme", Binding: "keepers", Account: "wecom", Role: "仓管员", Review: "keepers-9", Asked: at(99), Holders: []review.Holder{{UserID: "bo"}}},
		{Namespace: "acme", Binding: "later", Review: "later-1", Asked: at(100)},
		{Namespace: "acme", Binding: "before", Review: "before-1", Asked: at(-9), Ended: at(-1)},
	}
}

var period = review.Period{From: at(0), To: at(100)}

func TestReport(t *testing.T) {
	all := sample()
	r := review.NewReport(period, at(101), all)
	var names []string
	for _, one := range r.Reviews {
		names = append(names, one.Review)
	}
	if want := []string{"auditors-1", "auditors-2", "keepers-9"}; !slices.Equal(names, want) {
		t.Errorf("reports %q, want %q", names, want)
	}
	if !reflect.DeepEqual(all, sample()) {
		t.Error("the report changed what it was given")
	}
	slices.Reverse(all)
	if again := review.NewReport(period, at(101), all); !reflect.DeepEqual(r, again) {
		t.Error("the order in which reviews are given matters")
	}
}

func TestReportAsCSV(t *testing.T) {
	var b bytes.Buffer
	if err := review.NewReport(period, at(101), sample()).CSV(&b); err != nil {
		t.Fatal(err)
	}
	want := "\ufeff" + strings.Join([]string{
		"namespace,binding,account,role,group,risk,why,review,digest,asked,escalated,ended,verdict,by,reason,holders,user id,number,last active,lost",
		"acme,auditors,dingtalk,审计员,,,,auditors-1,,2026-02-27T09:00:00Z,,2026-03-02T09:00:00Z,Confirmed,,,0,,,,",
		"acme,auditors,dingtalk,审计员,内控,High,年度审计,auditors-2,d2,2026-05-31T09:00:00Z,2026-06-07T09:00:00Z,2026-06-08T09:00:00Z,Narrowed,liu@example.com,'=2+5,2,ann,E0001,,true",
		"acme,auditors,dingtalk,审计员,内控,High,年度审计,auditors-2,d2,2026-05-31T09:00:00Z,2026-06-07T09:00:00Z,2026-06-08T09:00:00Z,Narrowed,liu@example.com,'=2+5,2,zhao,E0002,2026-05-21,false",
		"acme,keepers,wecom,仓管员,,,,keepers-9,,2026-06-09T09:00:00Z,,,,,,1,bo,,,",
	}, "\r\n") + "\r\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestReportAsJSON(t *testing.T) {
	fine := review.Period{From: period.From, To: period.To.Add(5 * time.Millisecond)}
	r := review.NewReport(fine, at(101).Add(time.Millisecond), sample())
	var b bytes.Buffer
	if err := r.JSON(&b); err != nil {
		t.Fatal(err)
	}
	var back review.Report
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("%v\nread back %+v\nwritten   %+v", err, back, r)
	}
	for _, has := range []string{`"from": "2026-03-02T09:00:00Z"`, `"to": "2026-06-10T09:00:00Z"`, `"written": "2026-06-11T09:00:00Z"`, `"holders": []`, `"verdict": "Narrowed"`, `"lastActive": "2026-05-21"`, `"lost": null`} {
		if !strings.Contains(b.String(), has) {
			t.Errorf("lacks %s", has)
		}
	}
	if strings.Contains(b.String(), "0001-01-01") {
		t.Error("times that are not known are written")
	}
	if b.Reset(); review.NewReport(period, at(101), nil).JSON(&b) != nil || !strings.Contains(b.String(), `"reviews": []`) {
		t.Errorf("an empty report is %s", b.String())
	}
}

// full is a disk.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.room {
		return 0, errors.New("no space left")
	}
	f.room -= len(p)
	return len(p), nil
}

func TestReportsThatCannotBeWrittenSaySo(t *testing.T) {
	r := review.NewReport(period, at(101), sample())
	for _, room := range []int{0, 3} {
		if err := r.CSV(&full{room}); err == nil {
			t.Errorf("CSV in %d bytes", room)
		}
	}
	if err := r.JSON(&full{0}); err == nil {
		t.Error("JSON in no bytes")
	}
}

// FuzzNoCellIsAFormula: whatever people write, a spreadsheet shows it as text; a line is a
// row; and what was written can be read, but for control characters.
func FuzzNoCellIsAFormula(f *testing.F) {
	for _, s := range []string{"", "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r\n=1", " =1", "＝1", "|calc", "%0", "a,b\"c", "\"", "审计\n员", "\xff=", "\u2028=", "'=1", "\ufeff=1"} {
		f.Add(s, "liu")
	}
	f.Fuzz(func(t *testing.T, text, id string) {
		r := review.NewReport(period, at(101), []review.Record{
			{Asked: at(1), Why: text, Reason: text, By: text, Role: text, Review: text, Holders: []review.Holder{{UserID: id, Number: text}, {UserID: text}}},
		})
		var b bytes.Buffer
		if err := r.CSV(&b); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(b.String(), "\n"); lines != 3 || !utf8.Valid(b.Bytes()) {
			t.Fatalf("%d lines: %q", lines, b.String())
		}
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(b.String(), "\ufeff"))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		plain := func(s string) string {
			return strings.Map(func(r rune) rune {
				if unicode.IsControl(r) || strings.ContainsRune("\u2028\u2029\ufeff", r) {
					return ' '
				}
				return r
			}, strings.ToValidUTF8(s, "\ufffd"))
		}
		for _, row := range rows[1:] {
			for _, c := range row {
				if shown := strings.TrimSpace(c); shown != "" && strings.ContainsRune("=+-@＝＋－＠|%", []rune(shown)[0]) {
					t.Errorf("%q is taken for a formula", c)
				}
			}
			if c := row[6]; c != plain(text) && c != "'"+plain(text) {
				t.Errorf("%q became %q", text, c)
			}
		}
		b.Reset()
		if err := r.JSON(&b); err != nil || !json.Valid(b.Bytes()) {
			t.Errorf("JSON: %v", err)
		}
	})
}
