package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// stopGrace is how long a process may take to end after SIGTERM. kube-apiserver takes longer while watches are open,
// and nothing here is worth waiting for it.
const stopGrace = 2 * time.Second

// Command says what to start.
type Command struct {
	// Name names the process in errors and its log file (<Name>.log).
	Name string
	Path string
	Args []string
	// Env is added to the environment of this program.
	Env []string
	// LogDir receives the log file. A log that exists is appended to, so that restarts are read in one place.
	LogDir string
}

// Process is a running program in a process group of its own.
type Process struct {
	name    string
	logPath string
	cmd     *exec.Cmd
	done    chan struct{}
	err     error // of Wait; read only after done is closed
}

// Start starts a program. Its output goes to the log file only.
func Start(c Command) (*Process, error) {
	if err := os.MkdirAll(c.LogDir, 0o750); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Name, err)
	}
	p := &Process{name: c.Name, logPath: filepath.Join(c.LogDir, c.Name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Name, err)
	}
	p.cmd = exec.Command(c.Path, c.Args...) //nolint:noctx // a cancelled context must not kill it: Stop ends it in order
	p.cmd.Env = append(os.Environ(), c.Env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = sysProcAttr()

	started := make(chan error)
	go func() {
		// The kernel sends the parent-death signal when the thread that started the child ends, not the program:
		// this thread is kept until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		_ = log.Close() // the child has its own copy
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Name, err)
	}
	return p, nil
}

// Name is the name that its Command gave it.
func (p *Process) Name() string { return p.name }

// PID is the process id, which is the id of its process group too.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// LogPath is where its output goes.
func (p *Process) LogPath() string { return p.logPath }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the end of the process. A program that ended by itself with status 0 is no error.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.exitError()
	case <-ctx.Done():
		return fmt.Errorf("waiting for %s to end: %w", p.name, context.Cause(ctx))
	}
}

// Kill ends the process group with SIGKILL and waits until it is gone.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// Stop ends the process group with SIGTERM, and with SIGKILL when that takes more than two seconds.
func (p *Process) Stop() {
	p.signal(syscall.SIGTERM)
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case <-p.done:
	case <-grace.C:
		p.Kill()
	}
}

// Dump ends a Go program with SIGQUIT, which has it write what each of its goroutines does into its log.
func (p *Process) Dump() {
	p.signal(syscall.SIGQUIT)
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case <-p.done:
	case <-grace.C:
		p.Kill()
	}
}

// Pause stops the process with SIGSTOP, as a machine that hangs would; Resume lets it go on.
func (p *Process) Pause() { p.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (p *Process) Resume() { p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) {
	select {
	case <-p.done: // its id may be another's by now
	default:
		_ = syscall.Kill(-p.PID(), s) // fails only if it has ended meanwhile
	}
}

// awaitReady polls until ready returns nil. It gives up when the process ends.
func (p *Process) awaitReady(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s %w (%w)\n%s", p.name, errEnded, cmp.Or(p.err, errStatusZero), tail(p.logPath, 8))
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w: %w", p.name, context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

var (
	// errEnded tells a process that ended before it was ready from one that was merely slow.
	errEnded      = errors.New("ended before it was ready")
	errStatusZero = errors.New("exit status 0")
)

// exitError tells why the process ended, with the end of its log.
func (p *Process) exitError() error {
	if p.err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w\n%s", p.name, p.err, tail(p.logPath, 8))
}

// tail returns the last lines of a file, indented, and where it is.
func tail(path string, lines int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "\tno log: " + err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	last := all[max(0, len(all)-lines):]
	return "\t" + strings.Join(last, "\n\t") + "\n\t(" + path + ")"
}
