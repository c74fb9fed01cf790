package spool

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// children are what this test binary does as a process of its own.
var children = map[string]func(dir string) error{}

func TestMain(m *testing.M) {
	if name := os.Getenv("IOTBRIDGE_SPOOL_CHILD"); name != "" {
		if err := children[name](os.Getenv("IOTBRIDGE_SPOOL_DIR")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
