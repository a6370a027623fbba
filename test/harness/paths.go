package harness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// Root is the top folder of the repository, found upwards from the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "hack", "controlplane", "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("finding the repository: run this inside the rollcall repository")
		}
		dir = parent
	}
}

// ControlPlaneBinary finds etcd, kube-apiserver, kube-controller-manager or kubectl: in $KUBEBUILDER_ASSETS, else in
// bin/controlplane.
func ControlPlaneBinary(name string) (string, error) {
	if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" {
		if path := filepath.Join(assets, name); executable(path) {
			return filepath.Abs(path)
		}
	}
	return repoBinary("controlplane/"+name, "controlplane")
}

// repoBinary finds a program that a make target puts into bin.
func repoBinary(name, target string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "bin", filepath.FromSlash(name))
	if !executable(path) {
		return "", fmt.Errorf("bin/%s is missing: run `make %s` first", name, target)
	}
	return path, nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// loopback joins 127.0.0.1 and a port.
func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Ports are chosen below those that kernels give to outgoing connections (Linux from 32768, macOS from 49152): among
// those, any connection of any program may take a port between its choice and its use.
const firstPort, lastPort = 20000, 32767

// freePorts finds ports that nobody listens on, all different. Another program may take one before it is used: who
// asks must be ready to ask again.
func freePorts(ctx context.Context, n int) ([]int, error) {
	var config net.ListenConfig
	ports := make([]int, 0, n)
	for tried := 0; len(ports) < n; tried++ {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		listener, err := config.Listen(ctx, "tcp", loopback(port))
		if err != nil && (ctx.Err() != nil || tried > lastPort-firstPort) {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		if err != nil {
			continue
		}
		defer func() { _ = listener.Close() }() // only once all are chosen
		ports = append(ports, port)
	}
	return ports, nil
}

// portFree reports whether this address can be listened on.
func portFree(ctx context.Context, address string) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return listener.Close()
}
