package agentd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// standard is where a configuration is looked for, in this order.
var standard = []string{"gcp_iot_config.txt", "/etc/iotbridge/agent.conf"}

// ConfigFile names the configuration; "" looks in the standard places, and what is
// in none of them is no fault.
type ConfigFile struct {
	Config string `short:"c" placeholder:"FILE" cli:"" help:"Settings, as the tutorial's gcp_iot_config.txt. Without it: ./gcp_iot_config.txt, then /etc/iotbridge/agent.conf."`
}

// BeforeResolve reads the file and puts it behind flags and environment.
func (c *ConfigFile) BeforeResolve(ctx *kong.Context) error {
	name, asked := c.named(ctx)
	text, err := readBounded(name)
	switch {
	case !asked && errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("--config: %w", err)
	}
	f := file{name: name, flags: map[string]setting{}}
	if chosen := ctx.Selected(); chosen != nil {
		_, f.unfinished = chosen.Target.Addr().Interface().(*Keygen)
	}
	if err := f.read(ctx.Model.Node, text); err != nil {
		return err
	}
	c.Config = name
	ctx.AddResolver(f)
	return nil
}

// named is the file to read, and whether somebody asked for it.
func (c *ConfigFile) named(ctx *kong.Context) (name string, asked bool) {
	for _, flag := range ctx.Flags() {
		if flag.Name == "config" {
			if name, _ := ctx.FlagValue(flag).(string); name != "" {
				return name, true
			}
		}
	}
	for _, name := range standard {
		if _, err := os.Lstat(name); err == nil {
			return name, false
		}
	}
	return standard[0], false
}

func readBounded(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe is not waited for
	if err != nil {
		return nil, err
	}
	defer f.Close()
	at, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !at.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", name)
	case at.Mode().Perm()&0o002 != 0: // it names commands
		return nil, fmt.Errorf("anybody may change %s: chmod o-w %s", name, name)
	}
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// file is a kong.Resolver: it answers for the flags that the file sets.
type file struct {
	name       string
	unfinished bool // the device is not registered yet: some lines are still to be filled in
	flags      map[string]setting
}

// setting is what the file says for one flag.
type setting struct {
	line  int
	texts []string // one, but for a flag that may be repeated
}

func (f file) read(app *kong.Node, text []byte) error {
	entries, err := parseINI(text)
	if wrong := (*lineError)(nil); errors.As(err, &wrong) {
		return f.errorf(wrong.line, "%s", wrong.text)
	}
	known := settable(app)
	for _, e := range entries {
		name := strings.ReplaceAll(strings.ToLower(e.key), "_", "-")
		flag := known[name]
		if flag == nil {
			return f.errorf(e.line, "unknown key %s%s", clip(e.key), suggestion(name, known))
		}
		before, ok := f.flags[name]
		if ok && !flag.IsSlice() {
			return f.errorf(e.line, "%s is set twice, first in line %d: take one out", keyOf(name), before.line)
		}
		value, err := f.value(flag, e)
		if err != nil {
			return err
		}
		f.flags[name] = setting{e.line, append(before.texts, value)}
	}
	return nil
}

// value tries what the line says as the flag will, so that the error can name the
// line.
func (f file) value(flag *kong.Flag, e entry) (string, error) {
	value, key := e.value, keyOf(flag.Name)
	if !f.unfinished && strings.HasPrefix(value, "<") && strings.HasSuffix(value, ">") {
		return "", f.errorf(e.line, "%s is still the placeholder %s: put the real one there", key, clip(value))
	}
	if flag.IsSlice() { // the line is one of them, whatever stands in it
		return value, nil
	}
	if flag.Enum != "" && !slices.Contains(flag.EnumSlice(), value) {
		return "", f.errorf(e.line, "%s is %s: want one of %s", key, clip(value), flag.Enum)
	}
	if flag.Tag.Type == "path" && !filepath.IsAbs(value) && !strings.HasPrefix(value, "~/") {
		value = filepath.Join(filepath.Dir(f.name), value)
	}
	probe := *flag.Value
	if err := probe.Parse(kong.Scan().PushTyped(value, kong.FlagValueToken), reflect.New(flag.Target.Type()).Elem()); err != nil {
		return "", f.errorf(e.line, "%s is %s: %s", key, clip(value), strings.TrimPrefix(err.Error(), "--"+flag.Name+": "))
	}
	return value, nil
}

// Validate is kong's; read has done it.
func (f file) Validate(*kong.Application) error { return nil }

// Resolve returns the text of a flag that neither arguments nor environment set.
func (f file) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	s, ok := f.flags[flag.Name]
	if !ok {
		return nil, nil
	}
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	if flag.IsSlice() {
		var all []any
		for _, text := range s.texts {
			all = append(all, text)
		}
		return all, nil
	}
	return s.texts[0], nil
}

func (f file) errorf(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: "+format, append([]any{f.name, line}, args...)...)
}

// settable are the flags that a file may set, of all commands, by name.
func settable(node *kong.Node) map[string]*kong.Flag {
	known := map[string]*kong.Flag{}
	for _, flag := range node.Flags {
		if !flag.Tag.Has("cli") && flag.Name != "help" && flag.Name != "version" {
			known[flag.Name] = flag
		}
	}
	for _, child := range node.Children {
		for name, flag := range settable(child) {
			known[name] = flag
		}
	}
	return known
}

// keyOf is a flag's name as the file has it.
func keyOf(flag string) string { return strings.ToUpper(strings.ReplaceAll(flag, "-", "_")) }

// suggestion is the key that was probably meant.
func suggestion(name string, known map[string]*kong.Flag) string {
	best, least := "", max(2, len(name)/4)+1
	for candidate := range known {
		if d := distance(name, candidate); d < least || d == least && candidate < best {
			best, least = candidate, d
		}
	}
	if best == "" {
		return ": iotbridge-agent run --help shows all"
	}
	return ": did you mean " + keyOf(best) + "?"
}

// distance is Levenshtein's, over bytes.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
