package deploycheck

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
)

// help is what a program says of itself, asked once in a process. It is so wide that
// each flag is a line.
func help(line string) (string, error) {
	once, _ := asked.LoadOrStore(line, sync.OnceValues(func() (string, error) {
		words := strings.Fields(line)
		args := append([]string{"run", "-ldflags=-s -w", "iotbridge/cmd/" + words[0]}, words[1:]...)
		cmd := exec.CommandContext(context.Background(), "go", append(args, "--help")...) //nolint:gosec // the words are a test's own
		cmd.Env = append(os.Environ(), "COLUMNS=5000", "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("%s --help: %w\n%s", line, err, out)
		}
		return string(out), nil
	}))
	return once.(func() (string, error))()
}

var asked sync.Map // by the words of the command line

var (
	flagLine   = regexp.MustCompile(`^  (-[a-z],|   ) (--[a-z0-9-]+)(?:=("[^"]*"|\S+))?(?: +(\S.*))?$`)
	variable   = regexp.MustCompile(`\(\$([A-Z][A-Z0-9_]*)\)`)
	shown      = regexp.MustCompile(`\bDefault (\S+?)\.?(?: \(\$|$)`)
	quoted     = regexp.MustCompile(`^"(.*)"$`)
	resembling = regexp.MustCompile(`[A-Z]`) // a placeholder: FILE, P.D.T
)

func parse(text string) map[string]Flag {
	flags := map[string]Flag{}
	for line := range strings.Lines(text) {
		m := flagLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		f := Flag{Name: m[2], Switch: m[3] == ""}
		if m := variable.FindStringSubmatch(m[4]); m != nil {
			f.Env = m[1]
		}
		if d := shown.FindStringSubmatch(m[4]); d != nil {
			f.Default = d[1]
		} else if q := quoted.FindStringSubmatch(m[3]); q != nil {
			f.Default = q[1]
		} else if !resembling.MatchString(m[3]) {
			f.Default = strings.TrimSuffix(m[3], ",...")
		}
		flags[f.Name] = f
		if short, is := strings.CutSuffix(m[1], ","); is {
			flags[short] = f
		}
	}
	return flags
}
