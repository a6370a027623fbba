package scim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rollcall.dev/rollcall/internal/directory"
)

// attribute is where a name of the mapping leads to in an account.
type attribute struct {
	name   string // of the mapping
	schema string // the extension that it is in; empty is the core
	attr   string
	sub    string // of a complex attribute
	// list: it is one of the lists of RFC 7643 §4.1.2, and kind chooses those of its
	// entries that the mapping is about; empty is all of them.
	list bool
	kind string
}

// lists are the multi-valued attributes of a user whose entries have a value (RFC 7643
// §4.1.2), with the type of those that a mapping means that names none.
var lists = map[string]string{
	"emails": "work", "phonenumbers": "work", "ims": "", "photos": "", "entitlements": "", "roles": "", "x509certificates": "",
}

// ours are attributes that no mapping may write, and why.
var ours = map[string]string{
	"active":     "it is what disabling writes",
	"addresses":  "its entries have no single value",
	"externalid": "it is the employee number",
	"groups":     "the system keeps it by itself",
	"id":         "the system chooses it",
	"meta":       "the system keeps it by itself",
	"password":   "nobody can read it back",
	"schemas":    "it follows from the others",
	"username":   "it is the login",
}

// attributeOf takes a name of the mapping apart: displayName, name.familyName, emails,
// phoneNumbers.mobile, or the URN of a schema, a colon and such a name.
func attributeOf(name string) (attribute, error) {
	a := attribute{name: name, attr: name}
	if strings.HasPrefix(strings.ToLower(name), "urn:") {
		i := strings.LastIndex(name, ":")
		a.schema, a.attr = name[:i], name[i+1:]
		if strings.EqualFold(a.schema, schemaUser) {
			a.schema = ""
		}
	}
	a.attr, a.sub, _ = strings.Cut(a.attr, ".")
	if a.attr == "" || strings.HasSuffix(name, ".") || strings.ContainsAny(a.attr+a.sub, ":. ") {
		return a, invalid("mapping", fmt.Sprintf("%s is not the name of an attribute of SCIM", name))
	}
	if a.schema != "" {
		if strings.EqualFold(a.schema, schemaEnterprise) && strings.EqualFold(a.attr, "manager") && a.sub == "" {
			a.sub = "value" // RFC 7643 §4.3: manager is complex
		}
		return a, nil
	}
	if why, not := ours[strings.ToLower(a.attr)]; not {
		return a, invalid("mapping", fmt.Sprintf("%s cannot be mapped: %s", name, why))
	}
	if kind, is := lists[strings.ToLower(a.attr)]; is {
		a.list, a.kind = true, kind
		if a.sub != "" && !strings.EqualFold(a.sub, "value") {
			a.kind = a.sub
		}
		a.sub = ""
	}
	return a, nil
}

// path of the attribute in a PATCH, as the mapping writes it: some systems mind the case.
func (a attribute) path() string {
	p := a.attr
	if a.sub != "" && !a.whole() {
		p += "." + a.sub
	}
	if a.schema != "" {
		p = a.schema + ":" + p
	}
	return p
}

// whole: the attribute is written with all that is beside it. A manager is, because
// that is how it is documented everywhere.
func (a attribute) whole() bool {
	return a.list || a.schema != "" && strings.EqualFold(a.attr, "manager")
}

// within is the object that the attribute is in; nil if r has none.
func (a attribute) within(r resource) resource {
	if a.schema == "" {
		return r
	}
	return r.object(a.schema)
}

// read returns the values of the attribute in r, the primary one of a list first.
func (a attribute) read(r resource) []string {
	v := a.within(r).get(a.attr)
	if a.list {
		var values []string
		for _, e := range entries(v) {
			switch {
			case !a.chooses(e) || e.text("value") == "":
			case e.text("primary") == "true":
				values = slices.Insert(values, 0, e.text("value"))
			default:
				values = append(values, e.text("value"))
			}
		}
		return values
	}
	if a.sub != "" {
		// A manager is a bare id with some.
		if m := asObject(v); m != nil || asText(v) == "" {
			v = m.get(a.sub)
		}
	}
	var values []string
	if many, ok := v.([]any); ok {
		for _, e := range many {
			text := asText(e)
			if m := asObject(e); m != nil {
				text = m.text("value")
			}
			if text != "" {
				values = append(values, text)
			}
		}
		return values
	}
	if text := asText(v); text != "" {
		values = append(values, text)
	}
	return values
}

