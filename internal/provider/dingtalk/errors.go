package dingtalk

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
)

// codeInvited is no refusal: the person has an invitation to accept
// [server-api-error-codes-1].
const codeInvited = "40103"

// codeBanned stands for the ban of a network address, which is a status and no
// code [call-frequency-limit].
const codeBanned = "1111"

// codeDepartmentHidden is told apart from other denials: a department outside
// the app's scope makes a listing incomplete, not impossible.
const codeDepartmentHidden = "50004"

// codeUserHidden is told apart in the same way: of such a person an export has
// what the listing says.
const codeUserHidden = "50002"

// codeNoPermission means something else to those who change than to those who read.
const codeNoPermission = "noPermission"

const (
	// The window of the documented limits: sleep one second, says
	// [how-to-process-api-throttling-on-the-dingtalk-server].
	pauseWindow = time.Second
	// Limits by the minute (Qpm) and the suspensions 90001 to 90017 name no time
	// (?); a minute is the longest window they can mean.
	pauseSuspended = time.Minute
	// An address is banned for five minutes [call-frequency-limit].
	pauseBan = 5 * time.Minute
)

// trait is what the provider itself does about a code, besides its class.
type trait uint8

const (
	_             trait = iota
	staleToken          // the token was refused before anything else was looked at
	busy                // the platform failed; a write may have happened
	noUser              // a user does not exist
	noDepartment        // a department does not exist
	noRole              // a role does not exist
	noThing             // something else that was asked for does not exist
	mobileTaken         // getbymobile can name the holder
	needsGrant          // the app lacks a permission of the operation
	badParameter        // the platform does not say which one
	notEnterprise       // only the company's own enterprise accounts can do this
	noSmartHR           // the company has not turned on Smart HR
)

// meaning is one row of the table.
type meaning struct {
	class directory.Class
	trait trait
	words string
	pause time.Duration
	// wide: what is limited is more than this one operation.
	wide bool
}

// departmentNameRule is from [address-book-update-department].
const departmentNameRule = "a department name on DingTalk has 1 to 64 characters, and none of - , ，"

// reading is refused by newer calls that are made in somebody's name.
const reading = "DingTalk does not let the app, or the person in whose name it reads, see this"

const noHR = "the company has not turned on Smart HR (智能人事)"

// keptWords are for what Smart HR refuses in words only
// [api-hrmprocessterminationandhandover].
const keptWords = "Smart HR (智能人事) refuses to let this account leave; it does so with the main administrator, " +
	"and with people of parent and child organisations and of industry contacts: let it leave in the admin console (oa.dingtalk.com)"

