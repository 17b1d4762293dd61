//go:build !unix

package main

import (
	"os"
	"syscall"
)

// openFlags opens a file to inspect.
const openFlags = os.O_RDONLY

// forwarded lists the signals that `run` passes on to its command.
func forwarded() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }
