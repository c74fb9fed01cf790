package gatewayd

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
	"iotbridge/gateway/console"
	"iotbridge/gateway/devicemanager"
	"iotbridge/gateway/httpbridge"
	"iotbridge/gateway/mqtt"
	"iotbridge/gateway/operators"
	"iotbridge/gateway/provision"
	"iotbridge/gateway/pubsub"
	"iotbridge/gateway/registry"
	"iotbridge/internal/warehouse"
	"iotbridge/internal/watched"
)

// assembly is a gateway and what it stands on.
type assembly struct {
	settings Settings
	holds    *gateway.Holds
	metrics  *metrics
	log      *zap.Logger

	store     *registry.Store
	conn      *grpc.ClientConn
	publisher *pubsub.Publisher
	bridge    *gateway.Bridge
	mqtt      *mqtt.Server       // nil: not spoken
	http      *httpbridge.Server // nil: not spoken

	devices       certificate
	api           *devicemanager.Server // nil: nobody may operate
	apiTLS        *tls.Config           // nil: in plaintext, on loopback
	apiIdentity   certificate
	operatorsFile *operators.File

	chronicle *gateway.Chronicle
	console   *console.Console     // nil: nobody may operate
	warehouse *warehouse.Warehouse // nil: the console shows none

	provisioning *provision.Server // nil: nobody is provisioned
	used         *uses             // likewise
	authority    *watched.File[*provision.Authority]
	hooks        *provision.Hooks
	signer       io.Closer // of the authority of devices; nil: nothing to close
}

// assemble makes the gateway of the settings. It opens the store and asks no other
// service anything: what is missing there holds and heals.
func assemble(ctx context.Context, s Settings, log *zap.Logger, reg prometheus.Registerer) (*assembly, error) {
	if err := s.Fault(); err != nil {
		return nil, err
	}
	if s.Name == "" {
		host, _ := os.Hostname() // the rest makes it a name
		s.Name = host + "-" + rand.Text()[:8]
	}
	a := &assembly{settings: s, holds: &gateway.Holds{}, log: log}
	a.metrics = newMetrics(reg, a.holds)
	if err := a.open(ctx, reg); err != nil {
		return nil, errors.Join(err, a.close())
	}
	a.tellExpiry(reg)
	a.openDoors(reg)
	return a, nil
}

// open reads the files, and makes what is behind the doors.
func (a *assembly) open(ctx context.Context, reg prometheus.Registerer) (err error) {
	s := a.settings
	if a.devices, err = openCertificate("tls-cert", s.TLSCert, s.TLSKey); err != nil {
		return err
	}
	var signer *gateway.Signer
	if s.AttestationKey != "" {
		if signer, err = gateway.OpenSigner(s.AttestationKey); err != nil {
			return err
		}
	}
	if err = a.openAPI(); err != nil {
		return err
	}
	if a.conn, err = pubsub.Dial(ctx, s.PubSub); err != nil {
		return fmt.Errorf("Pub/Sub: %w", err)
	}
	if a.store, err = registry.Open(ctx, s.Store, registry.Options{Log: a.log}); err != nil {
		return err
	}
	if err = a.openProvisioning(ctx, reg); err != nil {
		return err
	}
	a.publisher = &pubsub.Publisher{
		Conn: a.conn, Holds: a.holds, Metrics: pubsub.NewMetrics(reg), Log: a.log,
		MaxMessages: s.MaxOutstandingMessages, MaxBytes: s.MaxOutstandingBytes, Grace: s.ShutdownGrace / 5,
	}
	if reg != nil {
		a.publisher.Observe(reg)
	}
	if a.warehouse, err = a.openWarehouse(ctx); err != nil {
		return err
	}
	a.chronicle = &gateway.Chronicle{Book: a.store.Book, Log: a.log}
	a.bridge = &gateway.Bridge{
		Directory: a.store, Mailbox: a.store, Bus: a.store, Verifier: &auth.Verifier{}, Publisher: a.publisher,
		Instance: s.Name, Limiter: s.limiter(), Signer: signer, Log: a.log,
	}
	return nil
}

// openDoors makes what devices speak to.
func (a *assembly) openDoors(reg prometheus.Registerer) {
	s := a.settings
	d := &door{Bridge: a.bridge, project: s.Project, location: s.Location, telemetry: a.metrics.telemetry}
	if a.provisioning != nil {
		a.used = &uses{Claims: a.store.Provisioning(), Log: a.log}
		d.used = a.used
	}
	if s.serves("mqtt") {
		a.mqtt = &mqtt.Server{
			Bridge: d, Mailbox: a.store, Bus: a.store, Instance: s.Name, TLS: a.devices.server(nil),
			Limits: mqtt.Limits{
				Connections: s.MaxConnections, PerAddress: s.MaxConnectionsPerAddress,
				// Devices are to be slowed before the publisher refuses, which cuts them
				// off: it gives a topic half of its room, and counts attributes too.
				TotalInflight: s.MaxOutstandingMessages * 2 / 5, TotalBytes: s.MaxOutstandingBytes / 4, Grace: s.ShutdownGrace / 2,
			},
			Chronicle: a.chronicle, Metrics: mqtt.NewMetrics(reg), Log: a.log,
		}
	}
	if s.serves("http") {
		a.http = &httpbridge.Server{
			Bridge: d, Mailbox: a.store, Directory: a.store, TLS: a.devices.server(nil),
			Limits: httpbridge.Limits{
				Connections: s.MaxConnections / 2, PerAddress: s.MaxConnectionsPerAddress, Grace: s.ShutdownGrace / 2,
			},
			Metrics: httpbridge.NewMetrics(reg), Log: a.log,
		}
		if a.provisioning != nil {
			a.http.Provisioning = a.provisioning
		}
	}
	if a.operatorsFile != nil {
		a.api = &devicemanager.Server{
			Admin: admin{a.store, s.Project, s.Location}, Bus: a.store, Operators: a.operatorsFile,
			Metrics: devicemanager.NewMetrics(reg), Log: a.log,
		}
		a.console = a.newConsole()
	}
}

// openAPI reads the files of the operators' API.
func (a *assembly) openAPI() (err error) {
	s := a.settings
	if s.Operators == "" {
		return nil
	}
	if a.operatorsFile, err = operators.Open(s.Operators); err != nil {
		return fmt.Errorf("operators: %w", err)
	}
	if s.APITLSCert == "" {
		return nil
	}
	if a.apiIdentity, err = openCertificate("api-tls-cert", s.APITLSCert, s.APITLSKey); err != nil {
		return err
	}
	a.apiTLS = a.apiIdentity.server(nil)
	if s.APIClientCA == "" {
		return nil
	}
	clients, err := readAuthorities("api-client-ca", s.APIClientCA)
	a.apiTLS = a.apiIdentity.server(clients)
	return err
}

func (a *assembly) close() error {
	var errs []error
	if a.hooks != nil {
		a.hooks.Close()
	}
	if a.signer != nil {
		errs = append(errs, a.signer.Close())
	}
	if a.warehouse != nil {
		errs = append(errs, a.warehouse.Client.Close())
	}
	if a.conn != nil {
		errs = append(errs, a.conn.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	return errors.Join(errs...)
}
