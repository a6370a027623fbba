package dingtalk

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

func TestActiveUsers(t *testing.T) {
	s, _, _ := filled(t)
	if err := s.admin.Merge("acme", "users", "A2", json.RawMessage(`{"active":false}`)); err != nil {
		t.Fatal(err)
	}
	ask := func(active bool, date string) string {
		var all []any
		for offset := 0; ; {
			page := s.result("/topapi/inactive/user/v2/get", body{"is_active": active, "query_date": date, "offset": offset, "size": 1})
			all = append(all, page["list"].([]any)...)
			if page["has_more"] != true {
				return fmt.Sprint(all)
			}
			next, err := page["next_cursor"].(json.Number).Int64()
			if err != nil {
				t.Fatal(err)
			}
			offset = int(next)
		}
	}
	// It is nine o'clock in China, on 2 March.
	for _, c := range []struct {
		active bool
		date   string
		want   string
	}{
		{false, "20260301", "[A2]"}, {false, "20260131", "[A2]"}, {false, "20260130", "[]"}, {false, "20260302", "[]"}, {true, "20260302", "[]"},
	} {
		if got := ask(c.active, c.date); got != c.want {
			t.Errorf("active %t on %s: %s, want %s", c.active, c.date, got, c.want)
		}
	}
	if got := ask(true, "20260301"); len(got) < len("[A1]") {
		t.Errorf("nobody was active: %s", got)
	}
	for _, in := range []body{
		{}, {"is_active": true, "query_date": "20260301"}, {"is_active": true, "query_date": "2026-03-01", "offset": 0, "size": 1},
		{"is_active": true, "query_date": "20260301", "offset": 0, "size": 101}, {"is_active": true, "query_date": "20260301", "offset": -1, "size": 1},
		{"is_active": "x", "query_date": "20260301", "offset": 0, "size": 1}, {"query_date": "20260301", "offset": 0, "size": 1},
		{"is_active": true, "query_date": "20260301", "offset": 0, "size": 1, "dept_ids": "x"},
	} {
		s.refused("40035", "/topapi/inactive/user/v2/get", in)
	}
	s.core.Clock.Advance(23 * time.Hour)
	s.token = "" // it lives two hours
	// Eight in the morning: yesterday is not complete.
	if got := ask(false, "20260302"); got != "[]" {
		t.Errorf("before nine: %s", got)
	}
	if got := ask(false, "20260301"); got != "[A2]" {
		t.Errorf("the day before: %s", got)
	}
}
