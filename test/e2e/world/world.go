package world

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/harness"
)

// Options of Start.
type Options struct {
	// ControllerManager starts kube-controller-manager too, without which no namespace ever ends.
	ControllerManager bool
	// SimulatorArgs are added to the simulator's flags, e.g. --unlimited.
	SimulatorArgs []string
}

// World is a running control plane and a running simulator.
type World struct {
	Plane     *harness.ControlPlane
	Simulator *Simulator
	// Client is an administrator's, without a cache.
	Client client.WithWatch

	dir string

	starting sync.Mutex
	gateway  *harness.S3 // nil until somebody needs it
}

// startWithin bounds Start: a busy machine is slow, and a dead one is told from it in the end.
const startWithin = 2 * time.Minute

// Start starts a world and installs the CRDs. Stop it, whatever happens.
func Start(ctx context.Context, o Options) (*World, error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	dir, err := os.MkdirTemp("", "rollcall-world-")
	if err != nil {
		return nil, fmt.Errorf("starting a world: %w", err)
	}
	w := &World{dir: dir}
	if err := os.Mkdir(w.Archives(), 0o700); err != nil {
		return nil, fmt.Errorf("starting a world: %w", err)
	}
	if err := w.start(ctx, o); err != nil {
		w.Stop()
		return nil, err
	}
	return w, nil
}

func (w *World) start(ctx context.Context, o Options) error {
	var err error
	w.Plane, err = harness.StartControlPlane(ctx, harness.Options{
		Dir: w.dir, ControllerManager: o.ControllerManager,
	})
	if err != nil {
		return err
	}
	simulator, err := harness.StartSimulator(ctx, harness.SimulatorOptions{LogDir: w.dir, Args: o.SimulatorArgs})
	if err != nil {
		return err
	}
	w.Simulator = &Simulator{Simulator: simulator}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return fmt.Errorf("registering kinds: %w", err)
		}
	}
	if w.Client, err = client.NewWithWatch(w.Plane.Config(), client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	return w.Plane.InstallCRDs(ctx)
}

// Stop ends every process of the world and removes its files.
func (w *World) Stop() {
	if w.gateway != nil {
		w.gateway.Stop()
	}
	if w.Simulator != nil {
		w.Simulator.Stop()
	}
	if w.Plane != nil {
		w.Plane.Stop()
	}
	_ = os.RemoveAll(w.dir)
}

// Apply creates the objects, a few at a time and in no particular order.
func (w *World) Apply(ctx context.Context, objects ...client.Object) error {
	return each(ctx, objects, func(ctx context.Context, o client.Object) error {
		if err := w.Client.Create(ctx, o); err != nil {
			return fmt.Errorf("creating %T %s: %w", o, o.GetName(), err)
		}
		return nil
	})
}

// Namespace makes the namespace.
func (w *World) Namespace(ctx context.Context, name string) error {
	return w.Apply(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
}

// ManagerOptions of StartManager.
type ManagerOptions struct {
	// Namespaces that the manager looks after. At least one: a manager of all would meddle with other tests.
	Namespaces []string
	// Args are added to its flags.
	Args []string
	// Env is added to its environment.
	Env []string
	// Kubeconfig in place of an administrator's, e.g. that of a tap.
	Kubeconfig string
}

// StartManager starts bin/rollcall, or the program that ROLLCALL_MANAGER names, as an administrator, and waits for its
// probes. Its log, at level DEBUG, outlives it: a restart appends to it.
func (w *World) StartManager(ctx context.Context, o ManagerOptions) (*harness.Manager, error) {
	if len(o.Namespaces) == 0 {
		return nil, errors.New("starting a manager: name its namespaces")
	}
	return harness.StartManager(ctx, harness.ManagerOptions{
		Path: os.Getenv("ROLLCALL_MANAGER"), Kubeconfig: cmp.Or(o.Kubeconfig, w.Plane.KubeconfigPath()), Namespaces: o.Namespaces, LogDir: w.dir,
		Name: "manager-" + strings.Join(o.Namespaces, "-"),
		Args: append([]string{"--log-level=DEBUG", "--audit-directory=" + w.trails(), "--backup-directory=" + w.Archives()}, o.Args...), Env: o.Env,
	})
}

// ManagerLog is everything that the managers of these namespaces have written.
func (w *World) ManagerLog(namespaces ...string) (string, error) {
	text, err := os.ReadFile(filepath.Join(w.dir, "manager-"+strings.Join(namespaces, "-")+".log"))
	if err != nil {
		return "", fmt.Errorf("reading the manager's log: %w", err)
	}
	return string(text), nil
}

// StartSimulator starts one more simulator, for a test that moves the clock. Stop it.
func (w *World) StartSimulator(ctx context.Context, args ...string) (*Simulator, error) {
	simulator, err := harness.StartSimulator(ctx, harness.SimulatorOptions{LogDir: w.dir, Args: args})
	return &Simulator{Simulator: simulator}, err
}
