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
//     reads details, sends messages (with its agentId) and passes customers on. Since 2022-08-15 the sync secret may not do that from an
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
// it is renewed and the call made again, up to three times: the token is checked
// before all else. A wrong secret (40001 and its like) is not tried again for 15 minutes
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
// # Leaving
//
// Removing is user/delete by the sync secret; it takes a mailbox of Tencent's
// company mail along [90198]. Nothing undoes it. Who is not there is 60111. The
// creator stays (301005) until another member is made the creator in the console
// [90313]; that other administrators stay is not documented (?). No call passes
// anything on before or with the removal that a leaver may wait for: an app can
// change the owner only of the chats that it made itself [98913], reach only calendars
// that it made [97717], and read approvals, not move them [91983]; no call grants
// rights of administration. Those duties are done by hand. That WeCom makes one of
// the members the owner of an internal group whose owner was removed, and where
// people find that in the clients, is known from manuals of others only (?).
//
// Customers and groups with customers in them are passed on once their owner has
// left (客户联系 → 离职继承); earlier it is 40097 and 90500. 客户联系 has to be
// granted to the app, else 48002 [90313]. Leaver and successor must have logged in
// within a year, the leaver have left within a year; the successor must be in the
// app's range, active, have proven who they are (实名认证, else 40098) and have 客户联系
// (else 84083) [94081, 92127].
//
//   - externalcontact/get_unassigned_list is of everybody who left and had
//     customers, 1000 a page, by cursor [92124]. Whether customers leave it once
//     they are on their way is not documented (?), nor how soon a leaver is in it (?).
//   - externalcontact/resigned/transfer_customer takes 100; 0 for a customer means
//     that it has begun and will be done after 24 hours [94081]. 40100 and 40129:
//     it has begun before. 40099: the successor is full. Other codes of a customer
//     alone, known or not, mean that it will not be.
//   - externalcontact/resigned/transfer_result is of one leaver and one successor,
//     1000 a page: 1 done, 2 waiting (and until when), 3 refused by the customer, 4
//     the successor is full [94082]. Nobody in it is asked for again. It is said to
//     lag behind by seconds (?); who is asked for twice by that is 40100.
//   - externalcontact/groupchat/list with a leaver as the owner: the page says
//     since 2025 that groups of leavers come only so [92120]; from 2021 to 2024
//     others were answered 40003, or told to leave the owner out and ask for status
//     1, which is refused (81017) where the app sees more than 1000 people. Both are
//     tried, the page's way first. Without the owner each group has to be read to
//     know whose it is [92122].
//   - externalcontact/groupchat/transfer takes 100, and lists those that it did not
//     pass on; 90507: on its way, 90508 and 90504: done before [92127, 90313]. One
//     new owner gets 300 groups a day [92127]; the rest waits for the next. Which
//     code refuses the 301st is not documented (?): 45009 of a group is taken for
//     it. No call tells whose a group was before: one that was passed on is counted
//     as done in the answer of that call, and not again.
//
// A message is sent by the app, to 1000 people at most; a text is cut at 2048 bytes
// [90236]. WeCom recognises the same request for at most four hours
// (duplicate_check_interval), and says nothing of it (?). Who does not exist or is
// out of the app's range is in invaliduser, who has no licence in unlicenseduser,
// both in lower case; if it is all of them the answer is 81013 [90236]. What is
// more than 30 messages a minute or 1000 an hour for one person is dropped without
// a word [90312]. An app that "always opens its home page" (在微工作台中始终进入主页) shows
// people in WeChat 20 bytes of a text [90236]. No call tells who got a message;
// message/get_statistics counts those of an app by the day [92369].
//
// Residuals are looked for in departments (their leaders), tags, the customers and
// the groups that wait. What cannot be found, because no call tells: groups of
// colleagues that the account owned, approvals that wait for it, documents, files,
// calendars, rights of administration, and how WeCom counts its licence; customers
// and groups where 客户联系 is not granted to the app or there is no app, and groups
// where 81017 forbids to list them. Who reports to the account, a listing says.
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
