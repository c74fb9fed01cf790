package terraform_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

var roots = []string{".", "examples/complete"}

func TestEachReferenceLeadsSomewhere(t *testing.T) {
	for _, dir := range roots {
		m := load(t, dir)
		used := map[string]bool{}
		for _, tr := range m.traversals() {
			to := address(tr)
			used[to] = true
			name := strings.TrimPrefix(to, tr.RootName()+".")
			ok := m.resources[to] != nil
			switch tr.RootName() {
			case "var":
				ok = m.variables[name] != nil
			case "local":
				ok = m.locals[name] != nil
			case "module":
				ok = m.calls[name] != nil
			}
			if !ok {
				t.Errorf("%s: there is no %s", tr.SourceRange(), to)
			}
		}
		for name := range m.variables {
			if !used["var."+name] {
				t.Errorf("%s: nothing reads var.%s", dir, name)
			}
		}
		for name := range m.locals {
			if !used["local."+name] {
				t.Errorf("%s: nothing reads local.%s", dir, name)
			}
		}
	}
}

func TestVariablesAndOutputsAreDescribed(t *testing.T) {
	for _, dir := range roots {
		m := load(t, dir)
		for name, b := range m.variables {
			if b.Body.Attributes["type"] == nil || !described(b) {
				t.Errorf("%s: variable %s has no type or no description", dir, name)
			}
		}
		for name, b := range m.outputs {
			if !described(b) {
				t.Errorf("%s: output %s has no description", dir, name)
			}
		}
	}
}

func described(b *hclsyntax.Block) bool {
	a := b.Body.Attributes["description"]
	if a == nil {
		return false
	}
	v, diags := a.Expr.Value(nil)
	return !diags.HasErrors() && strings.HasSuffix(v.AsString(), ".")
}

// The outputs can be evaluated, and say what the programs are to be told.
func TestOutputs(t *testing.T) {
	for name, want := range map[string]map[string]string{
		"least": {"quarantine_topic": "projects/project/topics/quarantine-fallback", "images": "europe-west1-docker.pkg.dev/project/iotbridge", "provision_ca_key": "", "registry_address": ""},
		"job": {
			"provision_ca_key": "kms:projects/project/locations/europe-west1/keyRings/iotbridge/cryptoKeys/device-ca/cryptoKeyVersions/1",
			"registry_address": "10.0.0.3",
		},
	} {
		p := mustEvaluate(t, ".", forms[name])
		for output, b := range p.outputs {
			v, diags := b.Body.Attributes["value"].Expr.Value(p.context(nil))
			if diags.HasErrors() {
				t.Errorf("%s: output %s: %v", name, output, diags)
				continue
			}
			text, named := want[output]
			switch {
			case !named:
			case v.IsNull() && text != "" || !v.IsNull() && v.AsString() != text:
				t.Errorf("%s: output %s is %#v, want %q", name, output, v, text)
			}
		}
	}
}
