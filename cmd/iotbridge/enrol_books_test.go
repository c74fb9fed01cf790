package main

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iotbridge/internal/site"
)

// owned are the private keys of a folder, by their public ones, and the certificate of the
// device's own file. What is not written whole is no key.
func (d *enrolBoard) owned() (keys map[string]*ecdsa.PrivateKey, own *ecdsa.PrivateKey, certificate []byte) {
	d.t.Helper()
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	keys = map[string]*ecdsa.PrivateKey{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(d.dir, e.Name()))
		if e.IsDir() || e.Name() == "bootstrap.key" || os.IsNotExist(err) {
			continue
		}
		if err != nil {
			d.t.Fatal(err)
		}
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			mine := e.Name() == filepath.Base(d.key())
			switch block.Type {
			case "PRIVATE KEY":
				key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
				if err != nil {
					d.t.Fatalf("%s: %v", e.Name(), err)
				}
				k := key.(*ecdsa.PrivateKey)
				if keys[spkiOf(d.t, k)] = k; mine {
					own = k
				}
			case "CERTIFICATE":
				if mine && certificate == nil {
					certificate = block.Bytes
				}
			}
		}
	}
	return keys, own, certificate
}

// spkiOf is the SHA-256 of the public key.
func spkiOf(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	return fmt.Sprintf("%X", sum[:])
}

// ledger is what the store has of a serial number.
type ledger struct {
	claims, devices int
	certificate     []byte // the claim's
	keys            []string
	credentials     int
}

// ledger is read from the store's file, past the gateway, which is alive: a store that
// nobody has recovered cannot be read only.
func (d *enrolBoard) ledger() (l ledger) {
	d.t.Helper()
	db, err := sql.Open("sqlite", "file:"+d.store()+"?mode=ro&_pragma=busy_timeout(30000)")
	if err != nil {
		d.t.Fatal(err)
	}
	defer db.Close()
	// One look at all, so that nothing changes meanwhile.
	var keys, credentials string
	if err := db.QueryRow(`SELECT
		(SELECT count(*) FROM provision_claims WHERE serial = $1), (SELECT count(*) FROM devices WHERE name = $2),
		(SELECT certificate FROM provision_claims WHERE serial = $1),
		(SELECT coalesce(group_concat(hex(k.spki)), '') FROM device_keys k JOIN devices d ON d.number = k.device WHERE d.name = $2),
		coalesce((SELECT credentials FROM devices WHERE name = $2), '[]')`, d.serial, d.id()).
		Scan(&l.claims, &l.devices, &l.certificate, &keys, &credentials); err != nil {
		d.t.Fatal(err)
	}
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(credentials), &list); err != nil {
		d.t.Fatal(err)
	}
	if l.credentials = len(list); keys != "" {
		l.keys = strings.Split(keys, ",")
	}
	return l
}

// atMost is true of a store at any moment: all of a claim or nothing of it, and no key
// but the claim's and, while it is renewed, the one before.
func (d *enrolBoard) atMost(credentials int) ledger {
	d.t.Helper()
	l := d.ledger()
	if l.claims > 1 || l.devices != l.claims || len(l.keys) != l.credentials || l.credentials > credentials || (l.credentials == 0) != (l.claims == 0) {
		d.t.Errorf("%s: %+v", d.serial, l)
	}
	return l
}

// settled closes the books on a board: one claim, one device, one credential, which is
// that of the key on its disk and lets it in; the same certificate, whoever asks again
// with that key; no other key that ever was on its disk lets anybody in.
func (d *enrolBoard) settled(before []byte, ever map[string]*ecdsa.PrivateKey) {
	d.t.Helper()
	keys, own, certificate := d.owned()
	if own == nil || certificate == nil {
		d.t.Errorf("%s has no credential", d.serial)
		return
	}
	l := d.ledger()
	if l.claims != 1 || l.devices != 1 || l.credentials != 1 || len(l.keys) != 1 || l.keys[0] != spkiOf(d.t, own) {
		d.t.Errorf("%s, whose key is %s: %+v", d.serial, spkiOf(d.t, own), l)
	}
	if !bytes.Equal(l.certificate, certificate) || before != nil && !bytes.Equal(before, certificate) {
		d.t.Errorf("%s: the certificate that it has is not the one that was granted first", d.serial)
	}
	if code, again := d.asks(own); code != http.StatusOK || !bytes.Equal(again, certificate) {
		d.t.Errorf("%s, asked again with its key: %d, the same certificate: %t", d.serial, code, bytes.Equal(again, certificate))
	}
	if code := d.publishes(own); code != http.StatusOK {
		d.t.Errorf("%s publishes: %d", d.serial, code)
	}
	d.connected()
	for spki, key := range keys {
		if ever[spki] = key; spki != spkiOf(d.t, own) {
			d.t.Errorf("%s has a second private key", d.serial)
		}
	}
	for spki, key := range ever {
		if spki == spkiOf(d.t, own) {
			continue
		}
		if code := d.publishes(key); code != http.StatusUnauthorized {
			d.t.Errorf("%s publishes with another key that it had: %d", d.serial, code)
		}
	}
}

