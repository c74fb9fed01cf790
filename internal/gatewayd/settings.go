package gatewayd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"iotbridge/gateway"
)

// Settings are the gateway's; kong makes flags, variables and keys of them.
type Settings struct {
	Project  string `placeholder:"P" help:"The project whose devices connect here; the aud of their tokens."`
	Location string `placeholder:"L" help:"Where its registries are, as in us-central1."`
	Store    string `placeholder:"sqlite:FILE|postgres://USER@HOST/DB" help:"Where registries and devices are kept. Gateways that share a PostgreSQL act as one."`

	Protocols []string `default:"mqtt,http" enum:"mqtt,http" help:"What devices may speak: ${enum}. A registry may allow less."`
	MQTT      []string `name:"mqtt" default:":8883" placeholder:"HOST:PORT" help:"Where devices connect over MQTT and TLS. Say it again for another port, as 443."`
	HTTPS     string   `name:"device-https" default:":8443" placeholder:"HOST:PORT" help:"Where devices connect over HTTPS."`
	TLSCert   string   `name:"tls-cert" type:"path" placeholder:"FILE" help:"Certificate that devices see, in PEM, with those between it and the root. Read again when it changes."`
	TLSKey    string   `name:"tls-key" type:"path" placeholder:"FILE" help:"Its key, in PEM."`

	API         string `name:"api" default:"localhost:8080" placeholder:"HOST:PORT" help:"Device Manager for operators, over REST."`
	GRPC        string `name:"grpc" default:"localhost:8081" placeholder:"HOST:PORT" help:"The same over gRPC."`
	Operators   string `type:"path" placeholder:"FILE" help:"Who may operate, a line each: name, role (admin or viewer), and the SHA-256 of a token or the word certificate. Without it nobody may, and the API is not served. Read again when it changes."`
	APITLSCert  string `name:"api-tls-cert" type:"path" placeholder:"FILE" help:"Certificate that operators see; off loopback there must be one. Read again when it changes."`
	APITLSKey   string `name:"api-tls-key" type:"path" placeholder:"FILE" help:"Its key."`
	APIClientCA string `name:"api-client-ca" type:"path" placeholder:"FILE" help:"Who issues operators' certificates."`

	ConsoleTable           string `placeholder:"P.D.T" help:"Where readings are stored, for the console's plots. The console is served beside the REST API."`
	ConsoleQuarantineTable string `placeholder:"P.D.T" help:"Where bad messages are, for the console."`
	ConsoleSubscription    string `placeholder:"projects/P/subscriptions/S" help:"Through which messages come to that table: what of it is in quarantine may be replayed from the console."`

	AttestationKey string `type:"path" placeholder:"FILE" help:"Keys that sign every message, 'key-id base64' a line; the first one signs. Read again when it changes."`

	Provisioning `embed:""`

	MaxConnections           int `default:"20000" help:"Devices' connections at once over MQTT, and half as many over HTTPS."`
	MaxConnectionsPerAddress int `default:"10000" help:"Of them from one IPv4 address or IPv6 /64."`
	MaxOutstandingMessages   int `default:"50000" help:"Messages that Pub/Sub has not confirmed yet."`
	MaxOutstandingBytes      int `default:"67108864" help:"Bytes of them."`
	Rates                    `embed:""`
	ShutdownGrace            time.Duration `default:"25s" help:"From SIGTERM to the end."`

	Ops      string `default:"localhost:9101" placeholder:"HOST:PORT" help:"Operations listener: /metrics, /healthz, /readyz, and /debug/pprof on loopback."`
	OpsPprof bool   `help:"Serve /debug/pprof off loopback too."`

	PubSub    string    `kong:"-"` // a stand-in for the service, host:port in plaintext; "" is the service
	BigQuery  BigQuery  `kong:"-"`
	Listeners Listeners `kong:"-"`
	Name      string    `kong:"-"` // of this gateway on the bus; "": the host's, made unique
}

// Rates are what one device may send; iotbridge local has them, too.
type Rates struct {
	DeviceMessagesPerSecond int `default:"100" help:"Telemetry messages that one device may send in a second, and as many at once. A faster one is slowed over MQTT, and refused over HTTP."`
	DeviceBytesPerSecond    int `default:"524288" help:"Bytes of their payloads, likewise; a message that is larger passes alone."`
}

