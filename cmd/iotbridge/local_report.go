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

// report prints the summary; its error says that the books do not balance.
func report(out io.Writer, a *demo.Account, registry prometheus.Gatherer, asJSON bool) error {
	p, err := readProgress(registry)
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(out).Encode(struct {
			*demo.Account
			AgeP99 float64 `json:"age_p99_ms"`
		}{a, float64(p.age.Round(time.Millisecond/10)) / float64(time.Millisecond)})
	} else {
		err = table(out, a, p)
	}
	if err == nil && !a.Exact() {
		err = errBooks
	}
	return err
}

func table(out io.Writer, a *demo.Account, p progress) error {
	lines := []any{"published", a.Published, "stored", a.Stored}
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
