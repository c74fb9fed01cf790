package device

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestReadingsArriveInOrderUnderTheirNames(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.start()
		pass(10*time.Second + 100*time.Millisecond)
		got := b.gate.readings()
		if len(got) != 11 {
			t.Fatalf("%d readings in 10 s, want 11", len(got))
		}
		began := b.sensor.times[0]
		for i, m := range got {
			r := m.reading(t)
			at := began.Add(time.Duration(i) * time.Second)
			if r.ID != readingID(b.spool.stream, uint64(i+1)) || r.Temperature != temperature(i+1) || !r.time(t).Equal(at) || r.DeviceID != "2577321808646966" {
				t.Errorf("reading %d: %s", i, m.body)
			}
		}
		s := b.agent.Status()
		if s.Link != linkSending || s.Sent != 11 || s.Spool.Records != 0 || s.Interval != "1s" || s.LastPuback.IsZero() || !s.LastSample.Equal(began.Add(10*time.Second)) {
			t.Errorf("status: %+v", s)
		}
	})
}

func TestSettingsThatCannotBeEndRun(t *testing.T) {
	for name, f := range map[string]func(s *Settings){
		"no id":            func(s *Settings) { s.DeviceID = "" },
		"id with a quote":  func(s *Settings) { s.DeviceID = `dev"ice` },
		"topic":            func(s *Settings) { s.Subfolder = "a//b" },
		"wildcard":         func(s *Settings) { s.Subfolder = "#" },
		"interval 0":       func(s *Settings) { s.Interval = 0 },
		"no least":         func(s *Settings) { s.MinInterval, s.Interval = 0, 0 },
		"least over most":  func(s *Settings) { s.MinInterval = 48 * time.Hour },
		"window 0":         func(s *Settings) { s.Window = 0 },
		"rate 0":           func(s *Settings) { s.BacklogRate = 0 },
		"no grace":         func(s *Settings) { s.GracePeriod = 0 },
		"ring of nothing":  func(s *Settings) { s.RingRecords = 0 },
		"too many sensors": func(s *Settings) { s.Sensors = make([]string, maxProbes+1) },
	} {
		b := newBed(t)
		f(&b.agent.Settings)
		if err := b.agent.Run(t.Context()); err == nil {
			t.Errorf("%s: Run begins", name)
		}
	}
	a := &Agent{Settings: DefaultSettings("device1")}
	if err := a.Run(t.Context()); err == nil {
		t.Error("no parts: Run begins")
	}
}

// faulty is a probe's error.
type faulty struct{ probe string }

func (f faulty) Error() string       { return f.probe + ": CRC NO" }
func (f faulty) FaultyProbe() string { return f.probe }
func (f faulty) FaultClass() string  { return "crc" }

func TestB1_AProbesErrorIsCountedAndGivesNoValue(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.sensor.set(func(_ context.Context, n int) ([]Sample, error) {
			good := []Sample{{Probe: "b", Temperature: temperature(n)}}
			if n > 5 {
				return append(good, Sample{Probe: "a", Temperature: 1}), nil
			}
			return good, fmt.Errorf("w1: %w", errors.Join(faulty{"a"}, faulty{"c"}))
		})
		b.start()
		pass(4500 * time.Millisecond)
		for _, m := range b.gate.readings() {
			if r := m.reading(t); r.Probe != "b" {
				t.Errorf("a value from a probe that had none: %s", m.body)
			}
		}
		if s := b.agent.Status(); s.SensorErrors["a"] != 5 || s.SensorErrors["c"] != 5 || len(s.SensorErrors) != 2 || s.SensorFaults["crc"] != 10 || s.SensorError == "" {
			t.Errorf("status: %+v", s)
		}
		pass(2 * time.Second)
		if s := b.agent.Status(); s.SensorError != "" || s.SensorErrors["a"] != 5 {
			t.Errorf("healed: %+v", s)
		}
		if b.said("the sensor") != 2 {
			t.Errorf("the log says more than begin and end: %v", b.logs.All())
		}
	})
}

