package ingest

import "time"

// settler tells the source and the metrics how a batch of one route ended.
type settler struct {
	worker *Worker
	route  *Route
}

func (s settler) stored(b *batch) {
	m := s.worker.Metrics
	now := time.Now()
	var a ages
	for _, published := range b.published {
		a.add(now.UnixMicro() - published)
	}
	m.Age.observe(&a)
	m.LastStored.Set(float64(now.UnixMicro()) / 1e6)
	m.Messages.WithLabelValues("stored").Add(float64(b.len()))
	s.route.Source.Ack(b.receipts)
}

func (s settler) quarantined(b *batch) {
	m := s.worker.Metrics
	for _, why := range b.rejections {
		m.Quarantined.WithLabelValues(string(why.Reason)).Inc()
	}
	m.mismatches.add(b, time.Now())
	m.Messages.WithLabelValues("quarantined").Add(float64(b.len()))
	s.route.Source.Ack(b.receipts)
}

func (s settler) returned(b *batch) {
	s.worker.Metrics.Messages.WithLabelValues("returned").Add(float64(b.len()))
	s.route.Source.Return(b.receipts)
}
