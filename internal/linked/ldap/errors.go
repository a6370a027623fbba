package ldap

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

// Result codes that something here asks about (RFC 4511, appendix A; RFC 4528, section 5, for the last).
const (
	codeSizeLimit       = goldap.LDAPResultSizeLimitExceeded
	codeNoAttribute     = goldap.LDAPResultNoSuchAttribute
	codeUndefined       = goldap.LDAPResultUndefinedAttributeType
	codeConstraint      = goldap.LDAPResultConstraintViolation
	codeValueExists     = goldap.LDAPResultAttributeOrValueExists
	codeSyntax          = goldap.LDAPResultInvalidAttributeSyntax
	codeNoObject        = goldap.LDAPResultNoSuchObject
	codeBadCredentials  = goldap.LDAPResultInvalidCredentials
	codeBusy            = goldap.LDAPResultBusy
	codeUnavailable     = goldap.LDAPResultUnavailable
	codeClassViolation  = goldap.LDAPResultObjectClassViolation
	codeNotOnNonLeaf    = goldap.LDAPResultNotAllowedOnNonLeaf
	codeExists          = goldap.LDAPResultEntryAlreadyExists
	codeOther           = goldap.LDAPResultOther
	codeAssertionFailed = goldap.LDAPResultAssertionFailed
)

// meaning is what a result code means here.
type meaning struct {
	class directory.Class
	words string
}

// meanings is the one table from result code to class. What a server refuses it has not done
// (RFC 4511, appendix A.1), but for other (80), which says nothing.
var meanings = map[int]meaning{
	goldap.LDAPResultOperationsError:              {directory.Unavailable, "the server was asked for this at the wrong moment"},
	goldap.LDAPResultProtocolError:                {directory.NotSupported, "the server does not know this operation"},
	goldap.LDAPResultTimeLimitExceeded:            {directory.Unavailable, "the server gave up after its time limit; the attributes that are searched by may lack an index"},
	codeSizeLimit:                                 {directory.QuotaExceeded, "the server's size limit hides entries from the bind account: raise it for this account (slapd: limits … size.prtotal=unlimited)"},
	goldap.LDAPResultAuthMethodNotSupported:       {directory.NotSupported, "the server takes no bind by DN and password"},
	goldap.LDAPResultStrongAuthRequired:           {directory.PermissionDenied, "the server wants a stronger way to sign in, such as TLS"},
	goldap.LDAPResultReferral:                     {directory.NotSupported, "the server sends us to another one, which is not followed: name the server that holds these entries and may write them"},
	goldap.LDAPResultAdminLimitExceeded:           {directory.QuotaExceeded, "the server's administrative limit is exceeded"},
	goldap.LDAPResultUnavailableCriticalExtension: {directory.NotSupported, "the server refuses an extension that it said it has"},
	goldap.LDAPResultConfidentialityRequired:      {directory.PermissionDenied, "the server wants TLS"},
	codeNoAttribute:                               {directory.Invalid, "the entry does not have this value"},
	codeUndefined:                                 {directory.Invalid, "the server's schema does not know an attribute"},
	goldap.LDAPResultInappropriateMatching:        {directory.Invalid, "an attribute cannot be searched by"},
	codeConstraint:                                {directory.Invalid, "a value is against a rule of the server"},
	codeValueExists:                               {directory.Conflict, "the entry has this value already"},
	codeSyntax:                                    {directory.Invalid, "a value is not of its attribute's syntax"},
	codeNoObject:                                  {directory.NotFound, "there is no such entry"},
	goldap.LDAPResultAliasProblem:                 {directory.Invalid, "an alias is in the way"},
	goldap.LDAPResultInvalidDNSyntax:              {directory.Invalid, "a DN is malformed"},
	goldap.LDAPResultAliasDereferencingProblem:    {directory.Invalid, "an alias is in the way"},
	goldap.LDAPResultInappropriateAuthentication:  {directory.Unauthenticated, "the bind account has no password there"},
	codeBadCredentials:                            {directory.Unauthenticated, "bindDN or password is wrong, or the bind account is locked"},
	goldap.LDAPResultInsufficientAccessRights:     {directory.PermissionDenied, "the bind account may not do this"},
	codeBusy:                                   {directory.Unavailable, "the server is busy"},
	codeUnavailable:                            {directory.Unavailable, "the server is shutting down or not ready"},
	goldap.LDAPResultUnwillingToPerform:        {directory.PermissionDenied, "the server is unwilling: it may be read-only, or its policy forbids this"},
	goldap.LDAPResultLoopDetect:                {directory.Unavailable, "the server is caught in a loop"},
	goldap.LDAPResultNamingViolation:           {directory.Invalid, "an entry of these object classes may not be there"},
	codeClassViolation:                         {directory.Invalid, "the object classes need an attribute that is not mapped, or do not allow one that is (inetOrgPerson needs cn and sn)"},
	codeNotOnNonLeaf:                           {directory.Conflict, "there are entries below this one; remove them first"},
	goldap.LDAPResultNotAllowedOnRDN:           {directory.Invalid, "the attribute is the entry's name"},
	codeExists:                                 {directory.AlreadyExists, "there is an entry of this name"},
	goldap.LDAPResultObjectClassModsProhibited: {directory.Invalid, "the object class of an entry cannot be changed"},
	goldap.LDAPResultAffectsMultipleDSAs:       {directory.NotSupported, "the entry would go to another server"},
	codeOther:                                  {directory.Unavailable, "the server failed"},
	codeAssertionFailed:                        {directory.Unavailable, "the entry changed at this moment"},
	goldap.LDAPResultAuthorizationDenied:       {directory.PermissionDenied, "the bind account may not do this"},
}

