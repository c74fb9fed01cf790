package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"iotbridge/ingest/bigquery"
	"iotbridge/internal/quarantine"
	"iotbridge/internal/site"
)

type quarantineCommand struct {
	List   quarantineList   `cmd:"" help:"List what was refused, the newest first."`
	Show   quarantineShow   `cmd:"" help:"Show a refused message whole: reason, attributes and bytes."`
	Replay quarantineReplay `cmd:"" help:"Judge refused messages again and store those that are good today."`
}

// quarantineOf says whose quarantine.
type quarantineOf struct {
	target          `embed:""`
	QuarantineTable string `placeholder:"P.D.T" help:"The quarantine's table, with --project."`
}

// open opens the table; the site's client is closed by closing.
func (q *quarantineOf) open(ctx context.Context) (s *site.Site, t *quarantine.Table, closing func(), err error) {
	if s, err = q.site(); err != nil {
		return nil, nil, nil, err
	}
	if q.QuarantineTable != "" {
		s.QuarantineTable = q.QuarantineTable
	}
	if s.QuarantineTable == "" {
		return nil, nil, nil, errors.New("--quarantine-table is missing: which one?")
	}
	t = &quarantine.Table{}
	if t.ID, err = bigquery.ParseTableID(s.QuarantineTable); err != nil {
		return nil, nil, nil, err
	}
	if t.Client, err = s.OpenBigQuery(ctx); err != nil {
		return nil, nil, nil, err
	}
	return s, t, func() { t.Client.Close() }, nil
}

// selection is the messages that a command is about.
type selection struct {
	Reason string `placeholder:"R" help:"Only those with this reason, such as device_mismatch."`
	Device string `placeholder:"D" help:"Only those that this device sent, or is claimed to have sent."`
	Since  string `default:"168h" placeholder:"T" help:"Only those refused since then: an RFC 3339 time, or how long ago."`
}

func (c *selection) filter() (quarantine.Filter, error) {
	since, err := time.Parse(time.RFC3339, c.Since)
	if err != nil {
		ago, aerr := time.ParseDuration(c.Since)
		if aerr != nil || ago < 0 {
			return quarantine.Filter{}, fmt.Errorf("--since %s is neither a time as 2026-01-02T15:04:05Z nor how long ago, as 24h", shown(c.Since))
		}
		since = time.Now().Add(-ago)
	}
	return quarantine.Filter{Reason: c.Reason, Device: c.Device, Since: since}, nil
}

type quarantineList struct {
	quarantineOf `embed:""`
	selection    `embed:""`
	Limit        int  `default:"50" help:"So many at the most."`
	JSON         bool `name:"json" help:"Print one JSON object a line."`
}

// Run lists.
func (c *quarantineList) Run(ctx context.Context, stdout io.Writer) error {
	filter, err := c.filter()
	if err != nil {
		return err
	}
	_, table, closing, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer closing()
	messages := table.List(ctx, filter, c.Limit)
	if c.JSON {
		return printJSON(stdout, messages)
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "REFUSED\tREASON\tDEVICE\tCLAIMS\tMESSAGE\tDETAIL")
	for m, err := range messages {
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", m.QuarantineTime.Timestamp.UTC().Format(time.DateTime), shown(m.Reason.StringVal),
			shown(m.DeviceID.StringVal), shown(m.ClaimedDeviceID.StringVal), shown(m.ID.StringVal), shown(m.Detail.StringVal))
	}
	return w.Flush()
}

type quarantineShow struct {
	quarantineOf `embed:""`
	Message      string `arg:"" name:"message-id" help:"The message's id, as quarantine list shows it."`
	JSON         bool   `name:"json" help:"Print a JSON object, data in base64."`
}

// Run shows each refusal of the message; mostly there is one.
func (c *quarantineShow) Run(ctx context.Context, stdout io.Writer) error {
	_, table, closing, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer closing()
	found := false
	messages := func(yield func(*quarantine.Message, error) bool) {
		for m, err := range table.Show(ctx, c.Message) {
			found = true
			if !yield(m, err) {
				return
			}
		}
	}
	if c.JSON {
		err = printJSON(stdout, messages)
	} else {
		err = printWhole(stdout, messages)
	}
	if err == nil && !found {
		err = fmt.Errorf("message %s is not in the quarantine %s", shown(c.Message), table.ID)
	}
	return err
}

func printJSON(out io.Writer, messages iter.Seq2[*quarantine.Message, error]) error {
	for m, err := range messages {
		if err == nil {
			err = json.NewEncoder(out).Encode(m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func printWhole(out io.Writer, messages iter.Seq2[*quarantine.Message, error]) error {
	for m, err := range messages {
		if err != nil {
			return err
		}
		attributes, err := m.AttributeMap()
		if err != nil {
			return err
		}
		for _, line := range [][2]string{
			{"message", m.ID.StringVal},
			{"published", moment(m.PublishTime.Timestamp)},
			{"refused", moment(m.QuarantineTime.Timestamp)},
			{"reason", m.Reason.StringVal},
			{"detail", m.Detail.StringVal},
			{"device", m.DeviceID.StringVal},
			{"claims", m.ClaimedDeviceID.StringVal},
			{"subscription", m.Subscription.StringVal},
			{"worker", m.Worker.StringVal},
		} {
			fmt.Fprintf(out, "%-13s %s\n", line[0], shown(line[1]))
		}
		for _, key := range slices.Sorted(maps.Keys(attributes)) {
			fmt.Fprintf(out, "  %-24s %s\n", shown(key), shown(attributes[key]))
		}
		if _, err := fmt.Fprintf(out, "data, %d bytes\n  %s\n\n", len(m.Data), shown(string(m.Data))); err != nil {
			return err
		}
	}
	return nil
}