// meanings is the one table from platform code to class: errcode, sub_code and
// the textual code of the newer API. Codes and what they mean are from
// [server-api-error-codes-1] unless a comment says otherwise; the words are ours.
var meanings = map[string]meaning{
	// Nothing there.
	"33012":                   {class: directory.NotFound, trait: noUser, words: "no such user"},
	"60121":                   {class: directory.NotFound, trait: noUser, words: "no such user"},
	"60111":                   {class: directory.NotFound, trait: noUser, words: "no such user"},
	"46004":                   {class: directory.NotFound, trait: noUser, words: "no such user"},
	"40003":                   {class: directory.NotFound, trait: noUser, words: "no such user"},
	"40031":                   {class: directory.NotFound, trait: noUser, words: "one of the users does not exist"},
	"user.not.exist":          {class: directory.NotFound, trait: noUser, words: "no such user"},
	"60003":                   {class: directory.NotFound, trait: noDepartment, words: "no such department"},
	"40009":                   {class: directory.NotFound, trait: noDepartment, words: "no such department"},
	"33011":                   {class: directory.NotFound, trait: noRole, words: "no such role"},                                            // [obtain-the-list-of-employees-of-a-role]
	"60301":                   {class: directory.NotFound, trait: noRole, words: "no such role"},                                            // [update-role-member-management-department-scope]
	"processInstanceNotExist": {class: directory.NotFound, trait: noThing, words: "no such approval"},                                       // [obtains-the-details-of-a-single-approval-instance-pop]
	"parentNodeNotExist":      {class: directory.NotFound, trait: noThing, words: "no such folder"},                                         // [get-node-list]
	"spaceNotExist":           {class: directory.NotFound, trait: noThing, words: "no such space"},                                          // [get-a-list-of-all-files-or-folders-under-a]
	"corpNotOpenHrm":          {class: directory.NotSupported, trait: noSmartHR, words: noHR},                                               // [obtain-resignation-information-of-employees-new-version]
	"suiteCallInvalid":        {class: directory.NotSupported, trait: noSmartHR, words: noHR},                                               // [api-hrmprocessterminationandhandover]
	"empNotExists":            {class: directory.NotFound, trait: noUser, words: "no such user"},                                            // [api-hrmprocessterminationandhandover]
	"param.user.notexist":     {class: directory.NotFound, trait: noUser, words: "no such user"},                                            // [api-premiumquerytodotasksbymanager]
	"benefit.status.invalid":  {class: directory.NotSupported, words: "the company does not have the premium edition of approvals (OA高级版)"}, // [api-premiumquerytodotasksbymanager]
	"60004":                   {class: directory.Invalid, words: "the parent department does not exist"},
	"22":                      {class: directory.NotSupported, words: "this address does not know the operation; check the endpoint"}, // blog.csdn.net/weixin_52401377/article/details/123931981
	"404":                     {class: directory.NotSupported, words: "this address does not know the operation; check the endpoint"}, // published probe of the live API
	"exclusive.account.only":  {class: directory.NotSupported, trait: notEnterprise, words: freezeLimit},                              // [disable-an-exclusive-account]
	"exclusive.account.limit": {class: directory.NotSupported, trait: notEnterprise, words: freezeLimit},

	// Taken.
	"60102":          {class: directory.AlreadyExists, words: "the user id is taken"},
	"60016":          {class: directory.AlreadyExists, words: "the department id is taken"},
	"60021":          {class: directory.AlreadyExists, words: "a department of this name exists under the same parent"},
	"34021":          {class: directory.AlreadyExists, words: "a role of this name exists"}, // [address-book-add-role]
	"60104":          {class: directory.Conflict, trait: mobileTaken, words: "the mobile number belongs to somebody else in the company"},
	"60107":          {class: directory.Conflict, trait: mobileTaken, words: "the person who signs in with this mobile number is in the company already"},
	"40021":          {class: directory.Conflict, trait: mobileTaken, words: "the mobile number is registered with DingTalk by somebody else"},
	"40022":          {class: directory.Conflict, trait: mobileTaken, words: "the mobile number differs from the one the person signs in with; DingTalk asks to remove and add the person again"},
	"41054":          {class: directory.Conflict, trait: mobileTaken, words: "the mobile number cannot be changed; DingTalk asks to remove and add the person again"},
	"40019":          {class: directory.Conflict, trait: mobileTaken, words: "the person with this mobile number is in five unverified companies already, which is DingTalk's limit"},
	"40100":          {class: directory.Conflict, words: "the telephone extension belongs to somebody else; DingTalk wants it unique"},
	"40101":          {class: directory.Conflict, words: "the mail address belongs to somebody else; DingTalk wants it unique"},
	"60106":          {class: directory.Conflict, words: "the mail address belongs to somebody else; DingTalk wants it unique"},
	"businessError":  {class: directory.Conflict, words: keptWords},
	"invalidRequest": {class: directory.Conflict, words: keptWords},

	// Refused values.
	"40035":            {class: directory.Invalid, trait: badParameter, words: "DingTalk refuses a parameter without saying which"},
	"400002":           {class: directory.Invalid, trait: badParameter, words: "DingTalk refuses a parameter without saying which"},
	"invalid.param":    {class: directory.Invalid, trait: badParameter, words: "DingTalk refuses a parameter without saying which"},
	"invalidParameter": {class: directory.Invalid, trait: badParameter, words: "DingTalk refuses a parameter without saying which"},
	"40104":            {class: directory.Invalid, words: "not a valid mobile number"},
	"60103":            {class: directory.Invalid, words: "not a valid mobile number"},
	"60105":            {class: directory.Invalid, words: "not a valid mail address"},
	"40063":            {class: directory.Invalid, words: "not a valid telephone extension: at most 50 characters"},
	"40064":            {class: directory.Invalid, words: "not a valid workplace: it is too long"},
	"60119":            {class: directory.Invalid, words: "not a valid title: at most 200 characters"},
	"40066":            {class: directory.Invalid, words: "not a valid list of departments"},
	"60113":            {class: directory.Invalid, words: "a mobile number is missing"},
	"60118":            {class: directory.Invalid, words: "a mobile number is missing"},
	"60120":            {class: directory.Conflict, words: "DingTalk itself has disabled the user"},
	"60112":            {class: directory.Invalid, words: "not a valid name: at most 80 characters"},
	"60122":            {class: directory.Invalid, words: "an extension attribute is not valid; it must be declared in the admin console first"},
	"60123":            {class: directory.Invalid, words: "not a valid employee number: at most 50 characters"},
	"60128":            {class: directory.Invalid, words: "the manager is not a user of this company"},
	"1430000":          {class: directory.Invalid, words: "a notice needs somebody to go to"},                  // [gets-the-result-of-sending-messages-asynchronously-to-the-enterprise]
	"1430002":          {class: directory.Invalid, words: "DingTalk's filter refuses the words of the notice"}, // same page
	"60110":            {class: directory.Invalid, words: "too many departments for one person"},
	"60001":            {class: directory.Invalid, words: departmentNameRule},
	"60009":            {class: directory.Invalid, words: departmentNameRule},
	"60010":            {class: directory.Invalid, words: "a department cannot be below itself"},
	"60018":            {class: directory.Invalid, words: "the root department cannot be changed"},
	"40011":            {class: directory.Invalid, words: "not a valid order: it must be greater than 0"},
	"34018":            {class: directory.Invalid, words: "a role needs a name and a group"},            // [address-book-add-role]
	"34020":            {class: directory.Invalid, words: "the group of the role does not exist"},       // [address-book-add-role]
	"23004":            {class: directory.NotSupported, words: "the built-in roles are DingTalk's own"}, // [delete-role-information]
	"60005":            {class: directory.Conflict, words: "the department still has people"},
	"60006":            {class: directory.Conflict, words: "the department still has departments below it"},
	"60007":            {class: directory.Invalid, words: "the root department cannot be deleted"},

	// Who we are.
	"40014":                                 {class: directory.Unauthenticated, trait: staleToken, words: "DingTalk refuses its own access token"},
	"40001":                                 {class: directory.Unauthenticated, trait: staleToken, words: "DingTalk refuses its own access token"},
	"42001":                                 {class: directory.Unauthenticated, trait: staleToken, words: "DingTalk refuses its own access token"},
	"40000":                                 {class: directory.Unauthenticated, trait: staleToken, words: "DingTalk refuses its own access token"},
	"41001":                                 {class: directory.Unauthenticated, trait: staleToken, words: "DingTalk refuses its own access token"},
	"InvalidAuthentication":                 {class: directory.Unauthenticated, trait: staleToken, words: "DingTalk refuses its own access token"},
	"AuthenticationFailed.MissingParameter": {class: directory.Unauthenticated, trait: staleToken, words: "DingTalk refuses its own access token"},
	"40089":                                 {class: directory.Unauthenticated, words: "appKey or appSecret is wrong"},
	"40096":                                 {class: directory.Unauthenticated, words: "appKey or appSecret is wrong"},
	"invalidClientIdOrSecret":               {class: directory.Unauthenticated, words: "appKey or appSecret is wrong"}, // published probe of the live API
	"90004":                                 {class: directory.Unauthenticated, words: "DingTalk has suspended these credentials"},

	// What we may do.
	"88":                     {class: directory.PermissionDenied, words: "DingTalk refuses the app without a reason that we know"},
	"60011":                  {class: directory.PermissionDenied, trait: needsGrant, words: "the app may not call this operation"},
	"43007":                  {class: directory.PermissionDenied, trait: needsGrant, words: "the app may not call this operation"},
	codeUserHidden:           {class: directory.PermissionDenied, words: "the user is outside the address-book scope of the app"},
	codeDepartmentHidden:     {class: directory.PermissionDenied, words: "the department is outside the address-book scope of the app"},
	"60020":                  {class: directory.PermissionDenied, words: "our address is not on the app's list of server addresses"},
	codeNoPermission:         {class: directory.PermissionDenied, words: reading},
	"permissionDenied":       {class: directory.PermissionDenied, words: reading},
	"param.manager.notexist": {class: directory.PermissionDenied, words: reading},                                                                // [api-premiumquerytodotasksbymanager]
	"1430004":                {class: directory.PermissionDenied, words: "somebody whom the notice goes to is protected as an executive (高管模式)"}, // [gets-the-result-of-sending-messages-asynchronously-to-the-enterprise]
	"no.priviledge":          {class: directory.PermissionDenied, words: reading},                                                                // sic [queries-a-space-list]
	"50003":                  {class: directory.PermissionDenied, words: "the app is disabled"},
	"50005":                  {class: directory.PermissionDenied, words: "the company is disabled"},
	"Forbidden.AccessDenied.AccessTokenPermissionDenied": {class: directory.PermissionDenied, trait: needsGrant, words: "the app may not call this operation"},
	"Forbidden.AccessDenied.IpNotInWhiteList":            {class: directory.PermissionDenied, words: "our address is not on the app's list of server addresses"},

	// Too fast [how-to-process-api-throttling-on-the-dingtalk-server].
	"90018":                           {class: directory.RateLimited, words: "too many calls of this operation by the app", pause: pauseWindow},
	"90002":                           {class: directory.RateLimited, words: "too many calls of this operation by all of DingTalk's customers", pause: pauseWindow},
	"90001":                           {class: directory.RateLimited, words: "too many calls by this server", pause: pauseSuspended, wide: true},
	"90003":                           {class: directory.RateLimited, words: "too many calls by the company", pause: pauseSuspended, wide: true},
	"90005":                           {class: directory.RateLimited, words: "too many calls of this operation by the company", pause: pauseSuspended},
	"90006":                           {class: directory.RateLimited, words: "too many calls of this operation with these credentials", pause: pauseSuspended},
	"90007":                           {class: directory.RateLimited, words: "too many calls for the company", pause: pauseSuspended, wide: true},
	"90008":                           {class: directory.RateLimited, words: "too many calls of this operation for the company", pause: pauseSuspended},
	"90009":                           {class: directory.RateLimited, words: "too many calls for all companies", pause: pauseSuspended, wide: true},
	"90010":                           {class: directory.RateLimited, words: "too many calls of this operation for all companies", pause: pauseSuspended},
	"90011":                           {class: directory.RateLimited, words: "too many calls by the app suite", pause: pauseSuspended, wide: true},
	"90012":                           {class: directory.RateLimited, words: "too many calls of this operation by the app suite", pause: pauseSuspended},
	"90013":                           {class: directory.RateLimited, words: "too many calls by the app suite for the company", pause: pauseSuspended, wide: true},
	"90014":                           {class: directory.RateLimited, words: "too many calls of this operation by the app suite for the company", pause: pauseSuspended},
	"90017":                           {class: directory.RateLimited, words: "too many companies served from this address", pause: pauseSuspended, wide: true},
	codeBanned:                        {class: directory.RateLimited, words: "too many calls from our network address; DingTalk bans it for five minutes", pause: pauseBan, wide: true},
	"Forbidden.AccessDenied.QpsLimit": {class: directory.RateLimited, words: "too many calls of this operation", pause: pauseWindow},
	"Forbidden.AccessDenied.QpmLimit": {class: directory.RateLimited, words: "too many calls of this operation in a minute", pause: pauseSuspended},
	"request.overlimit":               {class: directory.RateLimited, words: "too many calls of this operation", pause: pauseWindow},                  // [queries-a-space-list]
	"qps.exceed.limit":                {class: directory.RateLimited, words: "too many calls of this operation", pause: pauseWindow},                  // [api-premiumquerytodotasksbymanager]
	"oaplus.query.limit":              {class: directory.RateLimited, words: "too many calls of this operation by the company", pause: pauseWindow},   // same page
	"143103":                          {class: directory.RateLimited, words: "too many notices by the app in a minute", pause: pauseSuspended},        // [gets-the-result-of-sending-messages-asynchronously-to-the-enterprise]
	"143104":                          {class: directory.RateLimited, words: "too many notices by the company in a minute", pause: pauseSuspended},    // same page
	"1430003":                         {class: directory.RateLimited, words: "DingTalk protects itself from too many notices", pause: pauseSuspended}, // same page
	"invokeFrequentyly":               {class: directory.RateLimited, words: "too many calls of this operation", pause: pauseWindow},                  // sic

	// Full.
	"90020": {class: directory.QuotaExceeded, words: "the company's monthly quota of calls is used up"},
	"Forbidden.AccessDenied.ApiCountLimitForOrg": {class: directory.QuotaExceeded, words: "the company's monthly quota of calls is used up"},
	"40020": {class: directory.QuotaExceeded, words: "the company has reached its number of people; verify it to raise the limit"},
	"40024": {class: directory.QuotaExceeded, words: "the company has reached its number of people; verify it to raise the limit"},
	"45024": {class: directory.QuotaExceeded, words: "the company has reached its number of accounts"},
	"40023": {class: directory.QuotaExceeded, words: "the department is full: at most 1000 people directly in it"},

	// Their trouble.
	"-1":                  {class: directory.Unavailable, trait: busy, words: "DingTalk is busy"},
	"400001":              {class: directory.Unavailable, trait: busy, words: "DingTalk has failed"},
	"1002":                {class: directory.Unavailable, trait: busy, words: "DingTalk is busy"},
	"system.busy":         {class: directory.Unavailable, trait: busy, words: "DingTalk is busy"},
	"systemError":         {class: directory.Unavailable, trait: busy, words: "DingTalk has failed"},
	"unknownError":        {class: directory.Unavailable, trait: busy, words: "DingTalk has failed"},
	"system.error":        {class: directory.Unavailable, trait: busy, words: "DingTalk has failed"},
	"unknown.error":       {class: directory.Unavailable, trait: busy, words: "DingTalk has failed"},
	"internalError":       {class: directory.Unavailable, trait: busy, words: "DingTalk has failed"},
	"operationTimeout":    {class: directory.Unavailable, trait: busy, words: "DingTalk has failed"},
	"benefit.query.error": {class: directory.Unavailable, trait: busy, words: "DingTalk has failed"}, // [api-premiumquerytodotasksbymanager]
	"60019":               {class: directory.Unavailable, words: "DingTalk could not read the people of the department"},
}

