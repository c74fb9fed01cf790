package ops

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"iotbridge/internal/buildinfo"
)

// NewRegistry returns a registry with what is true of every program: the Go
// runtime, the process, and iotbridge_build_info.
func NewRegistry() *prometheus.Registry {
	build := buildinfo.Current()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "iotbridge_build_info", Help: "Always 1; the labels say which build is running.",
		ConstLabels: prometheus.Labels{"version": build.Version, "revision": build.Revision, "goversion": build.Go},
	})
	info.Set(1)
	r := prometheus.NewRegistry()
	r.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
