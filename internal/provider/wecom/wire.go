package wecom

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
)

// written is a thing of the platform beside the JSON that it was read from, with
// the fields that are unknown here.
type written[T any] struct {
	is  T
	raw json.RawMessage
}

// UnmarshalJSON keeps the bytes.
func (w *written[T]) UnmarshalJSON(b []byte) error {
	w.raw = bytes.Clone(b)
	return json.Unmarshal(b, &w.is)
}

// number is a whole number, also where the platform writes it as text.
type number int64

// UnmarshalJSON reads 7 and "7"; null and "" are 0.
func (n *number) UnmarshalJSON(b []byte) error {
	text := string(bytes.Trim(b, `"`))
	if text == "" || text == "null" {
		*n = 0
		return nil
	}
	i, err := strconv.ParseInt(text, 10, 64)
	*n = number(i)
	return err
}

// truth is true or 1, where pages of one platform do not agree on which it is.
type truth bool

// UnmarshalJSON reads true, false, 1 and 0; null is false.
func (t *truth) UnmarshalJSON(b []byte) error {
	*t = string(b) == "true" || string(b) == "1"
	return nil
}

// page is a part of a long answer. An empty next is its end.
type page[T any] struct {
	rows []T
	next string
}

// pages goes through a long answer until its end, or until visit fails.
func pages[T any](operation string, read func(cursor string) (page[T], error), visit func(rows []T) error) error {
	for cursor := ""; ; {
		p, err := read(cursor)
		if err != nil {
			return err
		}
		if err := visit(p.rows); err != nil {
			return err
		}
		switch p.next {
		case "":
			return nil
		case cursor: // it would never end
			return incomprehensible(&request{operation: operation})
		}
		cursor = p.next
	}
}

// The endpoints of the datasets beside the directory.

// span is a stretch of time, in seconds of the Unix epoch.
type span struct{ from, to int64 }

// approvalNumbers lists approvals by the time at which they were handed in; an
// empty creator is everybody. A page may be shorter than what was asked for.
// https://developer.work.weixin.qq.com/document/path/91816
func (c *client) approvalNumbers(ctx context.Context, s *secret, t span, creator, cursor string) (page[string], error) {
	var out struct {
		Numbers *[]string `json:"sp_no_list"`
		Next    string    `json:"new_next_cursor"`
	}
	q := &request{operation: "oa/getapprovalinfo", body: map[string]any{
		"starttime": formatID(t.from), "endtime": formatID(t.to), "new_cursor": cursor, "size": 100,
	}}
	filterCreator(q, creator)
	if err := c.do(ctx, s, q, &out); err != nil {
		return page[string]{}, err
	}
	if out.Numbers == nil {
		return page[string]{}, incomprehensible(q)
	}
	return page[string]{rows: *out.Numbers, next: out.Next}, nil
}

func filterCreator(q *request, creator string) {
	if creator != "" {
		q.body["filters"] = []map[string]string{{"key": "creator", "value": creator}}
	}
}

// approval: https://developer.work.weixin.qq.com/document/path/91983
func (c *client) approval(ctx context.Context, s *secret, id string) (json.RawMessage, error) {
	return c.object(ctx, s, &request{operation: "oa/getapprovaldetail", body: map[string]any{"sp_no": id}}, "info")
}

// object reads the one field of an answer that holds it all.
func (c *client) object(ctx context.Context, s *secret, q *request, field string) (json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	if err := c.do(ctx, s, q, &out); err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(out[field], []byte("{")) {
		return nil, incomprehensible(q)
	}
	return out[field], nil
}

// reportIDs lists reports (汇报); an empty creator is everybody.
// https://developer.work.weixin.qq.com/document/path/93393
func (c *client) reportIDs(ctx context.Context, s *secret, t span, creator, cursor string) (page[string], error) {
	var out struct {
		IDs  *[]string `json:"journaluuid_list"`
		Next number    `json:"next_cursor"`
		End  truth     `json:"endflag"`
	}
	at, _ := strconv.ParseInt(cursor, 10, 64) // "" is the beginning, 0
	q := &request{operation: "oa/journal/get_record_list", body: map[string]any{
		"starttime": t.from, "endtime": t.to, "cursor": at, "limit": 100,
	}}
	filterCreator(q, creator)
	if err := c.do(ctx, s, q, &out); err != nil {
		return page[string]{}, err
	}
	if out.IDs == nil {
		return page[string]{}, incomprehensible(q)
	}
	p := page[string]{rows: *out.IDs}
	if !out.End {
		p.next = formatID(int64(out.Next))
	}
	return p, nil
}

