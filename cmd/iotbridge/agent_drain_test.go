package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"iotbridge/device"
	"iotbridge/device/spool"
)

// backlogVariable is how many readings wait; make drain-test wants the 604,800 of seven
// days at one a second, which go at the rate that is the agent's default.
const backlogVariable = "IOTBRIDGE_BACKLOG"

// After an outage of days the live readings go first, what has waited follows within
// minutes, and the memory that this takes does not depend on how much it is.
func TestB16_DaysOfReadingsDrainBehindTheLiveOnes(t *testing.T) {
	backlog, most := 10_000, 10*time.Minute
	settings := []string{"--simulate", "--interval", "200ms", "--backlog-rate", "2000"}
	if text := os.Getenv(backlogVariable); text != "" {
		var err error
		if backlog, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", backlogVariable, err)
		}
		settings, most = []string{"--simulate", "--interval", "1s"}, 20*time.Minute
	}
	s := serveLocal(t, "--parts", "cloud,gateway", "--device-messages-per-second", "5000", "--device-bytes-per-second", "5000000")
	d := s.device(t, "long-away", agentFor(t, runtime.GOARCH))
	stream := d.prefill(backlog)
	box := s.open(t)
	began := time.Now()
	agent := d.run(settings...)
	kib := 0
	box.until("all that had waited", most, func() bool {
		if len(box.first) < backlog {
			return false
		}
		kib = highWater(t, agent.Process.Pid)
		return box.has(stream, backlog)
	})

	box.mu.Lock()
	defer box.mu.Unlock()
	var end time.Time
	for i := range backlog {
		a, ok := box.first[fmt.Sprintf("%s-%d", stream, i+1)]
		if !ok {
			t.Fatalf("reading %d of %d is lost", i+1, backlog)
		}
		if a.at.After(end) {
			end = a.at
		}
	}
	var ages []time.Duration
	behind := 0 // live readings that the backlog has kept waiting to its end
	for _, a := range box.first {
		if a.taken.After(began) && a.taken.Before(end) {
			if ages = append(ages, a.at.Sub(a.taken)); a.at.After(end) {
				behind++
			}
		}
	}
	slices.Sort(ages)
	if len(ages) == 0 {
		t.Fatal("no live reading came while the backlog drained")
	}
	took := end.Sub(began)
	t.Logf("%d readings in %v, %.0f/s; %d live ones meanwhile, age p50 %v, p99 %v; %d messages more than readings; %d KiB resident at most",
		backlog, took.Round(time.Second/10), float64(backlog)/took.Seconds(), len(ages), ages[len(ages)/2], ages[len(ages)*99/100], box.total-len(box.first), kib)
	if behind > len(ages)/2 {
		t.Errorf("%d of %d live readings came behind the backlog", behind, len(ages))
	}
	if kib > 30<<10 {
		t.Errorf("%d KiB were resident, 30 MiB at the most", kib)
	}
	if len(box.twice) > 0 {
		t.Errorf("%d readings came with two bodies, as %s", len(box.twice), box.twice[0])
	}
}

// prefill is a spool as an agent leaves it that was offline for so many seconds.
func (d *deviceBed) prefill(n int) (stream string) {
	d.t.Helper()
	s := d.spool(spool.Options{Sync: time.Hour})
	defer s.Close()
	since := time.Now().Add(-time.Duration(n+60) * time.Second)
	for i := range n {
		seq, err := s.Append(spooled(since.Add(time.Duration(i)*time.Second), 20+float64(i%1000)/100))
		if err != nil || seq != uint64(i+1) {
			d.t.Fatalf("reading %d: %v, number %d", i+1, err, seq)
		}
	}
	return s.Stream()
}

// spooled is a reading as version 1 of the agent's records has it: flags (the clock was
// plausible), wall time and time since boot in ms, no boot, the temperature, no probe,
// nothing further. What agents have left on their cards must stay readable.
func spooled(at time.Time, temperature float64) []byte {
	r := binary.AppendVarint([]byte{1, 1}, at.UnixMilli())
	r = append(binary.AppendVarint(r, 1000), 0)
	r = binary.LittleEndian.AppendUint64(r, math.Float64bits(temperature))
	return append(r, 0, 0)
}

// spool opens the device's, which no agent has.
func (d *deviceBed) spool(o spool.Options) *spool.Spool {
	d.t.Helper()
	machine, _ := os.ReadFile("/etc/machine-id") // as the agent
	o.MachineID = strings.TrimSpace(string(machine))
	s, err := spool.Open(filepath.Join(d.dir, "iotbridge-spool"), o)
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// kept names the readings that are in the spool.
func (d *deviceBed) kept() (ids []string) {
	d.t.Helper()
	s := d.spool(spool.Options{})
	defer s.Close()
	for from := uint64(0); ; {
		seq, _, err := s.Next(from)
		if errors.Is(err, device.ErrEmpty) {
			return ids
		}
		if err != nil {
			d.t.Fatal(err)
		}
		ids = append(ids, s.Stream()+"-"+strconv.FormatUint(seq, 10))
		from = seq + 1
	}
}
