package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// MaxSource bounds a table's YAML, in bytes.
const MaxSource = 1 << 20

// Load reads a table from YAML; what it returns compiles. Unknown and duplicate
// keys, values of another type, and what BigQuery or Compile would not take are
// errors, one a line as "file:line: what". The file's name is for them alone.
func Load(file string, src []byte) (*Table, error) {
	if len(src) > MaxSource {
		return nil, fmt.Errorf("%s:1: a table of %d bytes, the most is %d", file, len(src), MaxSource)
	}
	t := new(Table)
	if err := yaml.Load(src, t, yaml.WithKnownFields()); err != nil {
		return nil, atLines(file, err)
	}
	var doc yaml.Node
	if err := yaml.Load(src, &doc); err != nil {
		return nil, atLines(file, err)
	}
	errs := mistyped(file, &doc, "")
	for _, f := range t.faults() {
		errs = append(errs, fmt.Errorf("%s:%d: %w", file, f.line(&doc), f))
	}
	if errs == nil {
		errs = t.uncompiled(file, &doc)
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	return t, nil
}

// uncompiled is what Compile says, each error at the column that it names.
func (t *Table) uncompiled(file string, doc *yaml.Node) (errs []error) {
	_, err := t.Compile()
	if err == nil {
		return nil
	}
	for text := range strings.SplitSeq(err.Error(), "\n") {
		at := fault{column: -1}
		for i, c := range t.Columns {
			if strings.HasPrefix(text, fmt.Sprintf("table %s: column %s: ", t.Name, c.Name)) {
				at.column = i
			}
		}
		errs = append(errs, fmt.Errorf("%s:%d: %s", file, at.line(doc), text))
	}
	return errs
}

// mistyped finds what YAML lets pass: a value without a key, a key without a
// value, merges, a number or a boolean where a text belongs, and aliases, which
// may lead in a circle.
func mistyped(file string, n *yaml.Node, key string) (errs []error) {
	switch n.Kind {
	case yaml.AliasNode:
		errs = append(errs, fmt.Errorf("%s:%d: %s is an alias: write the value out", file, n.Line, key))
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if name := n.Content[i]; name.ShortTag() != "!!str" {
				errs = append(errs, fmt.Errorf("%s:%d: %q is no key", file, name.Line, name.Value))
			}
			errs = append(errs, mistyped(file, n.Content[i+1], n.Content[i].Value)...)
		}
	case yaml.DocumentNode, yaml.SequenceNode:
		for _, item := range n.Content {
			errs = append(errs, mistyped(file, item, key)...)
		}
	case yaml.ScalarNode:
		tag := n.ShortTag()
		switch {
		case tag == "!!null":
			errs = append(errs, fmt.Errorf("%s:%d: %s has no value: leave the key out", file, n.Line, key))
		case !slices.Contains([]string{"required", "min", "max", "max_bytes"}, key) && tag != "!!str":
			errs = append(errs, fmt.Errorf("%s:%d: %s: %s is no text: quote it", file, n.Line, key, n.Value))
		}
	}
	return errs
}

// atLines puts YAML's own errors into the form that Load promises.
func atLines(file string, err error) error {
	var several *yaml.LoadErrors
	if errors.As(err, &several) {
		errs := make([]error, len(several.Errors))
		for i, e := range several.Errors {
			errs[i] = fmt.Errorf("%s:%d: %s", file, max(1, e.Mark.Line), inWords(e.Message))
		}
		return errors.Join(errs...)
	}
	var one *yaml.LoadError
	if errors.As(err, &one) {
		return fmt.Errorf("%s:%d: %s", file, max(1, one.Mark.Line), inWords(one.Message))
	}
	return fmt.Errorf("%s:1: %w", file, err)
}

// inWords takes the names of Go's types out of YAML's commonest error.
func inWords(message string) string {
	if key, _, ok := strings.Cut(message, " not found in type "); ok {
		return "unknown key " + strings.TrimPrefix(key, "field ")
	}
	return message
}

// line is where the fault stands in the document: at its key, else at its
// column, else at the table's top.
func (f fault) line(doc *yaml.Node) int {
	at := member(doc, "")
	if f.column >= 0 {
		if list := member(at, "columns"); list != nil && f.column < len(list.Content) {
			at = list.Content[f.column]
		}
	}
	if value := member(at, f.key); value != nil {
		at = value
	}
	if at == nil {
		return 1
	}
	return max(1, at.Line)
}

// member returns the value under the key of a document's mapping, or the mapping
// itself for "".
func member(n *yaml.Node, key string) *yaml.Node {
	for n != nil {
		switch {
		case n.Kind == yaml.DocumentNode && len(n.Content) > 0:
			n = n.Content[0]
		case key == "":
			return n
		case n.Kind == yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == key {
					return n.Content[i+1]
				}
			}
			return nil
		default:
			return nil
		}
	}
	return nil
}
