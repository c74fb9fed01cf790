package config

import (
	"reflect"
	"slices"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v4"
)

// text is a value as it would stand on a command line; a list is joined by the
// flag's separator. It is the text of the file: 010 stays 010, and yes is yes.
func (f file) text(flag *kong.Flag, value *yaml.Node) (string, error) {
	switch {
	case value.Kind == yaml.SequenceNode && flag.IsSlice():
		var items []string
		for _, item := range value.Content {
			text, err := f.scalar(flag, item)
			if err != nil {
				return "", err
			}
			items = append(items, text)
		}
		return kong.JoinEscaped(items, flag.Tag.Sep), nil
	default:
		return f.scalar(flag, value)
	}
}

func (f file) scalar(flag *kong.Flag, value *yaml.Node) (string, error) {
	if value.Kind != yaml.ScalarNode || value.ShortTag() == "!!null" {
		return "", f.errorf(value, "%s wants %s", flag.Name, want(flag))
	}
	// kong checks an enum only when all is applied, without a line.
	if flag.Enum != "" && !slices.Contains(flag.EnumSlice(), value.Value) {
		return "", f.errorf(value, "%s is %q, want one of %s", flag.Name, value.Value, flag.Enum)
	}
	return value.Value, nil
}

func want(flag *kong.Flag) string {
	if flag.IsSlice() {
		return "a plain value or a list of them"
	}
	return "a plain value"
}

func newTarget(flag *kong.Flag) reflect.Value { return reflect.New(flag.Target.Type()).Elem() }
