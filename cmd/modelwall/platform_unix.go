//go:build unix

package main

import (
	"os"
	"syscall"
)

// openFlags opens a file to inspect. Without O_NONBLOCK, a named pipe that
// takes the place of a file would hold the program until somebody writes to
// it; it has no effect on regular files.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK

// forwarded lists the signals that `run` passes on to its command. Those that
// a terminal sends to the whole process group and that have no effect on us
// (SIGWINCH, SIGTSTP, SIGCONT) need no help.
func forwarded() []os.Signal {
	return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}
}
