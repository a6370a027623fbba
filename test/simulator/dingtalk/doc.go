// Package dingtalk is a wire-level twin of DingTalk's open platform as an
// internal app of an organisation meets it: tokens, users, departments, roles,
// enterprise accounts, leaving with a hand-over, work notices, and what backups read:
// attendance, approvals, reports, calendars, chats, documents, what was done with files,
// the roster and who left it. It is written from the
// vendor's documents alone and shares no code with any client.
//
// # Two APIs at one address
//
// The vendor has two hosts; the simulator tells them apart by the path.
// The old API (oapi.dingtalk.com: /gettoken, /auth/scopes, /topapi/..., /role/...)
// takes its token from the query or a form body, answers HTTP 200 always and
// says what is wrong in errcode; authentication and permission errors are
// errcode 88 with a sub_code that is a string. The new API (api.dingtalk.com:
// /v1.0/..., /v2.0/...) takes its token from the header
// x-acs-dingtalk-access-token, and answers HTTP 4xx or 5xx with a code that is a
// word.
//
// # Sources
//
// The pages under https://open.dingtalk.com/document/development/ that each
// handler names; for codes and their texts the page server-api-error-codes-1;
// for limits call-frequency-limit and how-to-process-api-throttling-on-the-dingtalk-server.
// What was seen on the wire, in published logs of real replies, goes before the
// documents: errcode 22 for an unknown path or a trailing slash, 40096 and 40035
// of gettoken, the 88 envelope, the text of a missing permission, 60121 of
// user/get for an unknown user (its page says 33012), types (JSON numbers,
// booleans and arrays where the documents' samples print strings), the empty
// "avatar", "brief" and "union_emp_ext", the big default order of a user.
//
// # Not confirmed
//
// No source settles the following; the simulator does what is said here, and the
// code marks each place with (?):
//   - A token of one API is valid in the other as well (public SDKs rely on it).
//     An expired token is answered like a wrong one.
//   - Extension fields that were not added in the console are dropped silently.
//     The documents say only that fields must be added first.
//   - A mobile number in user/update is ignored silently. An empty text in it
//     clears the field, except for manager_userid, which must be forced.
//   - A telephone in use is 40100, a mail address in use 40101 (60106 exists
//     too), a mobile number in use 60104, a malformed one 40104 (60103 exists
//     too); a login name in use 40035. A user id is compared by case.
//   - 40103 checks everything else first and leaves nothing behind but an
//     invitation; asking again renews it.
//   - A user id is free again after deletion. Deleting an unknown user is 33012,
//     updating one 60121. The main administrator can be deleted: only the page of
//     terminateAndHandOver says that it refuses.
//   - user/list of an unknown department is 60003.
//   - A department order must be greater than 0 (40011 says so); without one it is
//     the department's id. Names are unique among siblings only. How deep a tree
//     may be is not limited.
//   - Managers of a department must be direct members: 40031 with the text
//     不存在的userId. They stop being managers when they leave it.
//   - Permissions behind mobile number and personal data are called fieldMobile
//     and fieldEmail.
//   - listsub has no source_identifier; user/list has no manager_userid and no
//     role_list. One public SDK declares the first two.
//   - Holders of the default roles follow from what somebody is. Batches of roles
//     beyond the limits are 40035 and a batch fails as a whole; deleting a role that
//     somebody holds is 400002; adding to the default group is 23004.
//   - Enterprise accounts where they are not bought: 60011. Disabling twice
//     succeeds.
//   - An agent_id that is not the app's is 40056; no receiver 1430000; asking for
//     the result of more than 100 receivers -1. Who was deleted is invalid; sending to
//     a disabled enterprise account fails, which only the result tells.
//   - The same content counts as the same when all of msg is; a day is one in China.
//   - The HTTP status of the answer to a banned address is 200. The refusal of a
//     wrong method on the new API is 405.
//   - How attendance and reports refuse a window, page or list that is too big:
//     40035. Attendance from before its half year, or 180 days, is left out.
//   - A window of approvals ends after its 10,000 ids as if there were no more.
//     A start more than 365 days ago is internalError. An unknown processCode, or an
//     unknown author, has no approvals; an unknown author of reports no reports.
//   - What listbyuserid needs: Workflow.Form.Read, like its successor on the new API.
//   - Pages of orgGroupInfos have 100 entries at most, those of drive/spaces 50.
//     Where the edition is not exclusive the permission is missing.
//   - Without Smart-HR nobody is on the job; rosters leave out who is unknown.
//   - Documents and forms are seen by everybody who works there.
//   - Smart-HR's list of who left refuses where Smart-HR is not opened, as the page of
//     dimissionInfos says of itself. Somebody who is back, or was never there, is not in
//     it; nobody is about to leave (status 1 or 4) unless by hand. A plain removal has
//     no reason and no successor.
//   - What terminateAndHandOver refuses with which of its codes: empNotExists for anybody
//     who is not there (the operator and the successors too), invalidParameter for what is
//     missing, noPermission for who is out of scope, suiteCallInvalid where Smart-HR is not
//     opened, businessError for the rest. businessError comes with HTTP 400, as the page
//     says, though the page of global codes has it with 401. The page wants at least one
//     reason, and has a sample with only the field that it calls obsolete: that is refused.
//   - It leaves a record with leaveReason oapi. The first successor that it names is
//     handoverUserId. A successor who was managed by the leaver has no manager then; one
//     who takes over permissions becomes a sub-administrator if the leaver was one.
//   - Approvals of a history wait for the author's manager; one that was redirected
//     (transfer-the-oa-approval-task, or by a hand-over) waits for ever. After a plain deletion, or without a successor, they go on waiting for
//     who is gone.
//   - File logs come oldest first, and every one has a bizId of its own; where the
//     edition is not exclusive the permission is missing. They go back ten years.
//   - Calendars refuse with invalidParameter. A year is one by the calendar, and only
//     counts if both ends are given. Events that start at an end are inside.
//
// # The past
//
// The option history, or POST /history of the control endpoint, gives the people who
// are there a past: two punches a working day, one approval of each of three forms a
// quarter, one report a month, an event every fifteen days and something done with a file
// every ten; and some workspaces, spaces with files, and chats. It is
// computed when read, and goes on as the clock moves; who leaves takes it along.
// Collections are approvals, punches, reports, events, fileLogs, workspaces, nodes, spaces,
// dentries, groups and dismissions, which follow from who leaves: all can be made, changed
// and removed by hand in the form that they have on the wire. An approval has its
// processCode beside, a node its parentNodeId; an event is in the calendar of its
// organizer, whose id is a union id; the id of a file log is a number.
//
// The pages of the last ones are query-an-event-list, obtain-file-operation-records,
// obtain-the-list-of-employees-who-have-left and
// obtain-resignation-information-of-employees-new-version; its sample writes the list in
// the query as JSON.
//
// An app learns the codes of the forms from workflow/processes/userVisibilities/templates
// (obtains-a-list-of-approval-forms-visible-to-the-specified), or on the old API from
// process/listbyuserid, which is no longer in the documents but in the vendor's SDK for
// Java (github.com/opendingtalk/alibaba-dingtalk-service-sdk).
//
// # What SDKs say
//
// Tests in test/sdk prove this simulator with github.com/zhaoyunxing92/dingtalk/v2
// v2.1.1, and with the vendor's own github.com/alibabacloud-go/dingtalk v1.6.88,
// which disagrees in nothing. Where the first does, the vendor's pages were asked:
//   - invalid_dept_id_list of getsendresult: numbers, as the page says
//     (gets-the-result-of-sending-messages-asynchronously-to-the-enterprise) and the
//     vendor's own SDK for Java. This SDK has texts, and cannot read such an answer.
//   - Who may see a hidden department: dept_permits and user_permits, 50 at
//     most (address-book-creation-department-established-department). This SDK sends
//     dept_ds and user_ds when it creates, which are ignored, and allows 200.
//   - The login name in user/get: login_id (queries-the-details-of-a-dedicated-account).
//     This SDK reads loginId, which is the name in user/update only.
//   - An enterprise account needs no mobile number (create-an-sso-account). This
//     SDK insists on one; it is ignored.
//   - It calls role/scope/update broken; the page
//     (update-role-member-management-department-scope) has nothing of that.
//   - It takes the token of the old API to the new one, here empLeaveRecords and
//     drive/spaces, and has department/list of the first directory API, which is closed
//     to new apps (obtain-the-department-list) and not here: errcode 22. So are its calls
//     for the roster and for who left, whose successors are on the new API.
//
// # Not there
//
// Events of the directory (stream and callback; so user_leave_org too), syncToken, recurrence and other people's
// events of calendars, other changes of Smart-HR (resignations that are pending), downloads of documents, industry and union organisations,
// external contacts, app visibility, the monthly quota of the standard edition
// (contact calls are exempt from it) and calls of other products.
//
// # What is there at the start
//
// Two organisations, acme and globex, with the root department, the default
// roles and their founder manager7001, the main administrator: an organisation is
// never without anybody, so a listing of all users that is empty is never true. The
// option noCreator leaves the founder out, as Scratch does.
// Control collections are users, departments, roles, invitations, leavers,
// messages, received, left and tokens; users and departments look like the results of
// user/get and department/get, leavers like that of empLeaveRecords. Received tells
// what somebody really got, left who left by which call and what went to whom:
// approvals, documents, drive, permissions, subordinates. Removing the tokens of an app
// makes it get new ones.
package dingtalk
