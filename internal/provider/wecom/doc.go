// Package wecom keeps people and departments on WeCom (企业微信).
//
// Every fact below names its page: [N] stands for
// https://developer.work.weixin.qq.com/document/path/N. What no page confirms is
// marked (?).
//
// # The wire
//
// Every answer is HTTP 200 with an errcode; an unknown path alone is 404, and
// plain HTTP is redirected to https [90313]. The token goes into the query,
// nowhere else. A refusal carries the call's fields too, all empty, so the code
// is looked at first. The texts of errors may change: they are read for ids and
// addresses only, and never shown. A success whose text warns of "wrong json
// format" ignored a part of the request [90313]: that is an error here (Invalid).
// An absent errcode means success [90313], but a write is believed only with an
// errcode of 0. No call takes an idempotency key: a write without an answer is
// OutcomeUnknown, and so is one that was answered -1 (busy). Reads alone are
// repeated when busy, twice.
//
// # Two secrets
//
//   - syncSecret, of 通讯录同步 (contact sync), may write and sees the ids of
//     everybody and of all departments [90193].
//   - appSecret, of a self-built app whose visible range is the whole company,
//     reads details. Since 2022-08-15 the sync secret may not do that from an
//     address from which it was not used in the 90 days before (48009) [96079].
//     Where it was, appSecret can be left out.
//
// An app made after 2022-06-20 is not told mobile, mail and address [90196]:
// they are written and cannot be read back, and Capabilities.Reads leaves them
// out. Both secrets work from trusted addresses only (企业可信IP, 60020) [90664].
//
// That the app does not find someone is taken for absence only if user/list_id by
// the sync secret does not have them either: whether an app is told "no such
// user" or "no privilege" of someone outside its range is not documented (?).
// The same goes for departments and department/simplelist.
//
// A token lives 7200 s and is cached for each secret [91039]. On 40014 and 42001
// it is renewed once, and the call made again once: the token is checked before
// all else. A wrong secret (40001 and its like) is not tried again for 15 minutes
// or until the Secret changes, because repeating it gets the address banned for
// an hour [90313, under 45009].
//
// # People
//
// The user id is ours to choose: 1 to 64 of letters, digits and _ - @ . beginning
// with a letter or digit; case does not count [90195]. Mobile and mail are each
// unique and at least one is needed; 60104 names the other user in its text
// ("mobile existed:zhangsan"), 60106 too (?).
//
// The platform ignores without an error: the mobile number of someone who has
// logged in, the mail address where Tencent's company mail is bound [90197], and
// extension attributes that the console does not know [90195]. Reading back
// tells, except for what the app is not told.
//
// An unknown department id makes the platform create a department of its own
// below 其他（待设置部门） and put the person there; the answer lists it in
// created_department_list [90195]. Nothing that is done before can exclude that,
// so it is an error afterwards (Invalid) although the account was written. A
// person without any department goes to 其他（待设置部门）; a wish that declares
// departments and names none is refused (Invalid).
//
// Order and leading count only beside the list of departments, and have as many
// entries [90197]. Writing one of the three therefore reads the user first and
// completes the lists with what is there. Extension attributes are read, merged
// and written as a whole too, so that undeclared ones stay, also those of other
// kinds: whether the platform merges or replaces is not documented (?). An
// attribute is cleared by an empty text (?). Who edits the same person in the
// console between our reading and writing loses that edit.
//
// The employee number has no field of its own; it is the user id, and in the text
// attribute that Settings.NumberAttribute names, if one is named. workplace is
// the field address; hireDate has no place in the contacts. A person has one
// manager at most, direct_leader [90196] (older pages say five (?)). Mail means
// email, not the biz_mail of Tencent's company mail.
//
// Mobile numbers are written without +86 on the mainland, elsewhere with their
// country code [90195] and without a separator (?).
//
// Creation asks the platform to invite the person (to_invite, its default): a
// short message or mail once a day, for at most three working days [90195].
// Whoever is created frozen is not invited, nor when they are thawed.
//
// Freezing is enable 0; afterwards status is 2 [90196, 90197]. What happens to
// running sessions is not documented (?). The company's creator may be refused
// (?), with words. Someone of status 5 has left the company and is NotFound; 4
// has not logged in yet and counts as active.
//
// FindByMobile: wrong numbers count against a quota, a fifth of the company's
// size, beyond which the call is refused for a day [95402].
//
// # Departments
//
// Ids are ours to choose: numbers of 32 bits above 1, the root [90205]. Names are
// unique among siblings; 60008 names the one that has it ("department existed: 13
// is existed"). The platform sorts the bigger order first, our contract the
// smaller: one is 2^32-1 less the other, so 0 to 2^32-1 go there and back, and an
// order that is not declared is not written. A department of ours with a small
// order comes before those that the console made. Leaders can be read here and
// are marked on people (FieldLeads).
//
// # Listing
//
// user/list gives the direct members of a department, without pages [90201]:
// one call for each department, four at a time, besides department/list [90208],
// department/simplelist [95350] and user/list_id, 10 000 rows a page [96067].
// department/list is called slow by its page, which recommends one department/get
// for each department; one call is cheaper for both sides. user/list_id by the
// sync secret is the authority on who exists: whoever it has and no department
// shows, or the other way round, makes a gap, and so do departments that only one
// secret sees. A department that is too large to list (45029) is a gap.
//
// Limits: 10 000 calls a minute and 150 000 an hour for each API, three times the
// company's size in creations a month [90312].
//
// # Roles
//
// Roles are tags. Any app may read them, of their holders those that it sees
// [90213, 90216 (?)]. Only the app that made a tag may change it [90210], so all
// of it is done with the app's secret; a tag that the console or another app made
// is refused (81011). Names are unique; there are no groups and no scopes. One
// call gives a tag to 1000 users and 100 departments at most; those that it does
// not know are listed in a success (invalidlist, invalidparty), and if it knows
// none the answer is 40070 [90214]. That who has the tag keeps it without an
// error is not documented (?). A tag may have 30 000 holders, a company 3000 tags.
//
// # What is handed out
//
// The directory is read as for a listing, with what each answer says of a thing
// kept as it was written; chosen people are read one by one. Everything else is
// read with the app's secret, and each product has to be granted to the app
// (可调用接口的应用); since 2023-12-01 the products' own secrets are refused to
// new companies [93393, 96497]. What is not granted is 48002 on the wire (seen
// for clock-ins), 301055 for approvals (?). An app sees only what people in its
// visible range did, but for the administrators' log [91816, 96497, 100179].
//
//   - Approvals: numbers by the time at which they were handed in, 31 days and 100
//     a call; a page may be short, new_next_cursor says whether there is more
//     [91816]; then the details of each [91983]. 301112 is taken for "too much in
//     this span" (?): the window is halved.
//   - Attendance: clock-ins of 100 people and 30 days a call, all kinds [96497].
//     They have no id: ours is the time and a hash.
//   - Reports: ids, a month and 100 a call, until endflag [93393]; then the details
//     of each [93394]. A week at a time, so that the ids do not grow.
//   - Roster: the fields [99131], then all of one person a call [99132].
//   - Groups: those with customers in them, by 100 owners a call; owners who have
//     left are refused (40003) and their groups are asked for by status 1, which a
//     company with more than 1000 visible people may be refused (81017) [92120];
//     then each with its members [92122]. No call lists groups of colleagues.
//   - Files: wedrive/file_list [96847] wants the id of a space, and no call lists
//     spaces but that of the paid 文件内容存档: the spaces that a person let be
//     archived [101674], and their files there [101676]. What it answers for
//     somebody without a seat is not documented (?).
//   - OperationLogs: of administrators [100179] and of users [100178], at most 180
//     days back, 7 days and 400 a call, and an end that is past: has_more says
//     whether there is more. What was done by API is in neither.
//   - Messages: 会话内容存档 is a native library and paid by seat [91774].
//   - Calendars: only those that the same app has made, by ids that no call lists [97717].
//
// No page says whether the borders of a span are included: neighbouring windows
// share theirs, and what comes twice is dropped. Most of these calls may be made
// 600 times a minute; their pages say so (register.go).
package wecom
