// Command golangci-lint is golangci-lint with kube-api-linter compiled in, which saves `golangci-lint custom` and its
// git clone.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/golangci/golangci-lint/v2/pkg/commands"
	"github.com/golangci/golangci-lint/v2/pkg/exitcodes"
	_ "sigs.k8s.io/kube-api-linter" // registers the linter "kubeapilinter"
)

func main() {
	if err := commands.Execute(buildInfo()); err != nil {
		fmt.Fprintln(os.Stderr, "golangci-lint:", err)
		os.Exit(exitcodes.Failure)
	}
}

// buildInfo reports the versions of the linter and its plugin; golangci-lint checks its own against the configuration.
func buildInfo() commands.BuildInfo {
	info := commands.BuildInfo{GoVersion: runtime.Version(), Version: "unknown", Commit: "?", Date: "(unknown)"}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	for _, dep := range build.Deps {
		switch dep.Path {
		case "github.com/golangci/golangci-lint/v2":
			info.Version = dep.Version[1:]
		case "sigs.k8s.io/kube-api-linter":
			info.Commit = "kube-api-linter " + dep.Version
		}
	}
	return info
}
