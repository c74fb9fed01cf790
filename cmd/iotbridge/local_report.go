package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iotbridge/internal/demo"
)

// errBooks is the exit code of books that do not balance; the summary has said how.
var errBooks = errors.New("the books do not balance: a message is lost or stands where it does not belong")

// errIntruder is the exit code when the allow list has not held.
var errIntruder = errors.New("a board that is on no list has been let in")

// report prints the summary; its error says what is wrong in it. asked is nil when the
// devices were registered.
func report(out io.Writer, a *demo.Account, asked *demo.Enrolment, registry prometheus.Gatherer, asJSON bool) error {
	p, err := readProgress(registry)
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(out).Encode(struct {
			*demo.Enrolment
			*demo.Account
			AgeP99 float64 `json:"age_p99_ms"`
		}{asked, a, float64(p.age.Round(time.Millisecond/10)) / float64(time.Millisecond)})
	} else {
		err = table(out, a, asked, p)
	}
	if err == nil && !a.Exact() {
		err = errBooks
	}
	if asked != nil && asked.Intruders > 0 {
		err = errors.Join(err, errIntruder)
	}
	return err
}

func table(out io.Writer, a *demo.Account, asked *demo.Enrolment, p progress) error {
	var lines []any
	if asked != nil {
		lines = append(lines, "enrolled", asked.Enrolled, "refused", asked.Refused, "intruders", asked.Intruders)
	}
	lines = append(lines, "published", a.Published, "stored", a.Stored)
	for _, reason := range slices.Sorted(maps.Keys(a.Quarantined)) {
		lines = append(lines, "quarantined, "+reason, a.Quarantined[reason])
	}
	lines = append(lines, "lost", a.Lost, "misplaced", a.Misplaced, "duplicates", a.Duplicates, "age p99", p.age.Round(time.Millisecond))
	for i := 0; i < len(lines); i += 2 {
		if _, err := fmt.Fprintf(out, "%-32s %8v\n", lines[i], lines[i+1]); err != nil {
			return err
		}
	}
	return nil
}