func TestB2_SuspectIsSaidUpstream(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.sensor.set(func(context.Context, int) ([]Sample, error) {
			return []Sample{{Temperature: 85, Suspect: true}, {Probe: "b", Temperature: 20}}, nil
		})
		b.start()
		pass(500 * time.Millisecond)
		got := b.gate.readings()
		if len(got) != 2 || !got[0].reading(t).Suspect || got[1].reading(t).Suspect {
			t.Errorf("%+v", got)
		}
	})
}

func TestB3_SamplingGoesOnAfterAnyError(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.sensor.set(func(_ context.Context, n int) ([]Sample, error) {
			switch n % 4 {
			case 0:
				return nil, errors.New("EIO\nline")
			case 1:
				return []Sample{{Probe: "bad\x00name", Temperature: 20}}, nil
			case 2:
				return nil, nil
			}
			return []Sample{{Temperature: temperature(n)}}, nil
		})
		b.start()
		pass(8500 * time.Millisecond)
		if got := len(b.gate.readings()); got != 2 || b.sensor.count() != 9 {
			t.Errorf("%d readings of %d measurements", got, b.sensor.count())
		}
		if s := b.agent.Status(); s.SensorErrors[""] != 5 || s.SensorFaults["other"] != 5 || strings.Contains(s.SensorError, "\n") {
			t.Errorf("status: %+v", s)
		}
	})
}

func TestB4_AHangingSensorHoldsNothingElseUp(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.agent.Settings.BacklogRate = 10
		b.spool.fill(b.clock, 100)
		began := time.Now()
		b.sensor.set(func(ctx context.Context, n int) ([]Sample, error) {
			if n <= 2 {
				<-ctx.Done() // the deadline is the sampler's
				return nil, ctx.Err()
			}
			return []Sample{{Temperature: temperature(n)}}, nil
		})
		b.start()
		pass(9 * time.Second)
		if got := len(b.gate.readings()); got < 80 {
			t.Errorf("%d of the backlog went while the sensor hung", got)
		}
		pass(1500 * time.Millisecond)
		if b.sensor.count() < 3 || b.sensor.times[1].Sub(began) != sampleDeadline || b.sensor.times[2].Sub(began) != 2*sampleDeadline {
			t.Errorf("measured at %v", b.sensor.times)
		}
	})
}

func TestB7_ARecordThatTheDiskRefusedGoesAnotherWay(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.start()
		pass(1500 * time.Millisecond)
		b.spool.fail(errors.New("EIO"), nil, nil)
		pass(time.Second)
		b.spool.fail(nil, nil, nil)
		pass(3 * time.Second)
		streams := map[string]int{}
		for _, m := range b.gate.readings() {
			stream, _, _ := strings.Cut(m.reading(t).ID, "-")
			streams[stream]++
		}
		// Two before, one in memory, two after.
		if len(streams) != 2 || streams[b.spool.stream] < 4 || len(b.gate.readings()) != b.sensor.count() {
			t.Errorf("%d measured, sent by stream: %v", b.sensor.count(), streams)
		}
		if b.said("takes no reading") != 1 || b.said("takes readings again") != 1 {
			t.Errorf("log: %v", b.logs.All())
		}
	})
}

// What was kept in memory is as safe as the rest once the disk is well, though the
// gateway is still away.
func TestB7_ADiskThatIsWellAgainTakesWhatWasInMemory(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.gate.set(func(g *memGate) { g.refuse = func(int) error { return errors.New("no route") } })
		b.spool.fail(errors.New("EIO"), nil, nil)
		b.start()
		pass(10*time.Second + 500*time.Millisecond)
		b.spool.fail(nil, nil, nil)
		pass(time.Minute)
		if kept := b.spool.Depth().Records; kept != b.sensor.count() {
			t.Errorf("%d measured, %d on the disk", b.sensor.count(), kept)
		}
		b.gate.set(func(g *memGate) { g.refuse = nil })
		b.until("sent", b.idle)
		if got := len(b.gate.readings()); got != b.sensor.count() {
			t.Errorf("%d measured, %d sent", b.sensor.count(), got)
		}
	})
}

