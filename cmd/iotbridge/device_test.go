package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/golang-jwt/jwt/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"iotbridge/internal/site"
)

// keygen makes ec_private.pem and ec_public.pem, as openssl does. In a file, the public
// one takes the place of the JSON string "PUBLIC KEY": keygen [FILE].
func keygen(ts *testscript.TestScript, _ bool, args []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	private, err := x509.MarshalECPrivateKey(key)
	ts.Check(err)
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	ts.Check(err)
	for name, block := range map[string]*pem.Block{"ec_private.pem": {Type: "EC PRIVATE KEY", Bytes: private}, "ec_public.pem": {Type: "PUBLIC KEY", Bytes: public}} {
		ts.Check(os.WriteFile(ts.MkAbs(name), pem.EncodeToMemory(block), 0o600))
	}
	for _, name := range args {
		text, err := json.Marshal(ts.ReadFile("ec_public.pem"))
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(strings.ReplaceAll(ts.ReadFile(name), `"PUBLIC KEY"`, string(text))), 0o600))
	}
}

// send publishes one message as the device of gcp_iot_config.txt, at the gateway of the
// system in the directory, and wants it confirmed, or else the connection closed:
// [!] send DIR EVENTS BODY, where EVENTS follows /devices/NUMBER unless it begins with /.
func send(ts *testscript.TestScript, neg bool, args []string) {
	s, err := site.Read(ts.MkAbs(args[0]))
	ts.Check(err)
	settings := ini(ts.ReadFile("gcp_iot_config.txt"))
	roots, err := site.Roots(s.CA)
	ts.Check(err)
	key, err := jwt.ParseECPrivateKeyFromPEM([]byte(ts.ReadFile(settings["PRIVATE_KEY"])))
	ts.Check(err)
	now := time.Now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"aud": settings["PROJECT_ID"], "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}).SignedString(key)
	ts.Check(err)
	client := paho.NewClient(paho.NewClientOptions().AddBroker("ssl://" + s.MQTT).
		SetTLSConfig(&tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}).
		SetClientID("projects/" + settings["PROJECT_ID"] + "/locations/" + settings["REGION"] + "/registries/" + settings["REGISTRY_ID"] + "/devices/" + settings["DEVICE_ID"]).
		SetUsername("unused").SetPassword(token).SetProtocolVersion(4).SetAutoReconnect(false))
	connecting := client.Connect()
	connecting.Wait()
	if err := connecting.Error(); err != nil {
		ts.Fatalf("not connected: %v", err)
	}
	defer client.Disconnect(250)
	topic := args[1]
	if !strings.HasPrefix(topic, "/") {
		topic = "/devices/" + settings["DEVICE_ID"] + "/" + topic
	}
	publishing := client.Publish(topic, 1, false, args[2])
	if !publishing.WaitTimeout(2 * time.Minute) {
		ts.Fatalf("neither confirmed nor closed")
	}
	if err := publishing.Error(); (err != nil) != neg {
		ts.Fatalf("%s: %v", topic, err)
	}
}

// ini reads the settings of a gcp_iot_config.txt.
func ini(text string) map[string]string {
	settings := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok && !strings.HasPrefix(key, "#") {
			settings[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return settings
}
