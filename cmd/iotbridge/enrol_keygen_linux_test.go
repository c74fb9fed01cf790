package main

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"testing"
	"time"
)

// A key that is made by the platform is answered once. The gateway is killed, or the
// answer is lost, at whichever step: the board is given another, and the one before, if
// there was one, is worth nothing, though its answer may have come whole.
func TestB70_B74_KilledWhileAKeyIsMade(t *testing.T) {
	b := startEnrolment(t, "server")
	first := b.board()
	all := b.steps(t.TempDir(), func() { first.given(nil) })
	first.keyed(nil)
	reached, kills := map[victim]int{}, enrolKills(t, 12)
	var cases []enrolCase
	for _, c := range enrolCases(t, all) {
		if c.victim != theAgent {
			cases = append(cases, c)
		}
	}
	for i := range kills {
		c := cases[i%len(cases)]
		if c.keygen(b) {
			reached[c.victim]++
		}
		if t.Failed() {
			t.Fatalf("%s: %s", c.step.name, c.victim)
		}
	}
	t.Logf("%d steps; of %d tries were reached: %v", len(all), kills, reached)
	enough(t, reached, kills)
	b.wholeBooks(1 + kills)
}

// keygen is given a key and is disturbed so.
func (c enrolCase) keygen(b *enrolBed) (reached bool) {
	b.t.Helper()
	d := b.board()
	var at trigger
	disarm := c.arm(b, b.t.TempDir(), at.goesOff(func() (cut bool) {
		if c.victim == theGateway {
			b.killGateway()
		}
		return c.victim == theAnswer
	}))
	_, lost, err := d.ask(nil) // and the board dies before it has stored it
	disarm()
	if reached = at.close(); reached && c.victim == theGateway {
		b.serve()
	}
	d.atMost(1)
	if err != nil {
		lost = granted{}
	}
	d.keyed(&lost)
	return reached
}

// given asks until it is given a key.
func (d *enrolBoard) given(before *granted) (*ecdsa.PrivateKey, []byte) {
	d.t.Helper()
	for end := time.Now().Add(agentPatience); ; {
		code, got, err := d.ask(nil)
		if err == nil && code == http.StatusCreated {
			key := got.key(d.t)
			if before != nil && before.PrivateKey == got.PrivateKey {
				d.t.Errorf("%s: a private key was told twice", d.serial)
			}
			return key, got.certificate()
		}
		if err == nil && code < 500 || time.Now().After(end) {
			d.t.Fatalf("%s: %d, %v", d.serial, code, err)
		}
	}
}

// key is nil when none was told.
func (g *granted) key(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	block, _ := pem.Decode([]byte(g.PrivateKey))
	if block == nil {
		return nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PrivateKey)
}

// keyed has the board ask again, and closes its books. lost is what it was told before.
func (d *enrolBoard) keyed(lost *granted) {
	d.t.Helper()
	own, certificate := d.given(lost)
	l := d.atMost(1)
	if own == nil || len(l.keys) != 1 || l.keys[0] != spkiOf(d.t, own) || string(l.certificate) != string(certificate) {
		d.t.Fatalf("%s: %+v", d.serial, l)
	}
	if code := d.publishes(own); code != http.StatusOK {
		d.t.Errorf("%s publishes: %d", d.serial, code)
	}
	d.connected()
	if lost != nil {
		if key := lost.key(d.t); key != nil {
			if code := d.publishes(key); code != http.StatusUnauthorized {
				d.t.Errorf("%s publishes with the key before: %d", d.serial, code)
			}
		}
	}
	// It has connected: no other key any more.
	var got granted
	code := d.answered(func() (code int, err error) {
		code, got, err = d.ask(nil)
		return code, err
	})
	if code != http.StatusConflict || got.PrivateKey != "" || d.atMost(1).keys[0] != l.keys[0] {
		d.t.Errorf("%s, asked once more: %d", d.serial, code)
	}
}
