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
	"sync"
	"syscall"
)

// loopback joins 127.0.0.1 and a port.
func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Ports are chosen below those that kernels give to outgoing connections (Linux from 32768, macOS from 49152): among
// those, any connection of any program may take a port between its choice and its use.
const firstPort, lastPort = 20000, 32767

// freePorts finds ports that nobody listens on, all different, and that no other program of this harness is given while
// this one runs. A foreign program may take one before it is used: who asks must be ready to ask again.
func freePorts(ctx context.Context, n int) ([]int, error) {
	var config net.ListenConfig
	ports := make([]int, 0, n)
	for tried := 0; len(ports) < n; tried++ {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		mine, err := reserve(port)
		if err != nil {
			return nil, fmt.Errorf("reserving a port: %w", err)
		}
		if !mine {
			continue
		}
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

// reserved holds the files of ports that this program was given, and with them the locks, until it ends.
var reserved sync.Map

// reserve takes a port away from all other programs of this harness, unless one has it: tests of several packages run
// at once, and a port is not listened on until a program has started. The kernel frees it when this one ends, however.
func reserve(port int) (mine bool, err error) {
	folder := filepath.Join(os.TempDir(), fmt.Sprintf("rollcall-ports-%d", os.Getuid()))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return false, err
	}
	file, err := os.OpenFile(filepath.Join(folder, strconv.Itoa(port)), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return false, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return false, nil
		}
		return false, err
	}
	reserved.Store(port, file)
	return true, nil
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
