// Package testprograms gives tests the programs of this tree. The go command keeps what
// it has linked, so that the tests of all packages together link each program once.
package testprograms

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// once keeps what was found by the words that it was asked with.
var once sync.Map

func first(t testing.TB, words []string, find func() (string, error)) string {
	t.Helper()
	found, _ := once.LoadOrStore(strings.Join(words, " "), sync.OnceValues(find))
	out, err := found.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Path returns the file of a program, as in Path(t, "iotbridge-agent"): static, without
// symbols, for this machine unless env says otherwise, as in "GOARCH=arm64".
func Path(t testing.TB, program string, env ...string) string {
	t.Helper()
	return first(t, slices.Concat([]string{program}, env), func() (string, error) {
		for range 2 { // what it has just linked lies where it is removed again
			cmd := exec.CommandContext(context.Background(), "go", "run", "-ldflags=-s -w", "-exec=echo", "iotbridge/cmd/"+program) //nolint:gosec // a test's own word
			cmd.Env = slices.Concat(os.Environ(), []string{"CGO_ENABLED=0"}, env)
			out, err := cmd.Output()
			if err != nil {
				return "", fmt.Errorf("%s: %w", program, told(err))
			}
			name := strings.TrimSpace(string(out))
			if _, err := os.Stat(name); err == nil {
				return name, nil
			}
		}
		return "", fmt.Errorf("%s: the go command keeps no program: is there room in GOCACHE?", program)
	})
}

// Help is what a program, or one of its commands, says of itself in lines of so many
// columns.
func Help(t testing.TB, columns int, program string, command ...string) string {
	t.Helper()
	at, width := Path(t, program), fmt.Sprintf("COLUMNS=%d", columns)
	return first(t, slices.Concat([]string{width, program}, command), func() (string, error) {
		cmd := exec.CommandContext(context.Background(), at, slices.Concat(command, []string{"--help"})...) //nolint:gosec // as above
		cmd.Env = append(os.Environ(), width)
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("%s %s --help: %w", program, strings.Join(command, " "), told(err))
		}
		return string(out), nil
	})
}

// told is the error with what its process said of it.
func told(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("%w\n%s", err, exit.Stderr)
	}
	return err
}