var (
	// slapo-unique: "non-unique attributes found with …"; 389 Directory Server: "Another entry with the
	// same attribute value already exists".
	notUnique = regexp.MustCompile(`(?i)non-unique|same attribute value`)
	// slapd: "object class 'inetOrgPerson' requires attribute 'sn'", "attribute 'x' not allowed",
	// "mail: value #0 invalid per syntax", "x: attribute type undefined".
	namedAttribute = regexp.MustCompile(`attribute '([A-Za-z][A-Za-z0-9-]{0,63})'|^([A-Za-z][A-Za-z0-9-]{0,63}): (?:value #|attribute type)`)
)

// refusal is the server's no. Its text is read only for names of attributes, never shown: it may hold values.
func refusal(q *request, e *goldap.Error) *directory.Error {
	code := int(e.ResultCode)
	m, ok := meanings[code]
	if !ok {
		m = meaning{directory.Unavailable, "the server refuses with a result code that is not known here"}
	}
	out := &directory.Error{Class: m.class, Operation: q.operation, Code: strconv.Itoa(code), Message: m.words}
	text := ""
	if e.Err != nil {
		text = e.Err.Error()
	}
	switch code {
	case codeBusy, codeUnavailable:
		out.Err = httpx.ErrUnwell
	case codeConstraint:
		if notUnique.MatchString(text) {
			out.Class, out.Message = directory.Conflict, "a value that has to be unique is taken"
		}
	case codeUndefined, codeSyntax, codeClassViolation:
		if found := namedAttribute.FindStringSubmatch(text); found != nil {
			out.Message += ": " + found[1] + found[2]
		}
	}
	if code == codeOther || !ok {
		out.Err = httpx.ErrUnwell
		if q.write {
			out.Class = directory.OutcomeUnknown
		}
	}
	return out
}

// unanswered is an operation that got no whole answer.
func unanswered(q *request, err error) *directory.Error {
	e := &directory.Error{Operation: q.operation, RetryAfter: httpx.RetryAfter(err), Err: err}
	cause := err
	if h, ok := errors.AsType[*httpx.Error](err); ok {
		cause = h.Err
	}
	words := httpx.Redact(cause.Error())
	switch {
	case errors.Is(err, httpx.ErrThrottled):
		e.Class, e.Message = directory.RateLimited, "not tried, because the server asked for a pause"
	case q.write && httpx.Sent(err):
		e.Class, e.Message = directory.OutcomeUnknown, "sent, and not answered: "+words
	default:
		e.Class, e.Message = directory.Unavailable, "not answered: "+words
	}
	return e
}

// codeOf is the result code in err, or 0.
func codeOf(err error) int {
	e, ok := errors.AsType[*directory.Error](err)
	if !ok {
		return 0
	}
	code, err := strconv.Atoi(e.Code)
	if err != nil {
		return 0
	}
	return code
}

// is says that err has one of the result codes.
func is(err error, codes ...int) bool { return err != nil && slices.Contains(codes, codeOf(err)) }

// problem is an error of our own words.
func problem(class directory.Class, operation string, words ...string) *directory.Error {
	return &directory.Error{Class: class, Operation: operation, Message: strings.Join(words, "")}
}
