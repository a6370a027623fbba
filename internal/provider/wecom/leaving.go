package wecom

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"rollcall.dev/rollcall/internal/directory"
)

var (
	_ directory.Remover        = (*Directory)(nil)
	_ directory.Heir           = (*Directory)(nil)
	_ directory.RoleRevoker    = (*Directory)(nil)
	_ directory.Notifier       = (*Directory)(nil)
	_ directory.ResidualFinder = (*Directory)(nil)
)

// Duties implements [directory.Remover]. What has no call of its own was looked
// for in the list of the pages; doc.go says where.
func (d *Directory) Duties() []directory.DutyOffer {
	byHand := func(duty directory.Duty, manual string) directory.DutyOffer {
		return directory.DutyOffer{Duty: duty, Moment: directory.ByHand, Manual: manual}
	}
	return []directory.DutyOffer{
		{Duty: directory.DutyCustomers, Moment: directory.AfterRemoval},
		{Duty: directory.DutyCustomerGroups, Moment: directory.AfterRemoval},
		byHand(directory.DutyGroups, "WeCom has no call that passes groups of colleagues on: their owner does it in the WeCom app (群管理 → 转让群主)."+
			" Of groups whose owner is frozen already, WeCom is said to make one of the members the owner when the account is removed; see to those that matter"),
		byHand(directory.DutyApprovals, "WeCom has no call that passes approvals on: settle or pass on what waits for the leaver in the app 审批,"+
			" and put somebody else into the flows of forms that name the leaver (admin console, 应用管理 → 审批)"),
		byHand(directory.DutyCalendars, "WeCom lets an app reach only the calendars that it has made: pass on or cancel the leaver's calendars and meetings"+
			" in the WeCom app, under 日程 and 会议"),
		byHand(directory.DutyDocuments, "WeCom has no call that passes documents on: make somebody else the owner of the leaver's documents,"+
			" in the WeCom app under 文档"),
		byHand(directory.DutyFiles, "WeCom has no call that passes the spaces of 微盘 on: give somebody else the right to administer those of the leaver,"+
			" in the WeCom app under 微盘"),
		byHand(directory.DutyPermissions, "WeCom has no call that grants or takes rights of administration: take the leaver out of every group of administrators"+
			" in the admin console, under 我的企业 → 权限管理, and let somebody else in"),
	}
}

// Remove implements [directory.Remover]. Nothing is passed on with it, and the
// platform keeps no reason. A mailbox of Tencent's company mail goes with the
// account (https://developer.work.weixin.qq.com/document/path/90198).
func (d *Directory) Remove(ctx context.Context, id string, _ directory.Removal) error {
	err := d.client.deleteUser(ctx, d.sync, id)
	if codeOf(err) == codeCreator {
		// https://developer.work.weixin.qq.com/document/path/90313, 301005
		return retold(err, directory.Conflict,
			"this is the company's creator, whom WeCom does not let go: make somebody else the creator in the admin console first")
	}
	return err
}

// retold is the platform's refusal in the words of who was refused.
func retold(err error, class directory.Class, words string) error {
	e, ok := errors.AsType[*directory.Error](err)
	if !ok {
		return err
	}
	again := *e
	again.Class, again.Message = class, words
	return &again
}

// Inherit implements [directory.Heir]: first the customers, which take a day, then
// the groups with customers in them.
func (d *Directory) Inherit(ctx context.Context, leaver, successor string) (directory.Inheritance, error) {
	switch {
	case d.details == d.sync:
		return directory.Inheritance{}, &directory.Error{Class: directory.PermissionDenied, Operation: opTransfer, Message: "the secret of 通讯录同步" +
			" does not reach customers: add " + appSecret + " to the credentials, and " + orByHand}
	case successor == "" || strings.EqualFold(leaver, successor):
		return directory.Inheritance{}, invalid(opTransfer, "somebody else has to be named who takes over")
	}
	// Whose customers are not listed yet must not pass for somebody without any.
	switch _, err := d.Account(ctx, leaver); directory.ClassOf(err) {
	case directory.NotFound:
	case "":
		return directory.Inheritance{}, &directory.Error{Class: directory.Conflict, Operation: opTransfer,
			Message: "customers can be passed on only when the account is removed, and it is still there"}
	default:
		return directory.Inheritance{}, err
	}
	h := &heir{Directory: d, leaver: leaver, successor: successor}
	err := h.customers(ctx)
	if err == nil {
		err = h.groups(ctx)
	}
	if err != nil {
		return directory.Inheritance{}, h.explain(err)
	}
	return h.far(), nil
}

