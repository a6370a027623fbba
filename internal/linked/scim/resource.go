package scim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// resource is an account or a group as it came, with all that we do not know. Numbers
// are json.Number, so that they are written as they were read.
type resource map[string]any

// parse reads one account with its id.
func parse(body []byte) (resource, string, bool) {
	if len(body) > maxAccount {
		return nil, "", false
	}
	r, ok := decode(body)
	id := r.text("id")
	return r, id, ok && validID(id)
}

// decode reads one object, and nothing after it.
func decode(body []byte) (resource, bool) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var r resource
	if decoder.Decode(&r) != nil || r == nil {
		return nil, false
	}
	_, err := decoder.Token()
	return r, errors.Is(err, io.EOF)
}

// key is the name under which r has an attribute: names are case-insensitive (RFC 7643
// §2.1). An attribute that it does not have gets the name as it is written here.
func (r resource) key(name string) string {
	if _, ok := r[name]; ok {
		return name
	}
	for k := range r {
		if strings.EqualFold(k, name) {
			return k
		}
	}
	return name
}

func (r resource) get(name string) any { return r[r.key(name)] }

// object is a complex attribute, nil if there is none.
func (r resource) object(name string) resource { return asObject(r.get(name)) }

func asObject(v any) resource {
	switch m := v.(type) {
	case map[string]any:
		return m
	case resource:
		return m
	}
	return nil
}

// text is an attribute as text, empty if it has none.
func (r resource) text(name string) string { return asText(r.get(name)) }

// asText is a simple value as text: false for what is none.
func asText(v any) string {
	switch t := v.(type) {
	case string:
		return t
	case json.Number:
		return t.String()
	case bool:
		return strconv.FormatBool(t)
	}
	return ""
}

// active reads the attribute active. Some systems write it as a string. told: it is there.
func (r resource) active() (enabled, told bool) {
	switch v := r.get("active").(type) {
	case bool:
		return v, true
	case string:
		b, err := strconv.ParseBool(strings.ToLower(v))
		return b || err != nil, err == nil
	}
	return true, false
}

// version is meta.version where it can be used as a header.
func (r resource) version() string {
	v := r.object("meta").text("version")
	if len(v) > maxID || strings.ContainsFunc(v, func(c rune) bool { return c > unicode.MaxASCII || !unicode.IsPrint(c) }) {
		return ""
	}
	return v
}

// clone copies r and all that is in it.
func (r resource) clone() resource {
	c, _ := deep(map[string]any(r)).(map[string]any)
	return c
}

func deep(v any) any {
	switch t := v.(type) {
	case resource:
		return deep(map[string]any(t))
	case map[string]any:
		c := make(map[string]any, len(t))
		for k, e := range t {
			c[k] = deep(e)
		}
		return c
	case []any:
		c := make([]any, len(t))
		for i, e := range t {
			c[i] = deep(e)
		}
		return c
	}
	return v
}