// meaningOf finds the row of a code. The newer API appends what was limited to
// its limit codes.
func meaningOf(code string) (meaning, bool) {
	for _, family := range []string{"Forbidden.AccessDenied.QpsLimit", "Forbidden.AccessDenied.QpmLimit"} {
		if strings.HasPrefix(code, family) {
			code = family
		}
	}
	m, known := meanings[code]
	return m, known
}

// refusal is the platform's "no" to an operation, as an error of ours.
func refusal(op *operation, code string) *directory.Error {
	m, known := meaningOf(code)
	if !known {
		m = meaning{class: directory.Unavailable, words: "DingTalk refuses with a code that this version does not know"}
		if op.write {
			m.class = directory.Invalid
		}
	}
	e := &directory.Error{Class: m.class, Operation: op.name, Code: code, Message: m.words, RetryAfter: m.pause}
	switch {
	case m.trait == busy && op.write:
		e.Class = directory.OutcomeUnknown
		e.Message += "; the change may have been made"
	case m.class == directory.NotFound && m.trait != op.finds:
		// What is missing is not what was asked for, so its absence proves
		// nothing about that.
		e.Class = directory.Invalid
	case m.trait == needsGrant && op.grant != "":
		e.Message += "; grant it " + op.grant + " in the developer console (open-dev.dingtalk.com, the app, 权限管理)"
	}
	return e
}

