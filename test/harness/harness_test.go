package harness

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

func TestControlPlane(t *testing.T) {
	ctx := deadline(t, 2*time.Minute)
	dir := t.TempDir()
	cp, err := StartControlPlane(ctx, Options{Dir: dir, ControllerManager: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cp.Stop)
	clients := kubernetes.NewForConfigOrDie(cp.Config())

	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "acme"}}
	if _, err := clients.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the namespace gets a service account", func() bool {
		_, err := clients.CoreV1().ServiceAccounts("acme").Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})

	t.Run("a service account may do nothing by itself", func(t *testing.T) {
		user, err := cp.ServiceAccountUser(ctx, "acme", "default")
		if err != nil {
			t.Fatal(err)
		}
		_, err = kubernetes.NewForConfigOrDie(user.Config()).CoreV1().Secrets("acme").List(ctx, metav1.ListOptions{})
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "system:serviceaccount:acme:default") {
			t.Errorf("listing secrets: got %v, want it forbidden to the service account", err)
		}
	})

	t.Run("kubectl reads as a user of a group", func(t *testing.T) {
		user, err := cp.AddUser("alice", "system:masters")
		if err != nil {
			t.Fatal(err)
		}
		kubectl, err := ControlPlaneBinary("kubectl")
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(ctx, kubectl, "--kubeconfig", user.KubeconfigPath(), "auth", "whoami").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "alice") {
			t.Errorf("kubectl auth whoami: %v\n%s", err, out)
		}
	})

	t.Run("a deleted namespace ends", func(t *testing.T) {
		if err := clients.CoreV1().Namespaces().Delete(ctx, "acme", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(ctx, t, "the namespace is gone", func() bool {
			_, err := clients.CoreV1().Namespaces().Get(ctx, "acme", metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		})
	})

	t.Run("nothing runs after Stop", func(t *testing.T) {
		cp.Stop()
		cp.Stop() // again, as a Cleanup after a Stop does
		for _, p := range []*Process{cp.ControllerManager, cp.APIServer, cp.Etcd} {
			if alive(p.PID()) {
				t.Errorf("%s is still running", p.name)
			}
		}
		if _, err := os.Stat(cp.data); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the data are still there: %v", err)
		}
	})
}

func TestControlPlaneSaysWhyItDidNotStart(t *testing.T) {
	ctx := deadline(t, time.Minute)
	cp, err := StartControlPlane(ctx, Options{APIServerArgs: []string{"--no-such-flag"}})
	if err == nil {
		cp.Stop()
		t.Fatal("it started")
	}
	if want := "unknown flag: --no-such-flag"; !strings.Contains(err.Error(), want) {
		t.Errorf("got %q, want it to contain %q", err, want)
	}
}

func TestStopKillsAProcessThatIgnoresSIGTERM(t *testing.T) {
	ctx := deadline(t, time.Minute)
	p := shell(t, `trap '' TERM; echo "child $$"; while :; do sleep 1; done`)
	awaitLog(ctx, t, p, "child")
	p.Stop()
	if alive(p.PID()) {
		t.Error("it is still running")
	}
	if err := p.Wait(ctx); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("Wait: got %v, want that it was killed", err)
	}
}

func TestKillReachesAPausedProcess(t *testing.T) {
	ctx := deadline(t, time.Minute)
	p := shell(t, `echo started; while :; do sleep 1; done`)
	awaitLog(ctx, t, p, "started")
	p.Pause()
	p.Kill()
	if alive(p.PID()) {
		t.Error("it is still running")
	}
}

func TestWaitTellsTheEndOfTheLog(t *testing.T) {
	ctx := deadline(t, time.Minute)
	err := shell(t, `echo "the disk is full"; exit 3`).Wait(ctx)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("got %v, want the status and the last line", err)
	}
}

func TestSimulatorSaysWhichAddressIsTaken(t *testing.T) {
	ctx := deadline(t, time.Minute)
	var taken string
	if err := fillAddresses(ctx, &taken); err != nil {
		t.Fatal(err)
	}
	listener := listen(ctx, t, taken)
	defer func() { _ = listener.Close() }()
	_, err := StartSimulator(ctx, SimulatorOptions{Path: "/bin/true", WeCom: taken, LogDir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "WeCom address") || !strings.Contains(err.Error(), taken) {
		t.Errorf("got %v, want it to name the WeCom address %s", err, taken)
	}
}

// deadline bounds a test, so that a bug cannot hang it.
func deadline(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// shell starts a shell script that the end of the test kills.
func shell(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Start(Command{Name: "script", Path: "/bin/sh", Args: []string{"-c", script}, LogDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func awaitLog(ctx context.Context, t *testing.T, p *Process, text string) {
	t.Helper()
	eventually(ctx, t, "the log contains "+strconv.Quote(text), func() bool {
		log, err := os.ReadFile(p.LogPath())
		return err == nil && strings.Contains(string(log), text)
	})
}

func eventually(ctx context.Context, t *testing.T, what string, done func() bool) {
	t.Helper()
	poll := func(context.Context) (bool, error) { return done(), nil }
	if err := wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, poll); err != nil {
		t.Fatalf("waiting until %s: %v", what, err)
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func listen(ctx context.Context, t *testing.T, address string) net.Listener {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}
