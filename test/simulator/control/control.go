// Package control is the simulator's control endpoint: what a test or an
// administrator uses to look into the platforms, to edit them by hand, to move
// the clock and to inject faults. It is no part of any platform.
package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"rollcall.dev/rollcall/test/simulator/core"
)

const maxBody = 16 << 20

type server struct{ core *core.Core }

// handlerFunc answers with a value to show as JSON (nil: 204) or an error.
type handlerFunc func(r *http.Request) (any, error)

// New makes the control endpoint of a core and its platforms. Help is what
// GET / answers.
func New(c *core.Core, help string) http.Handler {
	s := &server{c}
	mux := http.NewServeMux()
	text := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, body) // a client that left misses it
		}
	}
	mux.HandleFunc("GET /{$}", text(help))
	mux.HandleFunc("GET /healthz", text("ok\n"))
	for pattern, h := range map[string]handlerFunc{
		"GET /clock":             s.clock,
		"POST /clock/advance":    s.advance,
		"GET /faults":            s.faults,
		"POST /faults":           s.addFault,
		"DELETE /faults":         s.clearFaults,
		"DELETE /faults/{fault}": s.removeFault,
		"GET /limits":            s.limits,
		"PUT /limits":            s.setLimits,
		"GET /calls":             s.calls,
		"GET /calls/counts":      s.counts,
		"DELETE /calls":          s.clearCalls,
		"GET /tenants":           s.tenants,
		"POST /tenants":          s.addTenant,
		"POST /seed":             s.seed,
		"POST /history":          s.history,
		"POST /reset":            s.reset,

		"PATCH /tenants/{platform}/{tenant}": s.configure,

		"GET /state/{platform}/{tenant}/{collection}":         s.objects,
		"GET /state/{platform}/{tenant}/{collection}/{id}":    s.object,
		"PUT /state/{platform}/{tenant}/{collection}/{id}":    s.create,
		"POST /state/{platform}/{tenant}/{collection}/{id}":   s.merge,
		"DELETE /state/{platform}/{tenant}/{collection}/{id}": s.remove,
		"POST /state/{platform}/{tenant}/accept/{id}":         s.accept,
	} {
		mux.Handle(pattern, h)
	}
	return mux
}

func (h handlerFunc) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	v, err := h(r)
	status := http.StatusOK
	switch {
	case errors.Is(err, core.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, core.ErrExists):
		status = http.StatusConflict
	case errors.Is(err, core.ErrUnsupported):
		status = http.StatusNotImplemented
	case err != nil:
		status = http.StatusBadRequest
	case v == nil:
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if err != nil {
		v = map[string]string{"error": err.Error()}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // a client that left misses it
}

// decode reads the body strictly: an unknown field is a typing mistake.
func decode(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	return nil
}

func (s *server) clock(*http.Request) (any, error) {
	return map[string]any{"now": s.core.Clock.Now()}, nil
}

func (s *server) advance(r *http.Request) (any, error) {
	var body struct {
		Seconds float64 `json:"seconds"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	if body.Seconds <= 0 {
		return nil, errors.New("seconds must be greater than 0: the clock never goes back")
	}
	return map[string]any{"now": s.core.Clock.Advance(core.Seconds(body.Seconds))}, nil
}

func (s *server) faults(*http.Request) (any, error) {
	return map[string]any{"faults": s.core.Faults.List()}, nil
}

func (s *server) addFault(r *http.Request) (any, error) {
	var f core.Fault
	if err := decode(r, &f); err != nil {
		return nil, err
	}
	if f.Platform != "" && f.Platform != "*" {
		if _, err := s.platform(f.Platform); err != nil {
			return nil, err
		}
	}
	return s.core.Faults.Add(f)
}

func (s *server) clearFaults(*http.Request) (any, error) {
	s.core.Faults.Clear()
	return nil, nil
}

func (s *server) removeFault(r *http.Request) (any, error) {
	return nil, s.core.Faults.Remove(r.PathValue("fault"))
}

func (s *server) limits(*http.Request) (any, error) {
	return s.core.Limits.Rules(), nil
}

func (s *server) setLimits(r *http.Request) (any, error) {
	var body struct {
		Platform string `json:"platform"`
		core.Limits
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	if err := s.core.Limits.Set(body.Platform, body.Limits, false); err != nil {
		return nil, err
	}
	return s.core.Limits.Rules(), nil
}

func query(r *http.Request) (core.Query, error) {
	v := r.URL.Query()
	q := core.Query{
		Platform: v.Get("platform"), Tenant: v.Get("tenant"), Operation: v.Get("operation"),
		Subject: v.Get("subject"), Credential: v.Get("credential"), Code: v.Get("code"),
	}
	for name := range v {
		switch name {
		case "platform", "tenant", "operation", "subject", "credential", "code", "since", "limit":
		default:
			return q, fmt.Errorf("unknown parameter %q", name)
		}
	}
	var err error
	if text := v.Get("since"); text != "" {
		if q.Since, err = strconv.ParseUint(text, 10, 64); err != nil {
			return q, errors.New("since must be the seq of a call")
		}
	}
	if text := v.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 {
			return q, errors.New("limit must be a number from 1")
		}
	}
	return q, nil
}

func (s *server) calls(r *http.Request) (any, error) {
	q, err := query(r)
	if err != nil {
		return nil, err
	}
	last := s.core.Log.Last() // before the entries, so that since=last misses none
	return map[string]any{"last": last, "calls": s.core.Log.Entries(q)}, nil
}

func (s *server) counts(r *http.Request) (any, error) {
	q, err := query(r)
	if err != nil {
		return nil, err
	}
	list := s.core.Log.Counts(q)
	total := uint64(0)
	for _, c := range list {
		total += c.Count
	}
	return map[string]any{"total": total, "counts": list}, nil
}

func (s *server) clearCalls(*http.Request) (any, error) {
	s.core.Log.Reset()
	return nil, nil
}

func (s *server) reset(*http.Request) (any, error) {
	s.core.Reset()
	return nil, nil
}
