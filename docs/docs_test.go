// Package docs keeps the documents true: what they say of reasons, platform codes, metrics, fields, commands and files is
// compared with the code.
package docs

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// root is the repository.
const root = ".."

// Every reason has a heading of its own, with its code, and nothing else has one.
func TestReasonsAreDocumented(t *testing.T) {
	declared := map[string]bool{}
	for name, value := range constants(t, "api/v1alpha1/reasons.go") {
		if strings.HasPrefix(name, "Reason") || strings.HasPrefix(name, "Event") {
			declared[value] = true
		}
	}
	codes := map[string]string{}
	for reason, code := range v1alpha1.ReasonCodes {
		if !declared[reason] {
			t.Errorf("ReasonCodes has %q, which is no constant of reasons.go", reason)
		}
		if other, taken := codes[code]; taken {
			t.Errorf("%s is the code of %s and of %s", code, reason, other)
		}
		codes[code] = reason
	}
	documented := map[string]bool{}
	heading := regexp.MustCompile(`(?m)^### (?:(E-\d{3}) )?([A-Z][A-Za-z]+)$`)
	for _, m := range heading.FindAllStringSubmatch(read(t, "docs/reasons.md"), -1) {
		code, reason := m[1], m[2]
		switch {
		case documented[reason]:
			t.Errorf("%s has two headings", reason)
		case !declared[reason]:
			t.Errorf("%s is documented, and no constant of reasons.go", reason)
		case v1alpha1.ReasonCodes[reason] != code:
			t.Errorf("%s is documented with code %q; it has %q", reason, code, v1alpha1.ReasonCodes[reason])
		}
		documented[reason] = true
	}
	for reason := range declared {
		if !documented[reason] {
			t.Errorf("%s is not documented", reason)
		}
	}
}

// Beside each reason stand the platforms' own codes, exactly as the providers' tables have them.
func TestPlatformCodesAreDocumented(t *testing.T) {
	reasonOf := map[string]string{"NotFound": v1alpha1.ReasonVanished} // a direct read that says so proves absence
	named := constants(t, "api/v1alpha1/reasons.go")
	for class, reason := range table(t, "controllers/problem.go", "reasons") {
		if class != "NotFound" {
			reasonOf[class] = named[reason]
		}
	}
	sections := sectionsOf(read(t, "docs/reasons.md"))
	for platform, file := range map[string]string{
		"DingTalk": "internal/provider/dingtalk/errors.go", "WeCom": "internal/provider/wecom/errors.go",
	} {
		want := map[string][]string{}
		for code, class := range table(t, file, "meanings") {
			if reasonOf[class] == "" {
				t.Errorf("%s: code %s has class %q, which no reason stands for", platform, code, class)
			}
			want[reasonOf[class]] = append(want[reasonOf[class]], code)
		}
		for reason := range v1alpha1.ReasonCodes {
			slices.Sort(want[reason])
			var got []string
			line := regexp.MustCompile(`(?ms)^- \*\*` + platform + ` says:\*\* (.*?)(?:\n- |\n\n|\z)`).FindStringSubmatch(sections[reason])
			if line != nil {
				got = quoted(line[1])
				slices.Sort(got)
			}
			if !slices.Equal(got, want[reason]) {
				t.Errorf("%s of %s: the documented codes differ from the table; write\n- **%s says:** `%s`",
					reason, platform, platform, strings.Join(want[reason], "` `"))
			}
		}
	}
}

// Metrics have the names that are documented, and no others.
func TestMetricsAreDocumented(t *testing.T) {
	const name = `\b(rollcall_[a-z_]+[a-z])\b`
	want, got := submatches(name, read(t, "internal/metrics/metrics.go")+read(t, "internal/metrics/backup.go")+read(t, "internal/metrics/removals.go")+read(t, "internal/metrics/bindings.go")), submatches(name, read(t, "docs/operations.md"))
	if !slices.Equal(got, want) {
		t.Errorf("docs/operations.md names the metrics\n%q, and there are\n%q", got, want)
	}
}

// Every field of these kinds is on the kind's page.
func TestFieldsAreDocumented(t *testing.T) {
	for page, kind := range map[string]any{
		"enterpriseaccount.md": v1alpha1.EnterpriseAccount{}, "department.md": v1alpha1.Department{},
		"employee.md": v1alpha1.Employee{}, "employeenumberrule.md": v1alpha1.EmployeeNumberRule{},
		"backupstorage.md": v1alpha1.BackupStorage{}, "backupschedule.md": v1alpha1.BackupSchedule{},
		"approval.md": v1alpha1.Approval{}, "backup.md": v1alpha1.Backup{}, "restore.md": v1alpha1.Restore{},
		"offboardingpolicy.md": v1alpha1.OffboardingPolicy{}, "offboarding.md": v1alpha1.Offboarding{},
		"permissionbinding.md": v1alpha1.PermissionBinding{}, "linkedsystem.md": v1alpha1.LinkedSystem{},
	} {
		known := map[string]bool{"conditions": true, "observedGeneration": true} // every kind has them
		for _, q := range quoted(read(t, "docs/"+page)) {
			for _, part := range regexp.MustCompile(`[A-Za-z][A-Za-z0-9]*`).FindAllString(q, -1) {
				known[part] = true
			}
		}
		for name := range fields(reflect.TypeOf(kind)) {
			if !known[name] {
				t.Errorf("docs/%s does not explain `%s`", page, name)
			}
		}
	}
}

