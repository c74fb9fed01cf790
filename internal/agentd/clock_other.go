//go:build !linux

package agentd

import "time"

func sinceBoot() (time.Duration, bool) { return 0, false }

// synchronised: desktop systems keep their clocks.
func synchronised() bool { return true }
