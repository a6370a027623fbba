package sdk

import "syscall"

// sysProcAttr lets the kernel kill the simulator when the tests die, by their
// timeout for one, without stopping it.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