// reportDetails: https://developer.work.weixin.qq.com/document/path/93394
func (c *client) reportDetails(ctx context.Context, s *secret, id string) (json.RawMessage, error) {
	return c.object(ctx, s, &request{operation: "oa/journal/get_record_detail", body: map[string]any{"journaluuid": id}}, "info")
}

// punch is what identifies a row of checkin/getcheckindata.
type punch struct {
	Time number `json:"checkin_time"`
}

// punches reads the clock-ins of at most 100 users; it has no pages.
// https://developer.work.weixin.qq.com/document/path/96497
func (c *client) punches(ctx context.Context, s *secret, t span, people []string) ([]written[punch], error) {
	var out struct {
		Punches *[]written[punch] `json:"checkindata"`
	}
	const all = 3 // at the office and outside
	q := &request{operation: "checkin/getcheckindata", body: map[string]any{
		"opencheckindatatype": all, "starttime": t.from, "endtime": t.to, "useridlist": people,
	}}
	if err := c.do(ctx, s, q, &out); err != nil {
		return nil, err
	}
	if out.Punches == nil {
		return nil, incomprehensible(q)
	}
	return *out.Punches, nil
}

// fieldGroup is a row of hr/get_fields.
type fieldGroup struct {
	ID number `json:"group_id"`
}

// rosterFields: https://developer.work.weixin.qq.com/document/path/99131
func (c *client) rosterFields(ctx context.Context, s *secret) ([]written[fieldGroup], error) {
	var out struct {
		Groups *[]written[fieldGroup] `json:"group_list"`
	}
	q := &request{operation: "hr/get_fields"}
	if err := c.do(ctx, s, q, &out); err != nil {
		return nil, err
	}
	if out.Groups == nil {
		return nil, incomprehensible(q)
	}
	return *out.Groups, nil
}

// rosterOf: https://developer.work.weixin.qq.com/document/path/99132
func (c *client) rosterOf(ctx context.Context, s *secret, id string) (json.RawMessage, error) {
	var out written[struct {
		Fields *[]json.RawMessage `json:"field_info"`
	}]
	q := &request{operation: "hr/get_staff_info", body: map[string]any{"userid": id, "get_all": true}}
	if err := c.do(ctx, s, q, &out); err != nil {
		return nil, err
	}
	if out.is.Fields == nil {
		return nil, incomprehensible(q)
	}
	return out.raw, nil
}

// record is what identifies a row of the logs of operations.
type record struct {
	Time number `json:"time"`
}

// operations reads a log of what administrators or users did; an empty person is
// everybody. A page may be shorter than what was asked for.
// https://developer.work.weixin.qq.com/document/path/100179 (administrators),
// https://developer.work.weixin.qq.com/document/path/100178 (users)
func (c *client) operations(ctx context.Context, s *secret, operation string, t span, person, cursor string) (page[written[record]], error) {
	var out struct {
		Records *[]written[record] `json:"record_list"`
		More    truth              `json:"has_more"`
		Next    string             `json:"next_cursor"`
	}
	q := &request{operation: operation, body: map[string]any{"start_time": t.from, "end_time": t.to, "limit": 400}}
	if person != "" {
		q.body["userid"] = person
	}
	if cursor != "" {
		q.body["cursor"] = cursor
	}
	if err := c.do(ctx, s, q, &out); err != nil {
		return page[written[record]]{}, err
	}
	if out.Records == nil || bool(out.More) && out.Next == "" {
		return page[written[record]]{}, incomprehensible(q)
	}
	p := page[written[record]]{rows: *out.Records}
	if out.More {
		p.next = out.Next
	}
	return p, nil
}

// customerGroup is a row of externalcontact/groupchat/list.
type customerGroup struct {
	ID     string `json:"chat_id"`
	Status number `json:"status"`
}

// What becomes of a group with customers in it
// (https://developer.work.weixin.qq.com/document/path/92120).
const (
	groupOrphaned  = 1 // its owner has left
	groupOnItsWay  = 2
	groupPassedOn  = 3
	groupAnyStatus = 0 // as a filter; as a status, that its owner is there
)