// entries of a list. A bare string stands for its value.
func entries(v any) []resource {
	many, ok := v.([]any)
	if !ok {
		return nil
	}
	var out []resource
	for _, e := range many {
		switch t := e.(type) {
		case string:
			out = append(out, resource{"value": t})
		default:
			if m := asObject(t); m != nil {
				out = append(out, m)
			}
		}
	}
	return out
}

// chooses reports whether the mapping is about the entry of a list. One without a type
// counts as what a mapping means that names none.
func (a attribute) chooses(e resource) bool {
	kind := cmp.Or(e.text("type"), lists[strings.ToLower(a.attr)])
	return a.kind == "" || strings.EqualFold(kind, a.kind)
}

// write puts the values into r, which must be a clone. None takes the attribute away.
func (a attribute) write(r resource, values []string, t typed) {
	target := r
	if a.schema != "" {
		key := r.key(a.schema)
		if target = asObject(r[key]); target == nil {
			if len(values) == 0 {
				return
			}
			target = resource{}
		}
		r[key] = map[string]any(target)
	}
	key := target.key(a.attr)
	switch {
	case a.list:
		a.writeList(target, key, values)
	case a.sub != "":
		m := asObject(target[key])
		if m == nil {
			m = resource{}
		}
		set(m, m.key(a.sub), shape(m.get(a.sub), values, t))
		set(target, key, nonempty(m))
	default:
		set(target, key, shape(target[key], values, t))
	}
}

// set writes an attribute, or takes it away.
func set(r resource, key string, value any) {
	if value == nil {
		delete(r, key)
		return
	}
	r[key] = value
}

func nonempty(m resource) any {
	if len(m) == 0 {
		return nil
	}
	return map[string]any(m)
}

// writeList replaces the entries that the mapping is about and keeps the others. The
// first of a mapping that names no type is the primary one: Atlassian refuses addresses
// of which none is.
func (a attribute) writeList(target resource, key string, values []string) {
	before := entries(target[key])
	var after []any
	for _, v := range values {
		e := resource{"value": v}
		if a.kind != "" {
			e["type"] = a.kind
		}
		if i := slices.IndexFunc(before, func(b resource) bool { return a.chooses(b) && b.text("value") == v }); i >= 0 {
			e = before[i].clone()
		}
		after = append(after, map[string]any(e))
	}
	for _, e := range before {
		if !a.chooses(e) {
			after = append(after, map[string]any(e.clone()))
		}
	}
	if len(after) == 0 {
		delete(target, key)
		return
	}
	if main := lists[strings.ToLower(a.attr)]; main != "" {
		leads := strings.EqualFold(a.kind, main) && len(values) > 0
		electFirst(after, leads)
	}
	target[key] = after
}

// electFirst makes the first entry the primary one, if it leads or none is.
func electFirst(list []any, leads bool) {
	has := slices.ContainsFunc(list, func(e any) bool { return asObject(e).text("primary") == "true" })
	if has && !leads {
		return
	}
	for i, e := range list {
		m := asObject(e)
		if i == 0 {
			m["primary"] = true
		} else {
			delete(m, m.key("primary"))
		}
	}
}

// typed is what a system says of an attribute (RFC 7643 §7); the zero value is a string.
type typed struct {
	kind  string // "boolean", "integer", "decimal", else text
	multi bool
}

// shape makes the value to write: as the schema says, else as the account has it, else text.
func shape(now any, values []string, t typed) any {
	_, isList := now.([]any)
	if len(values) == 0 {
		return nil
	}
	if t.multi || isList || len(values) > 1 {
		many := make([]any, len(values))
		for i, v := range values {
			many[i] = one(nil, v, t)
		}
		return many
	}
	return one(now, values[0], t)
}

