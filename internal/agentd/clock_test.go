package agentd

import (
	"testing"
	"time"
)

func TestB14_TheTimeIsBelievedWhenSynchronisedOrNotBeforeTheBuild(t *testing.T) {
	built := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name         string
		now          time.Time
		synchronised bool
		want         bool
	}{
		{"at the epoch", time.Unix(0, 0), false, false},
		{"where the machine was switched off, before the update", built.Add(-time.Second), false, false},
		{"at the build", built, false, true},
		{"after it", built.Add(time.Hour), false, true},
		{"synchronised to an earlier time", built.Add(-time.Hour), true, true},
	} {
		if got := plausible(c.now, built, c.synchronised); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestTheMachinesClock(t *testing.T) {
	c := newClock()
	if c.built.Before(floor) {
		t.Errorf("built %s", c.built)
	}
	if !c.Plausible() {
		t.Errorf("%s is not plausible: no test of TLS could run here", c.Now())
	}
	before := c.SinceBoot()
	if again := c.SinceBoot(); before <= 0 || again < before {
		t.Errorf("since boot %s, then %s", before, again)
	}
	if newClock().Boot() != c.Boot() {
		t.Error("two boots at once")
	}
}
