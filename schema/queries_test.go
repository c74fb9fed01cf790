package schema_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"iotbridge/schema"
)

// Each of the analysts' queries says at its head which question it answers and what it
// reads, stands in the README, and reads only the partitions of its days.
func TestAnalystsQueriesSayWhatTheyCost(t *testing.T) {
	files, err := filepath.Glob("sql/queries/*.sql")
	if err != nil || len(files) < 7 {
		t.Fatalf("%d queries, %v", len(files), err)
	}
	readme, err := os.ReadFile("sql/queries/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := string(src)
		head, query, _ := strings.Cut(text, "\nWITH ")
		if query == "" {
			head, query, _ = strings.Cut(text, "\nSELECT")
		}
		if !strings.HasPrefix(head, "-- ") || !strings.Contains(head, "?") || !strings.Contains(head, "\n-- Reads: ") {
			t.Errorf("%s does not say what it answers and what it reads:\n%s", file, head)
		}
		if !strings.Contains(string(readme), "`"+filepath.Base(file)+"`") {
			t.Errorf("the README does not name %s", file)
		}
		for _, fault := range unpruned(query) {
			t.Errorf("%s: %s", file, fault)
		}
	}
}

var from = regexp.MustCompile("(?s)(?:FROM|JOIN) `\\$\\{PROJECT\\}\\.\\$\\{DATASET\\}\\.(\\w+)`(.*?)(?:\\bFROM\\b|\\bUNION\\b|$)")

// unpruned are the reads of a table without bounds on the column it is partitioned by.
func unpruned(query string) (faults []string) {
	reads := from.FindAllStringSubmatch(query, -1)
	if len(reads) != strings.Count(query, schema.DatasetPlaceholder) {
		return []string{"a table is read in a way that is not understood here"}
	}
	for _, m := range reads {
		if !slices.Contains(schema.BuiltinNames(), m[1]) {
			faults = append(faults, m[1]+" is no table")
			continue
		}
		table, err := schema.Builtin(m[1])
		if err != nil {
			return []string{err.Error()}
		}
		_, where, _ := strings.Cut(m[2], "WHERE")
		for _, bound := range []string{" >= ", " < "} {
			if !regexp.MustCompile(`\b` + table.Partition + bound + `(TIMESTAMP_(ADD|SUB)\()?@(from|to)\b`).MatchString(where) {
				faults = append(faults, m[1]+" is read without"+bound+"on "+table.Partition)
			}
		}
	}
	return faults
}

func TestAReadOfTheWholeTableIsSeen(t *testing.T) {
	good := "SELECT 1 FROM `${PROJECT}.${DATASET}.temperature` WHERE event_time >= @from AND event_time < @to"
	for query, faults := range map[string]int{
		good: 0,
		strings.Replace(good, "event_time <", "publish_time <", 1):                                       1,
		strings.Replace(good, "WHERE", "WHERE TRUE OR", 1):                                               0, // what stands around is not judged
		strings.Replace(good, "temperature`", "temperature_dedup`", 1):                                   1,
		strings.Replace(good, "FROM `", "FROM x, `", 1):                                                  1,
		good + " UNION ALL SELECT 2 FROM `${PROJECT}.${DATASET}.sensordata` WHERE publish_time >= @from": 1,
	} {
		if got := unpruned(query); len(got) != faults {
			t.Errorf("%s: %q", query, got)
		}
	}
}
