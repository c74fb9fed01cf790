package terraform_test

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// The provider itself is on no registry that is used here. What its resources take is
// known from HashiCorp's own TypeScript bindings, which are generated from it:
//
//	npm pack @cdktf/provider-google@16.12.1 && tar xzf cdktf-provider-google-*.tgz
//	go test ./deploy/terraform -run AttributeIsKnown -bindings "$PWD/package/lib"
var bindings = flag.String("bindings", "", "folder lib of the unpacked npm package @cdktf/provider-google: rewrite testdata/provider.txt from it")

const known = "testdata/provider.txt"

// kinds are what an attribute of a resource is, by "type path"; "!" follows when it is
// required, and "=" is one that is only answered.
func kinds(t *testing.T) map[string]string {
	t.Helper()
	f, err := os.Open(known)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) == 3 && words[0] != "#" {
			all[words[0]+" "+words[1]] = words[2]
		}
	}
	return all
}

func TestEachAttributeIsKnownToTheProvider(t *testing.T) {
	modules := []*module{load(t, "."), load(t, "examples/complete")}
	if *bindings != "" {
		rewrite(t, modules)
	}
	all := kinds(t)
	for _, m := range modules {
		for _, name := range slices.Sorted(maps.Keys(m.resources)) {
			b := m.resources[name]
			for _, fault := range unknown(all, b.Labels[0], "", b.Body) {
				t.Errorf("%s: %s", name, fault)
			}
		}
		for _, tr := range m.traversals() {
			if a := asked(tr); m.resources[address(tr)] != nil && a != "" && all[tr.RootName()+" "+a] == "" {
				t.Errorf("%s: %s has no attribute %s", tr.SourceRange(), tr.RootName(), a)
			}
		}
	}
}

// What an attribute is worth has to be of its type, in every form of the module.
func TestEachValueIsOfItsType(t *testing.T) {
	all := kinds(t)
	for name, given := range forms {
		for _, i := range mustEvaluate(t, ".", given).instances {
			for _, fault := range mistyped(all, i.typ+" ", i.body) {
				t.Errorf("%s: %s: %s", name, i.address, fault)
			}
		}
	}
}

func mistyped(all map[string]string, path string, b body) (faults []string) {
	for name, value := range b.attributes {
		want, ok := map[string]cty.Type{
			"string": cty.String, "number": cty.Number, "boolean | cdktf.IResolvable": cty.Bool, "boolean": cty.Bool,
			"string[]": cty.Set(cty.String), "map": cty.Map(cty.String),
		}[strings.TrimSuffix(all[path+name], "!")]
		err := errors.New("which is not understood here")
		if ok {
			_, err = convert.Convert(value, want)
		}
		if err != nil {
			faults = append(faults, fmt.Sprintf("%s%s is to be %s: %v", path, name, all[path+name], err))
		}
		if strings.HasSuffix(all[path+name], "!") && value.IsNull() {
			faults = append(faults, name+" is null")
		}
	}
	for name, blocks := range b.blocks {
		for _, inner := range blocks {
			faults = append(faults, mistyped(all, path+name+".", inner)...)
		}
	}
	return faults
}

// asked is the first attribute that a reference asks a resource for; "" for none.
func asked(t hcl.Traversal) string {
	for _, step := range t[2:] {
		if a, ok := step.(hcl.TraverseAttr); ok {
			return a.Name
		}
	}
	return ""
}

func unknown(all map[string]string, typ, path string, body *hclsyntax.Body) (faults []string) {
	given := map[string]bool{}
	for name := range body.Attributes {
		given[name] = true
		if kind := all[typ+" "+path+name]; !slices.Contains(meta, name) && (kind == "" || kind == "=" || strings.HasPrefix(kind, "block")) {
			faults = append(faults, fmt.Sprintf("there is no attribute %s%s (%s)", path, name, kind))
		}
	}
	for _, b := range body.Blocks {
		name, inner := b.Type, b.Body
		if name == "lifecycle" && path == "" {
			continue
		}
		if name == "dynamic" {
			name, inner = b.Labels[0], b.Body.Blocks[0].Body
		}
		given[name] = true
		if !strings.HasPrefix(all[typ+" "+path+name], "block") {
			faults = append(faults, fmt.Sprintf("there is no block %s%s", path, name))
			continue
		}
		faults = append(faults, unknown(all, typ, path+name+".", inner)...)
	}
	for key, kind := range all {
		name, of := strings.CutPrefix(key, typ+" "+path)
		if of && strings.HasSuffix(kind, "!") && !strings.Contains(name, ".") && !given[name] {
			faults = append(faults, fmt.Sprintf("%s%s is missing", path, name))
		}
	}
	return faults
}

