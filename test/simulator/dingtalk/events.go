package dingtalk

import (
	"slices"
	"strings"
	"time"

	"rollcall.dev/rollcall/test/simulator/core"
)

const (
	maxEventPage      = 100
	maxEventAttendees = 100

	collEvents = "events"

	// calendarPrefix and calendarSuffix are around a union id.
	calendarPrefix = "/v1.0/calendar/users/"
	calendarSuffix = "/calendars/primary/events"
)

// events are one every fifteen days from everybody, each in its organizer's calendar
// only: there are no invitations.
func (t *tenant) events() core.Dataset {
	return core.Dataset{
		Name: collEvents, Salt: "event", Every: 15, Hours: []int{15},
		Show: t.event,
		Stamp: func(o map[string]any) (time.Time, string) {
			organizer, _ := o["organizer"].(map[string]any)
			return eventStart(o), t.byUnion[word(organizer, "id")]
		},
	}
}

// eventStart reads when an event made by hand starts: a moment, or a day if it lasts
// all day. What is neither is long ago.
func eventStart(object map[string]any) time.Time {
	start, _ := object["start"].(map[string]any)
	if at, err := time.Parse(time.RFC3339, word(start, "dateTime")); err == nil {
		return at
	}
	at, _ := time.ParseInLocation(time.DateOnly, word(start, "date"), core.Local)
	return at
}

func (t *tenant) event(r core.Record) map[string]any {
	name, unit := t.whoIs(r.Person)
	who := map[string]any{"displayName": name, "responseStatus": "accepted", "self": true}
	if u, ok := t.users.Get(r.Person, core.Live); ok {
		who["id"] = u.union
	}
	moment := func(at time.Time) map[string]any {
		return map[string]any{"dateTime": at.In(core.Local).Format(time.RFC3339), "timeZone": "Asia/Shanghai"}
	}
	made := r.At.Add(-24 * time.Hour).UTC().Format(time.RFC3339)
	return map[string]any{
		"id": r.ID(), "summary": unit + "例会", "description": "第" + r.ID()[9:13] + "次", "status": "confirmed",
		"start": moment(r.At), "end": moment(r.At.Add(time.Hour)), "isAllDay": false,
		"organizer": who, "attendees": []any{who}, "location": map[string]any{"displayName": "会议室1"},
		"reminders":  []map[string]any{{"method": "dingtalk", "minutes": "15"}},
		"createTime": made, "updateTime": made,
	}
}

// eventQuery is what a call asks for.
type eventQuery struct {
	owner     string
	from, to  time.Time
	series    string
	deleted   bool
	attendees int64
}

func badEvents(what string) error { return bad("invalidParameter", what) }

func (s *session) eventQuery() (q eventQuery, err error) {
	union := strings.TrimSuffix(strings.TrimPrefix(s.call.Operation, calendarPrefix), calendarSuffix)
	q.owner = s.byUnion[union]
	if u, ok := s.users.Get(q.owner, s.at); !ok || !s.seesUser(u) {
		return q, badEvents("userId")
	}
	if err := s.eventWindow(&q); err != nil {
		return q, err
	}
	var given bool
	q.attendees, given, err = s.args.integer("maxAttendees")
	if !given {
		q.attendees = maxEventAttendees
	}
	if err != nil || q.attendees < 1 || q.attendees > maxEventAttendees {
		return q, badEvents("maxAttendees")
	}
	if q.series, err = s.args.text("seriesMasterId"); err != nil {
		return q, badEvents("seriesMasterId")
	}
	if q.deleted, err = s.args.flag("showDeleted"); err != nil {
		return q, badEvents("showDeleted")
	}
	return q, nil
}

// eventWindow reads the two moments. Each may be left out.
func (s *session) eventWindow(q *eventQuery) error {
	q.to = s.now.AddDate(10, 0, 0) // unless the call says otherwise
	from, err1 := s.args.text("timeMin")
	to, err2 := s.args.text("timeMax")
	if from != "" && err1 == nil {
		q.from, err1 = time.Parse(time.RFC3339, from)
	}
	if to != "" && err2 == nil {
		q.to, err2 = time.Parse(time.RFC3339, to)
	}
	if err1 != nil || err2 != nil || q.to.Before(q.from) || from != "" && to != "" && q.to.After(q.from.AddDate(1, 0, 0)) {
		return badEvents("timeMin和timeMax最大差值为一年")
	}
	return nil
}

// listEvents serves GET /v1.0/calendar/users/{userId}/calendars/primary/events: the
// events that start between two moments, both included (?). The page names bounds, but
// not how what is beyond them is refused, nor an unknown user: invalidParameter, as
// other calls of the calendar do (?).
// https://open.dingtalk.com/document/development/query-an-event-list
func (s *session) listEvents() (map[string]any, error) {
	q, err := s.eventQuery()
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for r := range s.past.Records(s.events(), s.span(q.from, q.to, []string{q.owner})) {
		o := r.Object()
		if !q.deleted && word(o, "status") == "cancelled" || q.series != "" && word(o, "seriesMasterId") != q.series {
			continue
		}
		list = append(list, q.shown(o))
	}
	reply, rows, err := s.tokenPage(s.args, list, maxEventPage)
	if err != nil {
		return nil, badEvents("maxResults")
	}
	reply["events"] = rows
	return reply, nil
}

// shown is an event with no more attendees than were asked for.
func (q eventQuery) shown(o map[string]any) map[string]any {
	all, _ := o["attendees"].([]any)
	if int64(len(all)) <= q.attendees {
		return o
	}
	cut := make(map[string]any, len(o))
	for name, v := range o {
		cut[name] = v
	}
	cut["attendees"] = slices.Clone(all[:q.attendees])
	return cut
}
