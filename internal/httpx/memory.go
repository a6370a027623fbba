package httpx

import (
	"bytes"
	"io"
	"net/http"
)

// InMemory reaches a handler without a socket: what runs inside this process needs no
// port, and nobody else can call it.
func InMemory(h http.Handler) http.RoundTripper { return &inMemory{h} }

type inMemory struct{ handler http.Handler }

// RoundTrip lets the handler answer, whole, before it returns.
func (m *inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	asked := r.Clone(r.Context())
	asked.RequestURI, asked.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:0"
	if asked.Host == "" {
		asked.Host = r.URL.Host
	}
	if asked.Body == nil {
		asked.Body = http.NoBody
	}
	defer asked.Body.Close()
	w := &written{header: http.Header{}, status: http.StatusOK}
	m.handler.ServeHTTP(w, asked)
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// written is what a handler has answered.
type written struct {
	header http.Header
	status int
	began  bool
	body   bytes.Buffer
}

func (w *written) Header() http.Header { return w.header }

func (w *written) WriteHeader(status int) {
	if !w.began {
		w.status, w.began = status, true
	}
}

func (w *written) Write(b []byte) (int, error) {
	w.began = true
	return w.body.Write(b)
}
