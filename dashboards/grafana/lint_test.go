package grafana

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// file is a dashboard as Grafana reads it.
type file struct {
	name, text string

	UID, Title, Description string
	SchemaVersion           int
	Panels                  []shown
	Templating              struct{ List []struct{ Name string } }
}

type shown struct {
	ID                       int
	Type, Title, Description string
	Collapsed                bool
	GridPos                  struct{ X, Y, W, H int }
	Datasource               struct{ UID string }
	Links                    []struct{ URL string }
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Targets                  []struct{ RefID, Expr, LegendFormat, RawSQL string }
	Panels                   []shown
}

func read(t *testing.T) (all []file) {
	t.Helper()
	for name := range Files() {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f := file{name: name, text: string(text)}
		if err := json.Unmarshal(text, &f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, f)
	}
	return all
}

// all are the panels, and those of rows that are closed.
func (f file) all() (out []shown) {
	for _, p := range f.Panels {
		out = append(append(out, p), p.Panels...)
	}
	return out
}

// pictures are those that show something.
func (f file) pictures() []shown {
	return slices.DeleteFunc(f.all(), func(p shown) bool { return p.Type == "row" })
}

func TestNumbersAndTitlesAreUnique(t *testing.T) {
	uids := map[string]bool{}
	for _, f := range read(t) {
		if want := "iotbridge-" + strings.TrimSuffix(f.name, ".json"); f.UID != want || uids[f.UID] {
			t.Errorf("%s: uid %s, want %s", f.name, f.UID, want)
		}
		uids[f.UID] = true
		if f.Title == "" || f.Description == "" || f.SchemaVersion < 42 {
			t.Errorf("%s: title %q, description %q, schema %d", f.name, f.Title, f.Description, f.SchemaVersion)
		}
		ids, titles := map[int]bool{}, map[string]bool{}
		for _, p := range f.all() {
			if p.ID == 0 || ids[p.ID] || p.Title == "" || titles[p.Title] {
				t.Errorf("%s: panel %d, %q: twice, or none", f.name, p.ID, p.Title)
			}
			ids[p.ID], titles[p.Title] = true, true
		}
	}
}

func TestPanelsLieBesideEachOther(t *testing.T) {
	for _, f := range read(t) {
		taken := map[[2]int]string{}
		for i, p := range f.all() {
			g := p.GridPos
			if i == 0 && (g.X != 0 || g.Y != 0) {
				t.Errorf("%s: %s is first, and not at the top left", f.name, p.Title)
			}
			if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > columns || p.Type != "row" && (g.W < 4 || g.H < 5) {
				t.Errorf("%s: %s: %+v is too small, or outside", f.name, p.Title, g)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" {
						t.Fatalf("%s: %s lies upon %s", f.name, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}

// units are Grafana's names of those that we use.
var units = strings.Fields("none short s bytes Bps percentunit mps ops reqps celsius")

func TestPanelsSayWhatTheyShow(t *testing.T) {
	for _, f := range read(t) {
		for _, p := range f.pictures() {
			if !slices.Contains(units, p.FieldConfig.Defaults.Unit) {
				t.Errorf("%s: %s: unit %q", f.name, p.Title, p.FieldConfig.Defaults.Unit)
			}
			if len(p.Description) < 20 || !strings.HasSuffix(p.Description, ".") {
				t.Errorf("%s: %s: described as %q", f.name, p.Title, p.Description)
			}
			if p.Type == "stat" && !strings.Contains(p.Description, "Normal:") && !strings.Contains(p.Description, "Promised:") {
				t.Errorf("%s: %s does not say what is normal", f.name, p.Title)
			}
			if len(p.Targets) == 0 {
				t.Errorf("%s: %s asks nothing", f.name, p.Title)
			}
			if !strings.HasPrefix(p.Datasource.UID, "${") {
				t.Errorf("%s: %s: data source %q", f.name, p.Title, p.Datasource.UID)
			}
		}
	}
}

func TestRunbooksThatAreLinkedAreThere(t *testing.T) {
	linked := 0
	for _, f := range read(t) {
		for _, p := range f.pictures() {
			for _, l := range p.Links {
				page, ok := strings.CutPrefix(l.URL, "${runbooks}/")
				if _, err := os.Stat(filepath.Join("..", "runbooks", page)); !ok || err != nil {
					t.Errorf("%s: %s leads to %s: %v", f.name, p.Title, l.URL, err)
				}
				linked++
			}
		}
	}
	if linked < 40 {
		t.Errorf("only %d links", linked)
	}
}

var variable = regexp.MustCompile(`\$\{?(\w+)`)

func TestVariablesThatAreUsedAreThere(t *testing.T) {
	for _, f := range read(t) {
		defined, used := []string{"__rate_interval", "__range", "__all", "__from", "__to", "__interval_ms"}, map[string]bool{}
		for _, v := range f.Templating.List {
			defined = append(defined, v.Name)
		}
		for _, m := range variable.FindAllStringSubmatch(f.text, -1) {
			used[m[1]] = true
			if !slices.Contains(defined, m[1]) {
				t.Errorf("%s: $%s is not defined", f.name, m[1])
			}
		}
		for _, v := range f.Templating.List {
			if !used[v.Name] {
				t.Errorf("%s: $%s is not used", f.name, v.Name)
			}
		}
	}
}

// What BigQuery reads is bounded by the partitions of the chosen time. That each is
// GoogleSQL is shown in internal/tools/googlesql, which finds the files.
func TestQueriesOfBigQueryAreBounded(t *testing.T) {
	bound := regexp.MustCompile(`(event_time|quarantine_time) BETWEEN TIMESTAMP\('\$\{__from:date:iso\}'\) AND TIMESTAMP\('\$\{__to:date:iso\}'\)`)
	from := regexp.MustCompile("FROM `\\$\\{PROJECT\\}\\.\\$\\{DATASET\\}\\.(temperature|quarantine)`")
	asked := map[string]bool{}
	for _, f := range read(t) {
		for _, p := range f.pictures() {
			for _, q := range p.Targets {
				if q.RawSQL == "" {
					continue
				}
				asked[q.RawSQL] = true
				tables, bounds := from.FindAllString(q.RawSQL, -1), bound.FindAllString(q.RawSQL, -1)
				if len(tables) == 0 || len(tables) != len(bounds) || strings.Count(q.RawSQL, "FROM `") != len(tables) {
					t.Errorf("%s: %s reads %q within %q", f.name, p.Title, tables, bounds)
				}
			}
		}
	}
	files, err := filepath.Glob("sql/*.sql")
	if err != nil || len(files) != len(asked) || len(files) == 0 {
		t.Errorf("%d queries in panels, %d files, %v", len(asked), len(files), err)
	}
}
