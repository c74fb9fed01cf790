package mqtt

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
	"iotbridge/gateway/registry"
)

// ready is Pub/Sub that confirms at once.
type ready struct{ published sync.Map }

func (r *ready) Publish(topic string, attributes []gateway.Attribute, data []byte, done func(error)) {
	for _, a := range attributes {
		topic += " " + a.Key + "=" + a.Value
	}
	r.published.Store(topic, string(data))
	done(nil)
}

// A device's life with the real registry, verifier and bridge.
func TestWithTheRealParts(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	store, err := registry.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "registry.db"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.CreateRegistry(ctx, "test", &gateway.Registry{
		Key: registryKey, MQTT: true,
		Routes: []gateway.Route{{SubFolder: "temperature", Topic: "projects/project-1/topics/temperature"}, {Topic: "projects/project-1/topics/sensordata"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	name := gateway.DeviceKey{RegistryKey: registryKey, Device: "device1"}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	device, err := store.CreateDevice(ctx, "test", &gateway.Device{Key: name, Credentials: []gateway.Credential{{Format: gateway.ES256PEM, PEM: public}}})
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodES256,
		jwt.MapClaims{"aud": "project-1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pubsub := &ready{}
	bridge := &gateway.Bridge{Directory: store, Mailbox: store, Bus: store, Verifier: &auth.Verifier{}, Publisher: pubsub, Instance: "a", Limiter: gateway.NewLimiter()}
	server := &Server{Bridge: bridge, Mailbox: store, Bus: store, Instance: "a", TLS: serverTLS()}
	var running sync.WaitGroup
	for _, run := range []func() error{
		func() error { return store.Run(ctx) }, func() error { return bridge.Run(ctx) },
		func() error { return server.Run(ctx) }, func() error { return server.Serve(ctx, l) },
	} {
		running.Go(func() {
			if err := run(); err != nil {
				t.Error(err)
			}
		})
	}
	defer store.Close()
	defer running.Wait()
	defer stop()

	s := &site{t: t, listen: l}
	c := s.dial()
	c.send(connectPacket(clientID(device.Num()), token, 60))
	c.expect("\x20\x02\x00\x00")
	c.send(publish("/devices/"+device.Num()+"/events/temperature", 1, "21.5"))
	c.send(publish("/devices/device1/events/other", 2, "x"))
	c.expect(puback(1) + puback(2))
	identity := " deviceId=device1 deviceNumId=" + device.Num() + " deviceRegistryId=RaspberryPiDevices deviceRegistryLocation=us-central1 projectId=project-1 subFolder="
	for topic, data := range map[string]string{"temperature" + identity + "temperature": "21.5", "sensordata" + identity + "other": "x"} {
		if got, _ := pubsub.published.Load("projects/project-1/topics/" + topic); got != data {
			t.Errorf("%s: %v", topic, got)
		}
	}

	c.send(subscribe(1, "/devices/device1/config", 1))
	c.expect("\x90\x03\x00\x01\x01" + sent(0x32, "/devices/device1/config", 1, ""))
	c.send([]byte(puback(1)))
	if _, err := store.SetConfig(ctx, "test", name, 0, []byte("two")); err != nil {
		t.Fatal(err)
	}
	c.expect(sent(0x32, "/devices/device1/config", 2, "two"))
	c.send([]byte(puback(2)))

	c.send(subscribe(2, "/devices/device1/commands/#", 1))
	c.expect("\x90\x03\x00\x02\x01")
	answered := make(chan error, 1)
	go func() { answered <- store.Send(ctx, gateway.Command{Device: device.Number, Data: []byte("go")}) }()
	c.expect(sent(0x32, "/devices/device1/commands", 3, "go"))
	c.send([]byte(puback(3)))
	if err := <-answered; err != nil {
		t.Error(err)
	}

	if _, err := store.UpdateDevice(ctx, "test", name, func(d *gateway.Device) error { d.Blocked = true; return nil }); err != nil {
		t.Fatal(err)
	}
	c.closed() // because it was told: nothing here asks again
	again := s.dial()
	again.send(connectPacket(clientID("device1"), token, 60))
	again.expect("\x20\x02\x00\x05")
}
