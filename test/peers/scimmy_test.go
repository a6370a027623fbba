package peers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Without Node.js the tests fail, and say what is needed.
func TestSaysWhatIsNeeded(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := StartScimmy("token")
	if err == nil || !strings.Contains(err.Error(), "install node and npm") {
		t.Errorf("without node: %v", err)
	}
}

// What is downloaded comes from wherever npm is told to look: no file names a host.
func TestLockNamesNoHost(t *testing.T) {
	for _, name := range scimmyFiles {
		text, err := os.ReadFile(filepath.Join("scimmy", name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `"resolved"`) || strings.Contains(string(text), "registry.") {
			t.Errorf("%s names where a package comes from", name)
		}
	}
}
