package crd

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Every limit of every schema, spec and status, is tried on a full object: just beyond it is refused with a message that
// names the field and the limit, and just inside it is taken. The limits are read from the CRDs, so a new one is tested
// as soon as it exists.
func TestLimits(t *testing.T) {
	ns, objects := namespace(t), full(t)
	bench := limitBench{ns: ns, stored: map[string]*unstructured.Unstructured{}}
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		bench.stored[name] = api.store(t, ns, objects[name])
	}
	for kind, crd := range crds(t) {
		t.Run(kind, func(t *testing.T) {
			walk("", schemaOf(crd), func(path string, s *apiextensionsv1.JSONSchemaProps) {
				if path == "" || strings.HasPrefix(path, "status.conditions[0].") {
					return // conditions are apimachinery's
				}
				o := bench.holder(kind, path)
				for _, p := range probes(kind, path, s) {
					bench.try(t, o, path, p)
				}
			})
		})
	}
}

// probe is one limit of one field: values beyond it and the nearest values that are right. A nil value removes the field.
type probe struct {
	limit string
	wrong any
	says  string
	right []any
}

type limitBench struct {
	ns     string
	stored map[string]*unstructured.Unstructured
}

// holder is a stored object in which the field is set.
func (b limitBench) holder(kind, path string) *unstructured.Unstructured {
	for _, name := range slices.Sorted(maps.Keys(b.stored)) {
		o := b.stored[name]
		if _, ok := lookup(o.Object, path); ok && o.GetKind() == kind {
			return o
		}
	}
	return nil
}

func (b limitBench) try(t *testing.T, o *unstructured.Unstructured, path string, p probe) {
	t.Helper()
	if o == nil {
		t.Errorf("no object in testdata/full sets %s", path)
		return
	}
	if err := refusal(b.with(t, o, path, p.wrong), p.says, path); err != nil {
		t.Errorf("%s, %s: %v", path, p.limit, err)
	}
	for _, right := range p.right {
		if err := b.with(t, o, path, right); err != nil {
			t.Errorf("%s, inside %s: %v", path, p.limit, err)
		}
	}
}

// with sends the object with another value at path: as a new one, or as a new status of the stored one.
func (b limitBench) with(t *testing.T, o *unstructured.Unstructured, path string, value any) error {
	t.Helper()
	o = o.DeepCopy()
	if !put(o.Object, path, value) {
		t.Fatalf("%s has no %s", o.GetName(), path)
	}
	if strings.HasPrefix(path, "status") {
		return api.update(t.Context(), b.ns, o, "status")
	}
	fresh := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": o.GetAPIVersion(), "kind": o.GetKind(), "metadata": map[string]any{"name": "fresh"},
	}}
	if spec, ok := o.Object["spec"]; ok {
		fresh.Object["spec"] = spec
	}
	return api.create(t.Context(), b.ns, fresh)
}

// probes lists what can be wrong with a field by its schema.
func probes(kind, path string, s *apiextensionsv1.JSONSchemaProps) []probe {
	var out []probe
	add := func(limit string, wrong any, says string, right ...any) {
		out = append(out, probe{limit: limit, wrong: wrong, says: says, right: right})
	}
	switch s.Type {
	case "string":
		add("type string", int64(7), "must be of type "+cmp.Or(s.Format, "string"))
	case "integer":
		add("type integer", "7", "must be of type integer")
		if s.Minimum != nil {
			add("minimum", int64(*s.Minimum)-1, fmt.Sprintf("should be greater than or equal to %v", int64(*s.Minimum)), nearest(kind, path, int64(*s.Minimum)))
		}
		if s.Maximum != nil {
			add("maximum", int64(*s.Maximum)+1, fmt.Sprintf("should be less than or equal to %v", int64(*s.Maximum)), nearest(kind, path, int64(*s.Maximum)))
		}
	case "object":
		add("type object", "x", "must be of type object")
	case "array":
		add("type array", "x", "must be of type array")
	}
	if s.Enum != nil {
		var right []any
		for _, e := range s.Enum {
			right = append(right, nearest(kind, path, strings.Trim(string(e.Raw), `"`)))
		}
		add("enum", "Nonsense", "supported values", right...)
	}
	if s.MaxLength != nil {
		n := int(*s.MaxLength)
		add("maxLength", text(path, n+1), fmt.Sprintf("may not be more than %d", n), nearest(kind, path, text(path, n)))
	}
	if s.MinLength != nil {
		n := int(*s.MinLength)
		add("minLength", text(path, n-1), fmt.Sprintf("should be at least %d chars long", n), nearest(kind, path, text(path, n)))
	}
	return append(out, listProbes(path, s)...)
}

