package peers

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Scimmy is scimmy-routers, an npm package, on express 4, in a process of its own.
type Scimmy struct {
	// URL is its base address.
	URL   string
	cmd   *exec.Cmd
	stdin io.Closer
}

// startWithin is far beyond what node needs, and ends a run that would hang.
const startWithin = time.Minute

// scimmyFiles are what the server is installed from and made of.
var scimmyFiles = []string{".npmrc", "package.json", "package-lock.json", "server.js"}

// StartScimmy starts the server on a free port of loopback. `make bin/tools/scimmy/server.js`
// fetches its packages. env is added to the environment: what it knows is in server.js.
func StartScimmy(token string, env ...string) (*Scimmy, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, errors.New("the SCIM tests run a server on Node.js: install node and npm (https://nodejs.org; 18 and 20 were tried), " +
			"e.g. apt-get install nodejs npm")
	}
	dir, err := installed()
	if err != nil {
		return nil, fmt.Errorf("starting the SCIM server: %w", err)
	}
	s := &Scimmy{cmd: exec.Command(node, "server.js")} //nolint:noctx // Stop ends it
	s.cmd.Dir, s.cmd.Stderr = dir, os.Stderr
	s.cmd.Env = append(append(os.Environ(), "TOKEN="+token), env...)
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the SCIM server: %w", err)
	}
	s.stdin = stdin
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the SCIM server: %w", err)
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the SCIM server: %w", err)
	}
	timer := time.AfterFunc(startWithin, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			s.URL = url
			return s, nil
		}
	}
	return nil, fmt.Errorf("starting the SCIM server: it ended before it was ready: %w", errors.Join(s.Stop(), lines.Err()))
}

// Reset removes all accounts and groups.
func (s *Scimmy) Reset(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(s.URL, "/scim/v2")+"/reset", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("resetting the SCIM server: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("resetting the SCIM server: HTTP status %d", resp.StatusCode)
	}
	return nil
}

// Stop ends the server, which goes when its standard input is closed: so it does, too,
// when the program that started it dies.
func (s *Scimmy) Stop() error {
	timer := time.AfterFunc(10*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	return errors.Join(s.stdin.Close(), s.cmd.Wait())
}

// installed is the folder of the server, as its files are now.
func installed() (string, error) {
	_, file, _, _ := runtime.Caller(0)
	from, dir := filepath.Join(filepath.Dir(file), "scimmy"), tool("scimmy")
	for _, name := range scimmyFiles {
		want, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return "", err
		}
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
			return "", fmt.Errorf("%s is not there, or is an older one: run `make bin/tools/scimmy/server.js`", dir)
		}
	}
	return dir, nil
}
