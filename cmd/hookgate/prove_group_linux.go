package main

import "syscall"

// aside keeps a process out of reach of the terminal's interrupts, which are for this program alone, and has the kernel end it
// should this program die without a word.
func aside() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
