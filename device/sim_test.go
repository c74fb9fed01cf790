package device

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds     = flag.Int("device.seeds", 60, "simulated lives of an agent")
	firstSeed = flag.Uint64("device.seed", 1, "the first one's seed")
)

// TestSimulation lives an agent's life, seed by seed: ten minutes or so of faults at
// any point, then an hour without. What must hold is in world.judge.
func TestSimulation(t *testing.T) {
	fired := map[string]int{}
	for n := range *seeds {
		seed := *firstSeed + uint64(n)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, seed, fired)
				w.live()
				w.heal()
				w.judge()
			})
		})
		if t.Failed() {
			t.Fatalf("again with: go test ./device -run TestSimulation -device.seeds 1 -device.seed %d", seed)
		}
	}
	t.Logf("faults: %v", fired)
	for _, f := range faults {
		if fired[f.name] == 0 && *seeds >= 50 {
			t.Errorf("%s never happened", f.name)
		}
	}
}

// world is a bed that things happen to.
type world struct {
	*bed
	rng    *rand.Rand
	fired  map[string]int
	starts int
	odds   [4]float64 // of each fate
}

func newWorld(t *testing.T, seed uint64, fired map[string]int) *world {
	w := &world{bed: newBed(t), rng: rand.New(rand.NewPCG(seed, 0)), fired: fired}
	s := &w.agent.Settings
	s.Window = 1 + w.rng.IntN(40)
	s.BacklogRate = 5 + w.rng.IntN(600)
	s.RingRecords = 3 + w.rng.IntN(40)
	s.AckTimeout = time.Duration(5+w.rng.IntN(40)) * time.Second
	s.GracePeriod = time.Duration(1+w.rng.IntN(5)) * time.Second
	w.gate.latency = time.Duration(w.rng.IntN(300)) * time.Millisecond
	if w.rng.IntN(2) == 0 {
		w.spool.max = 20 + w.rng.IntN(300)
	}
	w.spool.fill(w.clock, w.rng.IntN(200))
	if w.rng.IntN(3) == 0 {
		w.clock.set(time.Until(time.Unix(w.rng.Int64N(1e9), 0)), false)
	}
	dice := rand.New(rand.NewPCG(seed, 1)) // the gateway's own
	w.gate.fate = func(string, string) fate {
		at := dice.Float64()
		for f, odds := range w.odds {
			if at < odds {
				return fate(f)
			}
			at -= odds
		}
		return confirmed
	}
	w.sensor.sample = func(_ context.Context, n int) ([]Sample, error) {
		switch n % 7 {
		case 0:
			return []Sample{{Probe: "b", Temperature: temperature(n), Extra: []byte(`"n":1,"Timestamp":0`)}}, nil
		case 1:
			return []Sample{{Temperature: temperature(n), Suspect: true}}, errors.New("another probe")
		}
		return []Sample{{Temperature: temperature(n)}}, nil
	}
	return w
}

// faults are what may happen. They stay until another puts an end to them.
var faults = []struct {
	name string
	do   func(w *world)
}{
	{"cut", func(w *world) { w.cut(false) }},
	{"cut, no answers", func(w *world) { w.cut(true) }},
	{"renewal", func(w *world) {
		if s := w.gate.session(); s != nil {
			s.wantRenewal()
		}
	}},
	{"bad link", func(w *world) {
		w.gate.set(func(*memGate) { w.odds = [4]float64{0.9, 0.04, 0.04, 0.02} })
	}},
	{"good link", func(w *world) { w.gate.set(func(*memGate) { w.odds = [4]float64{} }) }},
	{"silent gateway", func(w *world) { w.gate.set(func(*memGate) { w.odds = [4]float64{unconfirmed: 1} }) }},
	{"no network", func(w *world) { w.refuse(errors.New("no route")) }},
	{"refused", func(w *world) { w.refuse(&Refused{byte(2 + w.rng.IntN(4))}) }},
	{"let in", func(w *world) { w.refuse(nil) }},
	{"disk full", func(w *world) { w.spool.fail(errors.New("no space left on device"), nil, nil) }},
	{"disk unreadable", func(w *world) { w.spool.fail(nil, errors.New("EIO"), nil) }},
	{"disk read-only", func(w *world) { e := errors.New("read-only"); w.spool.fail(e, nil, e) }},
	{"disk well", func(w *world) { w.spool.fail(nil, nil, nil) }},
	{"clock jumps", func(w *world) {
		w.clock.set(time.Duration(w.rng.Int64N(int64(1e4*time.Hour)))-5e3*time.Hour, w.rng.IntN(2) == 0)
	}},
	{"clock right", func(w *world) { w.clock.set(0, true) }},
	{"restart", func(w *world) { w.restart("") }},
	{"crash and reboot", func(w *world) { w.restart(fmt.Sprint("boot-", w.starts)) }},
	{"configuration", func(w *world) {
		w.inbox(func(in Inbox) { in.Config(fmt.Appendf(nil, `{"version":1,"interval":%d}`, 1+w.rng.IntN(4))) })
	}},
	{"command", func(w *world) {
		w.inbox(func(in Inbox) { in.Command("", []byte([]string{"report", "restart-sampling", "x"}[w.rng.IntN(3)])) })
	}},
}

