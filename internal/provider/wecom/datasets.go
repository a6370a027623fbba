package wecom

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"rollcall.dev/rollcall/internal/directory"
)

// dataset is how one is read, or why it is not.
type dataset struct {
	read func(x *export, ctx context.Context) error
	// grant is where the console lets the app read it.
	grant   string
	missing string
}

// datasets: everything but the directory has to be granted to the app, product by
// product (可调用接口的应用). Where, is what the pages of the calls say; for 人事助手
// and 客户联系 the way through the console is unconfirmed.
var datasets = map[directory.Dataset]dataset{
	directory.DatasetDirectory:     {read: (*export).directory},
	directory.DatasetApprovals:     {read: (*export).approvals, grant: "应用管理 → 审批 → API → 可调用接口的应用, with the right to read the data of approvals"},
	directory.DatasetAttendance:    {read: (*export).attendance, grant: "应用管理 → 打卡 → API → 可调用接口的应用"},
	directory.DatasetReports:       {read: (*export).reports, grant: "应用管理 → 汇报 → API → 可调用接口的应用"},
	directory.DatasetRoster:        {read: (*export).roster, grant: "应用管理 → 人事助手 → API → 可调用接口的应用"},
	directory.DatasetGroups:        {read: (*export).groups, grant: "客户与上下游 → 客户联系 → API → 可调用接口的应用"},
	directory.DatasetFiles:         {read: (*export).files, grant: "文件内容存档 → 可调用接口的应用 (a paid product)"},
	directory.DatasetOperationLogs: {read: (*export).operationLogs, grant: "使用分析 → API → 可调用接口的应用, for administrators and for users"},
	directory.DatasetMessages: {missing: "WeCom hands chats out only to who pays for 会话内容存档 by seat, " +
		"and only through a native library, of what was written while the seat was paid for"},
	directory.DatasetCalendars: {missing: "WeCom hands out only the calendars that the same app has made; people's own cannot be read"},
}

// Windows of the calls. Longer ones are refused, or would hold too many ids.
const (
	day = 24 * time.Hour
	// At most 31 days: https://developer.work.weixin.qq.com/document/path/91816
	approvalWindow = 30 * day
	// At most 30 days, and 100 users: https://developer.work.weixin.qq.com/document/path/96497
	punchWindow = 30 * day
	punchPeople = 100
	// At most a month, but everybody writes one a day:
	// https://developer.work.weixin.qq.com/document/path/93393
	reportWindow = 7 * day
	// At most 7 days, from at most 180 days ago until before now:
	// https://developer.work.weixin.qq.com/document/path/100179
	logWindow = 7*day - time.Second
	logReach  = 180 * day
	// ownersAtOnce: https://developer.work.weixin.qq.com/document/path/92120
	ownersAtOnce = 100
)

// founded is when WeCom began; nothing in it is older.
var founded = time.Date(2016, time.April, 18, 0, 0, 0, 0, time.FixedZone("CST", 8*3600))

// windows cuts the time of the scope, the oldest first. Neighbours share their
// border, as no page says whether borders are included: who reads them drops
// what comes twice.
func (x *export) windows(longest time.Duration) []span {
	from, to := x.bounds()
	var spans []span
	for at := from; at.Before(to); {
		end := at.Add(longest)
		if end.After(to) {
			end = to
		}
		spans = append(spans, span{at.Unix(), end.Unix()})
		at = end
	}
	return spans
}

// bounds is the time of the scope in whole seconds, without the future and
// without what was before the platform.
func (x *export) bounds() (from, to time.Time) {
	from, to = x.scope.From, x.scope.To
	if from.Before(founded) {
		from = founded
	}
	if now := x.details.now(); to.IsZero() || to.After(now) {
		to = now
	}
	return from.Truncate(time.Second), to.Truncate(time.Second)
}

// creators are those whose things are read; an empty id is everybody.
func (x *export) creators() []string {
	if x.scope.Accounts == nil {
		return []string{""}
	}
	return folded(x.scope.Accounts)
}

