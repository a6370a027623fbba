// Package wecom is a wire-level twin of WeCom (企业微信) as seen by a company's
// own applications: the contact-sync secret (通讯录同步) and self-built apps.
// It shares no code with Rollcall's provider, so that one misreading of the
// documentation cannot hide in both.
//
// # Sources
//
// Pages named N below are https://developer.work.weixin.qq.com/document/path/N:
// 90313 error codes, 91039 gettoken, 90664 trusted addresses, 92520 address
// ranges; members: 90195 create, 90196 get, 90197 update, 90198 delete, 90199
// batch delete, 90200 and 90201 by department, 96067 list_id, 95402 by mobile,
// 95895 by mail, 90975 invite; departments: 90205 create, 90206 update, 90207
// delete, 90208 list, 95350 simplelist, 95351 get; 90210-90216 tags; 90227 apps;
// 90236 message/send, 90312 limits; 96079 what the sync secret may no longer read;
// what backups read: 91816 and 91983 approvals, 90262 checkins, 93393 and 93394 reports,
// 99131 and 99132 the roster, 100178 and 100179 logs, 96847, 97861 and 93655 WeDrive,
// 101674 and 101676 its paid archive, 92120 and 92122 chats with customers; what is left
// of who left: 92124 their customers, 94081 and 94082 who takes them over, 92127 chats.
//
// Wire text that those pages do not give comes from answers that others have
// published: probes without credentials (the default empty fields of error
// bodies, 404 with an empty body, the check order of gettoken), and test suites
// run against the real service in 2020 and 2021 (the codes of department calls,
// "mobile existed:zhangsan", "department existed: 13 is existed",
// "created. Warning: wrong json format. "). Texts of other errors are made up:
// clients must not match them anyway, says 90313.
//
// Creating somebody a second time was seen answered with 60104 and their own id,
// not with 60102: the mobile is looked at before the userid. 60102 is for the
// same userid with another mobile.
//
// # Readings that no source confirms
//   - A member without department goes to a department that is made on first
//     use, 其他（待设置部门） below the root. An unknown id in department makes
//     a department with that id, named after it, below that one (90195 says only
//     that it is made there and reported).
//   - department as a string is refused with 41019 (90313 names this mistake), a
//     string among its elements with 60127; a bare number is ignored with the
//     warning, which was seen in 2021. A string was seen refused with 40066 then.
//   - A member's main_department, when not given, is the first department. When
//     departments change without order and leader flags, those of the
//     departments that stay are kept and the others are 0.
//   - +86 and spaces are dropped from a mobile number before it is stored.
//   - Wrong scalar types are ignored with the warning, as bad JSON is, but for
//     those under "What SDKs say".
//   - gettoken gives the same token until it expires, with the seconds that are
//     left; tokenRotation makes every call give a new one, the old one stays valid.
//   - Ten bad secrets within an hour ban the address for an hour; 90313 gives the
//     hour, not the number.
//   - The creator cannot be deleted (301005) but can be disabled.
//   - A message to a disabled member succeeds, is not reported, and is never got. To one
//     who has not joined yet it is got. A message is the same as another if app, type,
//     content and receivers are: 90236 says the same JSON.
//   - A new department without order is sorted behind its siblings.
//   - The attributes of an update replace those of the same name, and leave others.
//   - How calls for data refuse: 301025 and 301055 are those of approvals; 40058 for
//     parameters and 48002 for a product that does not list the app elsewhere are
//     general codes of 90313. When 301112 comes is not published: option maxApprovals.
//     An unknown number of an approval is 301025, an unknown space 40058, an unknown chat
//     86003, which is that of chats that apps made.
//   - Checkins, reports and logs are filtered by visibility where their pages say so;
//     the logs are not. A month of reports is 31 days. What next_cursor of reports is
//     at the end: the number of those read.
//   - Names and types of the fields of hr/get_fields, whose page contradicts itself;
//     those of the member log; the numbers of roster fields other than 12024.
//   - No call lists the spaces of WeDrive but that of the paid archive: an app knows
//     those that it was told of, or made. In the archive everybody has a seat and lets
//     all of their spaces be read; who is not known there is 40003, a space of others
//     40058. The numbers of file_type are those of 96847.
//   - A customer has one member. Everybody may have customers, but for those whom the option
//     noCustomers names. When somebody last logged in is not simulated, nor who is
//     real-named. The codes of a taker who has not joined, or was disabled: 41054; one
//     without the right: 610004; an unknown one: 40003, and 46004 for chats, which was seen.
//   - 40003 is also for a leaver of more than a year ago, and in failed_chat_list for the
//     chats of one; 45009 for the 301st chat of a day, which ends at midnight in China.
//   - Customers who are being handed over are not in get_unassigned_list, and are again
//     once that failed. Handing one over twice is 40129, a chat 90507, and 90508 when that
//     is done. That a chat takes 24 hours like a customer, and that 94082 has only the last
//     transfer of a customer, no page says. A taker with maxCustomers gets no more: status 4.
//   - The event transfer_fail (92130) is not sent.
//   - A chat whose owner has left has status 1; with is_resigned 1 the archive knows
//     spaces made by hand only, because who leaves takes what a history made along.
//   - Quotas of WeDrive and the 600 calls a minute of these products are not
//     simulated; limits can be set by PUT /limits.
//
// # The past
//
// The option history, or POST /history of the control endpoint, gives members a past:
// two checkins a working day, one approval of each of three forms a quarter, a report
// and an entry of each log a month; and some spaces with files, and chats. It is
// computed when read, and goes on as the clock moves; who leaves takes it along. They have
// up to three customers each, too: customers and chats stay until somebody takes over.
// Collections are customers, approvals, checkins, journals, adminlog, memberlog, spaces, files and
// groups: all can be made, changed and removed by hand in the form that they have on
// the wire. The option closed names products that do not list the apps of the corp.
//
// debug=1 and its own limit (90487) are not simulated, nor redirects from http, nor how many
// messages an app may send in a day (90312).
//
// # What SDKs say
//
// Tests in test/sdk prove this simulator with github.com/silenceper/wechat/v2
// v2.1.6. Where the two disagree:
//   - agentid of message/send is a number in 90236, and text in this SDK and in
//     scripts in wide use (sample/notify.py of github.com/whyour/qinglong): both are taken.
//   - gender is text in 90195, and a number in this SDK. The platform itself was
//     seen to call it a uint32 in 2022 (github.com/ArtisanCloud/PowerWeChat, pull
//     request 202): both are taken. user/get gives text (90196).
//   - An extension attribute comes from this SDK with the part of the other type
//     beside its own, empty. 90196 shows one part: the other is dropped.
//   - This SDK sends main_department 0 when none is set. That is refused like any
//     department that the member is not in (40058). No source tells what the platform does.
//   - It always sends owner_filter to groupchat/list; one that names nobody is none.
//   - It cannot leave the id of department/simplelist out, which 95350 allows;
//     id 0 is 60123.
//
// # Layout
//
// One file per area. Each area file has a function that lists its endpoints
// (auth, users, departments, tags, messages, oa, products, archive, inheritance); server.go joins
// the lists. Areas to come (jobs, callbacks) are further files with such a list.
package wecom
