package demo

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/golang-jwt/jwt/v5"
)

const (
	connectTimeout = 10 * time.Second
	tokenLife      = 12 * time.Hour // the gateway takes 24 hours at the most
)

// device speaks to the gateway as the seed's did: by number, over MQTT.
type device struct {
	identity
	registry string // projects/P/locations/L/registries/R
	project  string // the token's audience
	address  string
	tls      *tls.Config
	client   paho.Client // nil: not connected
}

// connect connects anew, with a token of its own.
func (d *device) connect() error {
	d.disconnect()
	token, err := d.token(time.Now())
	if err != nil {
		return err
	}
	client := paho.NewClient(paho.NewClientOptions().
		AddBroker("ssl://" + d.address).SetTLSConfig(d.tls).
		SetClientID(d.registry + "/devices/" + d.num()).SetUsername("unused").SetPassword(token).
		SetProtocolVersion(4).SetCleanSession(true).SetOrderMatters(false).
		SetAutoReconnect(false). // it would send again what was not confirmed
		SetConnectTimeout(connectTimeout).SetWriteTimeout(connectTimeout))
	connecting := client.Connect()
	if connecting.Wait(); connecting.Error() != nil {
		return connecting.Error()
	}
	d.client = client
	return nil
}

var errUnconfirmed = errors.New("not confirmed in time")

// publish returns nil when the gateway has confirmed. After any error the connection
// is gone.
func (d *device) publish(ctx context.Context, m *Message) error {
	topic := "/devices/" + d.num() + "/events"
	if folder := m.Kind.SubFolder(); folder != "" {
		topic += "/" + folder
	}
	publishing := d.client.Publish(topic, 1, false, m.Data)
	err := errUnconfirmed
	select {
	case <-publishing.Done():
		err = publishing.Error()
	case <-ctx.Done():
	}
	if err != nil {
		d.disconnect()
	}
	return err
}

func (d *device) disconnect() {
	if d.client != nil {
		d.client.Disconnect(250)
		d.client = nil
	}
}

func (d *device) num() string { return strconv.FormatUint(d.number, 10) }

func (d *device) token(now time.Time) (string, error) {
	claims := jwt.MapClaims{"aud": d.project, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix()}
	token, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(d.key)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return token, nil
}

// serverName is the name that the gateway's certificate must have.
func serverName(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
