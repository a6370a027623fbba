package directory_test

import (
	"context"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
)

// P8: the trail has the id of the last request, and nothing that only says it is one.
func TestP8TheTraceIsOfTheLastRequest(t *testing.T) {
	for name, c := range map[string]struct {
		told []string
		want string
	}{
		"one":                    {[]string{"4f1e-9"}, "4f1e-9"},
		"the last of two":        {[]string{"first", "second"}, "second"},
		"the last told none":     {[]string{"of a refusal before", "refused-1", ""}, ""},
		"the longest":            {[]string{strings.Repeat("x", 128)}, strings.Repeat("x", 128)},
		"longer":                 {[]string{"first", strings.Repeat("x", 129)}, ""},
		"a line break":           {[]string{"first", "1\n{\"seq\":1}"}, ""},
		"a terminal's sequence":  {[]string{"\x1b[2J"}, ""},
		"written from the right": {[]string{"\u202e1"}, ""},
		"a name":                 {[]string{"柳如烟"}, ""},
		"words":                  {[]string{"not an id"}, ""},
	} {
		var trace directory.Trace
		ctx := directory.WithTrace(t.Context(), &trace)
		for _, id := range c.told {
			directory.NoteRequest(ctx, id)
		}
		if got := trace.Request(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	directory.NoteRequest(context.Background(), "nobody asks")
}
