package terraform_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// instance is one resource as it would be made: of a for_each or a count there are several.
type instance struct {
	address string // google_pubsub_topic.telemetry["state"]
	typ     string
	body
}

// body is what a resource or a block in it says.
type body struct {
	attributes map[string]cty.Value
	blocks     map[string][]body
}

// plan is a module with its variables filled in.
type plan struct {
	*module
	vars      map[string]cty.Value
	locals    map[string]cty.Value
	made      map[string]cty.Value // what type.name is in an expression
	instances []instance
}

// evaluate fills a module's variables in, and checks them as Terraform would.
func (m *module) evaluate(given map[string]cty.Value) (*plan, error) {
	p := &plan{module: m, vars: map[string]cty.Value{}, locals: map[string]cty.Value{}, made: map[string]cty.Value{}}
	for name := range given {
		if m.variables[name] == nil {
			return nil, fmt.Errorf("there is no variable %s", name)
		}
	}
	for name, b := range m.variables {
		value, err := variable(b.Body, given[name])
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", name, err)
		}
		p.vars[name] = value
	}
	for _, b := range m.variables {
		if err := p.validate(b); err != nil {
			return nil, err
		}
	}
	return p, p.resolve()
}

func variable(b *hclsyntax.Body, value cty.Value) (cty.Value, error) {
	want, defaults, diags := typeexpr.TypeConstraintWithDefaults(b.Attributes["type"].Expr)
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	if value == cty.NilVal {
		fallback := b.Attributes["default"]
		if fallback == nil {
			return cty.NilVal, errors.New("it has to be given")
		}
		if value, diags = fallback.Expr.Value(nil); diags.HasErrors() {
			return cty.NilVal, diags
		}
	}
	if defaults != nil && !value.IsNull() {
		value = defaults.Apply(value)
	}
	return convert.Convert(value, want)
}

func (p *plan) validate(b *hclsyntax.Block) error {
	for _, v := range b.Body.Blocks {
		holds, diags := v.Body.Attributes["condition"].Expr.Value(p.context(nil))
		if diags.HasErrors() {
			return diags
		}
		if holds.False() {
			return fmt.Errorf("variable %s: its validation refuses it", b.Labels[0])
		}
	}
	return nil
}

// resolve evaluates locals and resources, each after those that it refers to.
func (p *plan) resolve() error {
	left := map[string]func() error{}
	wants := map[string][]hcl.Traversal{}
	for name, expr := range p.module.locals {
		left["local."+name], wants["local."+name] = func() error { return p.local(name, expr) }, expr.Variables()
	}
	for name, b := range p.resources {
		left[name], wants[name] = func() error { return p.make(name, b) }, references(b.Body)
	}
	for len(left) > 0 {
		before := len(left)
		for _, name := range slices.Sorted(maps.Keys(left)) {
			if slices.ContainsFunc(wants[name], func(t hcl.Traversal) bool { return left[address(t)] != nil }) {
				continue
			}
			if err := left[name](); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			delete(left, name)
		}
		if len(left) == before {
			return fmt.Errorf("these go round in a circle: %v", slices.Sorted(maps.Keys(left)))
		}
	}
	return nil
}

// address is what a reference refers to, as local.x or type.name.
func address(t hcl.Traversal) string {
	if len(t) > 1 {
		if a, ok := t[1].(hcl.TraverseAttr); ok {
			return t.RootName() + "." + a.Name
		}
	}
	return t.RootName()
}

func (p *plan) local(name string, expr hclsyntax.Expression) error {
	value, diags := expr.Value(p.context(nil))
	if diags.HasErrors() {
		return diags
	}
	p.locals[name] = value
	return nil
}

// context is what an expression sees.
func (p *plan) context(more map[string]cty.Value) *hcl.EvalContext {
	see := map[string]cty.Value{
		"var": cty.ObjectVal(p.vars), "local": cty.ObjectVal(p.locals),
		"path": cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(p.dir)}),
	}
	types := map[string]map[string]cty.Value{}
	for name, value := range p.made {
		typ, label, _ := strings.Cut(name, ".")
		if types[typ] == nil {
			types[typ] = map[string]cty.Value{}
		}
		types[typ][label] = value
	}
	for typ, values := range types {
		see[typ] = cty.ObjectVal(values)
	}
	maps.Copy(see, more)
	return &hcl.EvalContext{Variables: see, Functions: functions()}
}

func mustEvaluate(t *testing.T, dir string, given map[string]cty.Value) *plan {
	t.Helper()
	p, err := load(t, filepath.Clean(dir)).evaluate(given)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
