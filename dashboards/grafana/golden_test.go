package grafana

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the JSON files anew")

func TestTheFilesAreAsTheyAreWrittenHere(t *testing.T) {
	files, err := filepath.Glob("*.json")
	if err != nil {
		t.Fatal(err)
	}
	dashboards := Files()
	for name, d := range dashboards {
		want, err := d.JSON()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s: go test ./dashboards/grafana -update\n%s", name, diff)
		}
	}
	if !*update && len(files) != len(dashboards) {
		slices.Sort(files)
		t.Errorf("%d files for %d dashboards: %q", len(files), len(dashboards), files)
	}
}