func TestB8_AFullDiskCostsTheOldestAndSaysWhich(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.agent.Settings.RingRecords = 10
		b.gate.set(func(g *memGate) { g.refuse = func(int) error { return errors.New("no route") } })
		b.spool.fail(errors.New("no space left on device"), nil, nil)
		b.start()
		pass(29500 * time.Millisecond)
		measured := b.sensor.count() // 30, of which 10 are kept
		if s := b.agent.Status(); s.SpoolError == "" || s.Spool.Records != 10 || s.Spool.Dropped < 10 {
			t.Errorf("status: %+v", s)
		}
		b.gate.set(func(g *memGate) { g.refuse = nil })
		b.spool.fail(nil, nil, nil)
		b.until("healed", func() bool { return b.agent.Status().SpoolError == "" && b.idle() })
		b.until("told", func() bool { return len(b.gate.messages(topicGap)) > 0 })
		lost := 0
		for _, m := range b.gate.messages(topicGap) {
			g := m.reading(t).Gap
			if g.Reason != "full" || g.Stream == b.spool.stream {
				t.Errorf("gap: %s", m.body)
			}
			for seq := g.First; seq <= g.Last; seq++ {
				if b.gate.has(readingID(g.Stream, seq)) {
					t.Errorf("%d is called lost, and is there", seq)
				}
				lost++
			}
		}
		if got := len(b.gate.readings()); got+lost != b.sensor.count() || lost < 20 {
			t.Errorf("%d measured (%d in the outage), %d there, %d called lost", b.sensor.count(), measured, got, lost)
		}
	})
}

func TestB9_ADeadDiskStopsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.start()
		pass(2500 * time.Millisecond)
		dead := errors.New("read-only file system")
		b.spool.fail(dead, dead, dead)
		pass(10 * time.Minute)
		if got := len(b.gate.readings()); got != b.sensor.count() {
			t.Errorf("%d of %d arrived", got, b.sensor.count())
		}
		if s := b.agent.Status(); s.SpoolError != "read-only file system" || len(b.gate.connects()) != 1 {
			t.Errorf("status: %+v, %d connections", s, len(b.gate.connects()))
		}
		if n := b.spool.nexts; n > 200 {
			t.Errorf("a dead disk was read %d times in ten minutes", n)
		}
		if lines := b.logs.Len(); lines > 20 {
			t.Errorf("%d lines in the log", lines)
		}
		b.spool.fail(nil, nil, nil)
		b.until("healed", func() bool { return b.agent.Status().SpoolError == "" })
	})
}

func TestB9_ADiskThatHangsHoldsTheSamplerNotUp(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		hang := make(chan struct{})
		b.spool.hang = hang
		b.start()
		pass(2*queued*time.Second + 500*time.Millisecond)
		if got := b.sensor.count(); got != 2*queued+1 {
			t.Errorf("%d measurements, want %d", got, 2*queued+1)
		}
		// One hangs, the queue is full, the rest went by the ring.
		if got := len(b.gate.readings()); got != queued {
			t.Errorf("%d arrived, want %d", got, queued)
		}
		b.spool.mu.Lock()
		b.spool.hang = nil
		b.spool.mu.Unlock()
		close(hang)
		b.until("all there", func() bool { return len(b.gate.readings()) >= 2*queued+1 && b.idle() })
	})
}

func TestAConfirmedReadingThatTheSpoolCannotForgetIsNotSentAgain(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.spool.fail(nil, nil, errors.New("EIO"))
		b.start()
		pass(5500 * time.Millisecond)
		b.gate.session().end(errors.New("connection reset by peer"))
		pass(10 * time.Second)
		b.spool.fail(nil, nil, nil)
		b.until("forgotten", b.idle)
		ids := map[string]int{}
		for _, m := range b.gate.readings() {
			if ids[m.reading(t).ID]++; ids[m.reading(t).ID] > 1 {
				t.Errorf("sent again: %s", m.body)
			}
		}
	})
}

