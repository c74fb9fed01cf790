package docs_test

import (
	"regexp"
	"strings"
	"testing"
)

// The nine promises are each said exactly somewhere, and each is shown by a test; so is
// every section that promises anything.
func TestEachPromiseIsShown(t *testing.T) {
	text := read(t, "guarantees.md")
	rows := regexp.MustCompile(`(?m)^\| ([0-9]) \|.*$`).FindAllStringSubmatch(text, -1)
	if len(rows) != 9 {
		t.Errorf("%d promises, want nine", len(rows))
	}
	for i, row := range rows {
		cells := strings.Split(row[0], "|")
		if row[1] != string(rune('1'+i)) || len(cells) != 6 || !link.MatchString(cells[3]) || !testName.MatchString(cells[4]) {
			t.Errorf("promise %d: %s", i+1, row[0])
		}
	}
	sections := regexp.MustCompile(`(?m)^##+ `).Split(text, -1)
	for _, s := range sections[1:] {
		name, body, _ := strings.Cut(s, "\n")
		if strings.TrimSpace(body) != "" && !strings.Contains(body, "Shown by") && name != "The nine promises" {
			t.Errorf("nothing shows %q", name)
		}
	}
}
