package crd

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"sigs.k8s.io/yaml"
)

// The samples are taken without a warning, and applying them again changes nothing.
func TestSamples(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(root, "config", "samples", "*", "kustomization.yaml"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no samples found: %v", err)
	}
	api.warnings.take()
	for _, file := range folders {
		folder := filepath.Dir(file)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			ns := namespace(t)
			taken := map[string]map[string]any{}
			for range 2 {
				for _, document := range sample(t, folder) {
					o, err := api.apply(t.Context(), ns, document)
					if err != nil {
						t.Errorf("%v in\n%s", err, document)
						continue
					}
					id := o.GetKind() + "/" + o.GetName()
					o.SetResourceVersion("") // the second apply writes the same once more, whatever the kind
					if before := taken[id]; before != nil && o.GetKind() != "Namespace" && !reflect.DeepEqual(before, o.Object) {
						t.Errorf("%s changed when it was applied again", id)
					}
					taken[id] = o.Object
				}
			}
			if heard := api.warnings.take(); len(heard) > 0 {
				t.Errorf("the API server warns: %q", heard)
			}
		})
	}
}

// sample reads the documents that a kustomization lists, in its order.
func sample(t *testing.T, folder string) [][]byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var kustomization struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Resources  []string `json:"resources"`
	}
	if err := yaml.UnmarshalStrict(text, &kustomization); err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for _, file := range kustomization.Resources {
		text, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range documents(text) {
			var content map[string]any
			if err := yaml.Unmarshal(document, &content); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if len(content) > 0 { // a leading comment makes an empty one
				all = append(all, document)
			}
		}
	}
	return all
}
