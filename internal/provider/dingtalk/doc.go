// Package dingtalk keeps people and departments on DingTalk (钉钉) through an
// internal app (企业内部应用) of the company.
//
// Every fact below names its page: a slug stands for
// https://open.dingtalk.com/document/development/<slug>. What no page confirms
// is marked (?); it was decided here and is held by a test.
//
// # Two APIs
//
// The older API (oapi.dingtalk.com) answers HTTP 200 with an errcode and wants
// its token in the query; people and departments live there. The newer one
// (api.dingtalk.com/v1.0) answers with HTTP status codes and a textual code and
// wants its token in a header; freezing lives there. Whether the tokens are
// interchangeable is not stated (?), so each API has its own source
// [obtain-orgapp-token, obtain-the-access-token-of-an-internal-app]. A token
// lives 7200 s; asking again earlier returns the same one, and asking often is
// throttled. International tenants use oapi.dingtalk.io and api.dingtalk.io.
//
// Errcode 88 says nothing by itself: sub_code does, and errmsg may change at any
// time [server-api-error-codes-1]. The samples print numbers and booleans as
// strings and single elements instead of arrays
// [queries-the-complete-information-of-a-department-user]; real answers do not,
// and both are understood. No call takes an idempotency key.
//
// # People
//
// The user id is ours to choose at creation, 1 to 64 characters, and never
// changes [user-information-creation]. Mobile numbers, extension numbers and
// mail addresses are unique in the company, employee numbers (job_number) are
// not. A mobile number can be given at creation only
// [address-book-employee-operations]. Someone whose account is protected is
// invited instead of added (40103): the user does not exist until they accept
// [server-api-error-codes-1].
//
// The manager is cleared only through force_update_fields; extension attributes
// must exist in the admin console, and are merged with ext_attrs_update_mode 1,
// so that undeclared ones stay [user-information-update]. That an empty text
// clears a field is not documented (?): reading back tells. A hire date cannot
// be cleared, and nothing but an HR transfer sets the main department
// [intelligent-personnel-staff-transfer]; where the company has turned on job
// management (职位管理) of Smart HR, DingTalk refuses changes of title and
// departments here as well (same page). Hire dates are milliseconds; we read and
// write them at midnight, China Standard Time.
//
// Only these need a permission beyond reading members: mobile (企业员工手机号信息),
// and email, workplace and extension attributes (邮箱等个人信息). A missing
// field may be empty or hidden [query-user-details]. Mobile numbers are never
// empty, so a missing one is hidden; the others count as readable once anyone
// in the same listing shows one, or auth/scopes names "email" among the fields
// (?) [obtain-corpsecret-authorization-scope].
//
// # Listing
//
// There is no call for everybody: department/listsub is walked from the root
// (1), and user/list pages the direct members of each department, 100 at a time
// (the limit is in the vendor's Java SDK only (?)). It shows the leader flag and
// the order inside that one department, bigger first, but not the manager.
// listsub shows neither order nor source_identifier. user/count, which the app's
// scope does not limit [user-management-acquires-number-employees], proves that
// nobody is missing.
//
// # Departments
//
// Ids are the platform's. Names are unique among siblings (60021), at most 64
// characters, and hold no '-', ',' or '，' [address-book-update-department].
// Managers must be members; they are cleared through force_update_fields. Order
// is smallest first. source_identifier keeps our own key.
//
// # Roles
//
// Every role is in a group; those of the group 默认 are DingTalk's own
// [add-role-information-to-employees-in-batches]. role/list pages groups, 200 at a
// time [obtains-a-list-of-enterprise-roles]; whether its offset counts groups or
// roles is not stated (?), so what comes twice is taken once. People alone have
// roles, given to 20 at a time; what one unknown person does to the other nineteen
// is not documented (?): a refused batch is halved. A role reaches the whole company
// or up to 50 departments, for each holder; where it reaches is changed for one holder at
// a time, who keeps it meanwhile [update-role-member-management-department-scope]. Who is
// given a role has it for the whole company until that call, so the departments are looked
// for before.
//
// user/listadmin tells who administers the company, the main administrator and the others
// [query-the-administrator-list]; no API that an ordinary app may call makes or unmakes one.
// inactive/user/v2/get tells who was active on a day, of the last month, of yesterday from
// nine o'clock [queries-the-inactive-users-or-active-users-under-an-enterprise].
//
// # Exports
//
// An export of the directory asks department/get for each department and user/get
// for each person, because no listing shows a manager, a key or an order. At 20
// calls a second for each operation, 50 000 people take 42 minutes: they are asked
// for in parallel, department by department, and emitted by level and id, so that two
// exports of the same directory are alike. Parts of other datasets come as they are read.
//
// The other datasets look back as far as their pages say, in windows that the code
// names with its sources. Reading takes hours, so it keeps a day's distance from the
// horizon. Codes of approval forms are listed for the whole company when no user is
// named [obtains-a-list-of-approval-forms-visible-to-the-specified]. The roster's
// fields want the app's AgentId [api-getemployeerosterbyfield], and are a gap without it. Groups,
// knowledge bases and drives are read in somebody's name, who may not see all of
// them: the main administrator's [query-the-administrator-list], or that of each of
// the chosen. How far back reports, file logs and leavers go, and whether a reader who
// is no administrator may ask for groups, is not stated (?). Lists in a query are
// JSON, as the vendor's SDKs write them (alibabacloud-go/dingtalk, hrm_1_0). There is
// no call for what was said in chats.
//
// # Freezing
//
// Ordinary accounts (普通账号) belong to the person: no API freezes them, signs
// them out or resets their password; only removal takes access away. Enterprise
// accounts (企业账号) are disabled, enabled and signed out through
// v1.0/contact/orgAccounts [disable-an-exclusive-account]. Whether disabling ends
// sessions, and what disabling twice answers, is not documented (?): we sign out
// as well, and look at the status when a call is refused. disable_status is shown
// for the company's own enterprise accounts only [queries-account-details]; one
// that belongs to another company looks alike, and freezing it is refused in words.
//
// We create enterprise accounts of type sso [create-an-sso-account]; those of
// type dingtalk need a login id and an initial password
// [create-dingtalk-user-created-dedicated-account], which Rollcall has no place
// for: create them in the admin console and adopt them. Updating an enterprise
// account wants dept_id_list every time [update-dedicated-accounts-information].
//
// # Leaving
//
// hrm/processes/terminateAndHandOver removes a person at once and hands over
// approvals, team documents, drive, rights and direct reports; the operator it asks
// for must be a member and not the leaver, so it is the successor
// [api-hrmprocessterminationandhandover]. It wants one id in one of two arrays of
// reasons, which the company can change: we take the one called other (其他, voluntary
// before passive) or else the first, and say ours in dismissionMemo
// [api-getalldismissionreasons]. It refuses the main administrator, people of parent and
// child organisations and of industry contacts, and has no code for that; the account,
// the successor and user/listadmin are read to find out. It needs Smart HR; without it
// there is user/delete, which hands over nothing: Smart HR, if there is one, then lists
// the person as gone without a reason [delete-a-user]. Whether user/delete keeps the main
// administrator is not documented (?): we never ask it to. The app's scope does not limit
// user/listadmin [query-the-administrator-list]; that it always names the main
// administrator is not said (?): where it does not, only who is no administrator at all by
// user/get is removed [query-user-details]. Its undocumented parameter handoverResource
// (developer.alibaba.com/docs/api.htm?apiId=52209) is not used.
//
// No API names the chat groups of an owner, moves a group that people made, or moves
// calendars: people do that, while the leaver is still there.
//
// user/get lists the roles of a person, without their scopes [query-user-details]; those
// are in role/simplelist. Roles are taken from a hundred people at a time
// [delete-the-color-information-of-employee-corners-in-batches].
//
// Of a leaver one can find: user/listadmin, which the app's scope does not limit
// [query-the-administrator-list]; a leaving that Smart HR has not finished, and the
// former departments, of which department/get tells who leads them and owns their group
// [obtain-resignation-information-of-employees-new-version, query-department-details0-v2];
// approvals that wait for them, in the premium edition (OA高级版) only
// [api-premiumquerytodotasksbymanager]. What cannot be found: groups, documents and
// drives that still are theirs, people whose manager they still are (that would take
// a user/get of everybody), and without Smart HR the departments, too.
//
// # Notices
//
// A work notice goes to at most 100 people and has at most 2048 bytes as JSON. The same
// content reaches a person once a day, an app reaches a person 500 times a day and 5000
// people in a minute: what is beyond that is dropped, and the send succeeds all the same
// [asynchronous-sending-of-enterprise-session-messages]. We keep to the limit of a
// minute, as far as one process knows what it sent. Only the result names whom a
// notice missed, within 24 hours and once the task is done
// [gets-the-result-of-sending-messages-asynchronously-to-the-enterprise,
// obtain-the-sending-progress-of-asynchronous-sending-of-enterprise-session]. Code 143106
// is no miss: the person has that content already. Whether a day is a calendar day is
// not stated (?), so a repetition counts as recognised until midnight in China.
//
// # Limits
//
// Twenty calls a second for each app and operation, 10 000 calls in 20 s for each
// egress address, over all operations; then the address is banned for five
// minutes, and answers are HTML or {"status":1111,…}
// [how-to-process-api-throttling-on-the-dingtalk-server, call-frequency-limit].
package dingtalk