// What is shown as YAML can be applied: names and types of fields are right.
func TestYAMLDecodes(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	decoded := 0
	for _, page := range pages(t) {
		for _, block := range blocks(read(t, page), "yaml") {
			for _, document := range strings.Split("\n"+block, "\n---") {
				var object runtime.TypeMeta
				if err := yaml.Unmarshal([]byte(document), &object); err != nil {
					t.Errorf("%s: %v in\n%s", page, err, document)
					continue
				}
				if !strings.HasPrefix(object.APIVersion, v1alpha1.GroupVersion.Group+"/") {
					continue
				}
				if _, _, err := decoder.Decode([]byte(document), nil, nil); err != nil {
					t.Errorf("%s: %v in\n%s", page, err, document)
				}
				decoded++
			}
		}
	}
	if decoded < 10 {
		t.Errorf("found %d objects only: are the blocks still marked yaml?", decoded)
	}
}

// Links between documents lead somewhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, page := range pages(t) {
		text := read(t, page)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := page
			if target != "" {
				file = filepath.ToSlash(filepath.Join(filepath.Dir(page), target))
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s: %s leads nowhere", page, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, file)), anchor) {
				t.Errorf("%s: %s has no heading #%s", page, file, anchor)
			}
		}
	}
}

// Commands that are named exist.
func TestCommandsExist(t *testing.T) {
	targets := read(t, "Makefile")
	command := regexp.MustCompile("(?m)(?:^|`|\\$ )make ([a-z][a-z -]*[a-z])")
	for _, page := range pages(t) {
		for _, m := range command.FindAllStringSubmatch(read(t, page), -1) {
			for target := range strings.FieldsSeq(m[1]) {
				if !strings.Contains(targets, "\n"+target+":") {
					t.Errorf("%s: there is no `make %s`", page, target)
				}
			}
		}
	}
}

// The manager has the flags that are documented, and no others.
func TestFlagsAreDocumented(t *testing.T) {
	want := submatches(`flag\.\w+Var\(&[\w.]+, "([a-z-]+)"`, read(t, "main.go"))
	got := submatches("(?m)^\\| `--([a-z-]+)`", read(t, "docs/operations.md"))
	if !slices.Equal(got, want) {
		t.Errorf("docs/operations.md has the flags\n%q, and there are\n%q", got, want)
	}
}

// submatches are the first groups of all matches, sorted, each once.
func submatches(pattern, text string) []string {
	var all []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Both READMEs show the same commands and objects.
func TestREADMEsAgree(t *testing.T) {
	for _, language := range []string{"yaml", "sh"} {
		english, chinese := blocks(read(t, "README.md"), language), blocks(read(t, "README.zh-CN.md"), language)
		if !slices.Equal(english, chinese) {
			t.Errorf("the %s blocks differ:\n%q\n%q", language, english, chinese)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
}

// pages are all documents, as paths from the root.
func pages(t *testing.T) []string {
	t.Helper()
	all := []string{"README.md", "README.zh-CN.md"}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" && path != "api.md" { // which is generated
			all = append(all, "docs/"+filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// blocks are the fenced blocks of a language.
func blocks(text, language string) []string {
	var all []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// quoted are the texts in backquotes.
func quoted(text string) []string {
	var all []string
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// sectionsOf splits a page at its headings of the third level; the key is the heading's last word.
func sectionsOf(text string) map[string]string {
	sections := map[string]string{}
	for part := range strings.SplitSeq(text, "\n### ") {
		heading, body, _ := strings.Cut(part, "\n")
		body, _, _ = strings.Cut(body, "\n## ")
		sections[heading[strings.LastIndex(heading, " ")+1:]] = body
	}
	return sections
}

// anchors are the headings as GitHub makes links of them.
func anchors(text string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		plain := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}

// fields are the JSON names of all fields below spec and status.
func fields(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.PkgPath() != reflect.TypeFor[v1alpha1.Employee]().PkgPath() {
		return names
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "metadata" {
			continue
		}
		names[name] = true
		maps.Copy(names, fields(f.Type))
	}
	delete(names, "spec")
	delete(names, "status")
	return names
}

// constants are the string constants of a file.
func constants(t *testing.T, file string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for name, value := range declarations(t, file) {
		if text, ok := literal(value, nil); ok {
			found[name] = text
		}
	}
	if len(found) == 0 {
		t.Fatal(fmt.Errorf("%s: no constants found", file))
	}
	return found
}
