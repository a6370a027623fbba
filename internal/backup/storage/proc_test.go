package storage

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
)

// This file runs the test's own binary again: as a process that is killed, or that
// has a file system of its own.

const childEnv = "ROLLCALL_TEST_CHILD"

// job is what a child is told.
type job struct {
	// Config and Key: write archives there until killed, or N of them.
	Config Config
	People int
	// Mount a tmpfs of this many bytes; then run Command, or wait.
	Mount   string
	Size    int64
	Command []string
	// MaxFile bounds the size of files (RLIMIT_FSIZE).
	MaxFile uint64
}

// child reports whether this process is one, after it has done what it was told.
func child() bool {
	text := os.Getenv(childEnv)
	if text == "" {
		return false
	}
	var j job
	err := json.Unmarshal([]byte(text), &j)
	if err == nil && j.MaxFile > 0 {
		err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: j.MaxFile, Max: j.MaxFile})
	}
	switch {
	case err != nil:
	case j.Mount != "":
		err = j.mount()
	default:
		err = j.write()
	}
	if err != nil {
		fmt.Println("error", ClassOf(err), err)
	}
	return true
}

// mount gives this process, and nobody else, a file system of a bounded size.
func (j *job) mount() error {
	// Otherwise the mount would show outside as well.
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := syscall.Mount("none", j.Mount, "tmpfs", 0, "size="+strconv.FormatInt(j.Size, 10)); err != nil {
		return err
	}
	if len(j.Command) > 0 {
		return syscall.Exec(j.Command[0], j.Command, os.Environ())
	}
	fmt.Println("mounted")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// spawn starts a child. It ends when the test ends, and with this process.
func spawn(t testing.TB, j job) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Args[0], "-test.run=^$")
	c.Env = append(os.Environ(), childEnv+"="+string(text))
	if j.Mount != "" {
		isolate(c)
	}
	in, keepOpen, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, stdout, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdin, c.Stdout, c.Stderr = in, stdout, os.Stderr
	exited, err := start(c)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = in.Close(), stdout.Close()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		for range exited { // until it is dead
		}
		_, _ = out.Close(), keepOpen.Close()
	})
	return c, bufio.NewScanner(out)
}

// start runs a command that dies with this process. The kernel sends the signal when
// the thread ends that started it: so that one has to stay.
func start(c *exec.Cmd) (exited <-chan error, err error) {
	if c.SysProcAttr == nil {
		c.SysProcAttr = &syscall.SysProcAttr{}
	}
	c.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started, over := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := c.Start()
		started <- err
		if err == nil {
			over <- c.Wait()
		}
		close(over)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Path, err)
	}
	return over, nil
}

// isolate gives a command mounts of its own; whoever is not root is root of a
// namespace for that.
func isolate(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if uid := os.Getuid(); uid != 0 {
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
}

// smallVolume is a folder on a disk of a bounded size.
func smallVolume(t testing.TB, size int64) string {
	t.Helper()
	dir := t.TempDir()
	c, out := spawn(t, job{Mount: dir, Size: size})
	if !out.Scan() || out.Text() != "mounted" {
		t.Fatalf("no tmpfs can be mounted, as root or in a user namespace: %s", out.Text())
	}
	return fmt.Sprintf("/proc/%d/root%s", c.Process.Pid, dir)
}