var (
	start    = regexp.MustCompile(`^export (?:interface|declare class) (\w+)(?: extends ([\w.]+))?`)
	link     = regexp.MustCompile(`google/([0-9.]+)/docs/resources/\w+#\w+ \w+#(\w+)\}`)
	property = regexp.MustCompile(`^    readonly \w+(\??): (\S.*?);?$`)
	getter   = regexp.MustCompile(`^    get (\w+)\(\)`)
	upper    = regexp.MustCompile(`[A-Z]`)
)

// use notes which blocks stand in a body: what may stand in others is not listed.
func use(used map[string]bool, path string, body *hclsyntax.Body) {
	for _, b := range body.Blocks {
		name, inner := b.Type, b.Body
		if name == "dynamic" {
			name, inner = b.Labels[0], b.Body.Blocks[0].Body
		}
		used[path+name] = true
		use(used, path+name+".", inner)
	}
}

// rewrite makes the list anew for the resources that the modules have.
func rewrite(t *testing.T, modules []*module) {
	types, used := map[string]bool{}, map[string]bool{}
	for _, m := range modules {
		for _, b := range m.resources {
			types[b.Labels[0]] = true
			use(used, b.Labels[0]+" ", b.Body)
		}
	}
	var lines []string
	version := ""
	for _, typ := range slices.Sorted(maps.Keys(types)) {
		dir := strings.ReplaceAll(strings.TrimPrefix(typ, "google_"), "_", "-")
		src, err := os.ReadFile(filepath.Join(*bindings, dir, "index.d.ts"))
		if err != nil {
			t.Fatal(err)
		}
		properties, answered, root := map[string][][3]string{}, map[string]bool{}, ""
		within, name, class := "", "", ""
		for _, line := range strings.Split(string(src), "\n") {
			if m := start.FindStringSubmatch(line); m != nil {
				within, class = m[1], m[2]
				if class == "cdktf.TerraformMetaArguments" {
					root = within
				}
			}
			if m := link.FindStringSubmatch(line); m != nil {
				version, name = m[1], m[2]
			}
			if m := property.FindStringSubmatch(line); m != nil && name != "" {
				properties[within] = append(properties[within], [3]string{name, m[2], map[string]string{"": "!"}[m[1]]})
				name = ""
			}
			if m := getter.FindStringSubmatch(line); m != nil && class == "cdktf.TerraformResource" && !strings.HasSuffix(m[1], "Input") {
				answered[upper.ReplaceAllStringFunc(m[1], func(s string) string { return "_" + strings.ToLower(s) })] = true
			}
		}
		var list func(within, path string)
		list = func(within, path string) {
			for _, p := range properties[within] {
				kind := strings.TrimSuffix(p[1], " | cdktf.IResolvable")
				bare := strings.TrimSuffix(kind, "[]")
				inner := properties[bare] != nil
				switch {
				case inner:
					kind = "block"
				case strings.HasPrefix(kind, "{"):
					kind = "map"
				}
				if path+p[0] == "id" { // only answered
					continue
				}
				lines = append(lines, typ+" "+path+p[0]+" "+kind+p[2])
				if inner && used[typ+" "+path+p[0]] {
					list(bare, path+p[0]+".")
				}
				delete(answered, path+p[0])
			}
		}
		list(root, "")
		for name := range answered {
			lines = append(lines, typ+" "+name+" =")
		}
	}
	slices.Sort(lines)
	head := "# What resources of the provider google " + version + " take, from its TypeScript bindings; provider_test.go says how.\n"
	if err := os.WriteFile(known, []byte(head+strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}
