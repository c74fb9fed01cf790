package pubsub_test

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/gateway/pubsub"
	"iotbridge/localcloud/fault"
)

func TestMetricsTellRequestsAndMessages(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	m := pubsub.NewMetrics(r)
	b, a := newBed(t, func(p *pubsub.Publisher) { p.Metrics = m }), newAnswers()
	b.Observe(r)
	b.faults.Add(fault.Rule{Method: "Publish", Times: 1, Err: status.Error(codes.Unavailable, "for now")})
	b.publish(a, 0, 10)
	a.wait(t, 10)
	if got := testutil.ToFloat64(m.Messages.WithLabelValues("confirmed")); got != 10 {
		t.Errorf("%v confirmed", got)
	}
	if got := testutil.CollectAndCount(m.Seconds); got != 2 {
		t.Errorf("%d codes, not OK and Unavailable", got)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
	}
	want := []string{
		"gateway_publish_batch_messages", "gateway_publish_messages_total", "gateway_publish_seconds",
		"gateway_pubsub_outstanding_bytes", "gateway_pubsub_outstanding_messages",
	}
	if !slices.Equal(names, want) {
		t.Errorf("metrics %v", names)
	}
}
