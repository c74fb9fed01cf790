package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = ".."

// page is one markdown file, by its path from the root.
type page struct{ path, text string }

// pages are all that a reader may open.
func pages(t *testing.T) []page {
	t.Helper()
	var out []page
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "dashboards/*.md", "dashboards/runbooks/*.md", "dashboards/*/README.md", "deploy/*.md", "deploy/*/README.md", "deploy/*/*/README.md"} {
		names, err := fs.Glob(os.DirFS(root), pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			out = append(out, page{name, read(t, filepath.Join(root, name))})
		}
	}
	if len(out) < 5 {
		t.Fatalf("only %d pages were found", len(out))
	}
	return out
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks are the fenced blocks of a language.
func (p page) blocks(language string) []string {
	var out []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(p.text, -1) {
		out = append(out, m[1])
	}
	return out
}

// prose is the text without its blocks.
func (p page) prose() string {
	return regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(p.text, "")
}

var link = regexp.MustCompile(`\]\(([^)]+)\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(p.prose(), -1) {
			to, anchor, _ := strings.Cut(m[1], "#")
			if strings.HasPrefix(to, "https://") {
				continue
			}
			target := filepath.Join(root, filepath.Dir(p.path), to)
			if to == "" {
				target = filepath.Join(root, p.path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", p.path, err)
			} else if anchor != "" && !anchors(read(t, target))[anchor] {
				t.Errorf("%s: %s has no heading #%s", p.path, to, anchor)
			}
		}
	}
}

// anchors are the names that GitHub gives the headings.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		out[strings.ReplaceAll(name, " ", "-")] = true
	}
	return out
}

// What a page has made is in the Makefile.
func TestTargetsThatAreNamedExist(t *testing.T) {
	makefile, named := read(t, filepath.Join(root, "Makefile")), 0
	for _, p := range pages(t) {
		for _, m := range regexp.MustCompile("(?:`|(?m:^))make ([a-z0-9-]+)").FindAllStringSubmatch(p.text, -1) {
			if named++; !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s: make %s: there is no such target", p.path, m[1])
			}
		}
	}
	if named < 10 {
		t.Errorf("only %d targets are named", named)
	}
}

var testName = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Za-z0-9_]+)`")

// A promise is worth the test that shows it.
func TestTheTestsThatAreNamedExist(t *testing.T) {
	exist := map[string]bool{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`).FindAllStringSubmatch(read(t, name), -1) {
			exist[m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, p := range pages(t) {
		for _, m := range testName.FindAllStringSubmatch(p.text, -1) {
			if named++; !exist[m[1]] {
				t.Errorf("%s names %s, which no file has", p.path, m[1])
			}
		}
	}
	if named < 20 {
		t.Errorf("only %d tests are named", named)
	}
}
