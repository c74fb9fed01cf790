package archtest

import (
	"slices"
	"strings"
)

// Package is one package of the module, and all that it is built from.
type Package struct {
	Path    string   // below the module's root: "ingest/pubsub"
	Imports []string // direct ones; those of this module below its root, as Path
	Deps    []string // transitive, and likewise
}

// cores are the programs' ideas.
var cores = []string{"ingest", "device", "gateway"}

// heavy is what the agent must not carry onto a Raspberry Pi: by it the static
// armv6 binary stays under 10 MB.
var heavy = []string{
	"cloud.google.com/go", "google.golang.org/api", "google.golang.org/grpc", "google.golang.org/protobuf",
	"google.golang.org/genproto", "github.com/prometheus", "modernc.org/sqlite", "go.opentelemetry.io",
}

// A rule names what a package may not import; "" when all is well.
type rule func(p Package, imported string) string

var rules = []rule{schemaStandsAlone, coresStandAlone, edgesStayApart, localcloudIsForTests, commandsAreNotImported}

// Violations returns a line a broken rule.
func Violations(packages []Package) []string {
	var out []string
	for _, p := range packages {
		for _, imported := range p.Imports {
			for _, broken := range rules {
				if why := broken(p, imported); why != "" {
					out = append(out, p.Path+" imports "+imported+": "+why)
				}
			}
		}
		if !isAgent(p.Path) {
			continue
		}
		for _, dep := range p.Deps {
			if slices.ContainsFunc(heavy, func(h string) bool { return within(dep, h) }) {
				out = append(out, p.Path+" needs "+dep+": the agent stays small")
			}
		}
	}
	slices.Sort(out)
	return out
}

func schemaStandsAlone(p Package, imported string) string {
	if !within(p.Path, "schema") || within(imported, "schema") || standard(imported) || within(imported, "go.yaml.in/yaml") {
		return ""
	}
	return "schema needs the standard library and a YAML reader only"
}

func coresStandAlone(p Package, imported string) string {
	if !slices.Contains(cores, p.Path) {
		return ""
	}
	for _, c := range cores {
		switch {
		case imported == c:
			return "a core does not know another core"
		case strings.HasPrefix(imported, c+"/"):
			return "a core does not know an edge"
		}
	}
	for _, sdk := range []string{"cloud.google.com/go", "google.golang.org/api", "google.golang.org/grpc"} {
		if within(imported, sdk) {
			return "a core does not know the network"
		}
	}
	return ""
}

// edgesStayApart: an edge knows its own core alone, and no program's but its own.
func edgesStayApart(p Package, imported string) string {
	for _, c := range cores {
		if !strings.HasPrefix(p.Path, c+"/") {
			continue
		}
		for _, other := range cores {
			if other != c && within(imported, other) {
				return "an edge knows its own core only"
			}
		}
	}
	return ""
}

func localcloudIsForTests(p Package, imported string) string {
	switch {
	case within(imported, "localcloud") && !within(p.Path, "localcloud") && !within(p.Path, "cmd/iotbridge"):
		return "localcloud is for tests and the all-in-one command"
	case within(p.Path, "localcloud") && slices.ContainsFunc(cores, func(c string) bool { return within(imported, c) }):
		return "localcloud stands in for Google and knows nothing of us"
	}
	return ""
}

func commandsAreNotImported(p Package, imported string) string {
	if within(imported, "cmd") && !within(p.Path, "cmd") {
		return "nothing is built on a command"
	}
	return ""
}

func isAgent(path string) bool { return within(path, "device") || within(path, "cmd/iotbridge-agent") }

// within says whether path is dir or below it.
func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// standard says whether path is of the standard library: no dot in its first
// element, and not of this module.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && !slices.Contains(ours, first)
}

// ours are the module's top folders that hold Go code.
var ours = []string{"schema", "ingest", "device", "gateway", "localcloud", "cmd", "internal", "docs", "deploy", "dashboards", "bench"}
