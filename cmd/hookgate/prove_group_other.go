//go:build !linux

package main

import "syscall"

// aside keeps a process out of reach of the terminal's interrupts, which are for this program alone.
func aside() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
