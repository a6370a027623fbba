package harness

import "syscall"

// sysProcAttr puts a child in its own process group, so that Ctrl-C reaches only us, and lets the kernel kill it when
// we die without stopping it.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