func listProbes(path string, s *apiextensionsv1.JSONSchemaProps) []probe {
	var out []probe
	if s.MaxItems != nil {
		n := int(*s.MaxItems)
		out = append(out, probe{limit: "maxItems", wrong: items(path, s, n+1), says: fmt.Sprintf("must have at most %d items", n), right: []any{items(path, s, n)}})
	}
	if s.MinItems != nil {
		n := int(*s.MinItems)
		out = append(out, probe{limit: "minItems", wrong: items(path, s, n-1), says: fmt.Sprintf("should have at least %d items", n), right: []any{items(path, s, n)}})
	}
	if s.XListType != nil && *s.XListType != "atomic" {
		one := items(path, s, 1)[0]
		out = append(out, probe{limit: "listType", wrong: []any{one, one}, says: "Duplicate value"})
	}
	return out
}

// text is n characters that the field's rules like, as far as n allows.
func text(path string, n int) string {
	head, fill := "", "a"
	switch {
	case path == "spec.ldap.endpoint":
		head = "ldap://"
	case strings.HasPrefix(path, "spec.ldap.") && strings.HasSuffix(path, "DN"):
		head = "o="
	case strings.HasSuffix(path, "ndpoint"):
		head = "https://"
	case strings.HasSuffix(path, "caBundle"):
		head = "-----BEGIN CERTIFICATE-----"
	case strings.HasSuffix(path, "pattern"):
		head = "{seq:4}"
	case strings.HasSuffix(path, "email"):
		head = "a@b.cn"
	case strings.HasSuffix(path, "mobile"):
		head, fill = "+1-2345", "6"
	case strings.HasSuffix(path, "hireDate"), strings.HasSuffix(path, "lastDay"):
		head = "2024-03-01"
	case strings.HasSuffix(path, "departmentID"):
		fill = "4"
	case strings.HasSuffix(path, "schedule"):
		head, fill = "0 2 * * ", "1"
	case strings.HasSuffix(path, "archiveKey"):
		head = "a/b/c/"
	case strings.HasPrefix(path, "spec.encryption.recipients"):
		head, fill = "age1", "q"
	case strings.HasSuffix(path, "code"):
		fill = "A"
	case strings.HasSuffix(path, "displayName"), strings.HasSuffix(path, "spec.name"), strings.HasSuffix(path, "title"):
		fill = "张" // limits count characters, not bytes
	}
	return (head + strings.Repeat(fill, max(0, n-len(head))))[:min(n, len(head))+max(0, n-len(head))*len(fill)]
}

// nearest is the right value next to a limit: the limit itself, but where other rules of the field are narrower.
func nearest(kind, path string, atLimit any) any {
	switch {
	case strings.HasSuffix(path, "caBundle") && atLimit == "-":
		return "-----BEGIN CERTIFICATE-----"
	case path == "spec.schedule" && atLimit == "0 2 * ":
		return "@daily"
	case path == "spec.contact.mobile" && atLimit != "+1-2345":
		return "+1234-12345678901234"
	case path == "spec.primaryDepartment", path == "spec.departments[0].name" && kind == "Employee":
		return "rd-platform" // the primary one must be one of them
	case strings.HasPrefix(path, "spec.ranges[0].") && atLimit != int64(1):
		return int64(4999) // of four digits
	case path == "spec.mode" && kind == "Offboarding":
		return "Execute" // a rehearsal has no terms
	case strings.HasSuffix(path, "backup.mode"):
		return "Required" // what is to be backed up is said
	case strings.HasSuffix(path, "timeLimits[0].step") && atLimit == "Grace":
		return "Freeze"
	case path == "spec.ldap.security":
		return "StartTLS" // to other hosts
	case path == "spec.appliesTo":
		return "Selected" // by its labels
	case strings.HasSuffix(path, "notices[0].to") && strings.HasPrefix(path, "spec."):
		return "Administrators" // who are listed
	}
	return atLimit
}

