package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"iotbridge/internal/demo"
	"iotbridge/internal/logging"
	"iotbridge/internal/memlimit"
	"iotbridge/internal/ops"
	"iotbridge/internal/site"
)

// settleTimeout is how long the worker may take, once nothing more is published, to
// bring home what was.
const settleTimeout = 30 * time.Second

type localCommand struct {
	Data     string        `type:"path" default:"./iotbridge-data" placeholder:"DIR" help:"Where everything is kept."`
	Devices  int           `default:"3" help:"Honest devices."`
	Spoofers int           `default:"1" help:"Devices that put another one's id into the body."`
	Interval time.Duration `default:"1s" help:"Between two messages of a device."`
	For      time.Duration `placeholder:"20s" help:"End after this time; else Ctrl-C ends."`
	JSON     bool          `name:"json" help:"Print the summary as JSON."`
	Parts    []string      `default:"cloud,worker,devices" enum:"cloud,worker,devices" help:"What runs in this process: ${enum}. Without cloud, the one that another process serves from DIR is used."`

	Ephemeral       bool   `help:"Take free ports, so that several run side by side; DIR/local.json says which."`
	PubSub          string `name:"pubsub" placeholder:"HOST:PORT" help:"Address of Pub/Sub. Default 127.0.0.1:8085."`
	BigQuery        string `name:"bigquery" placeholder:"HOST:PORT" help:"Address of BigQuery's REST service. Default 127.0.0.1:9050."`
	BigQueryStorage string `name:"bigquery-storage" placeholder:"HOST:PORT" help:"Address of BigQuery's Storage Write service. Default 127.0.0.1:9060."`
	Ops             string `placeholder:"HOST:PORT" help:"Operations listener of the worker: /metrics, /healthz, /readyz. Default 127.0.0.1:9102."`
}

// Help is shown after the flags.
func (*localCommand) Help() string {
	return `Pub/Sub, BigQuery, the worker and a small fleet in one process, speaking the same gRPC and REST as with Google. Spoofed and malformed messages end in quarantine, all others in tables. When the fleet has stopped, the tables are read back and compared with what was published: the exit code is 1 if a message is lost or stands where it does not belong.

While it runs:

  iotbridge quarantine list                                   what was refused, and why
  iotbridge messages pull --subscription temperature-view     messages as they pass
  sqlite3 DIR/bigquery.db                                     the tables themselves

Everything stays in DIR, and the next run goes on from there.`
}

// Validate is called by kong.
func (c *localCommand) Validate() error {
	switch {
	case c.Devices < 0 || c.Spoofers < 0 || c.Devices+c.Spoofers > 100_000:
		return errors.New("--devices and --spoofers are counts, of 100000 together at the most")
	case c.Interval < time.Millisecond:
		return errors.New("--interval is 1ms at the least")
	case c.For < 0:
		return errors.New("--for is a time from the start")
	}
	return nil
}

func (c *localCommand) has(part string) bool { return slices.Contains(c.Parts, part) }

// Run starts the parts in order, and ends them in the opposite one.
func (c *localCommand) Run(ctx context.Context, flags logging.Flags) (err error) {
	screen := newScreen(os.Stderr, flags)
	memlimit.Set(screen.log)
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	s, cloud, err := c.cloud(ctx, screen.log, fail)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cloud.end()) }()

	registry := ops.NewRegistry()
	worker, err := c.worker(ctx, s, screen.log, registry, fail)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, worker.end()) }()
	if cloud != nil {
		if err := s.Write(c.Data); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, site.Remove(c.Data)) }()
	}
	screen.hints(c.Data, s)

	if !c.has("devices") {
		ctx, cancel := c.timed(ctx)
		defer cancel()
		<-ctx.Done()
		return failure(ctx)
	}
	return c.demonstrate(ctx, s, worker, registry, screen)
}

// timed ends with --for.
func (c *localCommand) timed(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.For == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.For)
}

// demonstrate publishes until the time is over, waits until all has arrived, ends the
// worker and settles the books.
func (c *localCommand) demonstrate(ctx context.Context, s *site.Site, worker *part, registry *prometheus.Registry, screen *screen) error {
	books, since := &demo.Books{}, time.Now().Add(-time.Minute)
	living := start(ctx, func(ctx context.Context) error { return screen.show(ctx, books, registry) }, nil)
	defer func() { _ = living.end() }() // told below when it matters
	if err := c.publish(ctx, s, books, screen.log); err != nil {
		return err
	}
	if worker == nil {
		return nil
	}
	after := context.WithoutCancel(ctx)
	tables, err := openTables(after, s)
	if err != nil {
		return err
	}
	defer tables.Client.Close()
	settling, cancel := context.WithTimeout(after, settleTimeout)
	defer cancel()
	if err := books.Settled(settling, tables, since); err != nil {
		if settling.Err() == nil {
			return err
		}
		screen.log.Warn("not everything has arrived in time", zap.Duration("time", settleTimeout))
	}
	if err := errors.Join(living.end(), worker.end()); err != nil {
		return err
	}
	account, err := books.Reconcile(after, tables, since)
	if err != nil {
		return err
	}
	return report(os.Stdout, account, registry, c.JSON)
}

// publish is the fleet, until the time is over or a part fails.
func (c *localCommand) publish(ctx context.Context, s *site.Site, books *demo.Books, log *zap.Logger) error {
	keys, _, err := site.Keyring(c.Data)
	if err != nil {
		return err
	}
	client, err := s.OpenPubSub(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	defer client.Close()
	fleet := &demo.Fleet{
		Devices: c.Devices, Spoofers: c.Spoofers, Project: s.Project, Location: s.Location, Registry: s.Registry,
		Run: strconv.FormatInt(time.Now().UnixMicro(), 36),
	}
	until, cancel := c.timed(ctx)
	defer cancel()
	publisher := &demo.Publisher{Fleet: fleet, Keys: keys, Client: client, Interval: c.Interval, Books: books, Log: log}
	return errors.Join(publisher.Run(until), failure(ctx))
}
