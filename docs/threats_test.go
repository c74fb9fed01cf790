package docs_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// catalogue is how many attacks of each kind are known, by the letter that tests are named by.
var catalogue = map[string]int{"J": 17, "M": 23, "P": 20, "R": 11, "G": 18, "D": 10}

// Each known attack is on the page, and each line that names one says what shows that
// it fails.
func TestEveryAttackHasItsLine(t *testing.T) {
	row := regexp.MustCompile(`\b[JMPRGDB][0-9]+\b`)
	there := map[string]bool{}
	for line := range strings.Lines(read(t, "threat-model.md")) {
		cells := strings.Split(line, "|")
		if len(cells) != 7 {
			continue
		}
		rows, shown := row.FindAllString(cells[3], -1), testName.FindAllStringSubmatch(cells[5], -1)
		for _, r := range rows {
			there[r] = true
			if n := catalogue[r[:1]]; n > 0 && number(r) > n {
				t.Errorf("%s: there is no such attack", r)
			}
		}
		if len(rows) > 0 && len(shown) == 0 {
			t.Errorf("nothing shows %s:%s", rows, cells[2])
		}
	}
	for letter, n := range catalogue {
		for i := range n {
			if r := fmt.Sprintf("%s%d", letter, i+1); !there[r] {
				t.Errorf("%s is not on the page", r)
			}
		}
	}
}

func number(row string) (n int) {
	_, _ = fmt.Sscanf(row[1:], "%d", &n)
	return n
}
