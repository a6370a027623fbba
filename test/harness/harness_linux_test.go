package harness

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestNothingOutlivesAKilledParent runs this test binary as the parent of a process, and kills it with SIGKILL.
func TestNothingOutlivesAKilledParent(t *testing.T) {
	const role, dir = "HARNESS_TEST_ROLE", "HARNESS_TEST_DIR"
	if os.Getenv(role) == "parent" {
		if _, err := Start(Command{Name: "child", Path: "/bin/sh", Args: []string{"-c", "echo $$; exec sleep 3600"}, LogDir: os.Getenv(dir)}); err != nil {
			t.Fatal(err)
		}
		<-t.Context().Done() // killed long before
		return
	}
	ctx := deadline(t, time.Minute)
	logs := t.TempDir()
	parent := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$")
	parent.Env = append(os.Environ(), role+"=parent", dir+"="+logs)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	eventually(ctx, t, "the child runs", func() bool {
		log, _ := os.ReadFile(logs + "/child.log")
		child, _ = strconv.Atoi(strings.TrimSpace(string(log)))
		return child != 0
	})
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // "signal: killed"
	eventually(ctx, t, "the child is gone", func() bool { return !running(child) })
}

// running is false for a zombie that nobody has collected yet: its parent is gone, and not every init collects.
func running(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
