package sdk

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// startWithin and stopWithin are far beyond what the simulator needs: they end
// a run that would hang.
const (
	startWithin = 30 * time.Second
	stopWithin  = 10 * time.Second
)

// simulator is the program that all tests share. Each begins with a reset.
var simulator *program

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run is TestMain with an end that is reached.
func run(m *testing.M) int {
	code, err := runWith(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sdk:", err)
		return 1
	}
	return code
}

func runWith(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "rollcall-sdk-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path, err := build(dir)
	if err != nil {
		return 0, err
	}
	if simulator, err = start(path); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, simulator.stop()) }()
	redirect, err := newRedirect(simulator.urls)
	if err != nil {
		return 0, err
	}
	http.DefaultTransport = redirect
	return m.Run(), nil
}

// build makes the simulator from the module that this one is kept beside.
func build(dir string) (string, error) {
	path := filepath.Join(dir, "simulator")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	c := exec.Command("go", "build", "-o", path, "./test/simulator")
	c.Dir = filepath.Join("..", "..")
	if output, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the simulator: %w\n%s", err, output)
	}
	return path, nil
}

// program is a running simulator.
type program struct {
	urls map[string]string // dingtalk, wecom, webhook and control
	cmd  *exec.Cmd
	done chan error
}

// start starts the simulator on free ports, without rate limits, and waits until it is ready.
func start(path string) (*program, error) {
	p := &program{urls: map[string]string{}, done: make(chan error, 1)}
	p.cmd = exec.Command(path, "-unlimited",
		"-dingtalk-listen=127.0.0.1:0", "-wecom-listen=127.0.0.1:0", "-webhook-listen=127.0.0.1:0", "-control-listen=127.0.0.1:0")
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = sysProcAttr()
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the simulator: %w", err)
	}
	started, ready := make(chan error), make(chan struct{})
	go func() {
		// The kernel tells the child of its parent's death when the thread ends that started it: this one stays.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			<-ready // Wait closes the pipe that the addresses are read from
			p.done <- p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting the simulator: %w", err)
	}
	timer := time.AfterFunc(startWithin, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	lines := bufio.NewScanner(stdout)
	for len(p.urls) < 4 && lines.Scan() {
		var name, url string
		if n, _ := fmt.Sscanf(lines.Text(), "ready %s %s", &name, &url); n == 2 {
			p.urls[name] = url
		}
	}
	close(ready)
	if len(p.urls) < 4 {
		_ = p.cmd.Process.Kill()
		return nil, fmt.Errorf("starting the simulator: it ended before it was ready: %w", errors.Join(<-p.done, lines.Err()))
	}
	return p, nil
}

// stop ends the simulator, which takes an interrupt for a wish and ends with status 0.
func (p *program) stop() error {
	timer := time.AfterFunc(stopWithin, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		_ = p.cmd.Process.Kill()
	}
	if err := <-p.done; err != nil {
		return fmt.Errorf("stopping the simulator: %w", err)
	}
	return nil
}

// redirect sends what is meant for the platforms to the simulator, and nothing anywhere else.
type redirect struct {
	hosts map[string]string // of the platform -> of the simulator
	next  http.RoundTripper
}

func newRedirect(urls map[string]string) (*redirect, error) {
	to := func(name string) (string, error) {
		host, ok := strings.CutPrefix(urls[name], "http://")
		if !ok {
			return "", fmt.Errorf("the simulator serves %s at %q", name, urls[name])
		}
		return host, nil
	}
	dingtalk, err1 := to("dingtalk")
	wecom, err2 := to("wecom")
	return &redirect{
		hosts: map[string]string{
			"oapi.dingtalk.com": dingtalk, "api.dingtalk.com": dingtalk, "qyapi.weixin.qq.com": wecom,
		},
		next: &http.Transport{}, // no proxy
	}, errors.Join(err1, err2)
}

func (r *redirect) RoundTrip(request *http.Request) (*http.Response, error) {
	host, ok := r.hosts[request.URL.Host]
	if !ok || request.URL.Scheme != "https" {
		return nil, fmt.Errorf("%s://%s is no platform: refusing to call it", request.URL.Scheme, request.URL.Host)
	}
	request = request.Clone(request.Context())
	request.URL.Scheme, request.URL.Host, request.Host = "http", host, ""
	return r.next.RoundTrip(request)
}

// TestNothingElseIsCalled keeps the other tests from going out by mistake.
func TestNothingElseIsCalled(t *testing.T) {
	for _, url := range []string{"https://example.com/", "http://oapi.dingtalk.com/gettoken", "https://oapi.dingtalk.io/gettoken"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close()
			t.Errorf("%s was called", url)
		}
	}
}
