package ldap

import (
	"errors"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

func TestEveryCodeHasAMeaning(t *testing.T) {
	for code, m := range meanings {
		if m.class == "" || m.words == "" || strings.HasSuffix(m.words, ".") {
			t.Errorf("code %d: class %q, words %q", code, m.class, m.words)
		}
		if code <= 0 || code >= goldap.ErrorNetwork {
			t.Errorf("code %d is not the server's", code)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		code   uint16
		write  bool
		text   string
		class  directory.Class
		words  string
		unwell bool
	}{
		{goldap.LDAPResultInvalidCredentials, false, "", directory.Unauthenticated, "", false},
		{goldap.LDAPResultInsufficientAccessRights, true, "", directory.PermissionDenied, "", false},
		{codeBusy, true, "", directory.Unavailable, "busy", true},
		{codeUnavailable, true, "", directory.Unavailable, "", true},
		{goldap.LDAPResultUnwillingToPerform, true, "", directory.PermissionDenied, "read-only", false},
		{codeNoObject, false, "", directory.NotFound, "", false},
		{codeNotOnNonLeaf, true, "", directory.Conflict, "below", false},
		{codeExists, true, "", directory.AlreadyExists, "", false},
		{codeConstraint, true, "non-unique attributes found with (|(mail=zhang@corp.example))", directory.Conflict, "unique", false},
		{codeConstraint, true, "Another entry with the same attribute value already exists (attribute: \"mail\")", directory.Conflict, "unique", false},
		{codeConstraint, true, "Password fails quality checking policy", directory.Invalid, "rule", false},
		{codeSyntax, true, "mail: value #0 invalid per syntax", directory.Invalid, ": mail", false},
		{codeSyntax, true, "zhang@corp.example is no address", directory.Invalid, "syntax", false},
		{codeClassViolation, true, "object class 'inetOrgPerson' requires attribute 'sn'", directory.Invalid, ": sn", false},
		{codeUndefined, true, "noSuchThing: attribute type undefined", directory.Invalid, ": noSuchThing", false},
		{codeOther, true, "", directory.OutcomeUnknown, "failed", true},
		{codeOther, false, "", directory.Unavailable, "failed", true},
		{199, true, "", directory.OutcomeUnknown, "not known here", true},
		{199, false, "", directory.Unavailable, "not known here", true},
	} {
		e := refusal(&request{operation: "x", write: c.write}, &goldap.Error{ResultCode: c.code, Err: errors.New(c.text)})
		if e.Class != c.class || !strings.Contains(e.Message, c.words) || errors.Is(e, httpx.ErrUnwell) != c.unwell {
			t.Errorf("code %d %q: %v, unwell %t", c.code, c.text, e, errors.Is(e, httpx.ErrUnwell))
		}
		if strings.Contains(e.Error(), "corp.example") {
			t.Errorf("code %d: P12: the server's words are in %q", c.code, e)
		}
	}
}

func TestUnanswered(t *testing.T) {
	for _, c := range []struct {
		write bool
		err   error
		class directory.Class
	}{
		{true, &httpx.Error{Sent: true, Err: errTimeout}, directory.OutcomeUnknown},
		{true, &httpx.Error{Err: errTimeout}, directory.Unavailable},
		{false, &httpx.Error{Sent: true, Err: errTimeout}, directory.Unavailable},
		{true, &httpx.Error{Err: httpx.ErrThrottled}, directory.RateLimited},
		{true, &httpx.Error{Err: httpx.ErrUnavailable}, directory.Unavailable},
	} {
		if e := unanswered(&request{operation: "x", write: c.write}, c.err); e.Class != c.class {
			t.Errorf("%v of a write %t: %v", c.err, c.write, e)
		}
	}
}
