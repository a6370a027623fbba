package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Options of a control plane. The zero value is etcd and kube-apiserver in a temporary folder.
type Options struct {
	// Dir receives logs and kubeconfigs, which stay after Stop, and the data, which does not.
	// When empty, a temporary folder is used, of which nothing stays.
	Dir string
	// ControllerManager starts kube-controller-manager too: namespaces end, owned objects are collected, service
	// accounts and the status of admission policies appear.
	ControllerManager bool
	// APIServerArgs are added to the flags of kube-apiserver, and win over ours.
	APIServerArgs []string
}

// ControlPlane is a running etcd and kube-apiserver, and kube-controller-manager if asked for.
type ControlPlane struct {
	APIServer, Etcd   *Process
	ControllerManager *Process // nil unless asked for

	dir     string // logs, kubeconfigs
	data    string // removed by Stop
	ownsDir bool
	url     string
	ca      *authority
	admin   *User
}

// portAttempts is how often other ports are tried when somebody takes one between choosing and listening.
const portAttempts = 3

// StartControlPlane starts a control plane and waits until it is ready. It takes about three seconds.
func StartControlPlane(ctx context.Context, o Options) (*ControlPlane, error) {
	cp, err := newControlPlane(o)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		err = cp.start(ctx, o)
		if err == nil {
			return cp, nil
		}
		cp.stopProcesses()
		if attempt == portAttempts || !errors.Is(err, errEnded) {
			cp.Stop()
			return nil, fmt.Errorf("starting the control plane: %w", err)
		}
	}
}

// Config is the client configuration of an administrator.
func (cp *ControlPlane) Config() *rest.Config { return cp.admin.Config() }

// KubeconfigPath is the kubeconfig file of an administrator.
func (cp *ControlPlane) KubeconfigPath() string { return cp.admin.path }

// Stop ends all processes and removes their data. It may be called more than once.
func (cp *ControlPlane) Stop() {
	cp.stopProcesses()
	_ = os.RemoveAll(cp.data)
	if cp.ownsDir {
		_ = os.RemoveAll(cp.dir)
	}
}

func newControlPlane(o Options) (*ControlPlane, error) {
	cp := &ControlPlane{dir: o.Dir}
	var err error
	if cp.dir == "" {
		cp.ownsDir = true
		if cp.dir, err = os.MkdirTemp("", "rollcall-controlplane-"); err != nil {
			return nil, fmt.Errorf("starting the control plane: %w", err)
		}
	}
	if cp.dir, err = filepath.Abs(cp.dir); err != nil {
		return nil, fmt.Errorf("starting the control plane: %w", err)
	}
	cp.data = filepath.Join(cp.dir, "data")
	if cp.ca, err = newAuthority(); err != nil {
		return nil, err
	}
	return cp, nil
}

func (cp *ControlPlane) start(ctx context.Context, o Options) error {
	if err := os.RemoveAll(cp.data); err != nil { // of a run that was killed, or of the attempt before
		return err
	}
	if err := os.MkdirAll(cp.data, 0o700); err != nil {
		return err
	}
	if err := cp.writeKeys(); err != nil {
		return err
	}
	ports, err := freePorts(ctx, 3)
	if err != nil {
		return err
	}
	client, peer := "http://"+loopback(ports[0]), "http://"+loopback(ports[1])
	cp.url = "https://" + loopback(ports[2])
	if cp.admin, err = cp.AddUser("admin", "system:masters"); err != nil {
		return err
	}
	if cp.Etcd, err = cp.run("etcd", etcdArgs(cp.data, client, peer)...); err != nil {
		return err
	}
	apiServerArgs := append(cp.apiServerArgs(client, ports[2]), o.APIServerArgs...)
	if cp.APIServer, err = cp.run("kube-apiserver", apiServerArgs...); err != nil {
		return err
	}
	if err := cp.Etcd.awaitReady(ctx, answers(http.DefaultClient, client+"/health")); err != nil {
		return err
	}
	if err := cp.APIServer.awaitReady(ctx, cp.apiServerReady); err != nil {
		return err
	}
	if !o.ControllerManager {
		return nil
	}
	if cp.ControllerManager, err = cp.run("kube-controller-manager", cp.controllerManagerArgs()...); err != nil {
		return err
	}
	return cp.ControllerManager.awaitReady(ctx, cp.controllersReady)
}

// stopProcesses ends them all at once: the data are thrown away, so the order does not matter.
func (cp *ControlPlane) stopProcesses() {
	var wait sync.WaitGroup
	for _, process := range []*Process{cp.ControllerManager, cp.APIServer, cp.Etcd} {
		if process != nil {
			wait.Go(process.Stop)
		}
	}
	wait.Wait()
}

func (cp *ControlPlane) run(name string, args ...string) (*Process, error) {
	path, err := ControlPlaneBinary(name)
	if err != nil {
		return nil, err
	}
	// A quarter of the API server's time on a small machine is collecting garbage; memory is cheaper here.
	return Start(Command{Name: name, Path: path, Args: args, Env: []string{"GOGC=400"}, LogDir: cp.dir})
}

// apiServerReady asks /readyz, and for the namespace that the API server makes a moment later.
func (cp *ControlPlane) apiServerReady(ctx context.Context) error {
	clients, err := kubernetes.NewForConfig(cp.Config())
	if err != nil {
		return err
	}
	if err := clients.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error(); err != nil {
		return err
	}
	_, err = clients.CoreV1().Namespaces().Get(ctx, metav1.NamespaceDefault, metav1.GetOptions{})
	return err
}

// controllersReady waits for the work of the service account controller: the manager serves no port to ask.
func (cp *ControlPlane) controllersReady(ctx context.Context) error {
	clients, err := kubernetes.NewForConfig(cp.Config())
	if err != nil {
		return err
	}
	_, err = clients.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return errors.New("the service account controller has not run yet")
	}
	return err
}

func (cp *ControlPlane) writeKeys() error {
	cert, key, err := cp.ca.server()
	if err != nil {
		return err
	}
	tokens, err := newKey()
	if err != nil {
		return err
	}
	tokenKey, err := encodeKey(tokens)
	if err != nil {
		return err
	}
	return writeFiles(map[string][]byte{
		cp.file("ca.crt"):     encodeCert(cp.ca.cert),
		cp.file("server.crt"): cert,
		cp.file("server.key"): key,
		cp.file("tokens.key"): tokenKey,
	})
}

func (cp *ControlPlane) file(name string) string { return filepath.Join(cp.data, name) }
