package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v4"
)

// File is the flag that names the YAML file.
type File string

// BeforeResolve reads the file and puts it behind flags and environment.
func (File) BeforeResolve(ctx *kong.Context, trace *kong.Path, structured map[string]any) error {
	name, _ := ctx.FlagValue(trace.Flag).(File)
	if name == "" {
		return nil
	}
	text, err := os.ReadFile(string(name))
	if err != nil {
		return fmt.Errorf("--%s: %w", trace.Flag.Name, err)
	}
	var documents []yaml.Node
	if err := yaml.Load(text, &documents, yaml.WithAllDocuments()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	f := file{name: string(name), flags: map[*kong.Flag]*yaml.Node{}}
	for i, document := range documents { // none in a file of comments
		if i > 0 {
			return f.errorf(&document, "a second document: settings are one")
		}
		if err := f.read(ctx.Model.Node, document.Content[0], structured); err != nil {
			return err
		}
	}
	ctx.AddResolver(f)
	return nil
}

// file is a kong.Resolver: it answers for the flags that the file sets.
type file struct {
	name  string
	flags map[*kong.Flag]*yaml.Node
}

// read books a mapping's keys to the flags of a command and what is below it.
func (f file) read(command *kong.Node, mapping *yaml.Node, structured map[string]any) error {
	if mapping.Kind != yaml.MappingNode {
		return f.errorf(mapping, "want settings, one \"key: value\" a line")
	}
	first := map[string]int{}
	for i := 0; i < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		if line, ok := first[key.Value]; ok {
			return f.errorf(key, "%q is set twice, first in line %d", key.Value, line)
		}
		first[key.Value] = key.Line
		if err := f.book(command, key, value, structured); err != nil {
			return err
		}
	}
	return nil
}

func (f file) book(command *kong.Node, key, value *yaml.Node, structured map[string]any) error {
	for _, flag := range command.Flags {
		if _, isFile := flag.Target.Interface().(File); flag.Name == key.Value && !isFile && !commandLineOnly(flag) {
			f.flags[flag] = value
			return f.try(flag, value)
		}
	}
	for _, child := range command.Children {
		if child.Name == key.Value {
			return f.read(child, value, nil)
		}
	}
	if into, ok := structured[key.Value]; ok {
		return f.structured(key, value, into)
	}
	return f.errorf(key, "unknown key %q", key.Value)
}

func (f file) structured(key, value *yaml.Node, into any) error {
	err := value.Load(into, yaml.WithKnownFields())
	if all := (*yaml.LoadErrors)(nil); errors.As(err, &all) && len(all.Errors) > 0 {
		first := all.Errors[0]
		what, _, _ := strings.Cut(first.Message, " in type ") // a name of ours
		return f.errorf(&yaml.Node{Line: first.Mark.Line}, "%s: %s", key.Value, what)
	}
	if err != nil {
		return f.errorf(key, "%s: %w", key.Value, err)
	}
	return nil
}

// Validate is kong's; read has done it.
func (f file) Validate(*kong.Application) error { return nil }

// Resolve returns the text of a flag that neither arguments nor environment set.
func (f file) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	node, ok := f.flags[flag]
	if !ok {
		return nil, nil
	}
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	return f.text(flag, node)
}

// try parses a value as the flag will, so that the error can name the line.
func (f file) try(flag *kong.Flag, value *yaml.Node) error {
	text, err := f.text(flag, value)
	if err != nil {
		return err
	}
	probe := *flag.Value
	scan := kong.Scan().PushTyped(text, kong.FlagValueToken)
	if err := probe.Parse(scan, newTarget(flag)); err != nil {
		return f.errorf(value, "%w", err)
	}
	return nil
}

func (f file) errorf(at *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: "+format, append([]any{f.name, at.Line}, args...)...)
}