// orByHand is what has to be done where the app may not pass customers on.
var orByHand = "enter its app in " + datasets[directory.DatasetGroups].grant +
	"; or pass the leaver's customers and groups on by hand, in the admin console under 客户联系 → 离职继承"

const noSuccessor = "the successor does not exist, or the app may not see them"

// heir is one inheritance, and how far it is.
type heir struct {
	*Directory
	leaver, successor string

	so directory.Inheritance
	// again is the first moment at which something that waits may be done; soon, if
	// it may be at any moment.
	again time.Time
	soon  bool
}

// wait counts things that wait until then; zero is soon.
func (h *heir) wait(n int, until time.Time) {
	if n <= 0 {
		return
	}
	h.so.Waiting += n
	if latest := h.details.now().Add(aDay); until.After(latest) { // no page promises more, and it would not be asked about again
		until = latest
	}
	switch {
	case !until.After(h.details.now()):
		h.soon = true
	case h.again.IsZero() || until.Before(h.again):
		h.again = until
	}
}

func (h *heir) far() directory.Inheritance {
	if !h.soon {
		h.so.Again = h.again
	}
	return h.so
}

const (
	// aDay is how long the platform takes to pass a customer on
	// (https://developer.work.weixin.qq.com/document/path/94081), and how long the
	// groups of the next day wait.
	aDay = 24 * time.Hour
	// groupTakes is when to ask again for a group, as no page says how long it takes.
	groupTakes = time.Hour
)

// customers passes on those that the platform lists as nobody's, but those that it
// was asked for before: transfer_result knows them, whether they are listed or not.
func (h *heir) customers(ctx context.Context) error {
	asked := map[string]bool{}
	err := pages("externalcontact/resigned/transfer_result", func(cursor string) (page[transfer], error) {
		return h.client.transfers(ctx, h.details, h.leaver, h.successor, cursor)
	}, func(rows []transfer) error {
		for _, t := range rows {
			if !asked[t.Customer] {
				asked[t.Customer] = h.asked(&t)
			}
		}
		return nil
	})
	if unknownUser(err) { // who never had a customer may be unknown there; a successor who has left meanwhile took nothing over
		if _, err = h.Account(ctx, h.successor); directory.ClassOf(err) == directory.NotFound {
			return retold(err, directory.Invalid, noSuccessor)
		}
	}
	if err != nil {
		return err
	}
	all, err := h.unassigned.get(ctx)
	if err != nil {
		return err
	}
	todo := slices.DeleteFunc(slices.Clone(all[strings.ToLower(h.leaver)]), func(id string) bool { return asked[id] })
	for batch := range slices.Chunk(todo, customersAtOnce) {
		rows, err := h.client.transferCustomers(ctx, h.details, h.leaver, h.successor, batch)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := h.count(opTransfer, r.Code, aDay); err != nil {
				return err
			}
		}
		h.wait(len(batch)-len(rows), time.Time{}) // of whom it says nothing
	}
	return nil
}

// asked counts a customer that the platform was asked for, and reports whether it was.
func (h *heir) asked(t *transfer) bool {
	switch t.Status {
	case transferDone:
		h.so.Done++
	case transferWaits:
		h.wait(1, time.Unix(int64(t.Time), 0))
	case transferRefused, transferFull:
		h.so.Refused++
	default:
		return false
	}
	return true
}

// count counts what the platform says of one customer or group. An error is one of
// the successor, of the app or of the moment; the others would meet it too. Users
// whom it does not know are refused for all at once; of one thing it is another
// user, or long ago.
func (h *heir) count(operation string, code int, takes time.Duration) error {
	switch code {
	case 0, codeUnderWay, codeBeingPassed, codeGroupWaits:
		h.wait(1, h.details.now().Add(takes))
		return nil
	case codeGroupPassed, codeSameOwner:
		h.so.Done++
		return nil
	}
	e := refusal(&request{operation: operation, write: true}, code, "")
	_, understood := meanings[code]
	switch {
	case e.Class == directory.NotFound, e.Class == directory.QuotaExceeded, !understood:
		h.so.Refused++
		return nil
	}
	return e
}

// unknownUser reports whether the platform does not know a user, or does not let the app see them.
func unknownUser(err error) bool {
	switch codeOf(err) {
	case codeNoSuchUser, codeInvalidUser, codeUnknownUser:
		return true
	}
	return false
}

