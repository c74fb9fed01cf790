package sensor

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"iotbridge/device"
)

// Simulated gives each of its probes a warm afternoon and a cold night, slower
// weather, and noise, in steps of 1/16 °C as a DS18B20 has them. What it measures
// depends on the seed, the probe and the time alone.
type Simulated struct {
	Seed   uint64
	Probes int              // 0 is 1; a single one has no name
	Now    func() time.Time // nil is time.Now
}

// Sample never fails.
func (s *Simulated) Sample(context.Context) ([]device.Sample, error) {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	at := now()
	samples := make([]device.Sample, max(1, s.Probes))
	for i := range samples {
		samples[i].Temperature = s.celsius(uint64(i), at)
		if len(samples) > 1 {
			samples[i].Probe = fmt.Sprintf("simulated-%d", i+1)
		}
	}
	return samples, nil
}

func (s *Simulated) celsius(probe uint64, at time.Time) float64 {
	// What a probe is: where it hangs, and how much the sun reaches it.
	own := rand.New(rand.NewPCG(s.Seed, probe)) //nolint:gosec // a simulation
	mean := 17 + 6*own.Float64()
	swing := 2 + 4*own.Float64()
	lag := own.Float64() - 0.5 // hours
	weather := own.Float64()   // days
	// What a moment is.
	moment := rand.New(rand.NewPCG(s.Seed^uint64(at.UnixMilli()), probe)) //nolint:gosec // a simulation

	days := float64(at.UnixMilli()) / float64(24*time.Hour/time.Millisecond)
	const warmest = 15.0 / 24
	day := math.Cos(2 * math.Pi * (days - warmest - lag/24))
	front := math.Sin(2 * math.Pi * (days/5.3 + weather))
	value := mean + swing*day + 1.5*front + 0.06*moment.NormFloat64()
	return math.Trunc(math.Round(value*16)/16*1000) / 1000 // the driver cuts off
}
