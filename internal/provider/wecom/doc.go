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
package wecom