func TestAReadingThatTheBacklogFindsFirstIsSentOnce(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.gate.latency = 400 * time.Millisecond
		b.spool.linger = 300 * time.Millisecond // it can be read long before Append returns
		b.start()
		pass(2100 * time.Millisecond)
		early := 0
		for range 10 {
			before := len(b.spoolSeen())
			b.gate.session().in.Command("report", nil) // has the sender look
			pass(50 * time.Millisecond)
			early += len(b.spoolSeen()) - before
			pass(950 * time.Millisecond)
		}
		if got, want := len(b.gate.readings()), b.sensor.count()-1; got != want {
			t.Errorf("%d messages, want %d", got, want)
		}
		if early == 0 {
			t.Error("the backlog never found one first")
		}
	})
}

func TestWhatTheSpoolCannotForgetIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.spool.fill(b.clock, 3*maxOwed)
		b.spool.fail(nil, nil, errors.New("EIO"))
		b.start()
		pass(30 * time.Second)
		if got := len(b.gate.readings()) - b.sensor.count(); got < maxOwed || got > maxOwed+b.agent.Settings.Window {
			t.Errorf("%d of the backlog went, want about %d", got, maxOwed)
		}
		b.spool.fail(nil, nil, nil)
		b.until("drained", b.idle)
	})
}

func TestB14_NothingIsSentBeforeTheClockIsPlausible(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		wrong := time.Until(time.Unix(0, 0))
		b.clock.set(wrong, false)
		start := time.Now()
		b.start()
		pass(10*time.Second + 500*time.Millisecond)
		if n := len(b.gate.connects()); n != 0 {
			t.Errorf("%d connections before the time was known", n)
		}
		if s := b.agent.Status(); s.Link != linkWaiting || s.Spool.Records < 8 {
			t.Errorf("status: %+v", s)
		}
		b.clock.set(0, true)
		b.until("sent", func() bool { return len(b.gate.readings()) >= 13 })
		for i, m := range b.gate.readings() {
			r := m.reading(t)
			mark := ""
			switch {
			case r.Temperature <= temperature(11):
				mark = markRestamped
			case r.Temperature == temperature(12): // the first one after the clock was set
				mark = markStepped
			}
			at := start.Add(time.Duration(int(r.Temperature*1000+0.5)-20_001) * time.Second)
			if r.Clock != mark || r.time(t).Sub(at).Abs() > 2*time.Millisecond {
				t.Errorf("reading %d: want %s and %q: %s", i, at, mark, m.body)
			}
		}
		if b.said("cannot be trusted") != 1 {
			t.Error("the log does not say once why nothing is sent")
		}
	})
}

func TestB14_ReadingsOfAnEarlierBootKeepTheirStamp(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		wrong := time.Until(time.Unix(1000, 0))
		b.clock.set(wrong, false)
		b.start()
		pass(2500 * time.Millisecond)
		b.stop()
		b.clock.reboot("boot-2", 0, true)
		b.start()
		b.until("sent", func() bool { return len(b.gate.readings()) >= 5 })
		for _, m := range b.gate.readings() {
			r := m.reading(t)
			if early := r.Temperature <= temperature(3); early != (r.Clock == markUnsynced) || early != (r.time(t).Unix() < 2000) {
				t.Errorf("%s", m.body)
			}
		}
	})
}

func TestB14_ARefusalIsNotHurried(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.gate.set(func(g *memGate) { g.refuse = func(int) error { return &Refused{5} } })
		b.start()
		pass(30 * time.Second)
		b.clock.set(time.Until(time.Unix(0, 0)), false)
		before := len(b.gate.connects())
		pass(time.Hour)
		if after := len(b.gate.connects()); after > before+1 {
			t.Errorf("%d attempts without a clock", after-before)
		}
	})
}

