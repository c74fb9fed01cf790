package ingestd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"time"

	"iotbridge/ingest"
	"iotbridge/ingest/bigquery"
	"iotbridge/schema"
)

// Settings are the worker's; kong makes flags, variables and keys of them.
type Settings struct {
	Subscription    string `placeholder:"projects/P/subscriptions/S" help:"What to pull."`
	Schema          string `default:"temperature" placeholder:"NAME|FILE.yaml" help:"The table's columns: a built-in (temperature, sensordata) or a file."`
	Table           string `placeholder:"P.D.T" help:"Where good messages go."`
	QuarantineTable string `placeholder:"P.D.T" help:"Where bad messages go, raw, with the reason."`
	QuarantineTopic string `placeholder:"projects/P/topics/T" help:"Where bad messages go when the quarantine's table takes none."`
	CreateTables    bool   `help:"Make dataset, tables and views where they are missing."`
	Location        string `default:"US" help:"Where a dataset is made."`

	IdentityClaim   string `enum:"optional,required" default:"optional" help:"Whether a body must name its device: ${enum}. What it names is always compared."`
	DenyDevices     string `type:"path" placeholder:"FILE" help:"Devices whose messages are quarantined, registry/device a line. Read again when it changes."`
	Attestation     string `enum:"off,verify,require" default:"off" help:"The gateway's signature: ${enum}. Verify lets unsigned messages pass."`
	AttestationKeys string `type:"path" placeholder:"FILE" help:"Keys of the signature, 'key-id base64' a line. Read again when it changes."`

	MaxOutstandingMessages int           `default:"50000" help:"Messages held at once, from pull to ack, over all routes."`
	MaxOutstandingBytes    int           `default:"67108864" help:"Bytes of messages held at once."`
	Lease                  time.Duration `default:"30s" help:"How long a message is the worker's alone unless extended, 10s to 600s: what a killed worker held comes again after it."`
	PullStreams            int           `default:"1" help:"Pull streams of a route. The service gives one about 10 MB/s."`
	Writers                int           `default:"2" help:"Append streams of a table. The service gives one about 10 MB/s."`
	BatchRows              int           `default:"2500" help:"Rows of an append at the most."`
	BatchBytes             int           `default:"4194304" help:"Bytes of an append at the most; the service takes 9 MiB."`
	BatchAge               time.Duration `default:"20ms" help:"How long a row waits for others."`
	AppendTimeout          time.Duration `default:"30s" help:"After which an append is sent again."`
	Watchdog               time.Duration `default:"60s" help:"After which an append stream that does not answer is replaced."`
	ShutdownGrace          time.Duration `default:"25s" help:"From SIGTERM to the end."`

	Drain     bool          `help:"End, with exit code 0, when nothing has come for --drain-idle."`
	DrainIdle time.Duration `default:"10s" help:"How long nothing must have come."`
	DryRun    bool          `help:"Judge and count only: nothing is written, every message is handed back."`

	Ops      string `default:"localhost:9102" placeholder:"HOST:PORT" help:"Operations listener: /metrics, /healthz, /readyz, and /debug/pprof on loopback."`
	OpsPprof bool   `help:"Serve /debug/pprof off loopback too."`

	Routes    []Route      `kong:"-"` // of the file; they exclude the flags of a single route
	Endpoints Endpoints    `kong:"-"`
	Listener  net.Listener `kong:"-"` // serves operations in the place of Ops
	Name      string       `kong:"-"` // of this worker in the quarantine; "": the host's
}

// Route is one way through the worker, as the file's key routes has it.
type Route struct {
	Subscription    string `yaml:"subscription"`
	Schema          string `yaml:"schema"`
	Table           string `yaml:"table"`
	QuarantineTable string `yaml:"quarantine-table"`
}

// Endpoints are stand-ins for Google's services, host:port in plaintext; "" is the
// service itself.
type Endpoints struct{ PubSub, BigQuery, BigQueryStorage string }

// EndpointsFromEnv reads the variables that Google's own tools know.
func EndpointsFromEnv() Endpoints {
	return Endpoints{os.Getenv("PUBSUB_EMULATOR_HOST"), os.Getenv("BIGQUERY_EMULATOR_HOST"), os.Getenv("BIGQUERY_STORAGE_EMULATOR_HOST")}
}

