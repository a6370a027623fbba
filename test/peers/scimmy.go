package peers

import (
	"bufio"
	"context"
	"crypto/sha256"
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

// StartScimmy starts the server on a free port of loopback. Its packages are installed
// once by npm, into bin. env is added to the environment: what it knows is in server.js.
func StartScimmy(ctx context.Context, token string, env ...string) (*Scimmy, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, errors.New("the SCIM tests run a server on Node.js: install node and npm (https://nodejs.org; 20 was tried), " +
			"e.g. apt-get install nodejs npm")
	}
	dir, err := installScimmy(ctx)
	if err != nil {
		return nil, fmt.Errorf("installing the SCIM server: %w", err)
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

// installScimmy has npm put the packages of the lock file into a folder that is named by
// it, unless that is there. It is made beside and renamed, as tests run side by side.
func installScimmy(ctx context.Context) (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("where its files are is not known")
	}
	from := filepath.Join(filepath.Dir(file), "scimmy")
	contents, sum := map[string][]byte{}, sha256.New()
	for _, name := range scimmyFiles {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return "", err
		}
		contents[name] = text
		_, _ = sum.Write(text) // a hash takes everything
	}
	cache := filepath.Join(filepath.Dir(file), "..", "..", "bin", "peers")
	target := filepath.Join(cache, fmt.Sprintf("scimmy-%x", sum.Sum(nil)[:6]))
	if _, err := os.Stat(target); err == nil {
		return target, nil
	}
	if err := os.MkdirAll(cache, 0o750); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(cache, "installing-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(work) }()
	for name, text := range contents {
		if err := os.WriteFile(filepath.Join(work, name), text, 0o600); err != nil {
			return "", err
		}
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = work
	if output, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci (it comes with Node.js, and needs the network once): %w\n%s", err, output)
	}
	if err := os.Rename(work, target); err != nil {
		if _, there := os.Stat(target); there != nil {
			return "", err
		}
	}
	return target, nil
}
