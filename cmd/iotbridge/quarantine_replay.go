package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"iotbridge/ingest"
	"iotbridge/ingest/bigquery"
	"iotbridge/internal/buildinfo"
	"iotbridge/internal/quarantine"
	"iotbridge/internal/site"
)

type quarantineReplay struct {
	quarantineOf    `embed:""`
	selection       `embed:""`
	MessageID       []string `name:"message-id" placeholder:"ID" help:"Only these messages."`
	Subscription    string   `placeholder:"S" help:"Only what came through this one, by its full name. Needed with --table and --schema where there are several."`
	Table           string   `placeholder:"P.D.T" help:"Where good messages go."`
	Schema          string   `placeholder:"NAME|FILE.yaml" help:"The table's columns: a built-in (temperature, sensordata) or a file."`
	IdentityClaim   string   `enum:"optional,required" default:"optional" help:"Whether a body must name its device: ${enum}."`
	AttestationKeys string   `type:"path" placeholder:"FILE" help:"Keys of the gateway's signature, which each message must then carry. The local system's are known."`
	DenyDevices     string   `type:"path" placeholder:"FILE" help:"Devices that stay refused, registry/device a line."`
	DryRun          bool     `help:"Judge only, and write nothing."`
	JSON            bool     `name:"json" help:"Print the counts as JSON."`
}

// Help is shown after the flags.
func (*quarantineReplay) Help() string {
	return `Message id and publish time are kept, and an id that the table has already is passed over: a replay may be run again at any time. It changes no row of the quarantine; what it did with each message is added to the table quarantine_replays beside it.

What was refused for its signature is judged again only with --attestation-keys, what was refused because its device was blocked only with --deny-devices (the file may be empty).`
}

// Run replays route by route.
func (c *quarantineReplay) Run(ctx context.Context, stdout io.Writer) error {
	filter, err := c.filter()
	if err != nil {
		return err
	}
	s, from, closing, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer closing()
	routes, err := c.routes(s)
	if err != nil {
		return err
	}
	log, end, err := c.log(ctx, s, from)
	if err != nil {
		return err
	}
	defer end()
	counts := map[string]int{}
	for _, route := range routes {
		if err := c.route(ctx, s, from, route, filter, log, counts, stdout); err != nil {
			return err
		}
	}
	return c.report(stdout, counts)
}

// routes are the site's, or the one that the flags describe.
func (c *quarantineReplay) routes(s *site.Site) ([]site.Route, error) {
	routes := s.Routes
	if c.Subscription != "" {
		routes = slices.DeleteFunc(slices.Clone(routes), func(r site.Route) bool { return r.Subscription != c.Subscription })
		if len(routes) == 0 {
			routes = []site.Route{{Subscription: c.Subscription, Schema: "temperature"}}
		}
	}
	if c.Table == "" && c.Schema == "" && len(routes) > 0 && routes[0].Table != "" {
		return routes, nil
	}
	if len(routes) != 1 {
		return nil, errors.New("--subscription is missing: through which one did the messages come?")
	}
	route := routes[0]
	if c.Table != "" {
		route.Table = c.Table
	}
	if c.Schema != "" {
		route.Schema = c.Schema
	}
	if route.Table == "" {
		return nil, errors.New("--table is missing: where do good messages go?")
	}
	return []site.Route{route}, nil
}

func (c *quarantineReplay) route(ctx context.Context, s *site.Site, from *quarantine.Table, route site.Route, filter quarantine.Filter, log *quarantine.ReplayLog, counts map[string]int, out io.Writer) error {
	gate, err := c.gate(s, route)
	if err != nil {
		return err
	}
	target, err := bigquery.ParseTableID(route.Table)
	if err != nil {
		return err
	}
	replay := &quarantine.Replay{From: from, Subscription: route.Subscription, Gate: gate, Target: target, Log: log}
	if !c.DryRun {
		sink, err := bigquery.NewSink(target, gate.Plan.Table(), sinkSettings(s))
		if err != nil {
			return err
		}
		defer sink.Close(ctx)
		replay.Sink = sink
	}
	ids := c.MessageID
	if len(ids) == 0 {
		ids = []string{""} // all
	}
	for _, id := range ids {
		filter.MessageID = id
		some, err := replay.Run(ctx, filter, func(id, outcome, detail string) {
			if !c.JSON {
				fmt.Fprintf(out, "%s  %s  %s\n", shown(id), outcome, shown(detail))
			}
		})
		for outcome, n := range some {
			counts[outcome] += n
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// gate is the worker's, with the schema as it is today.
func (c *quarantineReplay) gate(s *site.Site, route site.Route) (g ingest.Gate, err error) {
	table, err := tableNamed(route.Schema)
	if err != nil {
		return g, err
	}
	if g.Plan, err = table.Compile(); err != nil {
		return g, err
	}
	g.RequireClaim = c.IdentityClaim == "required"
	keys := c.AttestationKeys
	if keys == "" {
		keys = s.AttestationKeys
	}
	if keys != "" {
		if g.Attestation, err = ingest.OpenAttestor(keys, true); err != nil {
			return g, err
		}
	}
	if c.DenyDevices != "" {
		g.Denied, err = ingest.OpenDenyList(c.DenyDevices)
	}
	return g, err
}

// log makes the table of the replays where there is none; a dry run has no log.
func (c *quarantineReplay) log(ctx context.Context, s *site.Site, from *quarantine.Table) (*quarantine.ReplayLog, func(), error) {
	if c.DryRun {
		return nil, func() {}, nil
	}
	table := quarantine.LogTable()
	id := from.ID
	id.Table = table.Name
	catalog, err := bigquery.NewCatalog(ctx, s.Project, bigquery.Endpoint{REST: s.BigQuery})
	if err != nil {
		return nil, nil, err
	}
	defer catalog.Close()
	if err := catalog.EnsureTable(ctx, id, table); err != nil {
		return nil, nil, err
	}
	sink, err := bigquery.NewSink(id, table, sinkSettings(s))
	if err != nil {
		return nil, nil, err
	}
	return &quarantine.ReplayLog{Sink: sink, By: whoami()}, func() { _ = sink.Close(ctx) }, nil
}

func sinkSettings(s *site.Site) bigquery.Settings {
	return bigquery.Settings{
		Endpoint: bigquery.Endpoint{REST: s.BigQuery, Storage: s.BigQueryStorage},
		Version:  buildinfo.Current().Version, Streams: 1, Timeout: 30 * time.Second,
	}
}

// whoami is user@host, as far as they can be told.
func whoami() string {
	host, _ := os.Hostname()
	if u, err := user.Current(); err == nil {
		return u.Username + "@" + host
	}
	return "unknown@" + host
}

func (c *quarantineReplay) report(out io.Writer, counts map[string]int) error {
	if c.JSON {
		return json.NewEncoder(out).Encode(counts)
	}
	words := make([]string, 0, len(counts))
	for _, outcome := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%d %s", counts[outcome], outcome))
	}
	if len(words) == 0 {
		words = []string{"nothing to replay"}
	}
	if c.DryRun {
		words = append(words, "nothing was written")
	}
	_, err := fmt.Fprintln(out, strings.Join(words, ", "))
	return err
}