// Fault says what is wrong with the settings themselves; nil is nothing.
func (s *Settings) Fault() error {
	routes, err := s.routes()
	for _, r := range routes {
		if err == nil {
			_, err = loadTable(r.Schema)
		}
	}
	return err
}

// routes returns what the settings say, checked.
func (s *Settings) routes() ([]Route, error) {
	single := Route{s.Subscription, s.Schema, s.Table, s.QuarantineTable}
	routes := s.Routes
	switch {
	case len(routes) == 0:
		routes = []Route{single}
	case single.Subscription != "" || single.Table != "" || single.QuarantineTable != "":
		return nil, errors.New("the file has routes: --subscription, --table and --quarantine-table do not go with them")
	}
	for i, r := range routes {
		where := ""
		if len(s.Routes) > 0 {
			where = fmt.Sprintf("route %d: ", i+1)
		}
		for _, need := range []struct{ name, value string }{
			{"subscription", r.Subscription}, {"table", r.Table}, {"quarantine-table", r.QuarantineTable},
		} {
			if need.value == "" {
				return nil, fmt.Errorf("%s%s is missing", where, need.name)
			}
		}
		for _, table := range []string{r.Table, r.QuarantineTable} {
			if _, err := bigquery.ParseTableID(table); err != nil {
				return nil, fmt.Errorf("%s%w", where, err)
			}
		}
		if !subscriptionName.MatchString(r.Subscription) {
			return nil, fmt.Errorf("%ssubscription %q: want projects/PROJECT/subscriptions/NAME", where, r.Subscription)
		}
		if r.Schema == "" {
			routes[i].Schema = "temperature"
		}
	}
	return routes, s.sound(len(routes))
}

// sound checks how the numbers go together.
func (s *Settings) sound(routes int) error {
	switch {
	case s.BatchBytes > ingest.MaxBatchBytes:
		return fmt.Errorf("batch-bytes is %d, the service takes %d", s.BatchBytes, ingest.MaxBatchBytes)
	case s.BatchRows < 1 || s.BatchBytes < 1 || s.PullStreams < 1 || s.Writers < 1:
		return errors.New("batch-rows, batch-bytes, pull-streams and writers must be at least 1")
	case s.MaxOutstandingMessages < s.PullStreams*routes || s.MaxOutstandingBytes < 1<<20:
		return errors.New("max-outstanding-messages must reach all pull streams of all routes, max-outstanding-bytes must be at least 1048576")
	case s.Lease < 10*time.Second || s.Lease > 10*time.Minute:
		return fmt.Errorf("lease is %s, the service takes 10s to 600s", s.Lease)
	case s.BatchAge <= 0 || s.AppendTimeout <= 0 || s.Watchdog <= 0 || s.ShutdownGrace <= 0 || s.DrainIdle <= 0:
		return errors.New("batch-age, append-timeout, watchdog, shutdown-grace and drain-idle must be more than 0")
	case s.Attestation != "off" && s.AttestationKeys == "":
		return fmt.Errorf("attestation is %s, but attestation-keys names no file", s.Attestation)
	case s.Attestation == "off" && s.AttestationKeys != "":
		return errors.New("attestation-keys is set, but attestation is off: say verify or require")
	}
	return nil
}

// loadTable returns a built-in table, or the one in a file.
func loadTable(name string) (*schema.Table, error) {
	for _, builtin := range schema.BuiltinNames() {
		if name == builtin {
			return schema.Builtin(name)
		}
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("schema %q is no built-in (%v) and no file: %w", name, schema.BuiltinNames(), err)
	}
	defer file.Close()
	src, err := io.ReadAll(io.LimitReader(file, schema.MaxSource+1)) // one too many is refused by Load
	if err != nil {
		return nil, fmt.Errorf("schema %q: %w", name, err)
	}
	return schema.Load(name, src)
}

var subscriptionName = regexp.MustCompile(`^projects/[^/\pC\pZ]+/subscriptions/[A-Za-z][-A-Za-z0-9._~%+]*$`)
