package review

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Record is one review, for the report.
type Record struct {
	Namespace string `json:"namespace"`
	Binding   string `json:"binding"`
	// Account is the EnterpriseAccount, Role and Group what the platform calls the right.
	Account string `json:"account"`
	Role    string `json:"role"`
	Group   string `json:"group,omitempty"`
	Risk    string `json:"risk,omitempty"`
	// Why the right is declared; where the binding is gone, what was asked.
	Why string `json:"why,omitempty"`
	// Review names the Approval that asked, and Digest is that of exactly what it asked.
	Review string `json:"review"`
	Digest string `json:"digest,omitempty"`
	// Asked is when it was opened, Escalated when it was told that nobody answers, Ended
	// when it was over; each zero before.
	Asked     time.Time `json:"asked,omitzero"`
	Escalated time.Time `json:"escalated,omitzero"`
	Ended     time.Time `json:"ended,omitzero"`
	// Verdict is empty as long as it is not over, and where it is not known any more. By is who answered, as the API server
	// knows them, and Reason what they say; both empty where nobody did.
	Verdict Verdict  `json:"verdict,omitempty"`
	By      string   `json:"by,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	Holders []Holder `json:"holders"`
}

// Holder is somebody whom a review lists.
type Holder struct {
	UserID string `json:"userID"`
	// Number of the employee, where one is declared.
	Number string `json:"number,omitempty"`
	// LastActive is the day on which they were last seen active, as YYYY-MM-DD, where the platform tells.
	LastActive string `json:"lastActive,omitempty"`
	// Lost: they lost the right by this review; nil where it is not known what came of it.
	Lost *bool `json:"lost"`
}

// Period is from From on, and before To.
type Period struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// covers reports whether the review was open at any time of the period.
func (p Period) covers(r *Record) bool {
	return r.Asked.Before(p.To) && (r.Ended.IsZero() || !r.Ended.Before(p.From))
}

// Report is all reviews that were open at any time of a period.
type Report struct {
	Period
	// Written is when the report was.
	Written time.Time `json:"written"`
	Reviews []Record  `json:"reviews"`
}

// NewReport picks the reviews of the period, and orders them by when they were opened, so that the
// same reviews make the same report. It changes nothing that it is given.
func NewReport(p Period, written time.Time, all []Record) Report {
	seconds := func(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
	r := Report{Period: Period{From: seconds(p.From), To: seconds(p.To)}, Written: seconds(written), Reviews: []Record{}}
	for _, one := range all {
		if !p.covers(&one) {
			continue
		}
		one.Asked, one.Escalated, one.Ended = one.Asked.UTC(), one.Escalated.UTC(), one.Ended.UTC()
		one.Holders = slices.Clone(one.Holders)
		if one.Holders == nil {
			one.Holders = []Holder{}
		}
		slices.SortStableFunc(one.Holders, func(a, b Holder) int { return cmp.Or(cmp.Compare(a.UserID, b.UserID), cmp.Compare(a.Number, b.Number)) })
		r.Reviews = append(r.Reviews, one)
	}
	slices.SortStableFunc(r.Reviews, func(a, b Record) int {
		return cmp.Or(a.Asked.Compare(b.Asked), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Binding, b.Binding), cmp.Compare(a.Review, b.Review))
	})
	return r
}

// JSON writes the report as one object, indented.
func (r Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("writing the report as JSON: %w", err)
	}
	return nil
}

// byteOrderMark has Excel read the file as UTF-8; without it Chinese is garbled there.
const byteOrderMark = "\ufeff"

var columns = []string{
	"namespace", "binding", "account", "role", "group", "risk", "why", "review", "digest", "asked", "escalated", "ended",
	"verdict", "by", "reason", "holders", "user id", "number", "last active", "lost",
}

// CSV writes the report as a table (RFC 4180), one line for each holder of each review; a review
// without holders is one line. Times are RFC 3339 in UTC. No cell is taken for a formula.
func (r Report) CSV(w io.Writer) error {
	if _, err := io.WriteString(w, byteOrderMark); err != nil {
		return fmt.Errorf("writing the report as CSV: %w", err)
	}
	table := csv.NewWriter(w)
	table.UseCRLF = true
	lines := [][]string{columns}
	for i := range r.Reviews {
		lines = append(lines, r.Reviews[i].lines()...)
	}
	if err := table.WriteAll(lines); err != nil {
		return fmt.Errorf("writing the report as CSV: %w", err)
	}
	return nil
}

func (r *Record) lines() [][]string {
	review := []string{
		cell(r.Namespace), cell(r.Binding), cell(r.Account), cell(r.Role), cell(r.Group), cell(r.Risk), cell(r.Why), cell(r.Review), cell(r.Digest),
		moment(r.Asked), moment(r.Escalated), moment(r.Ended), cell(string(r.Verdict)), cell(r.By), cell(r.Reason), strconv.Itoa(len(r.Holders)),
	}
	if len(r.Holders) == 0 {
		return [][]string{append(review, "", "", "", "")}
	}
	lines := make([][]string, 0, len(r.Holders))
	for _, h := range r.Holders {
		lines = append(lines, append(slices.Clone(review), cell(h.UserID), cell(h.Number), cell(h.LastActive), h.lost()))
	}
	return lines
}

func (h *Holder) lost() string {
	if h.Lost == nil {
		return ""
	}
	return strconv.FormatBool(*h.Lost)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// cell is text that no spreadsheet takes for a formula: one that begins like one gets an apostrophe
// before it (https://owasp.org/www-community/attacks/CSV_Injection). Control characters, and line
// breaks above all, become spaces, so that a line is a row.
func cell(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	// Spaces before it do not help everywhere; Excel takes the wide forms for the narrow ones.
	if first := strings.TrimSpace(s); first != "" && strings.ContainsRune("=+-@＝＋－＠|%", []rune(first)[0]) {
		return "'" + s
	}
	return s
}