// customerGroups lists groups with customers in them, of at most 100 owners, or
// of all with a status: 1 is those whose owner has left.
// https://developer.work.weixin.qq.com/document/path/92120
func (c *client) customerGroups(ctx context.Context, s *secret, owners []string, status int, cursor string) (page[written[customerGroup]], error) {
	var out struct {
		Groups *[]written[customerGroup] `json:"group_chat_list"`
		Next   string                    `json:"next_cursor"`
	}
	q := &request{operation: "externalcontact/groupchat/list", body: map[string]any{"status_filter": status, "limit": 1000}}
	if len(owners) > 0 {
		q.body["owner_filter"] = map[string]any{"userid_list": owners}
	}
	if cursor != "" {
		q.body["cursor"] = cursor
	}
	if err := c.do(ctx, s, q, &out); err != nil {
		return page[written[customerGroup]]{}, err
	}
	if out.Groups == nil {
		return page[written[customerGroup]]{}, incomprehensible(q)
	}
	return page[written[customerGroup]]{rows: *out.Groups, next: out.Next}, nil
}

// groupDetails: https://developer.work.weixin.qq.com/document/path/92122
func (c *client) groupDetails(ctx context.Context, s *secret, id string) (json.RawMessage, error) {
	const withNames = 1
	return c.object(ctx, s, &request{operation: "externalcontact/groupchat/get",
		body: map[string]any{"chat_id": id, "need_name": withNames}}, "group_chat")
}

// groupOwner: https://developer.work.weixin.qq.com/document/path/92122
func (c *client) groupOwner(ctx context.Context, s *secret, id string) (string, error) {
	raw, err := c.groupDetails(ctx, s, id)
	if err != nil {
		return "", err
	}
	var group struct {
		Owner string `json:"owner"`
	}
	if json.Unmarshal(raw, &group) != nil {
		return "", incomprehensible(&request{operation: "externalcontact/groupchat/get"})
	}
	return group.Owner, nil
}

// space is a row of security/wedrive/get_auth_space_list.
type space struct {
	ID string `json:"spaceid"`
}

// archivedSpaces lists the spaces that a user let be archived.
// https://developer.work.weixin.qq.com/document/path/101674
func (c *client) archivedSpaces(ctx context.Context, s *secret, user string) ([]written[space], error) {
	var out struct {
		Spaces *[]written[space] `json:"auth_space_list"`
	}
	q := &request{operation: "security/wedrive/get_auth_space_list", body: map[string]any{"userid": user, "is_resigned": 0}}
	if err := c.do(ctx, s, q, &out); err != nil {
		return nil, err
	}
	if out.Spaces == nil {
		return nil, incomprehensible(q)
	}
	return *out.Spaces, nil
}

// file is a row of security/wedrive/get_auth_file_list.
type file struct {
	ID string `json:"fileid"`
}

// archivedFiles lists the files of a user in a space.
// https://developer.work.weixin.qq.com/document/path/101676
func (c *client) archivedFiles(ctx context.Context, s *secret, user, space, cursor string) (page[written[file]], error) {
	var out struct {
		Files *[]written[file] `json:"file_list"`
		More  truth            `json:"has_more"`
		Next  string           `json:"next_cursor"`
	}
	q := &request{operation: "security/wedrive/get_auth_file_list", body: map[string]any{
		"userid": user, "is_resigned": 0, "spaceid": space, "limit": 100,
	}}
	if cursor != "" {
		q.body["cursor"] = cursor
	}
	if err := c.do(ctx, s, q, &out); err != nil {
		return page[written[file]]{}, err
	}
	if out.Files == nil || bool(out.More) && out.Next == "" {
		return page[written[file]]{}, incomprehensible(q)
	}
	p := page[written[file]]{rows: *out.Files}
	if out.More {
		p.next = out.Next
	}
	return p, nil
}

// The endpoints of leaving.

// unassigned is a row of externalcontact/get_unassigned_list.
type unassigned struct {
	Leaver   string `json:"handover_userid"`
	Customer string `json:"external_userid"`
}

// unassignedCustomers lists the customers of everybody who has left.
// https://developer.work.weixin.qq.com/document/path/92124
func (c *client) unassignedCustomers(ctx context.Context, s *secret, cursor string) (page[unassigned], error) {
	var out struct {
		Rows *[]unassigned `json:"info"`
		Next string        `json:"next_cursor"`
	}
	q := &request{operation: "externalcontact/get_unassigned_list", body: map[string]any{"cursor": cursor, "page_size": 1000}}
	if err := c.do(ctx, s, q, &out); err != nil {
		return page[unassigned]{}, err
	}
	if out.Rows == nil {
		return page[unassigned]{}, incomprehensible(q)
	}
	return page[unassigned]{rows: *out.Rows, next: out.Next}, nil
}