// hasTrait reports whether err is a refusal with this trait.
func hasTrait(err error, t trait) bool {
	e, ok := errors.AsType[*directory.Error](err)
	if !ok {
		return false
	}
	m, known := meaningOf(e.Code)
	return known && m.trait == t
}

// unanswered is a call that got no whole answer.
func unanswered(op *operation, err error) *directory.Error {
	cause := err
	if e, ok := errors.AsType[*httpx.Error](err); ok {
		cause = e.Err // its own words repeat the operation
	}
	e := &directory.Error{
		Class: directory.Unavailable, Operation: op.name, RetryAfter: httpx.RetryAfter(err), Err: err,
		Message: "no answer from DingTalk: " + httpx.Redact(cause.Error()),
	}
	switch {
	case errors.Is(err, httpx.ErrThrottled):
		e.Class = directory.RateLimited
	case op.write && httpx.Sent(err):
		e.Class = directory.OutcomeUnknown
	}
	return e
}

// noToken is a call that was never made for want of a token.
func noToken(op *operation, err error) error {
	if _, ok := errors.AsType[*directory.Error](err); ok {
		return err
	}
	return &directory.Error{
		Class: directory.Unavailable, Operation: op.name, Err: err,
		Message: "gave up waiting for an access token: " + httpx.Redact(err.Error()),
	}
}

