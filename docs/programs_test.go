package docs_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"iotbridge/internal/deploycheck"
	"iotbridge/internal/testprograms"
)

var update = flag.Bool("update", false, "rewrite docs/configuration.md from the programs' --help")

var bin string // where build has put the programs

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "iotbridge-docs")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bin = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// build puts them there.
func build(t *testing.T) {
	t.Helper()
	for _, program := range []string{"iotbridge", "iotbridge-agent", "iotbridge-gateway", "iotbridge-ingest"} {
		if err := os.Symlink(testprograms.Path(t, program), filepath.Join(bin, program)); err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
	}
}

// help is what a program says about itself, or about one of its commands.
func help(t *testing.T, program string, command ...string) string {
	t.Helper()
	return testprograms.Help(t, 100, program, command...)
}

// example is a command line of a page that runs a program of ours.
type example struct {
	page    string
	program string
	args    []string
}

var invocation = regexp.MustCompile(`^(?:go run \./cmd/|bin/)?(iotbridge[a-z-]*)((?: .*)?)$`)

func examples(t *testing.T) []example {
	t.Helper()
	var out []example
	for _, p := range pages(t) {
		for _, block := range append(p.blocks("sh"), p.blocks("console")...) {
			for line := range strings.Lines(strings.ReplaceAll(block, "\\\n", " ")) {
				if m := invocation.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
					out = append(out, example{p.path, m[1], strings.Fields(m[2])})
				}
			}
		}
	}
	return out
}

// command is the words before the first flag.
func (e example) command() []string {
	for i, arg := range e.args {
		if strings.HasPrefix(arg, "-") {
			return e.args[:i]
		}
	}
	return e.args
}

func TestExamplesUseFlagsThatExist(t *testing.T) {
	all := examples(t)
	if len(all) < 4 {
		t.Fatalf("only %d examples were found", len(all))
	}
	for _, e := range all {
		command := e.command()
		deep := 2 // group, command; what follows are its arguments
		if len(command) > 1 && command[0] == "provision" && command[1] != "init" {
			deep = 3
		}
		command = command[:min(deep, len(command))]
		text := help(t, e.program, command...)
		for _, arg := range e.args {
			name, _, _ := strings.Cut(arg, "=")
			if strings.HasPrefix(arg, "--") && !regexp.MustCompile(regexp.QuoteMeta(name)+`\b`).MatchString(text) {
				t.Errorf("%s: %s %s has no %s", e.page, e.program, strings.Join(command, " "), name)
			}
		}
	}
}

func TestExampleConfigurationsAreRead(t *testing.T) {
	read := 0
	for _, p := range pages(t) {
		for i, block := range p.blocks("yaml") {
			if !strings.HasPrefix(block, "# worker.yaml\n") {
				continue
			}
			name := filepath.Join(t.TempDir(), "worker.yaml")
			if err := os.WriteFile(name, []byte(block), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Run(fmt.Sprintf("%s, block %d", p.path, i+1), func(t *testing.T) { deploycheck.ConfigFile(t, "iotbridge-ingest", name) })
			read++
		}
	}
	if read == 0 {
		t.Error("no page has an example")
	}
}

// configuration.md has the text of --help below a heading a program.
func TestConfigurationIsWhatTheProgramsSay(t *testing.T) {
	const name = "configuration.md"
	text := read(t, name)
	fresh := regexp.MustCompile("(?ms)^(## `([a-z-]+)((?: [a-z]+)*)`\n\n```text\n).*?^```$").ReplaceAllStringFunc(text, func(section string) string {
		m := regexp.MustCompile("(?s)^(## `([a-z-]+)((?: [a-z]+)*)`\n\n```text\n)").FindStringSubmatch(section)
		return m[1] + help(t, m[2], strings.Fields(m[3])...) + "```"
	})
	if fresh == text {
		return
	}
	if !*update {
		t.Fatalf("docs/%s is not what --help says: make golden", name)
	}
	if err := os.WriteFile(name, []byte(fresh), 0o644); err != nil {
		t.Fatal(err)
	}
}
