package gatewayd

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// maxRegistries are counted by name. A registry that is called so is counted with the rest.
const (
	maxRegistries   = 100
	otherRegistries = "other"
)

// byRegistry counts telemetry by registry: of the first ones that are heard each for
// itself, of the others together.
type byRegistry struct {
	counters *prometheus.CounterVec
	mu       sync.Mutex // of who adds a registry
	known    atomic.Pointer[map[string]prometheus.Counter]
	other    prometheus.Counter
}

func newByRegistry() *byRegistry {
	c := &byRegistry{counters: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_registry_messages_total",
		Help: "Telemetry that admitted devices sent, over MQTT and HTTPS, by registry; of the 101st on as other.",
	}, []string{"registry"})}
	c.other = c.counters.WithLabelValues(otherRegistries)
	c.known.Store(&map[string]prometheus.Counter{})
	return c
}

func (c *byRegistry) count(registry string) {
	counter, ok := (*c.known.Load())[registry]
	if !ok {
		counter = c.add(registry)
	}
	counter.Inc()
}

func (c *byRegistry) add(registry string) prometheus.Counter {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := *c.known.Load()
	if counter, ok := known[registry]; ok {
		return counter
	}
	if len(known) >= maxRegistries {
		return c.other
	}
	known = maps.Clone(known)
	known[registry] = c.counters.WithLabelValues(registry)
	c.known.Store(&known)
	return known[registry]
}