// refusesItsOwn is the end of a call whose tokens were refused, new as they were. The
// credentials are right, as the platform gives tokens for them: it is for the platform to mend.
func refusesItsOwn(err error) error {
	e, ok := errors.AsType[*directory.Error](err)
	if !ok {
		return err
	}
	again := *e
	again.Class = directory.Unavailable
	return &again
}

// garbled is an answer that neither API gives: a page of some machine in between.
func garbled(op *operation, resp *http.Response) *directory.Error {
	e := &directory.Error{
		Class: directory.Unavailable, Operation: op.name,
		Message: fmt.Sprintf("the answer (HTTP %d) is not DingTalk's; a proxy or gateway may have given it", resp.StatusCode),
	}
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		e.Class, e.RetryAfter = directory.RateLimited, retryAfter(resp)
	case op.write:
		e.Class = directory.OutcomeUnknown
	}
	return e
}

// incomplete is an answer that says all is well and lacks what must be in it.
func incomplete(op *operation, why string) error {
	e := &directory.Error{Class: directory.Unavailable, Operation: op.name, Message: "DingTalk's answer cannot be used: " + why}
	if op.write {
		e.Class = directory.OutcomeUnknown
	}
	return e
}

// retryAfter reads the header of that name, in seconds.
func retryAfter(resp *http.Response) time.Duration {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds <= 0 {
		return pauseWindow
	}
	return time.Duration(min(seconds, 3600)) * time.Second
}

// invalid refuses a wish before it is sent.
func invalid(op *operation, words string) error {
	return &directory.Error{Class: directory.Invalid, Operation: op.name, Message: words}
}

// unsupported refuses what DingTalk has no way to do.
func unsupported(op *operation, words string) error {
	return &directory.Error{Class: directory.NotSupported, Operation: op.name, Message: words}
}