// people are the ids of everybody, or of those of the chosen who exist.
func (x *export) people(ctx context.Context) ([]string, error) {
	known := map[string]string{} // by the id in lower case
	if err := x.eachID(ctx, func(id string) bool { known[strings.ToLower(id)] = id; return true }); err != nil {
		return nil, err
	}
	if len(known) == 0 {
		return nil, empty("user/list_id", "the platform lists not a single user")
	}
	var ids []string
	if x.scope.Accounts == nil {
		for _, id := range known {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		return ids, nil
	}
	var absent missed
	for _, id := range folded(x.scope.Accounts) {
		if exact, exists := known[strings.ToLower(id)]; exists {
			ids = append(ids, exact)
		} else {
			absent.note(id, nil)
		}
	}
	if absent.n > 0 {
		x.gap(directory.Gap{Class: directory.NotFound, Reason: fmt.Sprintf("%d of the chosen users do not exist (%s)", absent.n, absent.names())})
	}
	return ids, nil
}

// once tells what comes for the first time. It remembers one window and the one
// before, with which it shares a border, not all of them.
type once struct {
	mu          sync.Mutex
	now, before map[string]bool
}

// turn begins the next window.
func (o *once) turn() { o.before, o.now = o.now, nil }

// first reports whether id is one, and new.
func (o *once) first(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now == nil {
		o.now = map[string]bool{}
	}
	known := id == "" || o.now[id] || o.before[id]
	o.now[id] = true
	return !known
}

// one hands out one item of a dataset.
func (x *export) one(part, id string, raw json.RawMessage) error {
	return x.emit(directory.Item{Part: part, ID: id, Raw: raw})
}

// each reads things one by one, a few at a time, and hands them out. What the
// platform refuses of them singly is noted.
func (x *export) each(ctx context.Context, part string, ids []string, lost *missed, read func(ctx context.Context, id string) (json.RawMessage, error)) error {
	return inParallel(ctx, len(ids), func(ctx context.Context, i int) error {
		raw, err := read(ctx, ids[i])
		switch {
		case single(err):
			lost.note(ids[i], err)
			return nil
		case err != nil:
			return err
		}
		lost.had.Add(1)
		return x.one(part, ids[i], raw)
	})
}

// single reports whether the platform refuses this one thing, and may not refuse
// the next.
func single(err error) bool {
	e, ok := errors.AsType[*directory.Error](err)
	if !ok || e.Code == "" {
		return false
	}
	switch codeOf(err) {
	case codeNoAPI, codeForbidden, codeNotGranted, codeNotTrusted:
		return false
	}
	_, understood := meanings[codeOf(err)]
	switch e.Class {
	case directory.NotFound, directory.Invalid, directory.PermissionDenied:
		return true
	case directory.Unavailable:
		return !understood
	}
	return false
}

// settle makes a gap of what was refused singly, or an error if nothing may be read at all.
func (x *export) settle(part, things string, lost *missed) error {
	switch {
	case lost.n == 0:
		return nil
	case lost.had.Load() == 0 && lost.first.Class == directory.PermissionDenied:
		return lost.first
	}
	x.gap(directory.Gap{Part: part, Class: lost.first.Class, Reason: fmt.Sprintf("%d of %d %s could not be read (%s): %s (platform code %s)",
		lost.n, int64(lost.n)+lost.had.Load(), things, lost.names(), lost.first.Message, lost.first.Code)})
	return nil
}

// ungranted says where the console lets the app read what it may not read.
func (x *export) ungranted(err error) error {
	e, ok := errors.AsType[*directory.Error](err)
	if !ok || x.grant == "" {
		return err
	}
	switch codeOf(err) {
	case codeNoAPI, codeForbidden, codeNotGranted:
		granted := *e
		granted.Message = "the app may not read this; enter the app of " + appSecret + " in " + x.grant
		return &granted
	}
	return err
}

// approvals: what was handed in during the time, and all that was decided on it.
func (x *export) approvals(ctx context.Context) error {
	var lost missed
	for _, creator := range x.creators() {
		var seen once
		for _, w := range x.windows(approvalWindow) {
			seen.turn()
			if err := x.approvalsIn(ctx, w, creator, &seen, &lost); err != nil {
				return err
			}
		}
	}
	return x.settle("approvals", "approvals", &lost)
}

func (x *export) approvalsIn(ctx context.Context, w span, creator string, seen *once, lost *missed) error {
	err := pages("oa/getapprovalinfo", func(cursor string) (page[string], error) {
		return x.client.approvalNumbers(ctx, x.details, w, creator, cursor)
	}, func(numbers []string) error {
		numbers = slices.DeleteFunc(numbers, func(id string) bool { return !seen.first(id) })
		return x.each(ctx, "approvals", numbers, lost, func(ctx context.Context, id string) (json.RawMessage, error) {
			return x.client.approval(ctx, x.details, id)
		})
	})
	if codeOf(err) != codeTooWide || w.to-w.from < 2 {
		return err
	}
	half := w.from + (w.to-w.from)/2
	if err := x.approvalsIn(ctx, span{w.from, half}, creator, seen, lost); err != nil {
		return err
	}
	return x.approvalsIn(ctx, span{half, w.to}, creator, seen, lost)
}

// reports: daily, weekly and other reports of the time.
func (x *export) reports(ctx context.Context) error {
	var lost missed
	for _, creator := range x.creators() {
		var seen once
		for _, w := range x.windows(reportWindow) {
			seen.turn()
			err := pages("oa/journal/get_record_list", func(cursor string) (page[string], error) {
				return x.client.reportIDs(ctx, x.details, w, creator, cursor)
			}, func(ids []string) error {
				ids = slices.DeleteFunc(ids, func(id string) bool { return !seen.first(id) })
				return x.each(ctx, "reports", ids, &lost, func(ctx context.Context, id string) (json.RawMessage, error) {
					return x.client.reportDetails(ctx, x.details, id)
				})
			})
			if err != nil {
				return err
			}
		}
	}
	return x.settle("reports", "reports", &lost)
}

// attendance: clock-ins, which have no id of their own.
func (x *export) attendance(ctx context.Context) error {
	ids, err := x.people(ctx)
	if err != nil {
		return err
	}
	var lost missed
	batches := slices.Collect(slices.Chunk(ids, punchPeople))
	err = inParallel(ctx, len(batches), func(ctx context.Context, i int) error {
		return lost.together(batches[i], x.punchesOf(ctx, batches[i]))
	})
	if err != nil {
		return err
	}
	return x.settle("punches", "users", &lost)
}

func (x *export) punchesOf(ctx context.Context, people []string) error {
	var seen once
	for _, w := range x.windows(punchWindow) {
		seen.turn()
		rows, err := x.client.punches(ctx, x.details, w, people)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if id := timed(row.is.Time, row.raw); seen.first(id) {
				if err := x.one("punches", id, row.raw); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// timed makes an id for a row that has none: its time and a part of its hash.
func timed(at number, raw json.RawMessage) string {
	sum := sha256.Sum256(raw)
	return formatID(int64(at)) + "-" + hex.EncodeToString(sum[:8])
}

// roster: the fields that the personnel module keeps, and what it keeps in them.
func (x *export) roster(ctx context.Context) error {
	groups, err := x.client.rosterFields(ctx, x.details)
	if err != nil {
		return err
	}
	var fields once
	for _, g := range groups {
		if id := formatID(int64(g.is.ID)); fields.first(id) {
			if err := x.one("fields", id, g.raw); err != nil {
				return err
			}
		}
	}
	ids, err := x.people(ctx)
	if err != nil {
		return err
	}
	var lost missed
	err = x.each(ctx, "people", ids, &lost, func(ctx context.Context, id string) (json.RawMessage, error) {
		return x.client.rosterOf(ctx, x.details, id)
	})
	if err != nil {
		return err
	}
	return x.settle("people", "users", &lost)
}

// operationLogs: what administrators did in the console, and what users did.
// What was done by API is in neither
// (https://developer.work.weixin.qq.com/document/path/100179).
func (x *export) operationLogs(ctx context.Context) error {
	const skew = 5 * time.Second // their end must be past, by the platform's clock
	now := x.details.now()
	if from, _ := x.bounds(); from.Before(now.Add(-logReach)) {
		x.scope.From = now.Add(-logReach + time.Minute)
		x.gap(directory.Gap{Class: directory.NotSupported, Reason: "WeCom keeps these logs for 180 days: what was before " +
			x.scope.From.UTC().Format(time.RFC3339) + " is not here"})
	}
	if latest := now.Add(-skew); x.scope.To.IsZero() || x.scope.To.After(latest) {
		x.scope.To = latest
	}
	parts := []struct{ name, operation string }{
		{"administrators", "security/admin_oper_log/list"}, {"users", "security/member_oper_log/list"},
	}
	var denied error
	read := 0
	for _, p := range parts {
		err := x.log(ctx, p.name, p.operation)
		switch e, ok := errors.AsType[*directory.Error](x.ungranted(err)); {
		case ok && e.Class == directory.PermissionDenied:
			x.gap(directory.Gap{Part: p.name, Class: e.Class, Reason: e.Message})
			denied = err
		case err != nil:
			return err
		default:
			read++
		}
	}
	if read == 0 {
		return denied
	}
	return nil
}

func (x *export) log(ctx context.Context, part, operation string) error {
	for _, person := range x.creators() {
		var seen once
		for _, w := range x.windows(logWindow) {
			seen.turn()
			err := pages(operation, func(cursor string) (page[written[record]], error) {
				return x.client.operations(ctx, x.details, operation, w, person, cursor)
			}, func(rows []written[record]) error {
				for _, row := range rows {
					if id := timed(row.is.Time, row.raw); seen.first(id) {
						if err := x.one(part, id, row.raw); err != nil {
							return err
						}
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// groups: groups with customers in them; no call lists the others.
func (x *export) groups(ctx context.Context) error {
	x.gap(directory.Gap{Part: "groups", Class: directory.NotSupported,
		Reason: "WeCom lists groups with customers in them; groups of colleagues alone cannot be listed by any call"})
	ids, err := x.people(ctx)
	if err != nil {
		return err
	}
	var lost, lostOwners missed
	var seen once
	const anyStatus, ownerLeft = 0, 1
	for owners := range slices.Chunk(ids, ownersAtOnce) {
		if err := lostOwners.together(owners, x.groupsOf(ctx, owners, anyStatus, &seen, &lost)); err != nil {
			return err
		}
	}
	if x.scope.Accounts == nil {
		// Who has left is no owner one may ask for (40003).
		err := x.groupsOf(ctx, nil, ownerLeft, &seen, &lost)
		if codeOf(err) == codeTooMany {
			x.gap(directory.Gap{Part: "groups", Class: directory.QuotaExceeded,
				Reason: "groups whose owner has left cannot be listed in a company of this size"})
		} else if err != nil {
			return err
		}
	}
	if err := x.settle("groups", "owners", &lostOwners); err != nil {
		return err
	}
	return x.settle("groups", "groups", &lost)
}

func (x *export) groupsOf(ctx context.Context, owners []string, status int, seen *once, lost *missed) error {
	return pages("externalcontact/groupchat/list", func(cursor string) (page[written[customerGroup]], error) {
		return x.client.customerGroups(ctx, x.details, owners, status, cursor)
	}, func(rows []written[customerGroup]) error {
		listed := map[string]json.RawMessage{}
		var ids []string
		for _, row := range rows {
			if seen.first(row.is.ID) {
				listed[row.is.ID], ids = row.raw, append(ids, row.is.ID)
			}
		}
		return x.each(ctx, "groups", ids, lost, func(ctx context.Context, id string) (json.RawMessage, error) {
			details, err := x.client.groupDetails(ctx, x.details, id)
			if err != nil {
				return nil, err
			}
			return json.Marshal(map[string]json.RawMessage{"list": listed[id], "group_chat": details})
		})
	})
}

// files: the names and places of files, of the spaces that people let be
// archived. No call lists other spaces.
func (x *export) files(ctx context.Context) error {
	x.gap(directory.Gap{Class: directory.NotSupported,
		Reason: "WeCom lists the files of people who have a seat of 文件内容存档, in the spaces that they let be archived; no call lists other spaces"})
	ids, err := x.people(ctx)
	if err != nil {
		return err
	}
	var lost missed
	var spaces, files once
	err = inParallel(ctx, len(ids), func(ctx context.Context, i int) error {
		err := x.filesOf(ctx, ids[i], &spaces, &files)
		if single(err) {
			lost.note(ids[i], err)
			return nil
		}
		lost.had.Add(1)
		return err
	})
	if err != nil {
		return err
	}
	return x.settle("files", "users", &lost)
}

func (x *export) filesOf(ctx context.Context, user string, spaces, files *once) error {
	list, err := x.client.archivedSpaces(ctx, x.details, user)
	if err != nil {
		return err
	}
	for _, s := range list {
		if spaces.first(s.is.ID) {
			if err := x.one("spaces", s.is.ID, s.raw); err != nil {
				return err
			}
		}
		err := pages("security/wedrive/get_auth_file_list", func(cursor string) (page[written[file]], error) {
			return x.client.archivedFiles(ctx, x.details, user, s.is.ID, cursor)
		}, func(rows []written[file]) error {
			for _, row := range rows {
				if files.first(row.is.ID) {
					if err := x.one("files", row.is.ID, row.raw); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
