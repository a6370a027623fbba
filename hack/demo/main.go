// Command demo runs a whole company on this machine: a control plane, the simulated platforms, the manager and the
// people of config/samples/acme. It stays up until Ctrl-C, and leaves nothing running then.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// errInterrupted is the cause of a context that Ctrl-C ended.
var errInterrupted = errors.New("interrupted")

func main() {
	check := flag.Bool("check", false, "do not stay up: change somebody by hand on a platform, see it healed, then end with status 0")
	timeout := flag.Duration("timeout", 10*time.Minute, "how long the company may take to become ready, and a person to heal")
	flag.Parse()

	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		cancel(errInterrupted)
	}()

	err := run(ctx, cancel, *check, *timeout)
	switch {
	case errors.Is(err, errInterrupted):
		fmt.Println("stopped before the company was ready")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}
