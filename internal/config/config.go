package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"

	"iotbridge/internal/buildinfo"
)

// ErrDone says that the arguments asked for text (--help, --version, a shell's
// completion) which has been written: nothing else is to be done.
var ErrDone = errors.New("done")

// Program describes what is parsed.
type Program struct {
	Name        string
	Description string // one or two sentences for --help
	EnvPrefix   string // of the environment variables, as in INGEST
	// Structured adds keys of the file that no flag can say, each with what it is
	// decoded into, strictly.
	Structured map[string]any
	Bind       []any     // what commands' Run methods may take as arguments, beside
	Stdout     io.Writer // of help and version; nil is os.Stdout
}

// Parse fills cli, a pointer to a struct of settings, from the arguments after the
// program's name. Where cli has commands, the context's Run runs the chosen one.
func (p Program) Parse(cli any, args []string) (*kong.Context, error) {
	done := false
	exit := func(int) { done = true }
	parser, err := kong.New(cli,
		kong.Name(p.Name), kong.Description(p.Description),
		kong.Vars{"version": p.Name + " " + buildinfo.Current().String()},
		kong.DefaultEnvars(p.EnvPrefix), kong.PostBuild(nameless), kong.ValueFormatter(helpText),
		kong.Writers(cmp.Or[io.Writer](p.Stdout, os.Stdout), os.Stderr), kong.Exit(exit), kong.Bind(append(p.Bind, p.Structured)...))
	if err != nil {
		return nil, err
	}
	if kongcompletion.Register(parser, kongcompletion.WithExitFunc(exit)); done {
		return nil, ErrDone
	}
	ctx, err := parser.Parse(args)
	if done {
		return nil, ErrDone
	}
	return ctx, err
}

// nameless takes the environment variable from the flags that only make sense on
// a command line.
func nameless(k *kong.Kong) error {
	return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok && commandLineOnly(f) {
			f.Envs, f.Tag.Envs = nil, nil
		}
		return next(nil)
	})
}

func commandLineOnly(f *kong.Flag) bool { return f.Name == "help" || f.Name == "version" }

// helpText is kong's, and the default where a placeholder hides it.
func helpText(v *kong.Value) string {
	text := kong.DefaultHelpValueFormatter(v)
	if v.Flag != nil && v.Flag.PlaceHolder != "" && v.Default != "" {
		text = fmt.Sprintf("%s Default %s.", strings.TrimSuffix(text, ".")+".", v.Default)
	}
	return text
}