// explain says what has to be done.
func (h *heir) explain(err error) error {
	switch codeOf(err) {
	case codeNoAPI, codeForbidden, codeNotGranted:
		return retold(err, directory.PermissionDenied, "the app of "+appSecret+" may not pass customers on: "+orByHand)
	case codeNoSuchUser, codeInvalidUser, codeUnknownUser:
		return retold(err, directory.Invalid, noSuccessor)
	}
	return err
}

// groups passes on the groups whose owner has left.
func (h *heir) groups(ctx context.Context) error {
	g, err := h.groupsOf(ctx, h.leaver)
	if codeOf(err) == codeTooMany {
		return retold(err, directory.NotSupported, "WeCom does not list the groups of those who have left in a company of this size:"+
			" pass them on by hand, in the admin console under 客户联系 → 离职继承; customers were passed on")
	} else if err != nil {
		return err
	}
	h.so.Done += g.passedOn
	h.wait(g.onTheirWay, h.details.now().Add(groupTakes))
	left := g.orphaned
	for len(left) > 0 {
		batch := left[:min(len(left), groupsAtOnce, h.given.room(h.successor, h.details.now()))]
		if len(batch) == 0 {
			break
		}
		full, err := h.pass(ctx, batch)
		if err != nil {
			return err
		}
		if left = left[len(batch):]; full {
			break
		}
	}
	h.wait(len(left), h.details.now().Add(aDay))
	return nil
}

// pass passes groups on, and reports whether the platform takes no more today.
func (h *heir) pass(ctx context.Context, groups []string) (full bool, err error) {
	failed, err := h.client.transferGroups(ctx, h.details, groups, h.successor)
	if err != nil {
		if directory.ClassOf(err) == directory.OutcomeUnknown {
			h.given.add(h.successor, len(groups), h.details.now())
		}
		return false, err
	}
	h.given.add(h.successor, len(groups)-len(failed), h.details.now())
	h.so.Done += len(groups) - len(failed)
	for _, f := range failed {
		if f.Code == codeTooFast {
			full = true
			h.wait(1, h.details.now().Add(aDay))
		} else if err := h.count(opTransferGroup, f.Code, groupTakes); err != nil {
			return false, err
		}
	}
	return full, nil
}

// allowance counts the groups that users were given within a day: 300 is the most
// (https://developer.work.weixin.qq.com/document/path/92127). It begins anew with
// the process; then the platform itself refuses what is too much.
type allowance struct {
	mu sync.Mutex
	by map[string]given // by the user in lower case
}

type given struct {
	n     int
	since time.Time
}

func (a *allowance) room(user string, now time.Time) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return max(0, groupsADay-a.today(user, now).n)
}

func (a *allowance) add(user string, n int, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.today(user, now)
	g.n += n
	if a.by == nil {
		a.by = map[string]given{}
	}
	a.by[strings.ToLower(user)] = g
}

// today: no page says where a day begins, so it begins with the first group.
func (a *allowance) today(user string, now time.Time) given {
	g := a.by[strings.ToLower(user)]
	if now.Sub(g.since) >= aDay {
		return given{since: now}
	}
	return g
}

// ownGroups are the groups with customers in them that belong, or belonged, to
// somebody who has left.
type ownGroups struct {
	orphaned             []string
	onTheirWay, passedOn int
}

func (g *ownGroups) note(c *customerGroup) {
	switch c.Status {
	case groupOnItsWay:
		g.onTheirWay++
	case groupPassedOn:
		g.passedOn++
	default:
		g.orphaned = append(g.orphaned, c.ID)
	}
}

// groupsOf finds the groups of somebody who has left. The page says that they have
// to be asked for by their owner; who did so was refused (40003) or got nothing,
// and found them among all that have lost theirs. See doc.go.
func (d *Directory) groupsOf(ctx context.Context, leaver string) (ownGroups, error) {
	var g ownGroups
	known := map[string]bool{}
	refused := d.eachGroup(ctx, []string{leaver}, groupAnyStatus, func(c *customerGroup) {
		if !known[c.ID] {
			known[c.ID] = true
			g.note(c)
		}
	})
	switch {
	case refused != nil && !unknownUser(refused):
		return ownGroups{}, refused
	case len(known) > 0:
		return g, nil
	}
	orphans, err := d.orphans.get(ctx)
	if codeOf(err) == codeTooMany && refused == nil { // then the page is right
		return g, nil
	}
	return orphans[strings.ToLower(leaver)], err
}

