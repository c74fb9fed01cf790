package grafana

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"iotbridge/gateway/devicemanager"
	"iotbridge/gateway/httpbridge"
	"iotbridge/gateway/mqtt"
	"iotbridge/gateway/provision"
	"iotbridge/gateway/pubsub"
	"iotbridge/ingest"
	"iotbridge/internal/ops"
)

// metric is one that a program has: its labels, and the values of those that are there
// before anything happens.
type metric struct {
	counter bool // it only grows
	le      bool // it is a histogram's bucket
	values  map[string][]string
}

// recorder is a registry that also knows what has no sample yet.
type recorder struct {
	*prometheus.Registry
	all map[string]metric
}

func (r recorder) MustRegister(collectors ...prometheus.Collector) {
	r.Registry.MustRegister(collectors...)
	for _, c := range collectors {
		_, counter := c.(*prometheus.CounterVec)
		_, histogram := c.(*prometheus.HistogramVec)
		found := make(chan *prometheus.Desc, 10)
		c.Describe(found)
		close(found)
		for d := range found {
			r.describe(d.String(), counter, histogram)
		}
	}
}

var (
	described = regexp.MustCompile(`fqName: "(\w+)"`)
	labelled  = regexp.MustCompile(`variableLabels: \{([\w,]*)\}`)
)

func (r recorder) describe(desc string, counter, histogram bool) {
	name, labels := described.FindStringSubmatch(desc)[1], map[string][]string{}
	for _, label := range strings.Split(labelled.FindStringSubmatch(desc)[1], ",") {
		if label != "" {
			labels[label] = nil
		}
	}
	r.add(name, labels, counter, histogram)
}

func (r recorder) add(name string, values map[string][]string, counter, histogram bool) {
	if !histogram {
		r.all[name] = metric{counter: counter, values: values}
		return
	}
	r.all[name+"_bucket"] = metric{counter: true, le: true, values: values}
	r.all[name+"_sum"] = metric{counter: true, values: values}
	r.all[name+"_count"] = metric{counter: true, values: values}
}

// programs' metrics. Those of internal/gatewayd are registered where a gateway starts:
// that they are as here is seen by a real Prometheus, in the tests of dashboards.
func metrics(t *testing.T) map[string]metric {
	t.Helper()
	r := recorder{ops.NewRegistry(), map[string]metric{}}
	ingest.NewMetrics(r)
	ingest.NewBudget(1, 1).Observe(r)
	mqtt.NewMetrics(r)
	httpbridge.NewMetrics(r)
	devicemanager.NewMetrics(r)
	pubsub.NewMetrics(r)
	(&pubsub.Publisher{}).Observe(r)
	provision.NewMetrics(r)
	provision.NewRequestMetrics(r)
	r.add("gateway_hold", map[string][]string{"cause": {"store", "pubsub", "stopping"}}, false, false)
	r.add("gateway_certificate_expiry_timestamp_seconds", map[string][]string{"certificate": {"device", "api", "provision"}}, false, false)
	r.add("gateway_registry_messages_total", map[string][]string{"registry": nil}, true, false)
	r.add("gateway_device_credentials_expiring", nil, false, false)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		values := map[string][]string{}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				values[l.GetName()] = append(values[l.GetName()], l.GetValue())
			}
		}
		r.add(f.GetName(), values, f.GetType() == dto.MetricType_COUNTER, f.GetType() == dto.MetricType_HISTOGRAM)
	}
	return r.all
}

var (
	selection = regexp.MustCompile(`(?:(rate|increase)\()?(\w+)\{([^}]*)\}`)
	matcher   = regexp.MustCompile(`(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	grouping  = regexp.MustCompile(`by \(([^)]*)\)`)
	legend    = regexp.MustCompile(`\{\{(\w+)\}\}`)
	plain     = regexp.MustCompile(`^\w+(\|\w+)*$`)
)

// Every series that is asked for is one that a program has, by labels and values that
// it has; what is rated grows; what is told apart is told in the legend.
func TestExpressionsAskForWhatIsThere(t *testing.T) {
	all, asked := metrics(t), map[string]bool{}
	for _, f := range read(t) {
		for _, p := range f.pictures() {
			for _, q := range p.Targets {
				if q.Expr == "" {
					continue
				}
				known := []string{"job", "instance", "namespace"}
				found := selection.FindAllStringSubmatch(q.Expr, -1)
				for _, s := range found {
					m, ok := all[s[2]]
					if !ok {
						t.Errorf("%s: %s: no program has %s", f.name, p.Title, s[2])
					}
					asked[s[2]] = true
					if rated := s[1] != ""; rated != m.counter {
						t.Errorf("%s: %s: %s grows: %v, is rated: %v", f.name, p.Title, s[2], m.counter, rated)
					}
					for label := range m.values {
						known = append(known, label)
					}
					if m.le {
						known = append(known, "le")
					}
					if !strings.HasPrefix(s[3], selector) {
						t.Errorf("%s: %s: %s is not selected by the variables", f.name, p.Title, s[0])
					}
					for _, label := range matcher.FindAllStringSubmatch(strings.TrimPrefix(s[3], selector), -1) {
						values, ok := m.values[label[1]]
						if !ok && label[1] != "le" {
							t.Errorf("%s: %s: %s has no label %s", f.name, p.Title, s[2], label[1])
						}
						for _, value := range strings.Split(label[3], "|") {
							if len(values) > 0 && plain.MatchString(label[3]) && !slices.Contains(values, value) {
								t.Errorf("%s: %s: %s is never %s=%q", f.name, p.Title, s[2], label[1], value)
							}
						}
					}
				}
				if len(found) == 0 {
					t.Errorf("%s: %s asks for nothing: %s", f.name, p.Title, q.Expr)
				}
				var told []string
				for _, g := range grouping.FindAllStringSubmatch(q.Expr, -1) {
					for _, label := range strings.Split(g[1], ", ") {
						if !slices.Contains(known, label) {
							t.Errorf("%s: %s: nothing has the label %s: %s", f.name, p.Title, label, q.Expr)
						}
						if label != "le" {
							told = append(told, label)
						}
					}
				}
				if !grouping.MatchString(q.Expr) && !regexp.MustCompile(`\b(sum|min|max)\(`).MatchString(q.Expr) {
					told = append(told, "instance")
				}
				var legends []string
				for _, l := range legend.FindAllStringSubmatch(q.LegendFormat, -1) {
					legends = append(legends, l[1])
				}
				slices.Sort(told)
				slices.Sort(legends)
				if told = slices.Compact(told); !slices.Equal(told, legends) {
					t.Errorf("%s: %s: series differ by %q, the legend tells %q", f.name, p.Title, told, legends)
				}
				if strings.Contains(q.Expr, "histogram_quantile") && !strings.Contains(q.Expr, "le)") {
					t.Errorf("%s: %s: a quantile without le", f.name, p.Title)
				}
			}
		}
	}
	for name := range all {
		ours := strings.HasPrefix(name, "ingest_") || strings.HasPrefix(name, "gateway_")
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if ours && !asked[name] && !asked[base+"_bucket"] && !asked[base+"_sum"] && !asked[base+"_count"] && !slices.Contains(unshown, base) {
			t.Errorf("no dashboard shows %s", name)
		}
	}
}

// unshown are the metrics that no panel has.
var unshown = []string{
	"gateway_publish_batch_messages", // for who tunes the publisher
}
