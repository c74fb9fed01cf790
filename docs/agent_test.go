package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"iotbridge/internal/agentd"
)

func TestExampleConfigurationsOfTheAgentAreRead(t *testing.T) {
	read := 0
	for _, p := range pages(t) {
		for i, block := range p.blocks("ini") {
			if !strings.HasPrefix(block, "[SETTINGS]\n") {
				continue
			}
			name := filepath.Join(t.TempDir(), "gcp_iot_config.txt")
			filledIn := regexp.MustCompile(`<[A-Z_]+>`).ReplaceAllString(block, "filled-in")
			if err := os.WriteFile(name, []byte(filledIn), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := agentd.Parse([]string{"run", "-c", name}); err != nil {
				t.Errorf("%s, block %d: %v", p.path, i+1, err)
			}
			read++
		}
	}
	if read < 2 {
		t.Errorf("only %d examples were found", read)
	}
}

// The agent goes over slow links onto small cards.
func TestTheAgentForTheFirstRaspberryPiIsSmall(t *testing.T) {
	const most = 10_000_000
	out := filepath.Join(t.TempDir(), "iotbridge-agent")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "../cmd/iotbridge-agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm", "GOARM=6")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	at, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", at.Size())
	if at.Size() > most {
		t.Errorf("%d bytes, %d at the most: what came in? (cmd/iotbridge-agent/testdata/packages.golden)", at.Size(), most)
	}
}
