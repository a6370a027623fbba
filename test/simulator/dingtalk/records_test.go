package dingtalk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"
)

const fileLogs = "/v1.0/exclusive/fileAuditLogs"

// fileLogs pages through the records of the days before the start.
func (s *sim) fileLogs(days, size int) []body {
	s.t.Helper()
	var all []body
	next := ""
	for {
		page := s.new("GET", fmt.Sprintf("%s?startDate=%d&endDate=%d&pageSize=%d%s", fileLogs, ms(-days), ms(0), size, next), nil)["list"].([]any)
		for _, row := range page {
			all = append(all, row.(body))
		}
		if len(page) < size {
			return all
		}
		last := all[len(all)-1]
		next = fmt.Sprintf("&nextGmtCreate=%v&nextBizId=%v", last["gmtCreate"], last["bizId"])
	}
}

func TestFileLogs(t *testing.T) {
	s := withPast(t)
	if status, b := s.fresh("GET", fileLogs, nil); status != http.StatusForbidden || b["accessdenieddetail"] == nil {
		t.Errorf("where the edition is not exclusive: %d %v", status, b)
	}
	s.configure(`{"exclusive":true}`)
	whole := s.fileLogs(90, maxFileLogPage)
	if len(whole) < 200 || len(whole) > 41*9 {
		t.Errorf("%d records of 41 people in 90 days", len(whole))
	}
	seen, before := map[any]bool{}, int64(0)
	for _, row := range s.fileLogs(90, 7) {
		at, _ := row["gmtCreate"].(json.Number).Int64()
		if seen[row["bizId"]] || at < before {
			t.Errorf("%v comes again or out of order", row["bizId"])
		}
		seen[row["bizId"]], before = true, at
	}
	if len(seen) != len(whole) {
		t.Errorf("pages of seven have %d of %d records", len(seen), len(whole))
	}

	// One that somebody adds stands where its time puts it.
	at := whole[100]["gmtCreate"].(json.Number)
	if err := s.admin.Create("acme", collFileLogs, "1", json.RawMessage(`{"userId":"S00001","gmtCreate":`+at.String()+`}`)); err != nil {
		t.Fatal(err)
	}
	if err := s.admin.Remove("acme", collFileLogs, whole[0]["bizId"].(string)); err != nil {
		t.Fatal(err)
	}
	if edited := s.fileLogs(90, 7); len(edited) != len(whole) || edited[99]["bizId"] != "1" {
		t.Errorf("%d records after one was added and one removed", len(edited))
	}

	ask := func(rest string) string {
		return fmt.Sprintf("%s?startDate=%d&endDate=%d%s", fileLogs, ms(-9), ms(0), rest)
	}
	s.denied("param.error", "GET", ask(""), nil)
	s.denied("param.error", "GET", ask("&pageSize=5&nextBizId=1"), nil)
	s.denied("param.invalid", "GET", ask("&pageSize=501"), nil)
	s.configure(`{"permissions":["qyapi_base"]}`)
	s.denied("Forbidden.AccessDenied.AccessTokenPermissionDenied", "GET", ask("&pageSize=5"), nil)
}

func TestEvents(t *testing.T) {
	s := withPast(t)
	union := s.user("S00001")["unionid"].(string)
	path := calendarPrefix + union + calendarSuffix
	between := func(from, to int) string {
		return "?" + url.Values{
			"timeMin": {start.AddDate(0, 0, from).Format(time.RFC3339)}, "timeMax": {start.AddDate(0, 0, to).Format(time.RFC3339)},
		}.Encode()
	}
	all := s.new("GET", path+between(-90, 0), nil)
	events := all["events"].([]any)
	if len(events) < 3 || len(events) > 6 || all["nextToken"] != nil {
		t.Fatalf("events of 90 days: %v", all)
	}
	for _, e := range events {
		organizer := e.(body)["organizer"].(body)
		if organizer["id"] != union || organizer["displayName"] == "" {
			t.Errorf("in the calendar of %s: %v", union, e)
		}
	}
	first := s.new("GET", path+between(-90, 0)+"&maxResults=2", nil)
	rest := s.new("GET", path+between(-90, 0)+fmt.Sprintf("&nextToken=%v", first["nextToken"]), nil)
	if len(first["events"].([]any))+len(rest["events"].([]any)) != len(events) {
		t.Errorf("pages: %v, then %v", first, rest)
	}
	if whole := s.new("GET", path, nil); len(whole["events"].([]any)) != len(events) {
		t.Errorf("without a window: %v", whole)
	}

	// Somebody calls a meeting of next week off.
	if err := s.admin.Create("acme", collEvents, "e1", json.RawMessage(`{"status":"confirmed","organizer":{"id":"`+union+`"},
		"start":{"date":"2026-03-09"},"attendees":[{"id":"a"},{"id":"b"},{"id":"c"}]}`)); err != nil {
		t.Fatal(err)
	}
	next := s.new("GET", path+between(1, 30)+"&maxAttendees=2", nil)["events"].([]any)
	if len(next) != 1 || len(next[0].(body)["attendees"].([]any)) != 2 {
		t.Errorf("next week: %v", next)
	}
	if err := s.admin.Merge("acme", collEvents, "e1", json.RawMessage(`{"status":"cancelled"}`)); err != nil {
		t.Fatal(err)
	}
	if off := s.new("GET", path+between(1, 30), nil)["events"].([]any); len(off) != 0 {
		t.Errorf("called off: %v", off)
	}
	if off := s.new("GET", path+between(1, 30)+"&showDeleted=true", nil)["events"].([]any); len(off) != 1 {
		t.Errorf("called off, and asked for: %v", off)
	}

	s.denied("invalidParameter", "GET", path+between(-367, 0), nil)
	s.denied("invalidParameter", "GET", path+"?maxResults=101", nil)
	s.denied("invalidParameter", "GET", calendarPrefix+"S00001"+calendarSuffix, nil)
	s.configure(`{"permissions":["qyapi_base"]}`)
	s.denied("Forbidden.AccessDenied.AccessTokenPermissionDenied", "GET", path, nil)
}
