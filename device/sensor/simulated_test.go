package sensor

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestASimulatedDayIsPlausible(t *testing.T) {
	start := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	for seed := range uint64(50) {
		at := start
		s := &Simulated{Seed: seed, Probes: 2, Now: func() time.Time { return at }}
		var night, afternoon, last float64
		for ; at.Before(start.Add(10 * 24 * time.Hour)); at = at.Add(5 * time.Minute) {
			samples, err := s.Sample(t.Context())
			if err != nil || len(samples) != 2 || samples[0].Probe == samples[1].Probe || samples[0].Temperature == samples[1].Temperature && at.Equal(start) {
				t.Fatalf("%v, %v", samples, err)
			}
			value := samples[0].Temperature
			if sixteenths := value * 16; value < 5 || value > 40 || math.Abs(sixteenths-math.Round(sixteenths)) > 0.009 {
				t.Fatalf("seed %d says %v", seed, value)
			}
			if step := math.Abs(value - last); last != 0 && step > 0.8 {
				t.Fatalf("seed %d jumps by %v in five minutes", seed, step)
			}
			last = value
			switch at.Hour() {
			case 3:
				night += value
			case 15:
				afternoon += value
			}
		}
		if difference := (afternoon - night) / 120; difference < 2 {
			t.Errorf("seed %d: afternoons are %.1f °C warmer than nights", seed, difference)
		}
	}
}

func TestASimulationIsTheSameAtTheSameTime(t *testing.T) {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	now := func() time.Time { return at }
	first, _ := (&Simulated{Seed: 7, Now: now}).Sample(t.Context())
	other, _ := (&Simulated{Seed: 8, Now: now}).Sample(t.Context())
	again := &Simulated{Seed: 7, Now: now}
	at = at.Add(time.Hour)
	later, _ := again.Sample(t.Context())
	at = at.Add(-time.Hour)
	same, _ := again.Sample(t.Context())
	if diff := cmp.Diff(first, same); diff != "" {
		t.Errorf("the same seed and time (-first +again):\n%s", diff)
	}
	if first[0].Temperature == other[0].Temperature || first[0].Temperature == later[0].Temperature || first[0].Probe != "" {
		t.Errorf("%v, %v with another seed, %v an hour later", first, other, later)
	}
}
