package images_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// bases knows every image, each with nothing set.
type bases struct{}

func (bases) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	text, err := json.Marshal(ocispecs.Image{Platform: ocispecs.Platform{OS: "linux", Architecture: "amd64"}})
	return ref, digest.FromBytes(text), text, err
}

// lint is what BuildKit says of a Dockerfile while it plans the build.
func lint(t *testing.T, text, program string) (warnings []string) {
	t.Helper()
	args := map[string]string{}
	if program != "" {
		args["PROGRAM"] = program
	}
	result, err := dockerfile2llb.Dockerfile2LLB(t.Context(), []byte(text), dockerfile2llb.ConvertOpt{
		Config:       dockerui.Config{BuildArgs: args},
		MetaResolver: bases{},
		Warn: func(rule, _, _, message string, _ []parser.Range) {
			warnings = append(warnings, rule+": "+message)
		},
	})
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	if got := result.Image.Config.Entrypoint; program != "" && (len(got) != 1 || got[0] != "/"+program) {
		t.Errorf("%s: the entry point is %q", program, got)
	}
	if got := result.Image.Config.Healthcheck; (program == "iotbridge-ingest" || program == "iotbridge-gateway") && (got == nil || got.Test[1] != "/"+program) {
		t.Errorf("%s: asked for its health by %+v", program, got)
	}
	return warnings
}

func TestTheDockerfileIsClean(t *testing.T) {
	text, err := os.ReadFile("../../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	programs, err := os.ReadDir("../../../cmd")
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range programs {
		for _, warning := range lint(t, string(text), program.Name()) {
			t.Errorf("%s: %s", program.Name(), warning)
		}
	}
}

func TestTheLinterSees(t *testing.T) {
	got := strings.Join(lint(t, "from scratch AS a\nMAINTAINER me\nENV KEY value\nENTRYPOINT run\n", ""), "\n")
	for _, rule := range []linter.LinterRuleI{&linter.RuleMaintainerDeprecated, &linter.RuleLegacyKeyValueFormat, &linter.RuleJSONArgsRecommended} {
		if !strings.Contains(got, rule.RuleName()) {
			t.Errorf("%s is not among:\n%s", rule.RuleName(), got)
		}
	}
}
