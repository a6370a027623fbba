//go:build !linux

package sdk

import "syscall"

func sysProcAttr() *syscall.SysProcAttr { return nil }
