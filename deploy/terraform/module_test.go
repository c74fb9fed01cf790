// The module is judged by what it says, parsed and evaluated here: no provider and no
// Google Cloud is at hand.
package terraform_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// module is a folder's *.tf.
type module struct {
	dir       string
	files     map[string]*hcl.File // by their name
	variables map[string]*hclsyntax.Block
	locals    map[string]hclsyntax.Expression
	resources map[string]*hclsyntax.Block // by type.name
	outputs   map[string]*hclsyntax.Block
	calls     map[string]*hclsyntax.Block // of other modules
}

func load(t *testing.T, dir string) *module {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s holds no *.tf (%v)", dir, err)
	}
	m := &module{
		dir: dir, files: map[string]*hcl.File{}, variables: map[string]*hclsyntax.Block{}, locals: map[string]hclsyntax.Expression{},
		resources: map[string]*hclsyntax.Block{}, outputs: map[string]*hclsyntax.Block{}, calls: map[string]*hclsyntax.Block{},
	}
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		m.files[filepath.Base(name)] = file
		for _, b := range file.Body.(*hclsyntax.Body).Blocks {
			m.take(t, b)
		}
	}
	return m
}

func (m *module) take(t *testing.T, b *hclsyntax.Block) {
	t.Helper()
	into := map[string]map[string]*hclsyntax.Block{
		"variable": m.variables, "resource": m.resources, "output": m.outputs, "module": m.calls,
	}[b.Type]
	switch {
	case into != nil:
		name := strings.Join(b.Labels, ".")
		if into[name] != nil {
			t.Errorf("%s: %s %s is there twice", b.TypeRange, b.Type, name)
		}
		into[name] = b
	case b.Type == "locals":
		for name, a := range b.Body.Attributes {
			m.locals[name] = a.Expr
		}
	case b.Type != "terraform" && b.Type != "provider":
		t.Errorf("%s: a block %s is not looked at by these tests", b.TypeRange, b.Type)
	}
}

// traversals are all references of a module, variables of its validations apart.
func (m *module) traversals() (all []hcl.Traversal) {
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		for _, b := range m.files[name].Body.(*hclsyntax.Body).Blocks {
			if b.Type != "variable" && b.Type != "terraform" {
				all = append(all, references(b.Body)...)
			}
		}
	}
	return all
}

// references are those of a body and what stands in it, but for names that stand for
// something in it alone.
func references(body *hclsyntax.Body, bound ...string) (all []hcl.Traversal) {
	bound = append(slices.Clone(bound), "each", "count", "self", "path", "string", "number", "bool", "any")
	for _, name := range slices.Sorted(maps.Keys(body.Attributes)) {
		for _, t := range body.Attributes[name].Expr.Variables() {
			if !slices.Contains(bound, t.RootName()) {
				all = append(all, t)
			}
		}
	}
	for _, b := range body.Blocks {
		inner := bound
		switch b.Type {
		case "lifecycle":
			continue
		case "dynamic":
			inner = append(slices.Clone(bound), b.Labels[0])
		}
		all = append(all, references(b.Body, inner...)...)
	}
	return all
}