func TestB15_AJumpOfTheClockIsMarkedAndBreaksNothing(t *testing.T) {
	for _, jump := range []time.Duration{365 * 24 * time.Hour, -365 * 24 * time.Hour, -10 * time.Minute} {
		bubble(t, func(t *testing.T, b *bed) {
			b.start()
			pass(2500 * time.Millisecond)
			b.clock.set(jump, true)
			pass(3 * time.Second)
			var marks []string
			ids := map[string]bool{}
			for _, m := range b.gate.readings() {
				r := m.reading(t)
				marks = append(marks, r.Clock)
				ids[r.ID] = true
			}
			if want := []string{"", "", "", markStepped, "", ""}; !slices.Equal(marks, want) || len(ids) != 6 {
				t.Errorf("%s: marks %q", jump, marks)
			}
			if b.said("jumped") != 1 || len(b.gate.connects()) != 1 {
				t.Errorf("%s: log %v", jump, b.logs.All())
			}
		})
	}
}

func TestB15_ACopySaysTheSameTimeWhateverTheClockLearns(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.clock.set(-time.Hour, false)
		b.start()
		pass(3500 * time.Millisecond)
		n := 0
		b.gate.set(func(g *memGate) {
			g.fate = func(topic, _ string) fate {
				if n++; n <= 3 {
					return lostAfter
				}
				return confirmed
			}
		})
		b.clock.set(0, true)
		b.until("a loss", func() bool { return len(b.gate.connects()) > 1 })
		b.clock.set(90*time.Second, true)
		b.until("sent", b.idle)
		checkBodies(t, b.gate)
	})
}

// checkBodies says which readings have two bodies.
func checkBodies(t *testing.T, g *memGate) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, bodies := range g.ids {
		if len(bodies) > 1 {
			t.Errorf("%s has %d bodies: %s", id, len(bodies), bodies)
		}
	}
}

func TestB16_TheBacklogDrainsAtItsRateAndLiveReadingsGoFirst(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		const backlog = 12_000
		b.spool.fill(b.clock, backlog)
		b.start()
		began := time.Now()
		b.until("drained", func() bool { return len(b.gate.readings()) >= backlog })
		rate := float64(backlog) / time.Since(began).Seconds()
		if rate < 0.95*600 || rate > 1.1*600 {
			t.Errorf("the backlog went at %.0f a second, want 600", rate)
		}
		last, live := 0.0, 0
		for _, m := range b.gate.readings() {
			r := m.reading(t)
			if r.Temperature < 20 {
				if r.Temperature <= last {
					t.Fatal("the backlog does not go oldest first")
				}
				last = r.Temperature
				continue
			}
			live++
			if late := m.at.Sub(r.time(t)); late > 50*time.Millisecond {
				t.Errorf("a live reading was sent %s after it was taken", late)
			}
		}
		if live < 15 {
			t.Errorf("%d live readings while the backlog drained", live)
		}
	})
}

func TestB16_APlaceInTheWindowIsKeptForLiveReadings(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.agent.Settings.Window = 8
		b.gate.latency = 510 * time.Millisecond
		b.spool.fill(b.clock, 1000)
		b.start()
		b.until("drained", b.idle)
		for _, m := range b.gate.readings() {
			if r := m.reading(t); r.Temperature >= 20 && r.Temperature > temperature(2) {
				if late := m.at.Sub(r.time(t)); late > 50*time.Millisecond {
					t.Errorf("a live reading waited %s for the backlog", late)
				}
			}
		}
	})
}

func TestB16_TheDrainResumesAfterEachDrop(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.spool.fill(b.clock, 3000)
		n := 0
		b.gate.set(func(g *memGate) {
			g.fate = func(string, string) fate {
				if n++; n%200 == 0 {
					return lostBefore
				}
				return confirmed
			}
		})
		b.start()
		b.until("drained", b.idle)
		if got := len(b.gate.readings()); got > 3000+b.sensor.count()+len(b.gate.connects())*b.agent.Settings.Window {
			t.Errorf("%d messages: more was sent again than was under way", got)
		}
		checkBodies(t, b.gate)
	})
}

func TestAfterAnOutageTheNewestReadingGoesFirst(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.agent.Settings.Window = 4
		b.gate.set(func(g *memGate) { g.refuse = func(int) error { return errors.New("no route") } })
		b.start()
		pass(time.Minute)
		b.gate.set(func(g *memGate) { g.refuse = nil })
		b.until("connected", func() bool { return len(b.gate.readings()) > 10 })
		got := b.gate.readings()
		taken := got[0].reading(t)
		if taken.time(t).Before(got[0].at.Add(-5 * time.Second)) {
			t.Errorf("sent at %s first: %s", got[0].at, got[0].body)
		}
		b.until("drained", b.idle)
	})
}

