package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/zap"

	"iotbridge/device"
)

// Uplink is a device's way to its gateway. The fields up to Now are required; what
// else is zero has its default.
type Uplink struct {
	Address                           string // host:port; the certificate must be for this host
	Project, Region, Registry, Device string // Device by name or by number: topics spell it the same
	Key                               *Key
	Roots                             string           // a PEM file of CA certificates, read at each Connect
	Now                               func() time.Time // for tokens and for certificates

	Lifetime     time.Duration // of a token: 1 h; 24 h at most
	KeepAlive    time.Duration // 60 s
	Timeout      time.Duration // of Connect, all in all: 10 s
	WriteTimeout time.Duration // of one write: 10 s
	Dial         func(ctx context.Context, network, address string) (net.Conn, error)
	Log          *zap.Logger
}

var _ device.Uplink = (*Uplink)(nil)

const (
	defaultLifetime     = time.Hour
	maxLifetime         = 24 * time.Hour // what IoT Core takes
	defaultKeepAlive    = time.Minute
	maxKeepAlive        = 65535 * time.Second
	defaultTimeout      = 10 * time.Second
	defaultWriteTimeout = 10 * time.Second
)

// Connect opens a session, as device.Uplink says. It resolves the host, reads Roots and
// makes a token each time.
func (u *Uplink) Connect(ctx context.Context, in device.Inbox) (device.Session, error) {
	s, err := u.open(ctx, in)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (u *Uplink) open(ctx context.Context, in device.Inbox) (*session, error) {
	o, err := u.settled()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, errTooSlow)
	defer cancel()
	conn, err := o.handshake(ctx)
	if err != nil {
		return nil, o.explain(ctx, err)
	}
	token, err := o.Key.token(o.Project, o.Now(), o.Lifetime)
	if err != nil {
		conn.Close()
		return nil, err
	}
	s := newSession(conn, o)
	inTime := context.AfterFunc(ctx, func() {
		s.link.fail(fmt.Errorf("waiting for the gateway's CONNACK and SUBACK: %w", context.Cause(ctx)))
	})
	defer inTime()
	if err := s.start(o.options(s.link, token), newInbox(in, o)); err != nil {
		s.abandon()
		return nil, o.explain(ctx, err)
	}
	if !inTime() {
		s.abandon()
		return nil, o.explain(ctx, context.Cause(ctx))
	}
	s.renewAfter(renewal(o.Lifetime))
	go s.send()
	return s, nil
}

// settled is u with its defaults, or an error that names the setting.
func (u *Uplink) settled() (*Uplink, error) {
	o := *u
	host, port, err := net.SplitHostPort(o.Address)
	if err != nil || host == "" {
		return nil, fmt.Errorf("gateway address %q: want host:port, as in mqtt.example.com:8883", o.Address)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, fmt.Errorf("gateway address %q: the port is a number from 1 to 65535", o.Address)
	}
	for _, id := range []struct{ what, text string }{
		{"project", o.Project}, {"region", o.Region}, {"registry", o.Registry}, {"device", o.Device},
	} {
		if id.text == "" || len(id.text) > 255 || strings.ContainsFunc(id.text, notInID) {
			return nil, fmt.Errorf("%s %.255q: want 1 to 255 letters, digits and any of -._~%%: in it", id.what, id.text)
		}
	}
	if o.Key == nil || o.Roots == "" || o.Now == nil {
		return nil, errors.New("an uplink wants a key, a file of CA certificates and a clock")
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext // happy eyeballs, and DNS anew each time
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	for _, d := range []struct {
		what     string
		value    *time.Duration
		def      time.Duration
		min, max time.Duration
	}{
		{"token lifetime", &o.Lifetime, defaultLifetime, time.Minute, maxLifetime},
		{"keepalive", &o.KeepAlive, defaultKeepAlive, time.Second, maxKeepAlive},
		{"connect timeout", &o.Timeout, defaultTimeout, time.Millisecond, time.Hour},
		{"write timeout", &o.WriteTimeout, defaultWriteTimeout, time.Millisecond, time.Hour},
	} {
		if *d.value == 0 {
			*d.value = d.def
		}
		if *d.value < d.min || *d.value > d.max {
			return nil, fmt.Errorf("%s %s: want %s to %s", d.what, *d.value, d.min, d.max)
		}
	}
	return &o, nil
}

// notInID is wider than the gateway's grammar, which is the gateway's to judge: what
// passes has no meaning of its own in a topic. A project may be a domain's (a.com:b).
func notInID(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~%:", r)
}

// options are paho's for one session over l. Nothing is tried again, and nothing kept.
func (u *Uplink) options(l *link, token string) *paho.ClientOptions {
	o := paho.NewClientOptions()
	o.AddBroker("tls://gateway") // not dialled: l is open
	o.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return l, nil })
	o.SetClientID(u.ClientID())
	// A password needs a user name; the gateway does not look at it.
	o.SetCredentialsProvider(func() (string, string) { return "unused", token })
	o.SetProtocolVersion(4) // else a refusal is answered by a second try, as MQTT 3.1
	o.SetCleanSession(true)
	o.SetAutoReconnect(false)
	o.SetConnectRetry(false)
	// In order, so that an older configuration never comes after a newer one, and a
	// flood of commands waits in the network and not in goroutines.
	o.SetOrderMatters(true)
	o.SetKeepAlive(u.KeepAlive)
	o.SetPingTimeout(maxLifetime) // silence is the link's to judge
	o.SetConnectTimeout(u.Timeout)
	o.SetWriteTimeout(u.WriteTimeout)
	return o
}
