package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"iotbridge/internal/migrate"
)

func tally(steps []migrate.Step) map[migrate.Verdict]int {
	counts := map[migrate.Verdict]int{}
	for i := range steps {
		counts[steps[i].Verdict]++
	}
	return counts
}

func (c *devicesImport) report(out io.Writer, steps []migrate.Step, registry string) error {
	if c.JSON {
		return reportJSON(out, steps)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	rows := 0
	for i := range steps {
		s := &steps[i]
		if s.Verdict == migrate.Present || s.Why+s.Note == "" {
			continue
		}
		if rows++; rows > c.Show {
			continue
		}
		if rows == 1 {
			fmt.Fprintln(w, "DEVICE\tFROM\tVERDICT\tWHY")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", shown(s.GetId()), shown(orDash(s.From)), s.Verdict, shown(cmp.Or(s.Why, s.Note)))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if rows > c.Show {
		fmt.Fprintf(out, "and %d more: --show %d shows them\n", rows-c.Show, rows)
	}
	counts := tally(steps)
	for _, v := range []migrate.Verdict{migrate.Create, migrate.Created, migrate.Present, migrate.Collides, migrate.Refused, migrate.Failed} {
		if counts[v] > 0 {
			fmt.Fprintf(out, "%-10s %d\n", v, counts[v])
		}
	}
	tellChanges(out, steps, registry)
	if !c.Apply {
		fmt.Fprintln(out, "nothing was changed: --apply does it")
	}
	return nil
}

// tellChanges says what changes for devices that go over, and what does not.
func tellChanges(out io.Writer, steps []migrate.Step, registry string) {
	moved, kept, numbered := 0, 0, 0
	for i := range steps {
		s := &steps[i]
		if s.Verdict != migrate.Create && s.Verdict != migrate.Created {
			continue
		}
		if s.From != "" && s.From != registry {
			moved++
		}
		switch {
		case s.GetNumId() == 0:
		case s.KeepsNumber():
			kept++
		default:
			numbered++
		}
	}
	if kept > 0 {
		fmt.Fprintf(out, "%d of them keep their number\n", kept)
	}
	if numbered > 0 {
		fmt.Fprintf(out, "%d of them get another number: what connects by number, as DEVICE_ID in gcp_iot_config.txt, needs the new one; --json tells both\n", numbered)
	}
	if moved > 0 {
		fmt.Fprintf(out, "%d of them come from another registry: their client ids begin with %s/devices/ from now on\n", moved, registry)
	}
}

func reportJSON(out io.Writer, steps []migrate.Step) error {
	encoder := json.NewEncoder(out)
	for i := range steps {
		s := &steps[i]
		if err := encoder.Encode(struct {
			Device  string          `json:"device"`
			From    string          `json:"from,omitempty"`
			Verdict migrate.Verdict `json:"verdict"`
			Why     string          `json:"why,omitempty"`
			Note    string          `json:"note,omitempty"`
			Was     uint64          `json:"wasNumber,omitempty,string"`
			Number  uint64          `json:"number,omitempty,string"`
		}{s.GetId(), s.From, s.Verdict, s.Why, s.Note, s.GetNumId(), s.Number}); err != nil {
			return err
		}
	}
	return nil
}

// verdict is the exit code's reason.
func verdict(ctx context.Context, steps []migrate.Step) error {
	counts := tally(steps)
	out := counts[migrate.Collides] + counts[migrate.Refused] + counts[migrate.Failed]
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("cut off, with %d devices left: run it again", counts[migrate.Create])
	case out > 0:
		return fmt.Errorf("%d of %d devices do not go over", out, len(steps))
	}
	return nil
}
