package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"iotbridge/internal/demo"
	"iotbridge/internal/gatewayd"
	"iotbridge/internal/logging"
	"iotbridge/internal/memlimit"
	"iotbridge/internal/ops"
	"iotbridge/internal/site"
)

// settleTimeout is how long the worker may take, once nothing more is published, to
// bring home what was.
const settleTimeout = 2 * time.Minute

// linkTimeout is how long a link to the console is waited for.
const linkTimeout = 10 * time.Second

// maxFleet bounds the fleet: each device is a connection, with both its ends here.
const maxFleet = 5000

type localCommand struct {
	Data     string        `type:"path" default:"./iotbridge-data" placeholder:"DIR" help:"Where everything is kept."`
	Devices  int           `default:"3" help:"Honest devices."`
	Spoofers int           `default:"1" help:"Devices that put another one's id into the body."`
	Interval time.Duration `default:"1s" help:"Between two readings of a device."`
	For      time.Duration `placeholder:"20s" help:"End after this time; else Ctrl-C ends."`
	JSON     bool          `name:"json" help:"Print the summary as JSON."`
	Parts    []string      `default:"cloud,gateway,worker,devices" enum:"cloud,gateway,worker,devices" help:"What runs in this process: ${enum}. Without cloud or gateway, those that other processes serve from DIR are used."`

	Provision bool `help:"The devices begin without keys, and provision themselves with the bootstrap certificate in DIR/pki; one more, whose serial is on no list, is refused."`

	Ephemeral       bool   `help:"Take free ports, so that several run side by side; DIR/local.json says which."`
	PubSub          string `name:"pubsub" placeholder:"HOST:PORT" help:"Address of Pub/Sub. Default 127.0.0.1:8085."`
	BigQuery        string `name:"bigquery" placeholder:"HOST:PORT" help:"Address of BigQuery's REST service. Default 127.0.0.1:9050."`
	BigQueryStorage string `name:"bigquery-storage" placeholder:"HOST:PORT" help:"Address of BigQuery's Storage Write service. Default 127.0.0.1:9060."`
	Ops             string `placeholder:"HOST:PORT" help:"Operations listener of the worker: /metrics, /healthz, /readyz. Default 127.0.0.1:9102."`

	gatewayAddresses `embed:""`
	gatewayd.Rates   `embed:""`
}

// Help is shown after the flags.
func (*localCommand) Help() string {
	return `Pub/Sub, BigQuery, the gateway, the worker and a small fleet in one process, speaking the same MQTT, gRPC and REST as with Google. Each device runs the agent's code, with a simulated sensor; it is registered and has its own key and spool, in DIR/devices. The spoofers have, too: they lie in the body. Spoofed and malformed messages end in quarantine, all others in tables. When the fleet has sent what it holds, the tables are read back and compared with what was confirmed to the devices: the exit code is 1 if a message is lost or stands where it does not belong.

While it runs, the link that it prints opens the console in a browser, and:

  iotbridge console                                       another link
  iotbridge devices list                                      who is there
  iotbridge devices block device1                             and is not any more
  iotbridge quarantine list                                   what was refused, and why
  iotbridge messages pull --subscription temperature-view     messages as they pass
  sqlite3 DIR/bigquery.db                                     the tables themselves

With --provision nobody registers the devices: they ask for a key of their own, over TLS with the bootstrap certificate that all of them share, and are let in by an allow list of serials. The books say how many were enrolled and refused, and the exit code is 1, too, if a board that is on no list has got anything. iotbridge provision looks further.

Everything stays in DIR, and the next run goes on from there.`
}

