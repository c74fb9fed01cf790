package gatewayd_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"iotbridge/gateway/provision"
	"iotbridge/internal/canary"
	"iotbridge/internal/testpostgres"
)

// provisioners are four gateways, each a process, over one PostgreSQL.
type provisioners struct {
	*gate // the first
	all   []*gate
	shown tls.Certificate // the bootstrap certificate
	logs  []string        // files
}

func (s *system) provisioners(keyMode string) *provisioners {
	s.t.Helper()
	p := &provisioners{}
	devices, boot := s.root(provision.ForDevice), s.root(provision.ForBootstrap)
	for i := range 4 {
		file := filepath.Join(s.dir, fmt.Sprintf("gateway%d.log", i))
		s.logs, p.logs = file, append(p.logs, file)
		p.all = append(p.all, s.gatewayProcess("--provision-ca="+devices.files, "--provision-ca-key="+devices.keys))
	}
	p.gate = p.all[0]
	p.seed()
	profile := map[string]any{
		"registry": "RaspberryPiDevices", "keyMode": keyMode, "reprovision": "refuse", "bootstrap": []any{map[string]any{"name": "factory", "authority": boot.pem}},
		"rates": map[string]int{"certificate": 100_000, "address": 100_000, "prefix": 100_000},
	}
	if code := p.ask(p.client(nil), "PUT", "http://"+p.api+"/v1/provisioning/profiles/batch", profile, nil); code != http.StatusOK {
		s.t.Fatalf("the profile: %d", code)
	}
	p.shown = s.bootstrapped(boot, "batch")
	return p
}

