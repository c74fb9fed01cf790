package demo

import (
	"context"
	"fmt"
	"sync"

	"iotbridge/device"
	"iotbridge/device/sensor"
)

// probe is a simulated sensor that can be silenced.
type probe struct {
	sensor.Simulated
	humid bool // it measures more than the temperature

	mu     sync.Mutex
	silent bool
	taken  uint64
}

// Sample gives one sample, or none once the probe is silent.
func (p *probe) Sample(ctx context.Context) ([]device.Sample, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent {
		return nil, nil
	}
	samples, err := p.Simulated.Sample(ctx)
	for i := range samples {
		p.taken++
		if p.humid {
			samples[i].Extra = fmt.Appendf(nil, `"humidity":%.1f,"uptime":%d`, 70-samples[i].Temperature, p.taken)
		}
	}
	return samples, err
}

// silence ends the sampling. It returns how many samples there ever were.
func (p *probe) silence() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = true
	return p.taken
}