// Validate is called by kong.
func (c *localCommand) Validate() error {
	switch {
	case c.Devices < 0 || c.Spoofers < 0 || c.Devices+c.Spoofers > maxFleet:
		return errors.New("--devices and --spoofers are counts, of 5000 together at the most")
	case c.Interval < time.Millisecond:
		return errors.New("--interval is 1ms at the least")
	case c.For < 0:
		return errors.New("--for is a time from the start")
	}
	return c.Fault()
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

	gateway, err := c.gateway(ctx, s, screen.log, fail)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, gateway.end()) }()

	registry := ops.NewRegistry()
	worker, err := c.worker(ctx, s, screen.log, registry, fail)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, worker.end()) }()

	forget, err := c.announce(s, cloud, gateway)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, forget()) }()
	screen.hints(c.Data, s, c.link(ctx, s, gateway, screen.log))

	if !c.has("devices") {
		ctx, cancel := c.timed(ctx)
		defer cancel()
		<-ctx.Done()
		return failure(ctx)
	}
	return c.demonstrate(ctx, s, worker, registry, screen)
}

// link is one to the console, or "": without it the system is as good.
func (c *localCommand) link(ctx context.Context, s *site.Site, gateway *part, log *zap.Logger) string {
	if gateway == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, linkTimeout)
	defer cancel()
	to, err := signIn(ctx, s, maxLinkLife)
	if err != nil && ctx.Err() == nil {
		log.Warn("the console gives no link", zap.Error(plain(err)))
	}
	return to.URL
}

// announce leaves the site in the directory, if it is of this process. What it returns
// takes back what this process serves.
func (c *localCommand) announce(s *site.Site, cloud, gateway *part) (forget func() error, err error) {
	switch {
	case cloud != nil:
		return func() error { return site.Remove(c.Data) }, s.Write(c.Data)
	case gateway != nil:
		before, err := site.Read(c.Data)
		if err != nil {
			return nil, err
		}
		return func() error { return before.Write(c.Data) }, s.Write(c.Data)
	}
	return func() error { return nil }, nil
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
	asked, err := c.publish(ctx, s, books, screen.log)
	if err != nil || worker == nil {
		return err
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
	if asked != nil {
		there, err := letIn(after, s)
		if err != nil {
			return err
		}
		if there {
			asked.Intruders = 1
		}
	}
	return report(os.Stdout, account, asked, registry, c.JSON)
}

// publish is the fleet, until the time is over or a part fails. Its devices' folders
// are the next run's too. It returns what became of those that asked for a key; nil where
// none does.
func (c *localCommand) publish(ctx context.Context, s *site.Site, books *demo.Books, log *zap.Logger) (asked *demo.Enrolment, err error) {
	fleet := &demo.Fleet{Devices: c.Devices, Spoofers: c.Spoofers, Provisioned: c.Provision}
	publisher, err := newPublisher(s, c.Data, fleet, c.Interval, books, log)
	if err != nil {
		return nil, err
	}
	if c.Provision {
		asked, err = enrolment(ctx, s, publisher)
	} else {
		err = registerFleet(ctx, s, publisher)
	}
	if ctx.Err() != nil { // it is what cut that off
		return asked, failure(ctx)
	}
	if err != nil {
		return nil, err
	}
	until, cancel := c.timed(ctx)
	defer cancel()
	working, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	defer context.AfterFunc(ctx, func() {
		if failure(ctx) != nil { // no use to wait for what is under way
			abort()
		}
	})()
	return asked, errors.Join(publisher.Run(working, until.Done()), failure(ctx))
}

// newPublisher makes a fleet, whose folders are below dir, at the site's gateway.
func newPublisher(s *site.Site, dir string, fleet *demo.Fleet, interval time.Duration, books *demo.Books, log *zap.Logger) (*demo.Publisher, error) {
	if s.MQTT == "" {
		return nil, site.ErrNoGateway
	}
	return &demo.Publisher{
		Fleet: fleet, Dir: filepath.Join(dir, "devices"), Registry: "projects/" + s.Project + "/locations/" + s.Location + "/registries/" + s.Registry,
		Address: s.MQTT, Roots: s.CA, Interval: interval, Books: books, Log: log,
	}, nil
}

// registerFleet does what an operator does.
func registerFleet(ctx context.Context, s *site.Site, p *demo.Publisher) error {
	api, err := s.OpenDeviceManager(ctx)
	if err != nil {
		return err
	}
	defer api.Close()
	return p.Register(ctx, api)
}
