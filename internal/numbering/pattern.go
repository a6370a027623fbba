package numbering

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Limits that the API sets too; they keep every number within what the platforms take for a user id.
const (
	maxNumberLength = 50
	maxCodeLength   = 8
	maxDigits       = 9
)

var (
	// ErrNoDept means that the pattern has {dept} and the department has no code.
	ErrNoDept = errors.New("the pattern has {dept}, and the department has no code")
	// ErrNoDate means that the pattern has {yyyy}, {yy} or {mm}, and there is no date.
	ErrNoDate = errors.New("the pattern has {yyyy}, {yy} or {mm}, and there is no date")
)

// The tokens of a pattern, as written between braces.
const (
	tokenDept     = "dept"
	tokenYear     = "yyyy"
	tokenYear2    = "yy"
	tokenMonth    = "mm"
	tokenSequence = "seq:" // and the number of digits
)

// tokenShapes is what a token becomes, as regular expressions.
var tokenShapes = map[string]string{
	tokenDept:  fmt.Sprintf(`[0-9A-Z]{1,%d}`, maxCodeLength),
	tokenYear:  `[0-9]{4}`,
	tokenYear2: `[0-9]{2}`,
	tokenMonth: `(0[1-9]|1[0-2])`,
}

// Pattern is a parsed pattern.
type Pattern struct {
	text   string
	parts  []part // a text or a token each
	digits int
}

// part is a piece of a pattern: literal text, or a token's name.
type part struct {
	text, token string
}

// Values fill in a pattern. Zero values are unknown.
type Values struct {
	// Dept is the department's code.
	Dept string
	// Date is the hire date.
	Date time.Time
}

// Parse reads a pattern: letters, digits and . _ - with the tokens {dept}, {yyyy}, {yy}, {mm} and, once, {seq:N}.
func Parse(text string) (Pattern, error) {
	p := Pattern{text: text}
	for rest := text; rest != ""; {
		var next part
		var err error
		if next, rest, err = cut(rest); err != nil {
			return Pattern{}, err
		}
		if n, isSequence := strings.CutPrefix(next.token, tokenSequence); isSequence {
			if p.digits != 0 {
				return Pattern{}, errors.New("pattern: {seq:N} stands there twice; one sequence counts")
			}
			p.digits = int(n[0] - '0') // cut has checked it
		}
		p.parts = append(p.parts, next)
	}
	if p.digits == 0 {
		return Pattern{}, errors.New("pattern: needs {seq:N}, N being the number of digits from 1 to 9, e.g. {dept}{yyyy}{seq:4}")
	}
	if first := p.parts[0].text; first != "" && strings.ContainsRune("._-", rune(first[0])) {
		return Pattern{}, errors.New("pattern: must begin with a letter, a digit or a token")
	}
	if n := p.longest(); n > maxNumberLength {
		return Pattern{}, fmt.Errorf("pattern: makes numbers of up to %d characters; %d are allowed", n, maxNumberLength)
	}
	return p, nil
}

// cut takes the first part off a pattern.
func cut(s string) (first part, rest string, err error) {
	if s[0] != '{' {
		end := strings.IndexByte(s, '{')
		if end < 0 {
			end = len(s)
		}
		if bad := strings.IndexFunc(s[:end], func(r rune) bool { return !isPlain(r) }); bad >= 0 {
			return part{}, "", fmt.Errorf("pattern: %q is not allowed; use letters, digits, . _ - and the tokens {dept} {yyyy} {yy} {mm} {seq:N}", s[bad:end])
		}
		return part{text: s[:end]}, s[end:], nil
	}
	token, rest, closed := strings.Cut(s[1:], "}")
	if _, known := tokenShapes[token]; !closed || !known && !isSequence(token) {
		wrong := s[:len(s)-len(rest)]
		return part{}, "", fmt.Errorf("pattern: %s is not a token; the tokens are {dept} {yyyy} {yy} {mm} and {seq:N} with N from 1 to 9", wrong)
	}
	return part{token: token}, rest, nil
}

func isSequence(token string) bool {
	n, ok := strings.CutPrefix(token, tokenSequence)
	return ok && len(n) == 1 && '1' <= n[0] && n[0] <= '0'+maxDigits
}

func isPlain(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '.' || r == '_' || r == '-'
}

// String is the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Needs says what Expand must be told.
func (p Pattern) Needs() (dept, date bool) {
	for _, part := range p.parts {
		switch part.token {
		case tokenDept:
			dept = true
		case tokenYear, tokenYear2, tokenMonth:
			date = true
		}
	}
	return dept, date
}

// Expand fills in everything but the sequence.
func (p Pattern) Expand(v Values) (Shape, error) {
	needsDept, needsDate := p.Needs()
	switch {
	case needsDept && v.Dept == "":
		return Shape{}, ErrNoDept
	case needsDept && (len(v.Dept) > maxCodeLength || strings.ContainsFunc(v.Dept, func(r rune) bool { return !isPlain(r) })):
		return Shape{}, fmt.Errorf("department code %q: use up to %d upper-case letters and digits", v.Dept, maxCodeLength)
	case needsDate && v.Date.IsZero():
		return Shape{}, ErrNoDate
	}
	s := Shape{digits: p.digits}
	text := &s.before
	for _, part := range p.parts {
		switch part.token {
		case "":
			*text += part.text
		case tokenDept:
			*text += v.Dept
		case tokenYear:
			*text += fmt.Sprintf("%04d", v.Date.Year())
		case tokenYear2:
			*text += fmt.Sprintf("%02d", v.Date.Year()%100)
		case tokenMonth:
			*text += fmt.Sprintf("%02d", v.Date.Month())
		default:
			text = &s.after
		}
	}
	return s, nil
}

// longest is the length of the longest number.
func (p Pattern) longest() int {
	n := 0
	for _, part := range p.parts {
		switch part.token {
		case "":
			n += len(part.text)
		case tokenDept:
			n += maxCodeLength
		case tokenYear:
			n += 4
		case tokenYear2, tokenMonth:
			n += 2
		default:
			n += p.digits
		}
	}
	return n
}

// matcher finds the numbers that the pattern can make, for whatever department, date and count.
func (p Pattern) matcher() *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?i)\A`)
	for _, part := range p.parts {
		switch {
		case part.token == "":
			b.WriteString(regexp.QuoteMeta(part.text))
		case isSequence(part.token):
			b.WriteString(`[0-9]{` + strconv.Itoa(p.digits) + `}`)
		default:
			b.WriteString(tokenShapes[part.token])
		}
	}
	b.WriteString(`\z`)
	return regexp.MustCompile(b.String())
}
