package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/harness"
)

// company is the namespace of config/samples/acme.
const company = "acme"

// The addresses that the EnterpriseAccounts and LinkedSystems of config/samples/acme name.
const (
	dingTalkAddress = "127.0.0.1:18201"
	weComAddress    = "127.0.0.1:18202"
	controlAddress  = "127.0.0.1:18203"
	doorsAddress    = "127.0.0.1:18204"
	erpAddress      = "127.0.0.1:18205"
)

var (
	errTookTooLong = errors.New("it took too long")
	errStatusZero  = errors.New("exit status 0")
)

// demo is one run.
type demo struct {
	root, dir string // of the repository; of logs and kubeconfigs
	timeout   time.Duration
	out       *screen
	fail      context.CancelCauseFunc // ends the run with a reason

	plane     *harness.ControlPlane
	simulator *harness.Simulator
	erp       *http.Server
	manager   *harness.Manager
	kube      client.Client
}

func run(ctx context.Context, fail context.CancelCauseFunc, check bool, timeout time.Duration) error {
	root, err := harness.Root()
	if err != nil {
		return err
	}
	d := &demo{root: root, dir: filepath.Join(root, "bin", "demo"), timeout: timeout, out: newScreen(os.Stdout), fail: fail}
	unlock, err := d.prepare()
	if err != nil {
		return err
	}
	defer unlock()
	defer d.stop()

	began := time.Now()
	d.out.text("Rollcall: a company on two platforms, all of it on this machine")
	for _, step := range []func(context.Context) error{
		d.startControlPlane, d.startSimulator, d.startERP, d.install, d.startManager, d.declare, d.converge, d.show, d.backUp, d.leave,
	} {
		if err := step(ctx); err != nil {
			return because(ctx, err)
		}
	}
	if check {
		for _, step := range []func(context.Context) error{d.driftAndHeal, d.freezeAndThaw} {
			if err := step(ctx); err != nil {
				return because(ctx, err)
			}
		}
		d.out.step("checked", "everything in %s", seconds(began))
		return nil
	}
	return d.stayUp(ctx)
}

// because returns why the run was ended, if it was: an error that came of that says less.
func because(ctx context.Context, err error) error {
	return cmp.Or(context.Cause(ctx), err)
}

// prepare takes the folder for this run and removes what an earlier one left there.
func (d *demo) prepare() (unlock func(), err error) {
	if err := os.MkdirAll(d.dir, 0o750); err != nil {
		return nil, fmt.Errorf("preparing bin/demo: %w", err)
	}
	// Whoever dies, however it dies, gives the lock back.
	lock, err := os.OpenFile(filepath.Join(d.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("preparing bin/demo: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, errors.New("the demo is running already in this folder: use that one, or end it with Ctrl-C")
	}
	d.remove("*.log", "*.kubeconfig", "data", "grant", "audit", "archives")
	return func() { _ = lock.Close() }, nil
}

// stop ends every process and removes what is of no use without them; logs stay.
func (d *demo) stop() {
	d.out.clear()
	if d.manager != nil {
		d.manager.Stop()
	}
	if d.erp != nil {
		_ = d.erp.Close() // the process ends; there is nobody to tell
	}
	if d.simulator != nil {
		d.simulator.Stop()
	}
	if d.plane != nil {
		d.plane.Stop()
	}
	d.remove("*.kubeconfig", "grant")
}

func (d *demo) remove(patterns ...string) {
	for _, pattern := range patterns {
		paths, _ := filepath.Glob(filepath.Join(d.dir, pattern)) // fails only on a bad pattern
		for _, path := range paths {
			_ = os.RemoveAll(path)
		}
	}
}

// watch ends the run when a part of it ends by itself.
func (d *demo) watch(ctx context.Context, p *harness.Process) {
	go func() {
		if err := p.Wait(ctx); ctx.Err() == nil {
			d.fail(fmt.Errorf("%s ended by itself: %w", p.Name(), cmp.Or(err, errStatusZero)))
		}
	}()
}

func (d *demo) startControlPlane(ctx context.Context) error {
	began := time.Now()
	d.out.progress("control plane", "starting etcd, kube-apiserver and kube-controller-manager")
	limited, cancel := context.WithTimeoutCause(ctx, time.Minute, errTookTooLong)
	defer cancel()
	var err error
	d.plane, err = harness.StartControlPlane(limited, harness.Options{Dir: d.dir, ControllerManager: true})
	if err != nil {
		return err
	}
	for _, part := range []*harness.Process{d.plane.Etcd, d.plane.APIServer, d.plane.ControllerManager} {
		d.watch(ctx, part)
	}
	types := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(types); err != nil {
			return fmt.Errorf("making a client: %w", err)
		}
	}
	if d.kube, err = client.New(d.plane.Config(), client.Options{Scheme: types}); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	d.out.step("control plane", "ready in %s: etcd, kube-apiserver, kube-controller-manager", seconds(began))
	return nil
}

func (d *demo) startSimulator(ctx context.Context) error {
	limited, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errTookTooLong)
	defer cancel()
	var err error
	d.simulator, err = harness.StartSimulator(limited, harness.SimulatorOptions{
		DingTalk: dingTalkAddress, WeCom: weComAddress, Webhook: doorsAddress, Control: controlAddress, LogDir: d.dir,
		Args: []string{"--history=30d"}, // there is something to back up
	})
	if err != nil {
		return err
	}
	d.watch(ctx, d.simulator.Process)
	d.out.step("simulator", "DingTalk %s, WeCom %s, control %s", d.simulator.DingTalkURL, d.simulator.WeComURL, d.simulator.ControlURL)
	return nil
}

func seconds(since time.Time) string { return fmt.Sprintf("%.1f s", time.Since(since).Seconds()) }