// transfer is a row of externalcontact/resigned/transfer_result.
type transfer struct {
	Customer string `json:"external_userid"`
	Status   number `json:"status"`
	// Time is when it was done, or will be.
	Time number `json:"takeover_time"`
}

// What becomes of a customer who was passed on
// (https://developer.work.weixin.qq.com/document/path/94082).
const (
	transferDone    = 1
	transferWaits   = 2
	transferRefused = 3 // by the customer
	transferFull    = 4 // the successor has as many as they may have
)

// transfers says what became of the customers that were passed on from one user to
// another. https://developer.work.weixin.qq.com/document/path/94082
func (c *client) transfers(ctx context.Context, s *secret, leaver, successor, cursor string) (page[transfer], error) {
	var out struct {
		Rows *[]transfer `json:"customer"`
		Next string      `json:"next_cursor"`
	}
	q := &request{operation: "externalcontact/resigned/transfer_result",
		body: map[string]any{"handover_userid": leaver, "takeover_userid": successor}}
	if cursor != "" {
		q.body["cursor"] = cursor
	}
	if err := c.do(ctx, s, q, &out); err != nil {
		return page[transfer]{}, err
	}
	if out.Rows == nil {
		return page[transfer]{}, incomprehensible(q)
	}
	return page[transfer]{rows: *out.Rows, next: out.Next}, nil
}

// Most of one call, and most groups of one day for one new owner
// (https://developer.work.weixin.qq.com/document/path/94081 and 92127).
const (
	customersAtOnce = 100
	groupsAtOnce    = 100
	groupsADay      = 300
)

// begun is a row of what resigned/transfer_customer answers: 0 has begun, and
// will be done after a day.
type begun struct {
	Customer string `json:"external_userid"`
	Code     int    `json:"errcode"`
}

// transferCustomers asks for at most customersAtOnce to be passed on.
// https://developer.work.weixin.qq.com/document/path/94081
func (c *client) transferCustomers(ctx context.Context, s *secret, leaver, successor string, customers []string) ([]begun, error) {
	var out struct {
		Rows *[]begun `json:"customer"`
	}
	q := &request{operation: opTransfer, write: true,
		body: map[string]any{"handover_userid": leaver, "takeover_userid": successor, "external_userid": customers}}
	if err := c.do(ctx, s, q, &out); err != nil {
		return nil, err
	}
	if out.Rows == nil {
		return nil, incomprehensible(q)
	}
	return *out.Rows, nil
}

// Operations whose rows have codes of their own.
const (
	opTransfer      = "externalcontact/resigned/transfer_customer"
	opTransferGroup = "externalcontact/groupchat/transfer"
)

// kept is a group that was not passed on, and why.
type kept struct {
	ID   string `json:"chat_id"`
	Code int    `json:"errcode"`
}

// transferGroups passes at most groupsAtOnce on, and returns those that it did
// not. https://developer.work.weixin.qq.com/document/path/92127
func (c *client) transferGroups(ctx context.Context, s *secret, groups []string, owner string) ([]kept, error) {
	var out struct {
		Rows []kept `json:"failed_chat_list"`
	}
	q := &request{operation: opTransferGroup, write: true, body: map[string]any{"chat_id_list": groups, "new_owner": owner}}
	if err := c.do(ctx, s, q, &out); err != nil {
		return nil, err
	}
	return out.Rows, nil
}

// sent is what message/send answers.
type sent struct {
	ID string `json:"msgid"`
	// Invalid are receivers who do not exist or are out of the app's range,
	// Unlicensed those whom the company has bought no interface for: "a|b".
	Invalid    string `json:"invaliduser"`
	Unlicensed string `json:"unlicenseduser"`
}

// message sends a text. What the body has decides whether the platform takes it for
// one that it has sent already.
// https://developer.work.weixin.qq.com/document/path/90236
func (c *client) message(ctx context.Context, s *secret, agent int64, to []string, text string) (sent, error) {
	var out sent
	err := c.do(ctx, s, &request{operation: "message/send", write: true, body: map[string]any{
		"touser": strings.Join(to, "|"), "msgtype": "text", "agentid": agent, "text": map[string]string{"content": text},
		"enable_duplicate_check": 1, "duplicate_check_interval": int(noticeWindow.Seconds()),
	}}, &out)
	return out, err
}