func TestB17_StopSettlesAndForgetsNothingUnconfirmed(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.gate.latency = time.Second
		b.spool.fill(b.clock, 1000)
		b.start()
		pass(3300 * time.Millisecond)
		if took := b.stop(); took < 100*time.Millisecond || took > 2*time.Second {
			t.Errorf("what was under way wanted up to 1 s, Run took %s", took)
		}
		if sent, kept := b.agent.Status().Sent, b.spool.Depth().Records; int(sent)+kept != 1000+b.sensor.count() || sent == 0 {
			t.Errorf("%d confirmed, %d kept, of %d", sent, kept, 1000+b.sensor.count())
		}
	})
}

func TestB17_StopDoesNotWaitForAGatewayThatIsSilent(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.gate.set(func(g *memGate) { g.fate = func(string, string) fate { return unconfirmed } })
		b.start()
		pass(3 * time.Second)
		if took := b.stop(); took > b.agent.Settings.GracePeriod {
			t.Errorf("Run took %s after its context", took)
		}
		if kept := b.spool.Depth().Records; kept != b.sensor.count() {
			t.Errorf("%d of %d kept, nothing was confirmed", kept, b.sensor.count())
		}
	})
}

func TestB17_StopInterruptsEveryWait(t *testing.T) {
	for name, f := range map[string]func(b *bed){
		"waiting for time": func(b *bed) { b.clock.set(0, false) },
		"slow back-off":    func(b *bed) { b.gate.refuse = func(int) error { return &Refused{4} } },
		"connecting":       func(b *bed) { b.gate.latency = 50 * time.Second },
	} {
		bubble(t, func(t *testing.T, b *bed) {
			f(b)
			b.start()
			pass(20 * time.Second)
			if took := b.stop(); took > 0 {
				t.Errorf("%s: Run took %s after its context", name, took)
			}
		})
	}
}

func TestWhatIsInMemoryOnlyIsSavedAtTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.gate.set(func(g *memGate) { g.refuse = func(int) error { return errors.New("no route") } })
		b.spool.fail(errors.New("EIO"), nil, nil)
		b.start()
		pass(5500 * time.Millisecond)
		b.spool.fail(nil, nil, nil)
		b.stop()
		if kept := b.spool.Depth().Records; kept != b.sensor.count() {
			t.Errorf("%d of %d saved", kept, b.sensor.count())
		}
	})
}

func TestB18_AnAnswerThatNeverComesHasTheReadingSentAgain(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		n := 0
		b.gate.set(func(g *memGate) {
			g.fate = func(string, string) fate {
				if n++; n == 2 {
					return unconfirmed
				}
				return confirmed
			}
		})
		b.start()
		pass(10 * time.Second)
		if len(b.gate.connects()) != 1 {
			t.Error("the session was given up too early")
		}
		b.until("sent again", func() bool { return b.agent.Status().Spool.Records == 0 && len(b.gate.connects()) > 1 })
		checkBodies(t, b.gate)
		for seq := uint64(1); seq <= uint64(b.sensor.count()); seq++ {
			if !b.gate.has(readingID(b.spool.stream, seq)) {
				t.Errorf("reading %d never arrived", seq)
			}
		}
	})
}

func TestB18_AnswersThatNobodyAskedForAreIgnored(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.start()
		pass(1500 * time.Millisecond)
		s := b.gate.session()
		var old []func(error)
		n := 0
		b.gate.set(func(g *memGate) {
			g.fate = func(string, string) fate {
				if n++; n == 1 {
					s.mu.Lock()
					for _, p := range s.queue {
						old = append(old, p.done)
					}
					s.mu.Unlock()
					return lostBefore
				}
				return confirmed
			}
		})
		b.spool.fill(b.clock, 20)
		b.until("drained", func() bool { return b.idle() && len(old) > 0 })
		sent := b.agent.Status().Sent
		for _, err := range []error{nil, errors.New("late")} { // of a session that is over, and second ones
			for _, done := range old {
				done(err)
			}
			pass(3 * time.Second)
		}
		sent += 6
		if s := b.agent.Status(); s.Sent != sent || len(b.gate.connects()) != 2 {
			t.Errorf("%d confirmed, want %d; %d connections", s.Sent, sent, len(b.gate.connects()))
		}
	})
}

