package main

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"encoding/pem"
	"maps"
	"os"
	"slices"
	"testing"
	"time"
)

// Whoever is killed, and at whichever step of renewing, the device is never without a
// credential that counts, never has more than two, and ends with the new one alone.
func TestB69_B70_KilledAtEachStepOfRenewing(t *testing.T) {
	b := startEnrolment(t, "csr")
	first := b.board()
	first.enrolled()
	first.due()
	_, before, _ := first.owned()
	var took time.Duration
	all := b.steps(first.dir, func() {
		begun := time.Now()
		p := first.agent("run")
		first.until("renewed", func() bool { return first.renewed(before) })
		took = time.Since(begun)
		p.stop(t)
	})
	first.settled(nil, map[string]*ecdsa.PrivateKey{spkiOf(t, before): before})
	var cases []enrolCase
	for range 6 {
		cases = append(cases, enrolCase{atRandom(took), theAgent}, enrolCase{atRandom(took), theGateway})
	}
	for _, s := range all {
		cases = append(cases, enrolCase{s, theAgent}, enrolCase{s, theGateway})
		if s.instant != nil {
			cases = append(cases, enrolCase{s, theAnswer})
		}
	}
	shuffle(t, cases)
	reached := map[victim]int{}
	kills := enrolKills(t, 12)
	for i := range kills {
		c := cases[i%len(cases)]
		if c.renew(b, i%6 != 5) {
			reached[c.victim]++
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%d steps in %v; of %d tries were reached: %v", len(all), took, kills, reached)
	enough(t, reached, kills)
	b.wholeBooks(1 + kills)
}

// renew renews a device's key and is disturbed so. Then the agent starts again, or, if it
// was not killed, goes on.
func (c enrolCase) renew(b *enrolBed, again bool) (reached bool) {
	b.t.Helper()
	d := b.board()
	d.enrolled()
	d.due()
	ever, before, certificate := d.owned()
	var at trigger
	hit, armed := make(chan struct{}), make(chan *process, 1)
	disarm := c.arm(b, d.dir, at.goesOff(func() (cut bool) {
		defer close(hit)
		p := <-armed
		switch c.victim {
		case theAgent:
			p.kill()
		case theGateway:
			b.killGateway()
		}
		return c.victim == theAnswer
	}))
	p := d.agent("run")
	defer func() {
		if d.t.Failed() {
			d.t.Logf("%s: %s; then the agent said\n%s", c.step.name, c.victim, p.said)
		}
	}()
	armed <- p
	d.until("renewed, or disturbed", func() bool {
		select {
		case <-hit:
			return true
		default:
			return d.renewed(before)
		}
	})
	if again || c.victim == theAgent {
		p.kill()
	}
	disarm()
	if reached = at.close(); reached && c.victim == theGateway {
		b.serve()
	}
	keys, _, _ := d.owned()
	maps.Copy(ever, keys)
	granted := d.atMost(2).certificate
	if bytes.Equal(granted, certificate) {
		granted = nil // not renewed yet
	}
	if again || c.victim == theAgent {
		p = d.agent("run")
	}
	d.until("renewed", func() bool { return d.renewed(before) })
	p.stop(d.t)
	d.settled(granted, ever)
	return reached
}

// renewed says that nothing is left to be done.
func (d *enrolBoard) renewed(before *ecdsa.PrivateKey) bool {
	d.t.Helper()
	_, own, _ := d.owned()
	if own == nil || own.Equal(before) || d.has(".next") || d.has(".old") {
		return false
	}
	alone := false
	d.alive(func() { alone = slices.Equal(d.atMost(2).keys, []string{spkiOf(d.t, own)}) })
	return alone
}

// due makes the credential one that is to be renewed now.
func (d *enrolBoard) due() {
	d.t.Helper()
	text, err := os.ReadFile(d.key())
	if err != nil {
		d.t.Fatal(err)
	}
	var aged bytes.Buffer
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "IOTBRIDGE IDENTITY" {
			members := map[string]any{}
			if err := json.Unmarshal(block.Bytes, &members); err != nil {
				d.t.Fatal(err)
			}
			members["renewAfter"] = time.Now().Add(-365 * 24 * time.Hour)
			if block.Bytes, err = json.Marshal(members); err != nil {
				d.t.Fatal(err)
			}
		}
		if err := pem.Encode(&aged, block); err != nil {
			d.t.Fatal(err)
		}
	}
	if err := os.WriteFile(d.key(), aged.Bytes(), 0o600); err != nil {
		d.t.Fatal(err)
	}
}
