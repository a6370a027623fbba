package crd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/api/v1alpha1"
)

func load(t *testing.T) []Case {
	t.Helper()
	cases, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// What the catalogue says is refused is refused, by kubectl apply and by kubectl apply --server-side, with words that help.
func TestRefused(t *testing.T) {
	ns := namespace(t)
	for _, c := range load(t) {
		if c.Refused == nil {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			wrong := c.Documents[len(c.Documents)-1]
			for _, right := range c.Documents[:len(c.Documents)-1] {
				if _, err := api.apply(t.Context(), ns, right); err != nil {
					t.Fatalf("a document before the wrong one: %v", err)
				}
			}
			if err := refusal(api.post(t.Context(), ns, wrong), c.Refused.Says...); err != nil {
				t.Errorf("kubectl apply: %v", err)
			}
			_, err := api.apply(t.Context(), ns, wrong)
			if err := refusal(err, c.Refused.ServerSideSays...); err != nil {
				t.Errorf("kubectl apply --server-side: %v", err)
			}
		})
	}
}

// What only a controller can judge is taken by the API server, all of it together in one namespace.
func TestTaken(t *testing.T) {
	ns := namespace(t)
	world, err := World()
	if err != nil {
		t.Fatal(err)
	}
	owner := map[string]string{}
	take := func(t *testing.T, by string, document []byte) {
		t.Helper()
		o, err := api.apply(t.Context(), ns, document)
		if err != nil {
			t.Errorf("the API server refuses it: %v", err)
			return
		}
		id := o.GetKind() + "/" + o.GetName()
		if other := owner[id]; other != "" && other != "world" {
			t.Errorf("%s is in %s too: cases must not disturb each other", id, other)
		}
		owner[id] = by
	}
	for _, document := range world {
		take(t, "world", document)
	}
	for _, c := range load(t) {
		if c.Refused != nil {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			for _, document := range c.Documents {
				take(t, c.Name, document)
			}
			for _, want := range c.Conditions {
				if owner[want.Kind+"/"+want.Name] == "" {
					t.Errorf("nothing is called %s/%s", want.Kind, want.Name)
				}
				if v1alpha1.ReasonCodes[want.Reason] == "" {
					t.Errorf("there is no reason %s", want.Reason)
				}
				if !slices.Contains([]string{"Ready", "Stalled", "Reconciling", "Unique", "MappingValid"}, want.Type) {
					t.Errorf("there is no condition %s", want.Type)
				}
			}
		})
	}
	if heard := api.warnings.take(); len(heard) > 0 {
		t.Errorf("the API server warns: %q", heard)
	}
}

// The catalogue covers every kind, both ways.
func TestCatalogueIsWide(t *testing.T) {
	refused, judged := map[string]int{}, map[string]int{}
	for _, c := range load(t) {
		kind := lastKind(t, c)
		if c.Refused != nil {
			refused[kind]++
		} else {
			judged[kind]++
		}
	}
	for kind := range kinds {
		if refused[kind] < 5 || (judged[kind] < 1 && unjudged[kind] == "") {
			t.Errorf("of %s %d wrong objects are refused and %d judged; people get more wrong", kind, refused[kind], judged[kind])
		}
	}
}

// unjudged are kinds of which no wrong object is judged, and why.
var unjudged = map[string]string{
	"Approval":    "Rollcall makes them; what somebody else makes is about nothing that is asked, and is Withdrawn, which is no trouble",
	"Offboarding": "people make rehearsals only, and one of what cannot be is over, and says so in its obstacles",
}

func lastKind(t *testing.T, c Case) string {
	t.Helper()
	var o metav1.TypeMeta
	if err := yaml.Unmarshal(c.Documents[len(c.Documents)-1], &o); err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	return o.Kind
}

func TestParse(t *testing.T) {
	const body = "kind: Employee\nmetadata:\n  name: a\n"
	for _, wrong := range []string{
		"# Wrong.\n# Told.\n",
		"# Wrong.\n# expect: refused \"a\"\n",
		"# Wrong.\n# Told.\n# expect: refused\n",
		"# Wrong.\n# Told.\n# expect: refused \"a\n",
		"# Wrong.\n# Told.\n# expect: refused \"a\"\n# expect: refused \"b\"\n",
		"# Wrong.\n# Told.\n# expect: refused \"a\"\n# expect: condition Stalled DataConflict\n",
		"# Wrong.\n# Told.\n# server-side: \"a\"\n# expect: refused \"a\"\n",
		"# Wrong.\n# Told.\n# expect: condition Stalled\n",
		"# Wrong.\n# Told.\n# expect: condition Stalled DataConflict \"a\" of Employee/b\n",
		"# Wrong.\n# Told.\n# expect: condition Stalled DataConflict on b\n",
		"# Wrong.\n# Told.\n# expect: nothing\n",
	} {
		if _, err := parse("x", []byte(wrong+body)); err == nil {
			t.Errorf("taken:\n%s", wrong)
		}
	}
	c, err := parse("x", []byte("# Wrong.\n# Told.\n# expect: condition Stalled DataConflict \"a \\\"b\" \"c\" on Department/d\n# expect: condition Ready InvalidValue\n"+body))
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint([]Condition{
		{Kind: "Department", Name: "d", Type: "Stalled", Reason: "DataConflict", Says: []string{`a "b`, "c"}},
		{Kind: "Employee", Name: "a", Type: "Ready", Reason: "InvalidValue"},
	})
	if got := fmt.Sprint(c.Conditions); got != want || c.About != "Wrong.\nTold." {
		t.Errorf("read %s of %q, want %s", got, c.About, want)
	}
}

// post sends a document like `kubectl apply`: YAML is turned into JSON by kubectl, and read strictly by the server.
func (s server) post(ctx context.Context, ns string, document []byte) error {
	body, err := yaml.YAMLToJSON(document)
	if err != nil {
		return fmt.Errorf("reading the document: %w", err)
	}
	var head metav1.TypeMeta
	if err := yaml.Unmarshal(document, &head); err != nil {
		return fmt.Errorf("reading the document: %w", err)
	}
	client, err := rest.HTTPClientFor(s.config)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	kind := head.GroupVersionKind()
	config := rest.CopyConfig(s.config)
	config.GroupVersion, config.APIPath = &v1alpha1.GroupVersion, "/apis"
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	direct, err := rest.RESTClientForConfigAndClient(config, client)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	return direct.Post().Namespace(ns).Resource(plural(kind.Kind)).
		SetHeader("Content-Type", "application/json").
		Param("fieldValidation", metav1.FieldValidationStrict).Param("dryRun", metav1.DryRunAll).
		Body(body).Do(ctx).Error()
}

// plural is a kind as addresses have it.
func plural(kind string) string {
	kind = strings.ToLower(kind)
	if stem, ok := strings.CutSuffix(kind, "cy"); ok {
		return stem + "cies"
	}
	return kind + "s"
}
