package main

import (
	"crypto/ecdsa"
	"maps"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

// victim is what ends at a step.
type victim string

const (
	theAgent   victim = "the agent is killed"
	theGateway victim = "the gateway is killed"
	theAnswer  victim = "the connection is cut"
)

// Whoever is killed, and at whichever step of enrolling; and whichever part of a request
// or an answer is lost: the board asks again and has one credential in the end, with
// the certificate that was granted first. IOTBRIDGE_KILLS says how often; make
// enrol-kill-test wants 400.
func TestB69_B70_B74_KilledAtEachStepOfEnrolling(t *testing.T) {
	b := startEnrolment(t, "csr")
	first := b.board()
	agentFor(t, runtime.GOARCH)
	all := b.steps(first.dir, func() { first.enrolled() })
	first.settled(nil, map[string]*ecdsa.PrivateKey{})
	cases := enrolCases(t, all)
	reached := map[victim]int{}
	kills := enrolKills(t, 24)
	for i := range kills {
		c := cases[i%len(cases)]
		if c.enrol(b) {
			reached[c.victim]++
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%d steps; of %d tries were reached: %v", len(all), kills, reached)
	enough(t, reached, kills)
	b.wholeBooks(1 + kills)
}

// enough says that the steps were there to be disturbed.
func enough(t *testing.T, reached map[victim]int, tries int) {
	t.Helper()
	sum := 0
	for _, n := range reached {
		sum += n
	}
	if 2*sum < tries || reached[theGateway] == 0 {
		t.Errorf("of %d tries were reached %v: too little is proven", tries, reached)
	}
}

type enrolCase struct {
	step
	victim
}

// enrolCases are all that there are, the most telling first and the others in a random
// order.
func enrolCases(t *testing.T, all []step) (cases []enrolCase) {
	t.Helper()
	request := lastUp(t, all)
	deciding := func() time.Duration { return rand.N(10 * time.Millisecond) }
	for i := range 8 {
		cases = append(cases, enrolCase{afterRequest(request, deciding), theGateway}, enrolCase{atWrite(request, 1+i), theGateway})
	}
	for range 8 {
		cases = append(cases, enrolCase{atRandom(100 * time.Millisecond), theAgent}, enrolCase{atRandom(100 * time.Millisecond), theGateway})
	}
	for _, s := range all {
		cases = append(cases, enrolCase{s, theAgent}, enrolCase{s, theGateway})
		if s.instant != nil {
			cases = append(cases, enrolCase{s, theAnswer})
		}
	}
	shuffle(t, cases)
	answer := atInstant(instant{request.port, request.conn, false, lastDown(all, request.conn), true})
	return append([]enrolCase{{answer, theGateway}, {answer, theAgent}, {answer, theAnswer}, {atWrite(request, 1), theGateway}, {whileHeld(request), theGateway}, {whileHeld(request), theAgent}}, cases...)
}

func shuffle(t *testing.T, cases []enrolCase) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
}

// lastUp is when the last record of the first connection from the device has been passed
// on but for its end: the request.
func lastUp(t *testing.T, all []step) (last instant) {
	t.Helper()
	for _, s := range all {
		if s.instant != nil && s.instant.conn == 0 && s.instant.up && s.instant.half && s.instant.record > last.record {
			last = *s.instant
		}
	}
	// Behind it comes that the device closes.
	if last.record--; last.record < 1 {
		t.Fatalf("no request was seen in %+v", all)
	}
	return last
}

func lastDown(all []step, conn int) (record int) {
	for _, s := range all {
		if s.instant != nil && s.instant.conn == conn && !s.instant.up {
			record = max(record, s.instant.record)
		}
	}
	return record - 1 // before it is closed
}

// enrol enrols a board that is disturbed so, and closes its books.
func (c enrolCase) enrol(b *enrolBed) (reached bool) {
	b.t.Helper()
	d := b.board()
	ever := map[string]*ecdsa.PrivateKey{}
	var at trigger
	armed := make(chan *process, 1)
	disarm := c.arm(b, d.dir, at.goesOff(func() (cut bool) {
		p := <-armed
		switch c.victim {
		case theAgent:
			p.kill()
		case theGateway:
			b.killGateway()
		}
		return c.victim == theAnswer
	}))
	p := d.agent("provision", "--once")
	defer func() {
		if d.t.Failed() {
			d.t.Logf("%s: %s; the agent said\n%s", c.step.name, c.victim, p.said)
		}
	}()
	armed <- p
	<-p.ended
	disarm()
	if reached = at.close(); reached && c.victim == theGateway {
		b.serve()
	}
	keys, _, _ := d.owned()
	maps.Copy(ever, keys)
	before := d.atMost(1).certificate
	d.enrolled()
	d.tidied()
	d.settled(before, ever)
	return reached
}

// tidied has the agent work for a moment when a request was left behind that is answered.
func (d *enrolBoard) tidied() {
	d.t.Helper()
	if !d.has(".next") {
		return
	}
	p := d.agent("run")
	d.until("its request is taken away", func() bool { return !d.has(".next") })
	p.stop(d.t)
}