// items makes n different items like the first one that testdata/full has.
func items(path string, s *apiextensionsv1.JSONSchemaProps, n int) []any {
	out := make([]any, 0, n)
	for i := range n {
		name := "item-" + strconv.Itoa(i)
		if i == 0 && path == "spec.departments" {
			name = "rd-platform" // the primary one
		}
		if s.Items.Schema.Type == "string" {
			if strings.HasSuffix(path, "successors") {
				i = 3 - i%4 // Fallback, the last of four words, comes first: it goes with successorRef
			}
			out = append(out, word(s.Items.Schema, name, i))
			continue
		}
		if s.Items.Schema.Type == "integer" {
			out = append(out, int64(i+1))
			continue
		}
		item := map[string]any{}
		for _, field := range s.Items.Schema.Required {
			item[field] = int64(i*10 + 1)
			if property := s.Items.Schema.Properties[field]; property.Type == "string" {
				item[field] = word(&property, name, i)
			}
		}
		switch {
		case path == "spec.ranges":
			item["end"] = int64(i*10 + 5)
		case strings.HasSuffix(path, "notices"):
			item["to"] = []string{"Administrators", "Leaver", "Manager", "Successor"}[i%4]
		case strings.HasSuffix(path, "timeLimits") && item["step"] == "Grace":
			item["step"] = "ResidualCheck" // grace has its own
		case path == "status.conditions":
			item["type"], item["status"], item["reason"] = "T"+strconv.Itoa(i), "True", "InSync"
			item["lastTransitionTime"] = "2026-03-02T01:00:00Z"
		}
		out = append(out, item)
	}
	return out
}

// word is the i-th text that a schema likes: a name, but where it lists its words or wants more of them.
func word(s *apiextensionsv1.JSONSchemaProps, name string, i int) string {
	switch {
	case s.Enum != nil:
		return strings.Trim(string(s.Enum[i%len(s.Enum)].Raw), `"`)
	case s.MinLength != nil && *s.MinLength == 62:
		return fmt.Sprintf("age1%058d", i)
	}
	return name
}

// Required fields are asked for, and fields that do not exist are refused, at every level.
func TestRequiredAndUnknownFields(t *testing.T) {
	ns, objects := namespace(t), full(t)
	bench := limitBench{ns: ns, stored: map[string]*unstructured.Unstructured{}}
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		bench.stored[name] = api.store(t, ns, objects[name])
	}
	for kind, crd := range crds(t) {
		t.Run(kind, func(t *testing.T) {
			walk("", schemaOf(crd), func(path string, s *apiextensionsv1.JSONSchemaProps) {
				if s.Type != "object" || path == "" || strings.HasPrefix(path, "status.conditions") || s.AdditionalProperties != nil {
					return
				}
				o := bench.holder(kind, path)
				bench.try(t, o, path+".surplus", probe{limit: "unknown field", wrong: "x", says: "unknown field"})
				for _, field := range s.Required {
					bench.try(t, o, path+"."+field, probe{limit: "required", says: "Required value"})
				}
			})
			fresh := bench.stored[slices.Sorted(maps.Keys(objects))[0]].DeepCopy()
			fresh.SetKind(kind)
			bench.try(t, fresh, "spec", probe{limit: "required", says: "Required value"})
		})
	}
}
