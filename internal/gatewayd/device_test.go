package gatewayd_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strconv"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	paho "github.com/eclipse/paho.mqtt.golang"
)

// device is one that is registered, and holds its key.
type device struct {
	*iotpb.Device
	key *ecdsa.PrivateKey
}

func (g *gate) device(id string) *device {
	g.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		g.t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		g.t.Fatal(err)
	}
	d, err := g.manager().CreateDevice(g.t.Context(), &iotpb.CreateDeviceRequest{Parent: registry, Device: &iotpb.Device{
		Id: id, Credentials: []*iotpb.DeviceCredential{{Credential: &iotpb.DeviceCredential_PublicKey{PublicKey: &iotpb.PublicKeyCredential{
			Format: iotpb.PublicKeyFormat_ES256_PEM, Key: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		}}}},
	}})
	if err != nil {
		g.t.Fatal(err)
	}
	return &device{d, key}
}

func (d *device) num() string { return strconv.FormatUint(d.NumId, 10) }

// token is made by hand, as RFC 7515 says.
func (d *device) token() string {
	part := base64.RawURLEncoding.EncodeToString
	now := time.Now().Unix()
	signed := part([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + part(fmt.Appendf(nil, `{"aud":%q,"iat":%d,"exp":%d}`, project, now, now+3600))
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, d.key, sum[:])
	if err != nil {
		panic(err)
	}
	return signed + "." + part(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// session is a connection; lost is closed when it breaks.
type session struct {
	paho.Client
	lost chan struct{}
}

// connect connects as the seed's device does: with its number, over TLS 1.2.
func (g *gate) connect(d *device) (*session, error) {
	s := &session{lost: make(chan struct{})}
	s.Client = paho.NewClient(paho.NewClientOptions().
		AddBroker("ssl://" + g.mqtt).
		SetTLSConfig(&tls.Config{RootCAs: g.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}).
		SetClientID(registry + "/devices/" + d.num()).SetUsername("unused").SetPassword(d.token()).
		SetProtocolVersion(4).SetAutoReconnect(false).SetOrderMatters(false).SetConnectTimeout(patience).
		SetConnectionLostHandler(func(paho.Client, error) { close(s.lost) }))
	token := s.Connect()
	token.Wait()
	return s, token.Error()
}

// mustConnect also disconnects at the end.
func (g *gate) mustConnect(d *device) *session {
	g.t.Helper()
	s, err := g.connect(d)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { s.Disconnect(100) })
	return s
}

// send publishes at QoS 1 and waits for the PUBACK.
func (s *session) send(topic, body string) error {
	token := s.Publish(topic, 1, false, body)
	token.Wait()
	return token.Error()
}

// closed waits for the gateway to end the session.
func (g *gate) closed(s *session) {
	g.t.Helper()
	select {
	case <-s.lost:
	case <-time.After(patience):
		g.t.Errorf("still connected after %s", patience)
	}
}

// deliver sends every body until it is acknowledged, over as many connections as
// that takes. acked is called for each.
func (g *gate) deliver(d *device, bodies []string, acked func(body string)) error {
	for len(bodies) > 0 {
		if g.t.Context().Err() != nil {
			return g.t.Context().Err()
		}
		s, err := g.connect(d)
		if err != nil {
			select {
			case <-time.After(50 * time.Millisecond):
			case <-g.t.Context().Done():
			}
			continue
		}
		tokens := make([]paho.Token, len(bodies))
		for i, body := range bodies {
			tokens[i] = s.Publish("/devices/"+d.num()+"/events/temperature", 1, false, body)
		}
		var rest []string
		for i, token := range tokens {
			if token.Wait(); token.Error() != nil {
				rest = append(rest, bodies[i])
				continue
			}
			acked(bodies[i])
		}
		bodies = rest
		s.Disconnect(100)
	}
	return nil
}

// receive hands on topic and payload.
func receive(to chan<- string) paho.MessageHandler {
	return func(_ paho.Client, m paho.Message) { to <- m.Topic() + " " + string(m.Payload()) }
}
