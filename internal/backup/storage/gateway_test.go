package storage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// The real S3 server: github.com/versity/versitygw over a folder, built by
// `make bin/tools/versitygw`, started once for all tests, reached through a proxy
// that can cut and stall.

const (
	rootKey    = "rollcalltestroot"
	rootSecret = "not-a-secret-only-on-loopback"
)

type gateway struct {
	dir    string // holds the buckets, a folder each
	socket string
	cmd    *exec.Cmd
	log    bytes.Buffer
}

var (
	shared     *gateway
	sharedOnce sync.Once
	sharedErr  error
	buckets    atomic.Int64
)

// testDir outlives the single tests.
var testDir string

func TestMain(m *testing.M) {
	if child() {
		return
	}
	os.Exit(func() int {
		var err error
		testDir, err = os.MkdirTemp("", "rollcall-storage-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(testDir)
		code := m.Run()
		if shared != nil {
			shared.stop()
		}
		return code
	}())
}

func tool(name string) string {
	wd, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return filepath.Join(wd, "../../../bin/tools", name)
}

// startGateway runs the server over a folder; with a size, over a disk of that size.
func startGateway(dir string, size int64) (*gateway, error) {
	state, err := os.MkdirTemp(testDir, "gw")
	if err != nil {
		return nil, err
	}
	g := &gateway{dir: dir, socket: filepath.Join(state, "s3.sock")}
	for _, d := range []string{"iam", "meta"} {
		if err := os.Mkdir(filepath.Join(state, d), 0o700); err != nil {
			return nil, err
		}
	}
	args := []string{tool("versitygw"), "--port", g.socket, "--iam-dir", filepath.Join(state, "iam"), "--quiet",
		"posix", "--sidecar", filepath.Join(state, "meta"), dir}
	env := append(os.Environ(), "ROOT_ACCESS_KEY_ID="+rootKey, "ROOT_SECRET_ACCESS_KEY="+rootSecret)
	g.cmd = exec.Command(args[0], args[1:]...)
	if size > 0 {
		text, err := json.Marshal(job{Mount: dir, Size: size, Command: args})
		if err != nil {
			return nil, err
		}
		g.cmd = exec.Command(os.Args[0])
		env = append(env, childEnv+"="+string(text))
		isolate(g.cmd)
	}
	g.cmd.Env, g.cmd.Stdout, g.cmd.Stderr = env, &g.log, &g.log
	exited, err := start(g.cmd)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-exited:
			return nil, fmt.Errorf("the server ended at once: %w: %s", err, g.log.String())
		case <-tick.C:
		}
		if c, err := net.Dial("unix", g.socket); err == nil {
			return g, c.Close()
		}
	}
}

func (g *gateway) stop() { _ = g.cmd.Process.Kill() }

// s3Server returns the shared server behind a proxy of this test's own.
func s3Server(t testing.TB) (*gateway, *proxy) {
	t.Helper()
	sharedOnce.Do(func() {
		dir := filepath.Join(testDir, "buckets")
		if sharedErr = os.Mkdir(dir, 0o700); sharedErr == nil {
			shared, sharedErr = startGateway(dir, 0)
		}
	})
	if sharedErr != nil {
		t.Fatalf("starting %s (build it with: make bin/tools/versitygw): %v", tool("versitygw"), sharedErr)
	}
	return shared, newProxy(t, shared.socket)
}

// newBucket makes a bucket and says how it is reached.
func newBucket(t testing.TB) (S3, *gateway, *proxy) {
	t.Helper()
	g, p := s3Server(t)
	c := bucketOn(t, p)
	return c, g, p
}

func bucketOn(t testing.TB, p *proxy) S3 {
	t.Helper()
	c := S3{
		Bucket: fmt.Sprintf("test-%d", buckets.Add(1)), Prefix: "rollcall/acme", Endpoint: p.url(),
		PathStyle: true, AccessKeyID: rootKey, SecretAccessKey: rootSecret, Stall: 5 * time.Second,
	}
	b, err := openBucket(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &c.Bucket}); err != nil {
		t.Fatal(err)
	}
	return c
}

