package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"syscall"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"github.com/alecthomas/kong"
	"go.uber.org/zap"

	"iotbridge/internal/demo"
	"iotbridge/internal/gatewayd"
	"iotbridge/internal/ops"
	"iotbridge/internal/site"
)

// gatewayAddresses are where the gateway listens.
type gatewayAddresses struct {
	MQTT        string `name:"mqtt" placeholder:"HOST:PORT" help:"Where devices connect over MQTT. Default 127.0.0.1:8883."`
	DeviceHTTPS string `name:"device-https" placeholder:"HOST:PORT" help:"Where devices connect over HTTPS. Default 127.0.0.1:8443."`
	GatewayAPI  string `name:"gateway-api" placeholder:"HOST:PORT" help:"Address of Device Manager over REST. Default 127.0.0.1:8080."`
	GatewayGRPC string `name:"gateway-grpc" placeholder:"HOST:PORT" help:"Address of Device Manager over gRPC. Default 127.0.0.1:8081."`
	GatewayOps  string `placeholder:"HOST:PORT" help:"Operations listener of the gateway. Default 127.0.0.1:9101."`
}

// gateway starts iotbridge-gateway's gateway with its own defaults against the site, or
// nothing; the part is then nil.
func (c *localCommand) gateway(ctx context.Context, s *site.Site, log *zap.Logger, failed context.CancelCauseFunc) (*part, error) {
	if !c.has("gateway") {
		return nil, nil
	}
	settings, err := c.gatewaySettings(s)
	if err == nil {
		settings.Listeners, err = c.listen(ctx, s)
	}
	if err != nil {
		return nil, err
	}
	settings.ProvisionMQTT, settings.ProvisionHTTPS = s.MQTT, s.DeviceHTTPS
	p := start(ctx, func(ctx context.Context) error { return gatewayd.Run(ctx, settings, log, ops.NewRegistry()) }, failed)
	err = makeRegistry(ctx, s)
	if err == nil && c.Provision {
		err = makeProfile(ctx, s)
	}
	if err != nil {
		return nil, errors.Join(cmp.Or(failure(ctx), err), p.end())
	}
	return p, nil
}

// gatewaySettings makes the files that the gateway needs, and names them to the site.
func (c *localCommand) gatewaySettings(s *site.Site) (settings gatewayd.Settings, err error) {
	parser, err := kong.New(&settings)
	if err == nil {
		_, err = parser.Parse(nil)
	}
	if err != nil {
		return settings, err
	}
	certificate, err := site.ServerCertificate(c.Data)
	if err != nil {
		return settings, err
	}
	if s.AdminToken, settings.Operators, err = site.Operator(c.Data); err != nil {
		return settings, err
	}
	s.CA = certificate.CA
	settings.Project, settings.Location, settings.PubSub = s.Project, s.Location, s.PubSub
	settings.Rates = c.Rates
	settings.BigQuery = gatewayd.BigQuery{REST: s.BigQuery, Storage: s.BigQueryStorage}
	settings.ConsoleTable, settings.ConsoleQuarantineTable, settings.ConsoleSubscription = s.Table, s.QuarantineTable, s.Subscription
	settings.Store = "sqlite:" + filepath.Join(c.Data, "registry.db")
	settings.TLSCert, settings.TLSKey, settings.AttestationKey = certificate.File, certificate.Key, s.AttestationKeys
	if c.Provision {
		err = c.authorities(s, &settings)
	}
	return settings, err
}

// listen takes the gateway's addresses, all or none, and names them to the site.
func (c *localCommand) listen(ctx context.Context, s *site.Site) (l gatewayd.Listeners, err error) {
	var taken []net.Listener
	for _, one := range []struct {
		flag, chosen, usual string
		named               *string
	}{
		{"--mqtt", c.MQTT, "127.0.0.1:8883", &s.MQTT},
		{"--device-https", c.DeviceHTTPS, "127.0.0.1:8443", &s.DeviceHTTPS},
		{"--gateway-api", c.GatewayAPI, "127.0.0.1:8080", &s.API},
		{"--gateway-grpc", c.GatewayGRPC, "127.0.0.1:8081", &s.GRPC},
		{"--gateway-ops", c.GatewayOps, "127.0.0.1:9101", &s.GatewayOps},
	} {
		if c.Ephemeral {
			one.usual = "127.0.0.1:0"
		}
		address := cmp.Or(one.chosen, one.usual)
		at, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			for _, t := range taken {
				t.Close()
			}
			if errors.Is(err, syscall.EADDRINUSE) {
				err = fmt.Errorf("%s is in use: stop what listens there, choose another address with %s, or free ports with --ephemeral", address, one.flag)
			}
			return l, err
		}
		taken, *one.named = append(taken, at), here(at.Addr())
	}
	s.API = "http://" + s.API
	return gatewayd.Listeners{MQTT: taken[:1], HTTPS: taken[1], API: taken[2], GRPC: taken[3], Ops: taken[4]}, nil
}

// here is the address by which this machine reaches a listener.
func here(at net.Addr) string {
	if tcp, ok := at.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
	}
	return at.String()
}

// makeRegistry makes the seed's registry, where there is none.
func makeRegistry(ctx context.Context, s *site.Site) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	api, err := s.OpenDeviceManager(ctx)
	if err != nil {
		return err
	}
	defer api.Close()
	create := registriesCreate{
		Registry: s.Registry, DefaultTopic: demo.TopicSensordata, Route: []string{demo.TopicTemperature + "=" + demo.TopicTemperature},
		Protocols: []string{"mqtt", "http"}, Logging: "info",
	}
	message, err := create.message(s.Project)
	if err != nil {
		return err
	}
	_, err = api.CreateDeviceRegistry(ctx, &iotpb.CreateDeviceRegistryRequest{Parent: "projects/" + s.Project + "/locations/" + s.Location, DeviceRegistry: message})
	if err != nil && !demo.AlreadyThere(err) {
		return fmt.Errorf("registry %s: %w", s.Registry, plain(err))
	}
	return nil
}
