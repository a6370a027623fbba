package crd

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// crds reads the generated CRDs, by kind.
func crds(t *testing.T) map[string]*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "config", "crd", "bases", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no CRDs found: %v", err)
	}
	byKind := map[string]*apiextensionsv1.CustomResourceDefinition{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, crd); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		byKind[crd.Spec.Names.Kind] = crd
	}
	return byKind
}

// full reads the objects in testdata/full, which together set every field of the API, by file name.
func full(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "full", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*unstructured.Unstructured{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		byName[strings.TrimSuffix(filepath.Base(file), ".yaml")] = object(t, string(text))
	}
	return byName
}

func schemaOf(crd *apiextensionsv1.CustomResourceDefinition) *apiextensionsv1.JSONSchemaProps {
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema
}

// walk visits every schema below s with its path as messages write it, items as [0]: "spec.accounts[0].name".
func walk(path string, s *apiextensionsv1.JSONSchemaProps, visit func(path string, s *apiextensionsv1.JSONSchemaProps)) {
	visit(path, s)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if path == "" && name != "spec" && name != "status" {
			continue
		}
		property := s.Properties[name]
		walk(strings.TrimPrefix(path+"."+name, "."), &property, visit)
	}
	if s.Items != nil {
		walk(path+"[0]", s.Items.Schema, visit)
	}
}

var kinds = map[string]struct {
	shortName string
	columns   []string // those that `kubectl get` shows without -o wide
	fields    []string
}{
	"EnterpriseAccount": {"ea", []string{"Platform", "Mode", "Ready", "Reason", "Managed", "Unmanaged", "Differing", "Age"},
		[]string{".spec.mode", ".status.platform"}},
	"Department": {"dept", []string{"Parent", "Ready", "Reason", "Accounts", "Age", "Display Name"},
		[]string{".spec.parentRef.name", ".spec.code"}},
	"Employee": {"emp", []string{"Number", "Department", "State", "Accounts", "Ready", "Reason", "Age", "Person"},
		[]string{".spec.number", ".spec.state", ".status.number", ".status.state", ".status.primaryDepartment"}},
	"EmployeeNumberRule": {"enr", []string{"Pattern", "Assigned", "Last", "Ready", "Reason", "Age"}, nil},
	"BackupStorage":      {"bst", []string{"Location", "Archives", "Ready", "Reason", "Age"}, nil},
	"BackupSchedule": {"bsc", []string{"Account", "Schedule", "Zone", "State", "Ready", "Reason", "Last-Good", "Restore-Test", "Age"},
		[]string{".spec.accountRef.name"}},
	"Backup": {"bk", []string{"Account", "Ready", "Reason", "Progress", "Verified", "Size", "Hold", "Expires", "Age"},
		[]string{".spec.accountRef.name", ".spec.storageRef.name"}},
	"Restore": {"rst", []string{"Backup", "Target", "Action", "Ready", "Reason", "Create", "Change", "Keep", "Impossible", "Conflicts", "Progress", "Age"},
		[]string{".spec.backupRef.name"}},
	"OffboardingPolicy": {"op", []string{"Applies", "Ready", "Reason", "Unannounced", "Grace", "People", "Leaving", "Age"}, nil},
	"Offboarding": {"ob", []string{"Number", "State", "Step", "Waiting-For", "Access", "Deletion", "Ready", "Age"},
		[]string{".spec.number", ".spec.employeeRef.name", ".status.state"}},
	"PermissionBinding": {"pb", []string{"Account", "Role", "Who", "State", "Holders", "Until", "Next-Review", "Ready", "Reason", "Age"},
		[]string{".spec.accountRef.name", ".status.state"}},
	"LinkedSystem": {"ls", []string{"Protocol", "Mode", "Healthy", "Ready", "Reason", "Linked", "Disabled", "Waiting", "Age"},
		[]string{".spec.mode", ".status.protocol"}},
	"Approval": {"apv", []string{"Purpose", "Account", "People", "State", "Decided-By", "Expires", "Age"},
		[]string{".spec.purpose", ".status.state"}},
}

func TestKinds(t *testing.T) {
	found := crds(t)
	if len(found) != len(kinds) {
		t.Errorf("there are CRDs of %v; this test knows %d kinds", slices.Sorted(maps.Keys(found)), len(kinds))
	}
	for kind, want := range kinds {
		crd := found[kind]
		if crd == nil {
			t.Errorf("there is no CRD of %s", kind)
			continue
		}
		t.Run(kind, func(t *testing.T) {
			names, version := crd.Spec.Names, crd.Spec.Versions[0]
			equal(t, "short names", names.ShortNames, []string{want.shortName})
			equal(t, "categories", names.Categories, []string{"rollcall"})
			equal(t, "scope", []string{string(crd.Spec.Scope)}, []string{"Namespaced"})
			var columns, fields []string
			for _, c := range version.AdditionalPrinterColumns {
				if c.Priority == 0 {
					columns = append(columns, c.Name)
				}
			}
			for _, f := range version.SelectableFields {
				fields = append(fields, f.JSONPath)
			}
			equal(t, "columns", columns, want.columns)
			equal(t, "selectable fields", fields, want.fields)
			if version.Subresources == nil || version.Subresources.Status == nil {
				t.Error("there is no status subresource")
			}
			if d := version.Schema.OpenAPIV3Schema.Properties["status"].Default; d == nil || string(d.Raw) != `{"observedGeneration":-1}` {
				t.Error("status does not start as observedGeneration -1: kstatus takes an untouched object for ready")
			}
		})
	}
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s are %q, want %q", what, got, want)
	}
}