func one(now any, value string, t typed) any {
	_, wasBool := now.(bool)
	_, wasNumber := now.(json.Number)
	if t.kind == "boolean" || t.kind == "" && wasBool {
		if b, err := strconv.ParseBool(strings.ToLower(value)); err == nil {
			return b
		}
	}
	if t.kind == "integer" || t.kind == "decimal" || t.kind == "" && wasNumber {
		if _, err := strconv.ParseFloat(value, 64); err == nil && json.Valid([]byte(value)) {
			return json.Number(value)
		}
	}
	return value
}

// differs reports whether r has other values than these.
func (a attribute) differs(r resource, values []string) bool {
	return !slices.Equal(filled(values), a.read(r))
}

// filled are the values but for empty ones: an empty string takes an attribute away.
func filled(values []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
}

// changes are the attributes of the wish that an account does not have as they are
// wished, by name; and the account as it is to be.
func (s *System) changes(r resource, wished map[string][]string, f *facts) ([]attribute, resource, error) {
	var changed []attribute
	after := r.clone()
	for name := range wished {
		if _, known := s.attributes[name]; !known {
			return nil, nil, &directory.Error{Class: directory.Invalid, Operation: "mapping", Message: "the attribute is not one of the mapping"}
		}
	}
	for _, name := range s.names {
		values, is := wished[name]
		if a := s.attributes[name]; is && a.differs(r, values) {
			changed = append(changed, a)
			a.write(after, filled(values), f.typed(a))
		}
	}
	return changed, after, nil
}

// operations turn changes into those of a PATCH, one for each path.
func operations(changed []attribute, after resource) []operation {
	var out []operation
	for _, a := range changed {
		path := a.path()
		if slices.ContainsFunc(out, func(o operation) bool { return o.Path == path }) {
			continue
		}
		value := a.within(after).get(a.attr)
		if a.sub != "" && !a.whole() {
			value = asObject(value).get(a.sub)
		}
		o := operation{Op: opReplace, Path: path, Value: value}
		if value == nil {
			o.Op = opRemove
		}
		out = append(out, o)
	}
	return out
}

// pathless turn changes into those of a PATCH without paths: one value with all that is
// to be there. What is to be gone has a path all the same, as there is no removal
// without one (RFC 7644 §3.5.2.2); so has a list before it is written anew, because
// scimmy adds to it otherwise. Attributes of extensions have their full names, as Entra
// writes them: elimity takes no others.
func pathless(changed []attribute, before, after resource) []operation {
	var out []operation
	value := resource{}
	for _, a := range changed {
		v := a.within(after).get(a.attr)
		if v == nil || a.list && a.within(before).get(a.attr) != nil {
			o := operation{Op: opRemove, Path: attribute{schema: a.schema, attr: a.attr}.path()}
			if !slices.ContainsFunc(out, func(p operation) bool { return p.Path == o.Path }) {
				out = append(out, o)
			}
		}
		if v == nil {
			continue
		}
		value[attribute{schema: a.schema, attr: a.attr}.path()] = v
	}
	if len(value) > 0 {
		out = append(out, operation{Op: opReplace, Value: value})
	}
	return out
}

// declareSchemas adds the schemas of the extensions that r has.
func declareSchemas(r resource, known map[string]attribute) {
	key := r.key("schemas")
	list, _ := r[key].([]any)
	var extensions []string
	for _, a := range known {
		if a.schema != "" && r.object(a.schema) != nil {
			extensions = append(extensions, a.schema)
		}
	}
	slices.Sort(extensions)
	for _, urn := range append([]string{schemaUser}, slices.Compact(extensions)...) {
		if !slices.ContainsFunc(list, func(e any) bool { return strings.EqualFold(asText(e), urn) }) {
			list = append(list, urn)
		}
	}
	r[key] = list
}
