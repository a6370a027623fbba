package provider_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/provider"
)

const module = "rollcall.dev/rollcall/"

// layout is what every platform's folder has: whoever knows one finds their way
// in all. A file more or less is a difference that has to be made everywhere.
var layout = []string{
	"auth.go", "capabilities.go", "client.go", "datasets.go", "directory.go", "doc.go", "errors.go", "export.go", "leaving.go",
	"listing.go", "mapping.go", "register.go", "roles.go", "wire.go",
}

// optional is where a platform goes on that has too many datasets for one file.
var optional = []string{"datasets_files.go", "datasets_people.go"}

// allowed is what a provider may import of this module, and beyond the standard
// library.
var allowed = []string{
	module + "internal/directory", module + "internal/httpx", "golang.org/x/sync/singleflight",
}

func platforms(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func sources(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestEveryPlatformHasTheSameFiles(t *testing.T) {
	for _, name := range platforms(t) {
		var files []string
		for _, path := range sources(t, name) {
			if base := filepath.Base(path); !strings.HasSuffix(base, "_test.go") && !slices.Contains(optional, base) {
				files = append(files, base)
			}
		}
		if !slices.Equal(files, layout) {
			t.Errorf("%s has %v, want %v", name, files, layout)
		}
	}
}

func TestImports(t *testing.T) {
	for _, name := range platforms(t) {
		for _, path := range sources(t, name) {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range file.Imports {
				imported, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				if complaint := complain(name, path, imported); complaint != "" {
					t.Errorf("%s imports %s: %s", path, imported, complaint)
				}
			}
		}
	}
}

// complain says what is wrong with an import, "" if nothing is.
func complain(platform, path, imported string) string {
	test := strings.HasSuffix(path, "_test.go")
	sibling, isProvider := strings.CutPrefix(imported, module+"internal/provider")
	switch {
	case isProvider && sibling != "/"+platform:
		return "platforms know nothing of each other"
	case strings.HasPrefix(imported, module+"api") || strings.HasPrefix(imported, "k8s.io/") || strings.HasPrefix(imported, "sigs.k8s.io/"):
		return "platforms know no Kubernetes"
	case test || slices.Contains(allowed, imported):
		return ""
	case strings.HasPrefix(imported, module+"test/"):
		return "provider and simulator share no code"
	case strings.Contains(strings.Split(imported, "/")[0], "."):
		return "only the standard library and " + strings.Join(allowed, ", ")
	}
	return ""
}

func TestEveryPlatformIsRegistered(t *testing.T) {
	var registered []string
	for _, d := range provider.All() {
		registered = append(registered, strings.ToLower(d.Platform))
		if len(d.SecretKeys) == 0 || d.OperationsPerSecond <= 0 || d.AccountID == nil || d.New == nil {
			t.Errorf("%s: the descriptor is not complete", d.Platform)
		}
		for _, k := range d.SecretKeys {
			if k.Name == "" || k.About == "" {
				t.Errorf("%s: secret key %q does not say where it is found", d.Platform, k.Name)
			}
		}
		if _, err := d.New(directory.Settings{}); directory.ClassOf(err) != directory.Invalid {
			t.Errorf("%s: made from empty settings: %v, want class Invalid", d.Platform, err)
		}
	}
	slices.Sort(registered)
	if folders := platforms(t); !slices.Equal(registered, folders) {
		t.Errorf("registered are %v, and there are folders %v", registered, folders)
	}
}
