package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
