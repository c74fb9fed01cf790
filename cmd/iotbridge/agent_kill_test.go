package main

import (
	"cmp"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The agent is killed at random moments: one run in four while it starts, the others
// after something of theirs has arrived. What a reader finds in the spool then, and all
// that the agent had appended before, arrives in the end, and a reading's name never
// stands for two. IOTBRIDGE_KILLS says how often; make agent-kill-test wants 2,000.
func TestB11_TheAgentIsKilledWhileItSends(t *testing.T) {
	kills, err := strconv.Atoi(cmp.Or(os.Getenv(killsVariable), "20"))
	if err != nil {
		t.Fatalf("%s: %v", killsVariable, err)
	}
	s := serveLocal(t, "--parts", "cloud,gateway", "--device-messages-per-second", "5000")
	d := s.device(t, "unlucky", agentFor(t, runtime.GOARCH))
	box := s.open(t)
	tree := probes(t, 8)
	known := map[string]bool{} // what must arrive
	for i := range kills {
		before := box.readings()
		agent := d.settled("run", "--one-wire", tree, "--interval", "100ms", "--backlog-rate", "2000")
		if err := agent.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = agent.Process.Kill() }) // long since
		if i%4 != 3 {
			box.until("a reading of this run", agentPatience, func() bool { return len(box.first) > before })
		}
		within := 200 * time.Millisecond
		if i%5 == 4 {
			within = 1500 * time.Millisecond // the spool writes down once a second what is confirmed
		}
		<-time.After(time.Duration(rand.Int64N(int64(within))))
		if err := agent.Process.Kill(); err != nil {
			t.Fatalf("run %d ended by itself: %v", i, err)
		}
		_ = agent.Wait() // killed
		for _, id := range d.kept() {
			known[id] = true
		}
	}
	found := len(known)

	d.run("--simulate", "--interval", "1h", "--backlog-rate", "2000")
	d.says(func(exit int, _ string) bool { return exit == 0 }) // all may have come before it can be told to end
	box.until("all that was in the spool", agentPatience, func() bool {
		for id := range known {
			if _, ok := box.first[id]; !ok {
				return false
			}
		}
		return true
	})
	box.mu.Lock()
	defer box.mu.Unlock()
	holes, runs := box.holes()
	t.Logf("%d kills: %d readings of %d runs arrived, %d of them found in the spool after a kill, %d messages more than readings",
		kills, len(box.first), runs, found, box.total-len(box.first))
	if len(holes) > 0 {
		t.Errorf("%d readings were lost, as %s", len(holes), holes[0])
	}
	if len(box.twice) > 0 {
		t.Errorf("%d readings have a name that another has, as %s", len(box.twice), box.twice[0])
	}
	if found == 0 {
		t.Error("no kill has ever left a reading behind: nothing is proven")
	}
}

func (m *mailbox) readings() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.first)
}

// holes are the numbers between two of one run that did not arrive. After a kill numbers
// go on behind all that its segment could have given: a longer pause is no hole.
func (m *mailbox) holes() (lost []string, runs int) {
	const pause = 1 << 15
	streams := map[string][]uint64{}
	for id := range m.first {
		stream, number, _ := strings.Cut(id, "-")
		if n, err := strconv.ParseUint(number, 10, 64); err == nil { // a gap's notice has no number
			streams[stream] = append(streams[stream], n)
		}
	}
	for stream, numbers := range streams {
		slices.Sort(numbers)
		runs++
		for i, n := range numbers[1:] {
			if n-numbers[i] > pause {
				runs++
				continue
			}
			for hole := numbers[i] + 1; hole < n; hole++ {
				lost = append(lost, stream+"-"+strconv.FormatUint(hole, 10))
			}
		}
	}
	return lost, runs
}
