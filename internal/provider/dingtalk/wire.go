package dingtalk

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// The types below read what the API says in every form in which its pages print
// it: numbers and booleans as strings, one element in place of a list of one, a
// list as a string ("[2,3,4]"). See [queries-the-complete-information-of-a-department-user].

// text is a string, or a number or boolean as it is written.
type text string

// UnmarshalJSON reads a scalar; null is "".
func (t *text) UnmarshalJSON(b []byte) error {
	switch {
	case b[0] == '"':
		return json.Unmarshal(b, (*string)(t))
	case b[0] == '{' || b[0] == '[':
		return errForm
	case string(b) == "null":
		*t = ""
	default:
		*t = text(b)
	}
	return nil
}

// integer is a whole number.
type integer int64

// UnmarshalJSON reads a number or a string of digits; null and "" are 0.
func (n *integer) UnmarshalJSON(b []byte) error {
	var t text
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	if t == "" {
		*n = 0
		return nil
	}
	i, err := strconv.ParseInt(string(t), 10, 64)
	if err != nil {
		return errForm
	}
	*n = integer(i)
	return nil
}

// boolean is true or false.
type boolean bool

// UnmarshalJSON reads true, false, 1, 0, also as strings; null and "" are false.
func (v *boolean) UnmarshalJSON(b []byte) error {
	var t text
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	switch t {
	case "true", "1":
		*v = true
	case "false", "0", "":
		*v = false
	default:
		return errForm
	}
	return nil
}

// many is a list.
type many[T any] []T

// UnmarshalJSON reads a list, one element, or a string that holds a list; null
// and "" are empty.
func (l *many[T]) UnmarshalJSON(b []byte) error {
	*l = nil
	if b[0] == '"' {
		var inner string
		if err := json.Unmarshal(b, &inner); err != nil {
			return err
		}
		if inner = strings.TrimSpace(inner); inner == "" {
			return nil
		}
		if inner[0] == '[' {
			b = []byte(inner)
		}
	}
	switch {
	case string(b) == "null":
		return nil
	case b[0] == '[':
		return json.Unmarshal(b, (*[]T)(l))
	}
	var one T
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	*l = many[T]{one}
	return nil
}

// attributes are extension attributes: an object as text. What is not an object
// is unreadable, which must not cost the rest of the page.
type attributes map[string]string

// UnmarshalJSON reads the text or the object itself; nil is unreadable.
func (a *attributes) UnmarshalJSON(b []byte) error {
	*a = nil
	if b[0] == '"' {
		var inner string
		if err := json.Unmarshal(b, &inner); err != nil {
			return err
		}
		if b = []byte(inner); inner == "" {
			b = []byte("{}")
		}
	}
	var values map[string]json.RawMessage
	if json.Unmarshal(b, &values) == nil && values != nil {
		*a = texts(values)
	}
	return nil
}

// texts writes every value as text, nested ones as they are.
func texts(values map[string]json.RawMessage) attributes {
	a := make(attributes, len(values))
	for name, raw := range values {
		var t text
		if t.UnmarshalJSON(raw) != nil {
			t = text(raw)
		}
		a[name] = string(t)
	}
	return a
}

// written is a thing, and its JSON as it came, fields included that we do not know.
type written[T any] struct {
	is  T
	raw json.RawMessage
}

// UnmarshalJSON reads the thing and keeps what was written.
func (w *written[T]) UnmarshalJSON(b []byte) error {
	w.raw = slices.Clone(b)
	return json.Unmarshal(b, &w.is)
}

var errForm = errors.New("unknown form")