// The columns point at what exists: a wrong JSONPath shows nothing and nobody notices.
func TestColumnsPointAtFields(t *testing.T) {
	for kind, crd := range crds(t) {
		paths := map[string]bool{".metadata.creationTimestamp": true, `.metadata.labels.rollcall\.dev/schedule`: true}
		walk("", schemaOf(crd), func(path string, _ *apiextensionsv1.JSONSchemaProps) {
			paths["."+strings.ReplaceAll(path, "[0]", "[*]")] = true
		})
		for _, c := range crd.Spec.Versions[0].AdditionalPrinterColumns {
			path := regexp.MustCompile(`\[\?\(@\.type=="[A-Za-z]+"\)\]`).ReplaceAllString(c.JSONPath, "[*]")
			if !paths[path] {
				t.Errorf("column %q of %s shows %s, which does not exist", c.Name, kind, c.JSONPath)
			}
		}
	}
}

// What is still to come is shown as it stands: kubectl tells the age of a date, and calls one of the future "<invalid>".
func TestColumnsOfTheFuture(t *testing.T) {
	future := regexp.MustCompile(`(?i)(deletion|expire|next\w*)time$`)
	for kind, crd := range crds(t) {
		for _, c := range crd.Spec.Versions[0].AdditionalPrinterColumns {
			if future.MatchString(c.JSONPath) && c.Type == "date" {
				t.Errorf("column %q of %s shows a time to come, as a date", c.Name, kind)
			}
		}
	}
}

// `kubectl explain` says something of every field, and not only the field's name.
func TestEveryFieldIsDescribed(t *testing.T) {
	for kind, crd := range crds(t) {
		walk("", schemaOf(crd), func(path string, s *apiextensionsv1.JSONSchemaProps) {
			scalarItem := strings.HasSuffix(path, "[0]") && s.Type != "object"
			if len(s.Description) < 10 && !scalarItem {
				t.Errorf("%s %s: its description is %q", kind, path, s.Description)
			}
		})
	}
}

// Limits are what keeps the cost of rules and the size of objects bounded.
func TestEveryFieldIsBounded(t *testing.T) {
	for kind, crd := range crds(t) {
		walk("", schemaOf(crd), func(path string, s *apiextensionsv1.JSONSchemaProps) {
			if strings.Contains(path, "status.conditions") {
				return // of apimachinery, not ours
			}
			switch {
			case s.Type == "string" && s.MaxLength == nil && s.Enum == nil && s.Format != "date-time",
				s.Type == "array" && s.MaxItems == nil,
				s.Type == "integer" && s.Minimum == nil,
				s.AdditionalProperties != nil && s.MaxProperties == nil, s.Type == "number", s.Type == "boolean", s.XPreserveUnknownFields != nil:
				t.Errorf("%s %s (%s) has no limit, or is of a type that cannot grow", kind, path, s.Type)
			case s.Type == "array" && s.XListType == nil:
				t.Errorf("%s %s does not say how it is merged", kind, path)
			}
		})
	}
}

// The full objects are right, and nothing of the API is missing from them: they are what the other tests start from.
func TestFullObjects(t *testing.T) {
	ns := namespace(t)
	set := map[string]map[string]bool{}
	for name, o := range full(t) {
		kind := o.GetKind()
		if set[kind] == nil {
			set[kind] = map[string]bool{}
		}
		mark("", o.Object, set[kind])
		if err := api.create(t.Context(), ns, o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for kind, crd := range crds(t) {
		walk("", schemaOf(crd), func(path string, _ *apiextensionsv1.JSONSchemaProps) {
			if path != "" && !set[kind][path] {
				t.Errorf("no object in testdata/full sets %s of %s", path, kind)
			}
		})
	}
}

func mark(path string, value any, set map[string]bool) {
	set[strings.TrimPrefix(path, ".")] = true
	switch v := value.(type) {
	case map[string]any:
		for name, below := range v {
			mark(path+"."+name, below, set)
		}
	case []any:
		for _, below := range v {
			mark(path+"[0]", below, set)
		}
	}
}

// A new object is not ready for kstatus before the operator looked at it.
func TestNewObjectsAreNotReady(t *testing.T) {
	ns := namespace(t)
	for name, o := range full(t) {
		unstructured.RemoveNestedField(o.Object, "status")
		made := api.store(t, ns, o)
		if got := fmt.Sprint(made.Object["status"]); got != "map[observedGeneration:-1]" {
			t.Errorf("%s: status of a new object is %s", name, got)
		}
	}
}
