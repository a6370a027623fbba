package crash

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"rollcall.dev/rollcall/test/e2e/world"
)

// shared is the control plane and the simulator of all tests; each test has a namespace and tenants of its own.
var shared *world.World

// sideBySide is how many tests run at a time. They wait most of the time: for readings every five seconds, for pauses.
const sideBySide = "6"

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f != nil {
		if err := f.Value.Set(sideBySide); err != nil {
			panic(err)
		}
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	shared, err = world.Start(context.Background(), world.Options{ControllerManager: true, SimulatorArgs: []string{"--unlimited"}})
	if err != nil {
		return 1, err
	}
	defer shared.Stop()
	return m.Run(), nil
}
