package dingtalk

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strconv"
	"strings"
)

// errMalformed says that a body or a parameter cannot be read at all.
var errMalformed = errors.New("malformed")

// args are the parameters of a call. The old API takes them as JSON and as a
// form alike; in a form, what is nested is JSON text. Numbers and booleans may
// come as strings, lists as "a,b" or as arrays.
type args map[string]any

// parseArgs reads the query and the body. A body wins over the query. What
// begins with a brace is JSON whatever the Content-Type says.
func parseArgs(query url.Values, body []byte) (args, error) {
	a := args{}
	for name, values := range query {
		a[name] = values[0]
	}
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return a, nil
	}
	if body[0] != '{' {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return a, errMalformed
		}
		for name, values := range form {
			a[name] = values[0]
		}
		return a, nil
	}
	object, err := decodeObject(body)
	if err != nil {
		return a, errMalformed
	}
	for name, value := range object {
		a[name] = value
	}
	return a, nil
}

// decodeObject reads one JSON object, numbers kept as they are written.
func decodeObject(body []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return nil, errMalformed
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errMalformed
	}
	return object, nil
}

// has reports whether a parameter was given; null counts as not given.
func (a args) has(name string) bool {
	v, ok := a[name]
	return ok && v != nil
}

// text gives a string parameter, "" if it was not given.
func (a args) text(name string) (string, error) {
	switch v := a[name].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	default:
		return "", errMalformed
	}
}

// integer gives a whole number, ok only if it was given and not empty.
func (a args) integer(name string) (n int64, ok bool, err error) {
	s, err := a.text(name)
	if err != nil || s == "" {
		return 0, false, err
	}
	n, err = strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return 0, false, errMalformed
	}
	return n, true, nil
}

// between gives a whole number that must be there, from low to high.
func (a args) between(name string, low, high int) (int, error) {
	n, ok, err := a.integer(name)
	if err != nil || !ok || n < int64(low) || n > int64(high) {
		return 0, errMalformed
	}
	return int(n), nil
}

// flag gives a boolean, false if it was not given.
func (a args) flag(name string) (bool, error) {
	s, err := a.text(name)
	if err != nil || s == "" {
		return false, err
	}
	v, err := strconv.ParseBool(s)
	if err != nil {
		return false, errMalformed
	}
	return v, nil
}

// list gives a list of strings from "a,b" or an array, without duplicates and
// in the order given. The quotes and brackets that the documents' own samples
// put around such lists are tolerated.
func (a args) list(name string) ([]string, error) {
	var parts []string
	switch v := a[name].(type) {
	case nil:
	case []any:
		for _, e := range v {
			s, err := args{"": e}.text("")
			if err != nil {
				return nil, err
			}
			parts = append(parts, s)
		}
	default:
		s, err := a.text(name)
		if err != nil {
			return nil, err
		}
		parts = strings.Split(strings.Trim(s, `"\[] `), ",")
	}
	seen := map[string]bool{}
	found := []string{}
	for _, p := range parts {
		p = strings.Trim(p, `"\ `)
		if p != "" && !seen[p] {
			seen[p] = true
			found = append(found, p)
		}
	}
	return found, nil
}

// ids gives a list of numbers from "2,3" or an array.
func (a args) ids(name string) ([]int64, error) {
	parts, err := a.list(name)
	if err != nil {
		return nil, err
	}
	found := make([]int64, 0, len(parts))
	for _, p := range parts {
		n, err := strconv.ParseInt(p, 10, 64)
		if err != nil {
			return nil, errMalformed
		}
		found = append(found, n)
	}
	return found, nil
}

// object gives a nested object, nil if it was not given.
func (a args) object(name string) (args, error) {
	switch v := a[name].(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	case string:
		if strings.TrimSpace(v) == "" {
			return nil, nil
		}
		object, err := decodeObject([]byte(v))
		return object, err
	default:
		return nil, errMalformed
	}
}

// objects gives a list of nested objects. One object instead of a list of one
// is tolerated: the documents' samples do that.
func (a args) objects(name string) ([]args, error) {
	value := a[name]
	if s, ok := value.(string); ok {
		if strings.TrimSpace(s) == "" {
			return nil, nil
		}
		d := json.NewDecoder(strings.NewReader(s))
		d.UseNumber()
		if err := d.Decode(&value); err != nil {
			return nil, errMalformed
		}
	}
	switch v := value.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return []args{v}, nil
	case []any:
		found := make([]args, 0, len(v))
		for _, e := range v {
			object, ok := e.(map[string]any)
			if !ok {
				return nil, errMalformed
			}
			found = append(found, object)
		}
		return found, nil
	default:
		return nil, errMalformed
	}
}