// connected waits until the claim knows that its device has connected: a gateway that
// cannot tell the store in time lets the device in, and tells it later.
func (d *enrolBoard) connected() {
	d.t.Helper()
	d.until("its claim is active", func() bool {
		return d.count(`SELECT count(*) FROM provision_claims WHERE state = 'ACTIVE' AND serial = '`+d.serial+`'`) == 1
	})
}

// client shows a certificate; "" none.
func (b *enrolBed) client(certificate, key string) *http.Client {
	b.t.Helper()
	roots, err := site.Roots(b.files.CA)
	if err != nil {
		b.t.Fatal(err)
	}
	config := &tls.Config{RootCAs: roots, ServerName: "localhost"}
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			b.t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}

func (b *enrolBed) bootstrapped() *http.Client {
	pki := filepath.Join(b.dir, "pki")
	return b.client(filepath.Join(pki, "bootstrap-batch.pem"), filepath.Join(pki, "bootstrap-batch.key"))
}

// asks sends what the agent sends, with the key; nil: none, it is to be made for it.
func (d *enrolBoard) asks(key *ecdsa.PrivateKey) (code int, certificate []byte) {
	d.t.Helper()
	var got granted
	code = d.answered(func() (code int, err error) {
		code, got, err = d.ask(key)
		return code, err
	})
	return code, got.certificate()
}

// answered asks until the gateway decides: what it cannot do now it is asked again.
func (d *enrolBoard) answered(ask func() (code int, err error)) (code int) {
	d.t.Helper()
	var err error
	d.until("the gateway decides", func() bool {
		if code, err = ask(); err != nil {
			d.t.Fatal(err)
		}
		return code < 500
	})
	return code
}

type granted struct{ Certificate, PrivateKey string }

func (g *granted) certificate() []byte {
	if block, _ := pem.Decode([]byte(g.Certificate)); block != nil {
		return block.Bytes
	}
	return nil
}

func (d *enrolBoard) ask(key *ecdsa.PrivateKey) (code int, got granted, err error) {
	body := map[string]any{"identifiers": map[string]string{"serialNumber": d.serial}}
	if key != nil {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
		if err != nil {
			return 0, got, err
		}
		body["csr"] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	}
	text, err := json.Marshal(body)
	if err != nil {
		return 0, got, err
	}
	res, err := d.bootstrapped().Post("https://"+d.https.address()+"/v1/provisioning/batch:enroll", "application/json", bytes.NewReader(text))
	if err != nil {
		return 0, got, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil {
		err = json.Unmarshal(answer, &got)
	}
	return res.StatusCode, got, err
}

// publishes sends one message over HTTP with the key's token.
func (d *enrolBoard) publishes(key *ecdsa.PrivateKey) int {
	d.t.Helper()
	return d.answered(func() (int, error) { return d.publish(key) })
}

func (d *enrolBoard) publish(key *ecdsa.PrivateKey) (int, error) {
	d.t.Helper()
	name := fmt.Sprintf("projects/%s/locations/%s/registries/%s/devices/%s", d.cloud.Project, d.cloud.Location, d.cloud.Registry, d.id())
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, "https://"+d.https.address()+"/v1/"+name+":publishEvent",
		strings.NewReader(`{"binary_data":"`+base64.StdEncoding.EncodeToString([]byte("here"))+`"}`))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+tokenOf(d.t, key, d.cloud.Project))
	r.Header.Set("Content-Type", "application/json")
	res, err := d.client("", "").Do(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// tokenOf is made by hand, as RFC 7515 says.
func tokenOf(t *testing.T, key *ecdsa.PrivateKey, project string) string {
	t.Helper()
	part := base64.RawURLEncoding.EncodeToString
	now := time.Now().Unix()
	signed := part([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + part(fmt.Appendf(nil, `{"aud":%q,"iat":%d,"exp":%d}`, project, now, now+3600))
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + part(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// count is one number of the store.
func (b *enrolBed) count(query string) (n int) {
	b.t.Helper()
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: b.store(), RawQuery: "mode=ro&_pragma=busy_timeout(30000)"}).String())
	if err == nil {
		defer db.Close()
		err = db.QueryRow(query).Scan(&n)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// wholeBooks are those of all boards: each has one of everything, and one entry in the
// audit log of every grant.
func (b *enrolBed) wholeBooks(boards int) {
	b.t.Helper()
	for _, query := range []string{
		`SELECT count(*) FROM devices`, `SELECT count(*) FROM device_keys`, `SELECT count(DISTINCT device) FROM device_keys`,
		`SELECT count(*) FROM provision_claims WHERE state = 'ACTIVE'`, `SELECT count(*) FROM provision_claims`, `SELECT devices FROM provision_profiles`,
		`SELECT count(*) FROM provision_claims c JOIN device_keys k ON k.device = c.number AND k.spki = c.spki`,
		`SELECT count(*) FROM audit WHERE action = 'provision_claim'`,
	} {
		if got := b.count(query); got != boards {
			b.t.Errorf("%s: %d, want %d", query, got, boards)
		}
	}
}

// kills says how often to kill.
func enrolKills(t *testing.T, usual int) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(cmp.Or(os.Getenv(killsVariable), fmt.Sprint(usual)), &n); err != nil {
		t.Fatalf("%s: %v", killsVariable, err)
	}
	return n
}
