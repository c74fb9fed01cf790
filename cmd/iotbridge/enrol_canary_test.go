package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"iotbridge/internal/canary"
)

// P13: a key that is made by the platform is nowhere afterwards; a device's is in its own
// file, and the factory's are in theirs. Looked through is all that agent, gateway and
// the operator's commands have said, at the level debug, and have written: the store's
// tables and log, the spool, the status. So too of what was killed.
func TestP13_NoPrivateKeyIsWrittenAnywhereElse(t *testing.T) {
	b := startEnrolment(t, "both", "--log-level=debug")
	b.apply(fmt.Sprintf(enrolProfile, "both") + "reprovision: replace-never-connected\n")
	made, d := b.board(), b.board()
	_, lost, err := made.ask(nil) // and asked for again
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]*ecdsa.PrivateKey{"made for an answer that was lost": lost.key(t)}
	keys["made by the platform"], _ = made.given(&lost)
	if code := made.publishes(keys["made by the platform"]); code != http.StatusOK {
		t.Fatalf("it publishes: %d", code)
	}

	if p := d.agent("provision", "--once", "--log-level", "debug"); p.wait() != nil {
		t.Fatalf("%v\n%s", p.err, p.said)
	}
	_, keys["of the device, before"], _ = d.owned()
	d.due()
	p := d.agent("run", "--log-level", "debug")
	d.until("renewed", func() bool { return d.renewed(keys["of the device, before"]) })
	_, keys["of the device"], _ = d.owned()
	d.until("its status", func() bool {
		asked := d.agent("status", "--json")
		return asked.wait() == nil && bytes.Contains(asked.said.all(), []byte("sending"))
	})
	p.stop(t)
	for _, args := range [][]string{
		{"provision", "claims", "list", "--profile", "batch", "--json"},
		{"provision", "claims", "describe", d.serial, "--profile", "batch", "--json"},
		{"provision", "claims", "describe", made.serial, "--profile", "batch"},
		{"provision", "profiles", "describe", "batch", "--json"},
		{"devices", "describe", d.id(), "--json"},
		{"devices", "describe", made.id()},
	} {
		b.cli(append(args, "--local", b.dir)...)
	}
	found := map[string][]byte{"/metrics": b.scrape()}
	b.killGateway()
	b.serve()

	allowed := map[string]string{d.key(): "of the device"}
	for name, file := range map[string]string{"of the batch": "bootstrap-batch.key", "of the device authority": "device-ca.key", "of the bootstrap authority": "bootstrap-ca.key"} {
		at := filepath.Join(b.dir, "pki", file)
		keys[name], allowed[at] = keyIn(t, at), name
	}
	for _, board := range []*enrolBoard{made, d} {
		allowed[filepath.Join(board.dir, "bootstrap.key")] = "of the batch"
	}
	for i, s := range b.logs {
		found[fmt.Sprintf("process %d", i)] = s.all()
	}
	for _, dir := range []string{b.dir, made.dir, d.dir} {
		if err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			found[name], err = os.ReadFile(name)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, has := range []string{b.store(), b.store() + "-wal"} {
		if len(found[has]) == 0 {
			t.Errorf("%s was not looked through", has)
		}
	}
	sings := 0
	for where, text := range found {
		for name, key := range keys {
			switch {
			case key == nil:
				t.Fatalf("there is no key %s", name)
			case !canary.Sings(text, key):
			case allowed[where] == name:
				sings++
			default:
				t.Errorf("%s has the key %s", where, name)
			}
		}
	}
	if sings != len(allowed) {
		t.Errorf("%d keys were found where they are, of %d: the others would not be either", sings, len(allowed))
	}
	t.Logf("%d keys, looked for in %d files and outputs", len(keys), len(found))
}

func (p *process) wait() error {
	<-p.ended
	return p.err
}

func keyIn(t *testing.T, file string) *ecdsa.PrivateKey {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("%s is not PEM", file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PrivateKey)
}

// scrape is /metrics of the gateway.
func (b *enrolBed) scrape() []byte {
	b.t.Helper()
	res, err := http.Get("http://" + b.ops + "/metrics")
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Contains(text, []byte("gateway_provision")) {
		b.t.Fatalf("%v\n%s", err, text)
	}
	return text
}
