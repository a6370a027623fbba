// Package scim keeps accounts in systems that speak SCIM 2.0.
//
// Every fact below names its source: [C] is RFC 7643 (core schema) and [P] RFC 7644
// (protocol), with the section; vendors' pages are named where they are used; [T] was
// seen here, on the two peers that the tests run against: elimity
// (github.com/elimity-com/scim at 172bf2aee9c8) and scimmy (npm scimmy-routers 1.3.2 on
// express 4). What neither a source nor a test confirms is marked (?).
//
// # Discovery
//
// /ServiceProviderConfig, /ResourceTypes and /Schemas say what a system can do [P 4].
// They are to be open to everybody [P 4]; many answer 401 or 404 (?). Slack has
// /ServiceProviderConfigs (docs.slack.dev/reference/scim-api). Whatever cannot be read
// is silence: then what was declared holds, else PATCH, filters, no versions, and
// groups if /Groups is there. What was declared wins over what a system says, because
// systems say it wrong: both peers say that they have no versions, and one sends an
// ETag; both say that they give 50 results at most, and one gives all [T]. Because it
// is open, discovery proves no credentials: reading accounts and groups does. It never
// stands in the way of a write: where it fails, defaults do.
//
// # The wire
//
// Addresses are made of the endpoint and an escaped id, never of meta.location, which
// is relative without a slash on one peer and a path on the other, nor of Location,
// which neither sends [T]. An id is opaque [C 3.1]: one that could change a path (".",
// "..", control characters, more than 256 bytes) is refused, and so is an answer with
// another id than was asked for. The client follows a redirect of a read to the same
// host only, and never with a write (internal/httpx).
//
// Names of attributes do not mind their case [C 2.1]. PATCH without schemas is refused
// by both peers, and so is active as text [T].
//
// An error is HTTP's status and, with 400, a scimType of [P 3.12]. The status in the
// body is a string there, a number or missing with others. The detail is never shown:
// it may hold values. A 404 whose body is not of SCIM (a page, a text) is a wrong
// address or a proxy, and nobody's absence. An error in an HTTP 200 is an error. 429
// and others with Retry-After (seconds or a date, RFC 9110 section 10.2.3) are told to
// the budget. Slack allows 180 writes a minute for each endpoint about users
// (docs.slack.dev/reference/scim-api/rate-limits), Deel 5 calls a second (?).
//
// SCIM has no idempotency key. A write without an answer, with 5xx or with an answer
// that cannot be understood is OutcomeUnknown, and is never repeated here.
//
// # Finding
//
// An account is known by its id. Somebody who is to be found is asked for by
// externalId, then by userName, and each hit is compared here: externalId minds its
// case [C 3.1], userName does not [C 4.1.1]. Only what is compared counts, because
// elimity answers 400 invalidFilter to externalId, scimmy minds the case of userName,
// and neither understands a value with an escaped quote: one answers 400, and the other
// that there is nobody [T]. A question that was refused, was answered by others than
// were asked for, or has such a value makes all accounts be read, unless who has the
// login has the number, too. So does a creation
// that is refused (409) because of somebody whom the filters do not find. Filters on
// attributes of extensions find nobody on either peer [T] and are not used: a person
// whose number is only in the enterprise extension is found where all are read.
//
// The employee number is the enterprise extension's [C 4.3], else externalId, which
// belongs to the client that made the account [C 3.1]: another client may have put
// something else there.
//
// # Paging
//
// startIndex is from 1, and a page may be shorter than was asked for [P 3.4.2.4]: the
// next begins after what has come. The end is asked for, not believed: scimmy answers
// a start beyond it with the first page, and below express 5 it ignores startIndex and
// count [T]. So a listing ends with an empty page or one that brings nobody new, and it
// is whole only if as many came as totalResults says, which did not change, and nobody
// came twice and not the same. Else all is read once more; if that contradicts itself, too, it is no
// listing. There is no snapshot [P 3.4.2.4]: who is looked for is missing only after
// two readings. Resources may be absent when there are none. AWS gives 50 at most and
// no second page (docs.aws.amazon.com, singlesignon developer guide, limitations): a
// listing of one page that is as long as filter.maxResults is believed only if the
// system knows a second place.
//
// One listing is 200 000 accounts, 4 GiB and an hour at most, one reading of it 5 000
// pages, one page 8 MiB and 20 000 entries, one account 1 MiB. A page that is larger is
// asked for again, smaller. A reading that will not be over by then, as its total and
// what came so far tell, is given up at once: so is one whose total always moves, or
// that has none and brings few at a time.
//
// # Writing
//
// Both 200 with a body and 204 are success: scimmy answers 204 when nothing changes
// [T]. Only attributes that differ are written. PATCH has one operation for each
// attribute; systems that refuse one of them (mutability, invalidPath and the like) do
// not say which, so they are then written one by one and those that are refused are
// named. A change of the login goes alone, as AWS takes nothing beside it
// (docs.aws.amazon.com, patchuser); in Tealium it cannot change (docs.tealium.com,
// patch-user-api).
//
// Lists (emails, phoneNumbers and so on [C 4.1.2]) are written whole: what the mapping
// is about, and all else that was there. GitHub takes no paths with a filter such as
// emails[type eq "work"] (docs.github.com, SCIM of organisations); Atlassian refuses
// addresses of which none is primary (its user provisioning API). emails and
// phoneNumbers mean the entries of type work or of none; phoneNumbers.mobile is that
// type.
//
// PatchWithoutPath writes one value with all attributes; what is taken away has a path
// all the same [P 3.5.2.2]. A list is taken away first, as scimmy adds to it otherwise,
// and attributes of extensions have their full names, as elimity takes no others [T].
//
// PUT replaces: what is left out may be cleared [P 3.5.1], and is by scimmy [T]. So the
// account is read, changed and written with all that it had, but for meta and groups.
// active is kept, since some take its absence for a change (?).
//
// If-Match is sent only if versions are declared or said to be real, and the account
// has a meta.version; the ETag of a header is not used, because express makes its own
// of the body [T]. 412 is read anew, three times. Disabling by PATCH is not guarded:
// it is right whatever else has changed.
//
// # Disabling and deleting
//
// Disabling is active false, and is believed when active is read back false; a system
// that does not tell is NotSupported. An absent active counts as enabled. In GitHub
// organisations a disabled member is removed and the id is gone (Disabling Removes); in
// GitHub Enterprise the login is replaced by a hash and comes back when enabled
// (docs.github.com, deprovisioning and reinstating users), which is why only the id
// counts.
//
// DELETE answers 204, and afterwards everything about the account 404 [P 3.6]. Slack
// only deactivates (docs.slack.dev/reference/scim-api), which Residuals shows; GitLab
// may answer 412 (gitlab-org/gitlab issue 368031): Conflict; Atlassian unlinks, and the
// account must be made again.
//
// # Groups
//
// A membership is taken away by the path members[value eq "ID"] and nothing else. A
// removal of members without a filter takes everybody out by [P 3.5.2.2], whatever its
// value says; elimity hands it on as that, scimmy removes those in the value [T]. One
// call is about one account in one group, so no limit of changes in a call (AWS: 100)
// is met. Members are only ever taken away here, never added or replaced by PATCH.
//
// Where accounts are written by PUT, groups are, too, but only if groups is declared
// Yes: a list of members may be cut short by the system, and would be written so.
//
// Who is in which group is read from the groups. user.groups is optional [C 4.1.2] and
// neither peer has it by itself: what it says is added, unless the group denies it or
// says "indirect". A filter for members is used only after it was seen to find a group
// by a member that it has: by members.value elimity finds nothing, by members it dies,
// and by members[value eq] it finds [T]; AWS takes members only. AWS lists no members
// either: there a filter is believed once it finds a group by somebody and none by a
// stranger. Else, where lists have no members at all, groups are read one by one, 500 at
// most, and for half an hour; nobody is believed to be in more than 1000. A system that tells of members in none of these ways looks as if it had none (?).
//
// # What is not used
//
// Bulk, sorting, /Me, /.search, passwords and filters of several terms: elimity has no
// Bulk and answers 501 to /Me [T]. Formstack takes only add and remove in a PATCH
// (developers.formstack.com): declare Put there.
package scim
