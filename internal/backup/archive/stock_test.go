package archive

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rollcall.dev/rollcall/internal/directory"
)

// The commands of docs/archive-format.md open an archive, with a key that age-keygen
// made and the tools of other people.
func TestStockToolsOpenAnArchive(t *testing.T) {
	tools, err := filepath.Abs("../../../bin/tools")
	if err != nil {
		t.Fatal(err)
	}
	run := func(dir, command string) []byte {
		t.Helper()
		var out, complaint bytes.Buffer
		c := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", command)
		c.Dir, c.Stdout, c.Stderr = dir, &out, &complaint
		c.Env = append(os.Environ(), "PATH="+tools+":"+os.Getenv("PATH"))
		if err := c.Run(); err != nil {
			t.Fatalf("%v: %s\n(age comes from: make bin/tools/age bin/tools/age-keygen; zstd from your distribution)", err, complaint.Bytes())
		}
		return out.Bytes()
	}
	dir := t.TempDir()
	identities := run(dir, "age-keygen 2>/dev/null | tee key.txt")
	_, recipient, err := ParseIdentities(identities)
	if err != nil {
		t.Fatal(err)
	}
	b, seal := write(t, company(), recipient)
	for name, content := range map[string][]byte{"archive.tar.zst.age": b, "seal.json": seal.Encode()} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	page, err := os.ReadFile("../../../docs/archive-format.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile("(?s)## Open one with standard tools\n.*?```sh\n(.*?)```").FindSubmatch(page)
	if commands == nil {
		t.Fatal("docs/archive-format.md shows no commands")
	}
	out := run(dir, string(commands[1]))
	if want := lines(t, directory.DatasetDirectory, directory.PartAccounts); string(out) != want {
		t.Errorf("the tools say\n%s\nwritten was\n%s", out, want)
	}
	for _, l := range company() {
		have, err := os.ReadFile(filepath.Join(dir, "opened", folder(l.Dataset), l.Part, "00001.jsonl"))
		if want := lines(t, l.Dataset, l.Part); err != nil || string(have) != want {
			t.Errorf("%s/%s: %s (%v), want %s", l.Dataset, l.Part, have, err, want)
		}
	}
	if have, err := os.ReadFile(filepath.Join(dir, "opened", readmeName)); err != nil || string(have) != readme {
		t.Errorf("%s: %s (%v)", readmeName, have, err)
	}

	// The same commands see that something is wrong.
	b[len(b)/2] ^= 1
	if err := os.WriteFile(filepath.Join(dir, "archive.tar.zst.age"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", strings.ReplaceAll(string(commands[1]), "opened", "again"))
	c.Dir, c.Env = dir, append(os.Environ(), "PATH="+tools+":"+os.Getenv("PATH"))
	if c.Run() == nil {
		t.Error("a flipped bit passes")
	}
}

// lines are those of a part, as they were written.
func lines(t *testing.T, d directory.Dataset, part string) string {
	t.Helper()
	var b strings.Builder
	for _, l := range company() {
		if l.Dataset == d && l.Part == part {
			line, err := marshal(l.Item)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(line)
		}
	}
	return b.String()
}

// What README.txt and docs/archive-format.md promise of words and their order.
func TestFormatIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/archive-format.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{line{}, account{}, department{}, role{}, member{}, Header{}, Manifest{}, Dataset{}, Part{}, File{}, Gap{}, Seal{}} {
		for _, name := range jsonNames(v) {
			if !bytes.Contains(page, []byte("`"+name+"`")) && !bytes.Contains(page, []byte("[]."+name)) {
				t.Errorf("%T has %q, which docs/archive-format.md does not mention", v, name)
			}
		}
	}
	for _, d := range directory.Datasets() {
		if !bytes.Contains(page, []byte("`"+string(d)+"`")) {
			t.Errorf("docs/archive-format.md does not mention the dataset %s", d)
		}
	}
}