// eachKind runs a test on a volume and on a bucket.
func eachKind(t *testing.T, test func(t *testing.T, p *Place)) {
	t.Run("volume", func(t *testing.T) { test(t, newVolumePlace(t)) })
	t.Run("bucket", func(t *testing.T) { test(t, newBucketPlace(t)) })
}

func newVolumePlace(t testing.TB) *Place {
	t.Helper()
	return place(t, Config{Local: &Local{Root: t.TempDir(), Folder: "offsite/acme"}})
}

func newBucketPlace(t testing.TB) *Place {
	t.Helper()
	c, _, _ := newBucket(t)
	return place(t, Config{S3: &c})
}

func place(t testing.TB, c Config) *Place {
	t.Helper()
	p, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// proxy stands between the client and the server, and does harm on request.
type proxy struct {
	socket string
	l      net.Listener
	ctx    context.Context //nolint:containedctx // ends with the test

	mu    sync.Mutex
	conns map[net.Conn]bool
	// up and down are how many bytes may still pass to the server and back, over all
	// connections; then what is said in then happens. Negative: no limit.
	up, down int64
	then     harm
	harmed   chan struct{} // closed at the first harm
}

type harm int

const (
	cut   harm = iota // both ends of the connection are closed
	stall             // nothing passes any more, and nobody is told
	slow              // 16 KiB pass every 10 milliseconds
)

func newProxy(t testing.TB, socket string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{socket: socket, l: l, ctx: t.Context(), conns: map[net.Conn]bool{}, up: -1, down: -1}
	t.Cleanup(func() {
		_ = l.Close()
		p.cutAll()
	})
	go p.serve()
	return p
}

func (p *proxy) url() string { return "http://" + p.l.Addr().String() }

// after lets so many bytes pass to the server, or back, before harm is done to each
// connection that wants more.
func (p *proxy) after(up, down int64, then harm) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up, p.down, p.then = up, down, then
	p.harmed = make(chan struct{})
	return p.harmed
}

func (p *proxy) heal() {
	p.mu.Lock()
	p.up, p.down = -1, -1
	p.mu.Unlock()
	p.cutAll()
}

func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *proxy) serve() {
	for {
		in, err := p.l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("unix", p.socket)
		if err != nil {
			_ = in.Close()
			continue
		}
		p.mu.Lock()
		p.conns[in], p.conns[out] = true, true
		p.mu.Unlock()
		go p.pump(out, in, &p.up)
		go p.pump(in, out, &p.down)
	}
}

func (p *proxy) pump(to, from net.Conn, budget *int64) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		allowed, what := p.take(budget, n)
		if allowed < n && what == slow {
			if !p.trickle(to, b[:n]) {
				return
			}
			continue
		}
		if _, err := to.Write(b[:allowed]); err != nil {
			return
		}
		if allowed < n {
			if what == stall {
				<-p.ctx.Done() // both stay open, and silent
			}
			return
		}
		if err != nil {
			return
		}
	}
}

// take says how many of n bytes may pass.
func (p *proxy) take(budget *int64, n int) (int, harm) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if *budget < 0 {
		return n, p.then
	}
	if allowed := int(min(*budget, int64(n))); allowed < n {
		*budget = 0
		select {
		case <-p.harmed:
		default:
			close(p.harmed)
		}
		return allowed, p.then
	}
	*budget -= int64(n)
	return n, p.then
}

// trickle is a line that is slow, and not dead.
func (p *proxy) trickle(to net.Conn, b []byte) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(b) > 0 {
		select {
		case <-tick.C:
		case <-p.ctx.Done():
			return false
		}
		n, err := to.Write(b[:min(len(b), 16<<10)])
		if err != nil {
			return false
		}
		b = b[n:]
	}
	return true
}