func TestB20_ALostConnectionCostsNoReading(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		bubble(t, func(t *testing.T, b *bed) {
			b.start()
			for range 20 {
				pass(1710 * time.Millisecond)
				if s := b.gate.session(); s != nil && !s.closed() {
					s.mu.Lock()
					s.quiet = quiet
					s.mu.Unlock()
					s.end(errors.New("connection reset by peer"))
				}
			}
			b.until("all there", b.idle)
			b.stop()
			for seq := uint64(1); seq <= uint64(b.sensor.count()); seq++ {
				if id := readingID(b.spool.stream, seq); !b.gate.has(id) && b.spool.Depth().Records == 0 {
					t.Errorf("reading %d never arrived", seq)
				}
			}
			checkBodies(t, b.gate)
			if a := b.agent.Status(); a.LastError == "" {
				t.Error("the status does not say what was wrong")
			}
		})
	}
}

func TestB20_AConnectThatHangsIsGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.gate.latency = 24 * time.Hour
		b.start()
		pass(10 * time.Minute)
		if n := len(b.gate.connects()); n < 4 {
			t.Errorf("%d attempts in ten minutes", n)
		}
	})
}

func TestB20_WhatWasLiveGoesFirstAgain(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.agent.Settings.BacklogRate = 1
		b.spool.fill(b.clock, 100)
		b.gate.latency = 700 * time.Millisecond
		b.start()
		pass(3100 * time.Millisecond)
		at := time.Now()
		b.gate.session().end(errors.New("connection reset by peer"))
		b.until("sent again", func() bool {
			got := b.gate.readings()
			return got[len(got)-1].at.After(at)
		})
		for _, m := range b.gate.readings() {
			if r := m.reading(t); m.at.After(at) {
				if r.Temperature < 20 || r.time(t).After(at) {
					t.Errorf("first after the cut: %s", m.body)
				}
				break
			}
		}
	})
}

func TestB24_AttemptsSpreadAndSlowDown(t *testing.T) {
	var fast backoff
	var seen [10]bool
	for i := range 4000 {
		fast.failures = i % 40
		most := min(time.Second<<min(i%40, 16), time.Minute)
		p := fast.pause(errors.New("no route"))
		if p < leastPause || p > most {
			t.Fatalf("after %d failures %s, want at most %s", i%40, p, most)
		}
		if most == time.Minute {
			seen[min(9, int(p*10/most))] = true
		}
	}
	if slices.Contains(seen[:], false) {
		t.Errorf("the jitter leaves parts of the minute empty: %v", seen)
	}
	bubble(t, func(t *testing.T, b *bed) {
		b.gate.set(func(g *memGate) { g.refuse = func(int) error { return errors.New("no route") } })
		b.start()
		pass(10 * time.Minute)
		if n := len(b.gate.connects()); n < 12 || n > 60 {
			t.Errorf("%d attempts in ten minutes", n)
		}
		if b.said("no connection: readings") != 1 {
			t.Errorf("the outage is told %d times", b.said("no connection: readings"))
		}
	})
}

func TestB25_TheGatewaysOwnTroubleIsTriedSoonAndARefusalSlowly(t *testing.T) {
	for _, c := range []struct {
		code        byte
		least, most int // attempts in an hour
	}{{3, 70, 220}, {4, 14, 60}, {5, 14, 60}, {2, 14, 60}} {
		bubble(t, func(t *testing.T, b *bed) {
			b.gate.set(func(g *memGate) { g.refuse = func(int) error { return fmt.Errorf("gateway: %w", &Refused{c.code}) } })
			b.start()
			pass(time.Hour)
			if n := len(b.gate.connects()); n < c.least || n > c.most {
				t.Errorf("CONNACK %d: %d attempts in an hour, want %d to %d", c.code, n, c.least, c.most)
			}
			at := b.gate.connects()
			for i := range at[1:] {
				if wait := at[i+1].Sub(at[i]); wait > maxSlow+time.Second {
					t.Errorf("CONNACK %d: a wait of %s", c.code, wait)
				}
			}
			b.gate.set(func(g *memGate) { g.refuse = nil })
			b.until("all there", b.idle)
		})
	}
}

func TestB25_ATokenIsRenewedWithNothingUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.gate.latency = 300 * time.Millisecond
		b.spool.fill(b.clock, 5000)
		b.start()
		for range 4 {
			pass(9 * time.Second)
			b.gate.session().wantRenewal()
		}
		b.until("all there", b.idle)
		if n := len(b.gate.connects()); n != 5 {
			t.Errorf("%d connections, want 5", n)
		}
		ids := map[string]int{}
		for _, m := range b.gate.readings() {
			if ids[m.reading(t).ID]++; ids[m.reading(t).ID] > 1 {
				t.Errorf("sent again although nothing was lost: %s", m.body)
			}
		}
	})
}

func TestB25_ARenewalWaitsForASilentGatewayOnlySoLong(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		silent := true
		b.gate.set(func(g *memGate) {
			g.fate = func(string, string) fate {
				if silent {
					return unconfirmed
				}
				return confirmed
			}
		})
		b.start()
		pass(5500 * time.Millisecond)
		b.gate.session().wantRenewal()
		pass(time.Second)
		if l := b.agent.Status().Link; l != linkSettling {
			t.Errorf("link %s", l)
		}
		pass(settleTime - 2*time.Second)
		if n := len(b.gate.connects()); n != 1 {
			t.Errorf("%d connections before the time to settle was over", n)
		}
		b.gate.set(func(*memGate) { silent = false })
		b.until("all there", b.idle)
		checkBodies(t, b.gate)
	})
}

func TestB25_ASessionThatWantsRenewalAtOnceIsNoLoop(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.sensor.set(func(context.Context, int) ([]Sample, error) { return nil, nil })
		b.gate.latency = 0
		b.start()
		for range 6000 {
			pass(100 * time.Millisecond)
			if s := b.gate.session(); s != nil {
				s.wantRenewal()
			}
		}
		if n := len(b.gate.connects()); n > 60 {
			t.Errorf("%d connections in ten minutes", n)
		}
	})
}

func TestGapsOfTheSpoolAreToldAndForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.spool.max = 50
		b.spool.fill(b.clock, 80)
		b.sensor.set(func(context.Context, int) ([]Sample, error) { return nil, nil })
		b.start()
		b.until("told", func() bool { return len(b.spool.Gaps()) == 0 })
		got := b.gate.messages(topicGap)
		if len(got) != 1 {
			t.Fatalf("gaps: %+v", got)
		}
		if g := got[0].reading(t).Gap; g.Stream != b.spool.stream || g.First != 1 || g.Last != 30 || g.Reason != "full" {
			t.Errorf("gap: %s", got[0].body)
		}
	})
}

func TestARecordThatCannotBeReadIsToldAsLost(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		other := fullRecord()
		foreign := other.append(nil)
		foreign[0]++
		for _, raw := range [][]byte{foreign, {recordVersion, 1, 2}, {}, foreign} {
			if _, err := b.spool.Append(raw); err != nil {
				t.Fatal(err)
			}
		}
		b.start()
		b.until("all but the foreign there", func() bool { return b.spool.Depth().Records == 2 && len(b.gate.readings()) > 3 })
		var seqs []uint64
		for _, m := range b.gate.messages(topicGap) {
			if g := m.reading(t).Gap; g.Reason != "damaged" || g.First != g.Last {
				t.Errorf("gap: %s", m.body)
			} else {
				seqs = append(seqs, g.First)
			}
		}
		if !slices.Equal(seqs, []uint64{2, 3}) || b.said("cannot read: they stay") != 1 {
			t.Errorf("told as lost: %v", seqs)
		}
	})
}