func (w *world) live() {
	w.begin()
	for range 40 + w.rng.IntN(60) {
		pass(time.Duration(w.rng.Int64N(int64(12 * time.Second))))
		f := faults[w.rng.IntN(len(faults))]
		w.fired[f.name]++
		f.do(w)
	}
}

func (w *world) begin() {
	w.starts++
	w.bed.start()
}

func (w *world) heal() {
	for _, name := range []string{"good link", "let in", "disk well", "clock right"} {
		for _, f := range faults {
			if f.name == name {
				f.do(w)
			}
		}
	}
	w.until("everything sent and told", func() bool {
		return w.idle() && len(w.spool.Gaps()) == 0
	})
	w.stop()
}

func (w *world) cut(quiet bool) {
	if s := w.gate.session(); s != nil {
		s.mu.Lock()
		s.quiet = quiet
		s.mu.Unlock()
		s.end(errors.New("connection reset by peer"))
	}
}

func (w *world) refuse(err error) {
	w.gate.set(func(g *memGate) { g.refuse = func(int) error { return err } })
}

func (w *world) inbox(f func(Inbox)) {
	if s := w.gate.session(); s != nil {
		f(s.in)
	}
}

// restart ends the agent. With a new boot, what the spool was told to forget last
// comes again.
func (w *world) restart(boot string) {
	if took := w.stop(); took > w.agent.Settings.GracePeriod {
		w.t.Errorf("Run took %s after its context", took)
	}
	if boot != "" {
		w.spool.crash()
		w.clock.reboot(boot, time.Until(time.Unix(w.rng.Int64N(1e9), 0)), w.rng.IntN(2) == 0)
	}
	old := w.agent
	w.agent = &Agent{
		Settings: old.Settings, Sensor: old.Sensor, Spool: old.Spool, Uplink: old.Uplink, Clock: old.Clock, Log: old.Log, Version: old.Version,
	}
	w.begin()
}

// judge says what does not hold. The spool has seen to it that nothing was forgotten
// before it was confirmed, the gateway that nothing was under way twice and that the
// window was kept, the bubble that every goroutine has ended.
func (w *world) judge() {
	t, g, s := w.t, w.gate, w.spool
	told := map[string]bool{} // readings that were called lost
	for _, m := range g.messages(topicGap) {
		gap := m.reading(t).Gap
		for seq := gap.First; seq <= gap.Last; seq++ {
			told[readingID(gap.Stream, seq)] = true
		}
	}
	known := map[string]record{}
	for _, r := range s.records {
		id := readingID(s.stream, r.seq)
		rec, err := decodeRecord(r.data)
		if err != nil {
			t.Fatal(err)
		}
		known[id] = rec
		switch there := len(g.ids[id]) > 0; {
		case !there && !r.lost:
			t.Errorf("%s was durable and never arrived", id)
		case !there && !told[id]:
			t.Errorf("%s was dropped, and nobody was told", id)
		case told[id] && !r.lost:
			t.Errorf("%s is called lost, and is not", id)
		}
	}
	arrived := map[float64]bool{}
	for id, bodies := range g.ids {
		rec, ours := known[id]
		if !ours && strings.HasPrefix(id, s.stream) {
			t.Errorf("%s was never measured", id)
		}
		// Only the time of a reading from before the clock was set may be known better,
		// or worse, by an agent that was started again.
		if len(bodies) > 1 && (!ours || rec.plausible || w.starts == 1) {
			t.Errorf("%s has %d bodies: %s", id, len(bodies), bodies)
		}
		for _, body := range bodies {
			r := (&message{body: body}).reading(t)
			if ours && r.Temperature != rec.temperature {
				t.Errorf("%s was measured as %v and sent as %v", id, rec.temperature, r.Temperature)
			}
			arrived[r.Temperature] = true
		}
	}
	if w.starts > 1 {
		return // what was in memory only may be gone with it
	}
	missing := 0
	for n := range w.sensor.count() {
		if !arrived[temperature(n+1)] {
			missing++
		}
	}
	if missing > len(told) {
		t.Errorf("%d readings are missing, %d are called lost", missing, len(told))
	}
}