func (d *Directory) eachGroup(ctx context.Context, owners []string, status int, visit func(*customerGroup)) error {
	return pages("externalcontact/groupchat/list", func(cursor string) (page[written[customerGroup]], error) {
		return d.client.customerGroups(ctx, d.details, owners, status, cursor)
	}, func(rows []written[customerGroup]) error {
		for i := range rows {
			visit(&rows[i].is)
		}
		return nil
	})
}

// readOrphans reads the groups of all who have left, by the owner in lower case.
// The list does not name owners, so each group is read.
func (d *Directory) readOrphans(ctx context.Context) (map[string]ownGroups, error) {
	var all []customerGroup
	known := map[string]bool{}
	for _, status := range []int{groupOrphaned, groupOnItsWay} {
		err := d.eachGroup(ctx, nil, status, func(c *customerGroup) {
			if !known[c.ID] {
				known[c.ID] = true
				all = append(all, *c)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	owners := make([]string, len(all))
	err := inParallel(ctx, len(all), func(ctx context.Context, i int) (err error) {
		owners[i], err = d.client.groupOwner(ctx, d.details, all[i].ID)
		if single(err) { // dissolved, or not the app's to pass on
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	by := map[string]ownGroups{}
	for i := range all {
		g := by[strings.ToLower(owners[i])]
		g.note(&all[i])
		by[strings.ToLower(owners[i])] = g
	}
	return by, nil
}

// readUnassigned reads the customers of all who have left, by the leaver in lower case.
func (d *Directory) readUnassigned(ctx context.Context) (map[string][]string, error) {
	by := map[string][]string{}
	known := map[unassigned]bool{}
	return by, pages("externalcontact/get_unassigned_list", func(cursor string) (page[unassigned], error) {
		return d.client.unassignedCustomers(ctx, d.details, cursor)
	}, func(rows []unassigned) error {
		for _, r := range rows {
			if key := strings.ToLower(r.Leaver); r.Customer != "" && !known[r] {
				known[r] = true
				by[key] = append(by[key], r.Customer)
			}
		}
		return nil
	})
}

const (
	// noticeWindow is the longest that the platform recognises a message
	// (https://developer.work.weixin.qq.com/document/path/90236).
	noticeWindow = 4 * time.Hour
	// What [directory.Notifier] promises of a notice; the platform cuts a text at
	// 2048 bytes and takes 1000 receivers.
	longestNotice = 2000
	mostReceivers = 100
)

// Notify implements [directory.Notifier]. The platform recognises a message by the
// whole of the request, so the receivers are sorted.
func (d *Directory) Notify(ctx context.Context, to []string, text string) (directory.Receipt, error) {
	const operation = "message/send"
	if d.agent == 0 {
		return directory.Receipt{}, &directory.Error{Class: directory.NotSupported, Operation: operation, Message: "WeCom sends messages in the name of an app only:" +
			" add its secret and its AgentId to the credentials, as " + appSecret + " and " + agentID}
	}
	if err := sendable(operation, to, text); err != nil {
		return directory.Receipt{}, err
	}
	receivers := folded(to)
	slices.SortFunc(receivers, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	m, err := d.client.message(ctx, d.details, d.agent, receivers, text)
	switch codeOf(err) {
	case codeNobody:
		return directory.Receipt{Missed: receivers}, nil
	case codeWrongAgent, codeNotThisAgent:
		return directory.Receipt{}, retold(err, directory.PermissionDenied,
			"the app of "+appSecret+" has another AgentId than "+agentID+" in the credentials says")
	case codeForbidden:
		return directory.Receipt{}, retold(err, directory.PermissionDenied, "the secret of "+appSecret+" may not send messages; is it that of a self-built app?")
	}
	if err != nil {
		return directory.Receipt{}, err
	}
	missed := map[string]bool{} // they come in lower case
	for _, id := range slices.Concat(barred(m.Invalid), barred(m.Unlicensed)) {
		missed[strings.ToLower(id)] = true
	}
	return directory.Receipt{ID: m.ID, Missed: slices.DeleteFunc(receivers, func(id string) bool { return !missed[strings.ToLower(id)] })}, nil
}

// sendable fails unless the notice is one. What is no user id must not get into
// the list: "@all" is the whole company, and "a|b" two people.
func sendable(operation string, to []string, text string) error {
	switch {
	case text == "" || len(text) > longestNotice || !utf8.ValidString(text):
		return invalid(operation, fmt.Sprintf("a notice must have 1 to %d bytes of UTF-8", longestNotice))
	case len(to) == 0 || len(to) > mostReceivers:
		return invalid(operation, fmt.Sprintf("a notice must go to 1 to %d users", mostReceivers))
	case slices.ContainsFunc(to, func(id string) bool { return !userID.MatchString(id) }):
		return invalid(operation, "one of those who shall be told is no user id")
	}
	return nil
}

// Delivered implements [directory.Notifier]: no call tells what became of a
// message; https://developer.work.weixin.qq.com/document/path/92369 counts those
// of an app, by the day.
func (d *Directory) Delivered(context.Context, directory.Receipt) (directory.Receipt, error) {
	return directory.Receipt{}, &directory.Error{Class: directory.NotSupported, Operation: "message/send",
		Message: "WeCom does not tell what became of a message"}
}

// Residuals implements [directory.ResidualFinder]: departments that the account
// leads, tags, customers and groups that wait for a successor. What cannot be
// found is in doc.go.
func (d *Directory) Residuals(ctx context.Context, id string) ([]string, error) {
	var left []string
	departments, err := d.client.listDepartments(ctx, d.details)
	if err != nil {
		return nil, err
	}
	for i := range departments {
		dept := &departments[i].is
		if slices.ContainsFunc(dept.Leaders, func(leader string) bool { return strings.EqualFold(leader, id) }) {
			left = append(left, fmt.Sprintf("leads department %d (通讯录)", dept.ID))
		}
	}
	tags, err := d.tags.get(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range tags[strings.ToLower(id)] {
		left = append(left, fmt.Sprintf("has the tag %q, id %s (通讯录 → 标签)", r.Name, r.ID))
	}
	waiting, err := d.heirless(ctx, id)
	if err != nil {
		return nil, err
	}
	return append(left, waiting...), nil
}

// heirless says what waits for a successor; nothing, where the app may not know.
func (d *Directory) heirless(ctx context.Context, id string) (left []string, err error) {
	if d.details == d.sync {
		return nil, nil
	}
	all, err := d.unassigned.get(ctx)
	var g ownGroups
	if err == nil {
		g, err = d.groupsOf(ctx, id)
	}
	switch codeOf(err) {
	case codeNoAPI, codeForbidden, codeNotGranted:
		return nil, nil
	case codeTooMany:
		err = nil
	}
	if err != nil {
		return nil, err
	}
	if n := len(all[strings.ToLower(id)]); n > 0 {
		left = append(left, fmt.Sprintf("%d customers wait for a successor (客户联系 → 离职继承)", n))
	}
	if n := len(g.orphaned) + g.onTheirWay; n > 0 {
		left = append(left, fmt.Sprintf("%d groups with customers wait for a new owner (客户联系 → 离职继承)", n))
	}
	return left, nil
}

// sharedTime is the most that a reading for several may take.
const sharedTime = 10 * time.Minute

// shared is a long reading that serves all who asked before it began: two hundred
// people who leave at once take a few readings of all tags, not two hundred. Who
// asks while one is under way waits for the next, as what that one has read already
// may be older than the question. So nobody is answered from before they asked, and
// nothing is remembered: no tag that somebody had when they were asked about can be
// hidden.
type shared[T any] struct {
	operation string
	read      func(context.Context) (T, error)

	mu   sync.Mutex
	next *shot[T] // has not begun
	busy bool
}

// shot is one reading. The fields before done are set before that is closed.
type shot[T any] struct {
	value T
	err   error
	done  chan struct{}
	begin func() (T, error)
}

func (s *shared[T]) get(ctx context.Context) (T, error) {
	mine := s.join(ctx)
	select {
	case <-mine.done:
		return mine.value, mine.err
	case <-ctx.Done():
		var none T
		return none, &directory.Error{Class: directory.Unavailable, Operation: s.operation,
			Message: "gave up waiting for a reading", Err: context.Cause(ctx)}
	}
}

// join returns the next reading, and sees to it that it begins. The reading belongs
// to all who wait, so it outlives whoever made it.
func (s *shared[T]) join(ctx context.Context) *shot[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = &shot[T]{done: make(chan struct{}), begin: func() (T, error) {
			detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), sharedTime)
			defer cancel()
			return s.read(detached)
		}}
	}
	if !s.busy {
		s.busy = true
		go s.run()
	}
	return s.next
}

// run reads as often as somebody waits.
func (s *shared[T]) run() {
	for {
		s.mu.Lock()
		now := s.next
		s.next, s.busy = nil, now != nil
		s.mu.Unlock()
		if now == nil {
			return
		}
		now.value, now.err = now.begin()
		close(now.done)
	}
}
