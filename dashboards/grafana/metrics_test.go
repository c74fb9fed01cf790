package grafana

import (
	"maps"
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
				wrong := func(format string, args ...any) {
					t.Helper()
					t.Errorf(f.name+": "+p.Title+": "+format+": %s", append(args, q.Expr)...)
				}
				known := []string{"job", "instance", "namespace"}
				found := selection.FindAllStringSubmatch(q.Expr, -1)
				for _, s := range found {
					m, ok := all[s[2]]
					if !ok {
						wrong("no program has %s", s[2])
						continue
					}
					asked[s[2]] = true
					if rated := s[1] != ""; rated != m.counter {
						wrong("%s grows: %v, is rated: %v", s[2], m.counter, rated)
					}
					known = append(known, m.labels()...)
					if own, ok := strings.CutPrefix(s[3], selector); ok {
						m.match(own, wrong)
					} else {
						wrong("%s is not selected by the variables", s[2])
					}
				}
				if len(found) == 0 {
					wrong("asks for nothing")
				}
				tellsApart(q.Expr, q.LegendFormat, known, wrong)
			}
		}
	}
	part := regexp.MustCompile(`_(bucket|sum|count)$`)
	shown := map[string]bool{}
	for name := range asked {
		shown[part.ReplaceAllString(name, "")] = true
	}
	for name := range all {
		base := part.ReplaceAllString(name, "")
		if regexp.MustCompile(`^(ingest|gateway)_`).MatchString(name) && !shown[base] && !slices.Contains(unshown, base) {
			t.Errorf("no dashboard shows %s", base)
		}
	}
}

func (m metric) labels() []string {
	labels := slices.Collect(maps.Keys(m.values))
	if m.le {
		labels = append(labels, "le")
	}
	return labels
}

// match says what a selector asks for that never is.
func (m metric) match(own string, wrong func(string, ...any)) {
	for _, label := range matcher.FindAllStringSubmatch(own, -1) {
		if !slices.Contains(m.labels(), label[1]) {
			wrong("no label %s", label[1])
		}
		for _, value := range strings.Split(label[3], "|") {
			if values := m.values[label[1]]; len(values) > 0 && plain.MatchString(label[3]) && !slices.Contains(values, value) {
				wrong("%s is never %q", label[1], value)
			}
		}
	}
}

var aggregation = regexp.MustCompile(`\b(sum|min|max)\(`)

// tellsApart compares the labels by which series differ with those of the legend.
func tellsApart(expr, format string, known []string, wrong func(string, ...any)) {
	var differ, told []string
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for _, label := range strings.Split(g[1], ", ") {
			if !slices.Contains(known, label) {
				wrong("nothing has the label %s", label)
			}
			differ = append(differ, label)
		}
	}
	if strings.Contains(expr, "histogram_quantile") && !slices.Contains(differ, "le") {
		wrong("a quantile without le")
	}
	differ = slices.DeleteFunc(differ, func(label string) bool { return label == "le" })
	if !grouping.MatchString(expr) && !aggregation.MatchString(expr) {
		differ = append(differ, "instance")
	}
	for _, l := range legend.FindAllStringSubmatch(format, -1) {
		told = append(told, l[1])
	}
	slices.Sort(differ)
	slices.Sort(told)
	if differ = slices.Compact(differ); !slices.Equal(differ, told) {
		wrong("series differ by %q, the legend tells %q", differ, told)
	}
}

// unshown are the metrics that no panel has.
var unshown = []string{
	"gateway_publish_batch_messages", // for who tunes the publisher
}
