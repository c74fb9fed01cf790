package gatewayd

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iotbridge/gateway/provision"
	"iotbridge/gateway/provision/kms"
	"iotbridge/internal/watched"
)

// Provisioning is how boards that have only a bootstrap certificate become devices.
type Provisioning struct {
	ProvisionCA    string `name:"provision-ca" type:"path" placeholder:"FILE" help:"Certificate of the authority that issues to devices, in PEM; below it those before it that still count. It is read again when it changes, and its key with it. With it boards are provisioned over device HTTPS, by EST and JSON; without it nobody is."`
	ProvisionCAKey string `name:"provision-ca-key" placeholder:"FILE|kms:NAME" help:"Its key: a file in PEM that nobody else may read, or a key version of Cloud KMS, projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/V."`
	ProvisionMQTT  string `name:"provision-mqtt" placeholder:"HOST:PORT" help:"Where devices that were provisioned are told to connect over MQTT. By default the name by which they have come, and the port of --mqtt."`
	ProvisionHTTPS string `name:"provision-https" placeholder:"HOST:PORT" help:"Likewise over HTTPS."`

	ProvisionWebhookCA      string `name:"provision-webhook-ca" type:"path" placeholder:"FILE" help:"Who issues the certificates of profiles' webhooks. By default those whom this machine trusts."`
	ProvisionWebhookPrivate bool   `name:"provision-webhook-private" help:"Let webhooks be on private networks and on this machine, too."`
}

var keyVersion = regexp.MustCompile(`^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+/cryptoKeyVersions/[0-9]+$`)

// Fault is what is wrong with the settings by themselves; nil when nothing is.
func (p Provisioning) Fault() error {
	if (p.ProvisionCA == "") != (p.ProvisionCAKey == "") {
		return errors.New("provision-ca and provision-ca-key go together: iotbridge provision init makes both")
	}
	if name, ok := strings.CutPrefix(p.ProvisionCAKey, "kms:"); ok && !keyVersion.MatchString(name) {
		return fmt.Errorf("provision-ca-key %q: want kms:projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/V", p.ProvisionCAKey)
	}
	for _, at := range []struct{ name, address string }{{"provision-mqtt", p.ProvisionMQTT}, {"provision-https", p.ProvisionHTTPS}} {
		if at.address == "" {
			continue
		}
		if e, err := endpoint(at.address); err != nil || e.Host == "" {
			return fmt.Errorf("%s %q: want HOST:PORT, as devices reach it", at.name, at.address)
		}
	}
	return nil
}

func endpoint(address string) (e provision.Endpoint, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return e, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	return provision.Endpoint{Host: host, Port: int(number)}, err
}

// told is the endpoint that devices are told of: as it is set, or the listener's port.
func told(set, listens string) provision.Endpoint {
	if set != "" {
		e, _ := endpoint(set) // Fault has read it
		return e
	}
	e, _ := endpoint(listens)
	return provision.Endpoint{Port: e.Port}
}

// openProvisioning makes what grants credentials. Without its settings nothing does.
func (a *assembly) openProvisioning(ctx context.Context, reg prometheus.Registerer) error {
	s := a.settings
	if s.ProvisionCA == "" {
		return nil
	}
	authority, err := a.openAuthority(ctx, s.ProvisionCA, s.ProvisionCAKey)
	if err != nil {
		return err
	}
	a.hooks = &provision.Hooks{Private: s.ProvisionWebhookPrivate}
	if s.ProvisionWebhookCA != "" {
		if a.hooks.Roots, err = readAuthorities("provision-webhook-ca", s.ProvisionWebhookCA); err != nil {
			return err
		}
	}
	desk := &provision.Desk{Store: a.store.Provisioning(), Authority: authority, Hooks: a.hooks, Metrics: provision.NewMetrics(reg), Log: a.log}
	a.provisioning, a.authority = provision.NewServer(desk), authority
	a.provisioning.Audit = a.store
	a.provisioning.Metrics, a.provisioning.Log = provision.NewRequestMetrics(reg), a.log
	a.provisioning.HTTP = told(s.ProvisionHTTPS, s.HTTPS)
	if s.serves("mqtt") {
		a.provisioning.MQTT = told(s.ProvisionMQTT, s.MQTT[0])
	}
	return nil
}

// openAuthority reads the authority of devices. As with a server's certificate, the file
// is read again when it changes, and its key with it; while one of them is replaced and
// the other not yet, the authority before stays in force. A key in a KMS is opened once,
// and closed with the assembly.
func (a *assembly) openAuthority(ctx context.Context, file, key string) (*watched.File[*provision.Authority], error) {
	open := func() (crypto.Signer, error) { return readKey(key) }
	if name, ok := strings.CutPrefix(key, "kms:"); ok {
		signer, err := kms.Open(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("provision-ca-key: %w", err)
		}
		a.signer = signer
		open = func() (crypto.Signer, error) { return signer, nil }
	}
	authority, err := watched.Open(file, func(text []byte) (*provision.Authority, error) { return parseAuthority(text, open) })
	if err != nil {
		return nil, fmt.Errorf("provision-ca: %w", err)
	}
	return authority, nil
}

func parseAuthority(text []byte, key func() (crypto.Signer, error)) (*provision.Authority, error) {
	all, err := certificates(text)
	if err != nil {
		return nil, err
	}
	authority := &provision.Authority{Purpose: provision.ForDevice, Certificate: all[0], Before: all[1:]}
	if authority.Signer, err = key(); err != nil {
		return nil, fmt.Errorf("provision-ca-key: %w", err)
	}
	return authority, authority.Fault(time.Now())
}

// readKey reads a key that nobody else may read.
func readKey(where string) (crypto.Signer, error) {
	f, err := os.Open(where)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	state, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if state.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: others may read it: chmod 600 %s, and think of it as known", where, where)
	}
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return nil, err
	}
	return parseKey(text, where)
}

// parseKey reads PKCS #8, and what openssl has written before it.
func parseKey(text []byte, file string) (crypto.Signer, error) {
	wrong := fmt.Errorf("%s: want one private key in PEM, not encrypted", file)
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case "EC PARAMETERS":
			continue
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		default:
			return nil, wrong
		}
		if signer, ok := key.(crypto.Signer); ok && err == nil {
			return signer, nil
		}
		return nil, wrong
	}
	return nil, wrong
}

// certificates are those of a text in PEM.
func certificates(text []byte) (all []*x509.Certificate, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("want certificates alone, it has a %s too", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("no certificate in PEM")
	}
	return all, nil
}
