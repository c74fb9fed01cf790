package terraform_test

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// What the example gives the module is known to it and all that it must be given, and
// its own variables have defaults but for what nobody else can know.
func TestTheExampleIsComplete(t *testing.T) {
	m, example := load(t, "."), load(t, "examples/complete")
	call := example.calls["iotbridge"]
	source, diags := call.Body.Attributes["source"].Expr.Value(nil)
	if diags.HasErrors() || filepath.Join("examples/complete", source.AsString()) != "." {
		t.Fatalf("the example uses %#v", source)
	}
	for name := range call.Body.Attributes {
		if m.variables[name] == nil && !slices.Contains([]string{"source", "depends_on"}, name) {
			t.Errorf("the module has no variable %s", name)
		}
	}
	for name, b := range m.variables {
		if b.Body.Attributes["default"] == nil && call.Body.Attributes[name] == nil {
			t.Errorf("the example does not say %s", name)
		}
	}
	var asked []string
	for name, b := range example.variables {
		if b.Body.Attributes["default"] == nil {
			asked = append(asked, name)
		}
	}
	if slices.Sort(asked); !slices.Equal(asked, []string{"alert_email", "project"}) {
		t.Errorf("the example asks for %q", asked)
	}
}

// The example's values are taken by the module: it would make what they ask for.
func TestTheExampleIsTaken(t *testing.T) {
	m, example := load(t, "."), load(t, "examples/complete")
	call := example.calls["iotbridge"]
	for name, image := range map[string]cty.Value{"first, without an image": cty.NullVal(cty.String), "then with it": cty.StringVal("worker:1")} {
		p, err := example.evaluate(map[string]cty.Value{
			"project": cty.StringVal("my-project"), "alert_email": cty.StringVal("night@example.com"), "worker_image": image,
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		given, err := say(&hclsyntax.Body{Attributes: call.Body.Attributes}, p.context(nil))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		delete(given.attributes, "source")
		made, err := m.evaluate(maps.Clone(given.attributes))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(made.commands()) == 0 != image.IsNull() {
			t.Errorf("%s: %d workers", name, len(made.commands()))
		}
	}
}