// Fault is what is wrong with the rates; nil when nothing is.
func (r Rates) Fault() error {
	const fastest = 1_000_000
	if r.DeviceMessagesPerSecond < 1 || r.DeviceMessagesPerSecond > fastest || r.DeviceBytesPerSecond < 1024 {
		return fmt.Errorf("device-messages-per-second must be 1 to %d, device-bytes-per-second at least 1024", fastest)
	}
	return nil
}

func (r Rates) limiter() *gateway.Limiter {
	return gateway.Rates{Messages: r.DeviceMessagesPerSecond, Bytes: r.DeviceBytesPerSecond}.Limiter()
}

// Listeners serve in the place of the addresses that the settings name. Run closes
// those of the parts that it starts.
type Listeners struct {
	MQTT                  []net.Listener
	HTTPS, API, GRPC, Ops net.Listener
}

// BigQuery is stand-ins for the service, host:port in plaintext; "" is the service.
type BigQuery struct{ REST, Storage string }

// BigQueryFromEnv reads the variables that Google's own tools know, and one like them.
func BigQueryFromEnv() BigQuery {
	return BigQuery{os.Getenv("BIGQUERY_EMULATOR_HOST"), os.Getenv("BIGQUERY_STORAGE_EMULATOR_HOST")}
}

// PubSubFromEnv reads the variable that Google's own tools know.
func PubSubFromEnv() string { return os.Getenv("PUBSUB_EMULATOR_HOST") }

// Fault is what is wrong with the settings by themselves; nil when nothing is.
func (s *Settings) Fault() error {
	for _, need := range []struct{ name, value, form string }{
		{"project", s.Project, "P"},
		{"location", s.Location, "L"},
		{"store", s.Store, "sqlite:FILE or postgres://USER@HOST/DATABASE"},
		{"tls-cert", s.TLSCert, "FILE: devices connect over TLS only"},
		{"tls-key", s.TLSKey, "FILE"},
	} {
		if need.value == "" {
			return fmt.Errorf("%s is missing: say --%s %s", need.name, need.name, need.form)
		}
	}
	// Any registry's name will do here.
	if k := (gateway.RegistryKey{Project: s.Project, Location: s.Location, Registry: "registry"}); !k.Valid() {
		return fmt.Errorf("project %q, location %q: want names as my-project and us-central1", s.Project, s.Location)
	}
	switch {
	case len(s.Protocols) == 0:
		return errors.New("protocols is empty: say mqtt, http or both")
	case s.serves("mqtt") && len(s.MQTT) == 0:
		return errors.New("mqtt names no address: say --mqtt HOST:PORT, or leave mqtt out of --protocols")
	case (s.APITLSCert == "") != (s.APITLSKey == ""):
		return errors.New("api-tls-cert and api-tls-key go together")
	case s.APIClientCA != "" && s.APITLSCert == "":
		return errors.New("api-client-ca needs api-tls-cert and api-tls-key: certificates are shown inside TLS")
	case s.MaxConnections < 2 || s.MaxConnectionsPerAddress < 1 || s.MaxOutstandingMessages < 2 || s.MaxOutstandingBytes < 2<<20:
		return errors.New("max-connections and max-outstanding-messages must be at least 2, max-connections-per-address 1, max-outstanding-bytes 2097152")
	case s.ProvisionCA != "" && !s.serves("http"):
		return errors.New("provision-ca: boards come over device HTTPS: say http in --protocols, too")
	case s.ShutdownGrace <= 0:
		return errors.New("shutdown-grace must be more than 0")
	}
	if err := s.Rates.Fault(); err != nil {
		return err
	}
	if err := s.Provisioning.Fault(); err != nil {
		return err
	}
	if err := s.consoleFault(); err != nil {
		return err
	}
	if s.Operators == "" || s.APITLSCert != "" {
		return nil
	}
	for _, at := range []struct{ name, address string }{{"api", s.API}, {"grpc", s.GRPC}} {
		if !loopback(at.address) {
			return fmt.Errorf("%s is %s: operators' tokens would cross the network unencrypted: give --api-tls-cert and --api-tls-key, or listen on localhost", at.name, at.address)
		}
	}
	return nil
}

func (s *Settings) serves(protocol string) bool { return slices.Contains(s.Protocols, protocol) }

// loopback says whether only this machine reaches the address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback())
}
