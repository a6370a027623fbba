package wecom

import (
	"bytes"
	"encoding/json"
)

// form is a request body read the lenient way that WeCom reads it: what cannot
// be understood is ignored, and the answer carries a warning, even when it is a
// success (90313).
type form struct {
	values map[string]json.RawMessage
	warned bool
}

// readForm reads the members of the outermost object up to the first mistake.
func readForm(body []byte) *form {
	f := &form{values: map[string]json.RawMessage{}}
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		f.warned = len(body) > 0
		return f
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			f.warned = true
			return f
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			f.warned = true
			return f
		}
		// A token after an opening brace is a name, or Token had failed.
		f.values[name.(string)] = value
	}
	if _, err := d.Token(); err != nil {
		f.warned = true
	}
	return f
}

// state of one value of a form.
type state int

const (
	absent state = iota // not there, or null
	wrong               // not of the type; the warning is set
	given
)

func (f *form) has(name string) bool {
	raw, ok := f.values[name]
	return ok && string(raw) != "null"
}

// read decodes one value.
func read[T any](f *form, name string) (T, state) {
	var v, zero T
	if !f.has(name) {
		return zero, absent
	}
	if json.Unmarshal(f.values[name], &v) != nil {
		f.warned = true
		return zero, wrong
	}
	return v, given
}

// text reads a string; one of another type counts as not given.
func (f *form) text(name string) (string, bool) {
	v, s := read[string](f, name)
	return v, s == given
}

// kind is the first character of a value: what it is meant to be.
func (f *form) kind(name string) byte {
	if raw := bytes.TrimSpace(f.values[name]); len(raw) > 0 {
		return raw[0]
	}
	return 0
}