// bootstrapped is a bootstrap certificate in somebody's name.
func (s *system) bootstrapped(by *root, name string) tls.Certificate {
	s.t.Helper()
	key := s.newKey()
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := by.authority.Issue(provision.Leaf{CommonName: name, PublicKey: spki, Lifetime: time.Hour}, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// outcome is what one of many was answered.
type outcome struct {
	code                    int
	certificate, privateKey string
	err                     error
}

// claim has so many ask for a serial at the same time, a quarter at each gateway, and again
// when it cannot be decided now. key says with which.
func (p *provisioners) claim(serial string, many int, key func(i int) *ecdsa.PrivateKey) []outcome {
	p.t.Helper()
	outcomes, ready := make([]outcome, many), make(chan struct{})
	var asked sync.WaitGroup
	for i := range outcomes {
		body := map[string]any{"identifiers": map[string]any{"serialNumber": serial}}
		if k := key(i); k != nil {
			der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, k)
			if err != nil {
				p.t.Fatal(err)
			}
			body["csr"] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
		}
		text, err := json.Marshal(body)
		if err != nil {
			p.t.Fatal(err)
		}
		g := p.all[i%len(p.all)]
		client := g.client(&p.shown)
		asked.Go(func() {
			<-ready
			for late := time.Now().Add(patience); ; {
				outcomes[i] = enrolment(client, "https://"+g.https+"/v1/provisioning/batch:enroll", text)
				if outcomes[i].code != http.StatusServiceUnavailable || time.Now().After(late) {
					return
				}
			}
		})
	}
	close(ready)
	asked.Wait()
	for i, o := range outcomes {
		if o.err != nil {
			p.t.Fatalf("request %d: %v", i, o.err)
		}
	}
	return outcomes
}

func enrolment(client *http.Client, url string, body []byte) (o outcome) {
	res, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return outcome{err: err}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	var got struct{ Certificate, PrivateKey string }
	if err == nil {
		err = json.Unmarshal(text, &got)
	}
	return outcome{res.StatusCode, got.Certificate, got.PrivateKey, err}
}

// rows is one number of the database.
func (s *system) rows(query string, args ...any) (n int) {
	s.t.Helper()
	c, err := pgx.Connect(s.t.Context(), s.store)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close(s.t.Context())
	if err := c.QueryRow(s.t.Context(), query, args...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// B72, P4: a hundred boards say at once that they are one serial, each with a key of its
// own, at four gateways: one is believed. Asked a hundred times with one key, the four
// have one answer.
func TestB72_P4_AHundredAtFourGateways(t *testing.T) {
	address := testpostgres.Database(t)
	s := start(t)
	s.store = address
	p := s.provisioners("csr")
	const many, serial, same = 100, "10000000", "20000000"
	created, taken := "", 0
	for _, o := range p.claim(serial, many, func(int) *ecdsa.PrivateKey { return s.newKey() }) {
		switch {
		case (o.code == http.StatusCreated || o.code == http.StatusOK) && created == "":
			created = o.certificate
		case o.code == http.StatusConflict:
			taken++
		default:
			t.Errorf("%s: %d", serial, o.code)
		}
	}
	if created == "" || taken != many-1 {
		t.Errorf("%s: granted %t, %d were refused", serial, created != "", taken)
	}

	one, first, fresh := s.newKey(), "", 0
	for _, o := range p.claim(same, many, func(int) *ecdsa.PrivateKey { return one }) {
		if first == "" {
			first = o.certificate
		}
		if o.code == http.StatusCreated {
			fresh++
		} else if o.code != http.StatusOK {
			t.Errorf("%s: %d", same, o.code)
		}
		if o.certificate == "" || o.certificate != first {
			t.Errorf("%s: one key has two certificates:\n%s%s", same, first, o.certificate)
		}
	}
	if fresh > 1 {
		t.Errorf("%s: %d were the first", same, fresh)
	}
	for _, query := range []string{
		`SELECT count(*) FROM devices`, `SELECT count(*) FROM device_keys`, `SELECT count(*) FROM provision_claims`, `SELECT devices FROM provision_profiles`,
		`SELECT count(*) FROM provision_claims c JOIN device_keys k ON k.device = c.number AND k.spki = c.spki`,
		`SELECT count(*) FROM audit WHERE action = 'provision_claim'`, `SELECT count(*) FROM audit WHERE action = 'create_device'`,
	} {
		if got := s.rows(query); got != 2 {
			t.Errorf("%s: %d, want 2", query, got)
		}
	}
}

// P13 over PostgreSQL: a key that is made here is in no table, log or metric.
func TestP13_AKeyMadeHereIsInNoTable(t *testing.T) {
	address := testpostgres.Database(t)
	s := start(t)
	s.store = address
	p := s.provisioners("server")
	var keys []*ecdsa.PrivateKey
	for _, o := range p.claim("10000001", 8, func(int) *ecdsa.PrivateKey { return nil }) {
		if o.code != http.StatusCreated {
			continue // others asked meanwhile
		}
		block, _ := pem.Decode([]byte(o.privateKey))
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key.(*ecdsa.PrivateKey))
	}
	keys = append(keys, p.shown.PrivateKey.(*ecdsa.PrivateKey))
	if len(keys) < 2 || s.rows(`SELECT count(*) FROM device_keys`) != 1 {
		t.Fatalf("%d keys", len(keys))
	}
	found := s.tables()
	for i, g := range p.all {
		found[fmt.Sprintf("metrics of %d", i)] = []byte(g.get("/metrics"))
	}
	for _, file := range p.logs {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found[file] = text
	}
	whole := 0
	for where, text := range found {
		if bytes.Contains(text, []byte("10000001")) {
			whole++
		}
		for _, key := range keys {
			if canary.Sings(text, key) {
				t.Errorf("%s has a private key", where)
			}
		}
	}
	if whole < 4 { // devices, claims, audit log, a log
		t.Errorf("the device is in %d of %d: too little was looked through", whole, len(found))
	}
	t.Logf("%d keys, looked for in %d tables, logs and metrics", len(keys), len(found))
}

// tables are all of the database, as text.
func (s *system) tables() map[string][]byte {
	s.t.Helper()
	ctx := s.t.Context()
	c, err := pgx.Connect(ctx, s.store)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close(ctx)
	list, err := c.Query(ctx, `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)
	if err != nil {
		s.t.Fatal(err)
	}
	names, err := pgx.CollectRows(list, pgx.RowTo[string])
	if err != nil {
		s.t.Fatal(err)
	}
	found := map[string][]byte{}
	for _, name := range names {
		var text []byte
		if err := c.QueryRow(ctx, `SELECT coalesce(string_agg(t::text, chr(10)), '') FROM `+pgx.Identifier{name}.Sanitize()+` t`).Scan(&text); err != nil {
			s.t.Fatal(err)
		}
		found[name] = text
	}
	return found
}
