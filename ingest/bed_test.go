package ingest

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"iotbridge/schema"
)

// bed is a worker between a subscription and tables in memory, with the books of
// what became of each message.
type bed struct {
	t      *testing.T
	worker *Worker
	source *memSource
	table  *memSink
	lies   *memSink // the quarantine's table
}

func newBed(t *testing.T, messages ...schema.Message) *bed {
	t.Helper()
	b := &bed{t: t, source: &memSource{t: t}, table: newMemSink(t, "temperature"), lies: newMemSink(t, "quarantine")}
	b.source.confirmed = func(id string) bool { return b.table.has(id) || b.lies.has(id) }
	b.source.put(messages...)
	b.worker = &Worker{
		Name: "w1", Holds: &Holds{},
		Routes: []Route{{
			Subscription: "projects/p/subscriptions/s", Table: "p.d.temperature", QuarantineTable: "p.d.quarantine",
			Source: b.source, Sink: b.table, Quarantine: b.lies,
			Gate: Gate{Plan: b.table.plan}, QuarantinePlan: b.lies.plan,
		}},
	}
	return b
}

// run works until every message is settled, in a bubble: call within synctest.Test.
// It returns how long that took by the fake clock.
func (b *bed) run() time.Duration {
	b.t.Helper()
	start := time.Now()
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	done := make(chan error)
	go func() { done <- b.worker.Run(ctx) }()
	select {
	case <-b.source.settledAll():
	case <-time.After(24 * time.Hour):
		b.t.Errorf("after a day: %v of the messages unsettled; holds: %q", b.source.open(), b.worker.Holds.Reasons())
	}
	took := time.Since(start)
	cancel()
	if err := <-done; err != nil {
		b.t.Errorf("Run: %v", err)
	}
	return took
}

// messages makes n honest ones, with ids from first on.
func honest(first, n int) []schema.Message {
	var out []schema.Message
	for i := first; i < first+n; i++ {
		out = append(out, message(strconv.Itoa(i), "device1", `{"device_id":"device1","timestamp":1700000000.123,"temperature":21.4}`))
	}
	return out
}

func message(id, device, body string) schema.Message {
	m := schema.Message{ID: []byte(id), PublishTime: time.Now().UnixMicro(), Data: []byte(body), Attributes: []schema.Attribute{
		{Key: []byte("deviceRegistryId"), Value: []byte("reg")}, {Key: []byte("deviceNumId"), Value: []byte("2577321808646966")},
	}}
	if device != "" {
		m.Attributes = append(m.Attributes, schema.Attribute{Key: []byte("deviceId"), Value: []byte(device)})
	}
	return m
}

// memSource is a subscription in memory. What is returned stays so.
type memSource struct {
	t         *testing.T
	confirmed func(id string) bool // whether a message may be acked

	mu        sync.Mutex
	queue     []schema.Message
	wake      chan struct{}
	unsettled int
	acked     map[string]int
	returned  map[string]int
	all       chan struct{}
	perPull   int // messages a delivery; default 1000
}

type memDelivery struct{ messages []schema.Message }

func (d *memDelivery) Len() int { return len(d.messages) }
func (d *memDelivery) Messages() iter.Seq2[int, *schema.Message] {
	return func(yield func(int, *schema.Message) bool) {
		for i := range d.messages {
			if !yield(i, &d.messages[i]) {
				return
			}
		}
	}
}
func (d *memDelivery) Message(i int) schema.Message { return d.messages[i] }

func (s *memSource) put(messages ...schema.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.acked == nil {
		s.acked, s.returned = map[string]int{}, map[string]int{}
		s.wake, s.all = make(chan struct{}, 1), make(chan struct{})
	}
	s.queue = append(s.queue, messages...)
	s.unsettled += len(messages)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *memSource) Pull(ctx context.Context, deliver func(Delivery)) error {
	for {
		s.mu.Lock()
		n := s.perPull
		if n == 0 {
			n = 1000
		}
		n = min(n, len(s.queue))
		d := &memDelivery{s.queue[:n:n]}
		s.queue = s.queue[n:]
		s.mu.Unlock()
		if n > 0 {
			deliver(d)
			continue
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *memSource) Ack(receipts []Receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range receipts {
		m := r.Delivery.Message(int(r.Index))
		id := string(m.ID)
		if !s.confirmed(id) {
			s.t.Errorf("message %s was acked before a table had it", id)
		}
		s.acked[id]++
		s.settled(1)
	}
}

func (s *memSource) Return(receipts []Receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range receipts {
		m := r.Delivery.Message(int(r.Index))
		s.returned[string(m.ID)]++
		s.settled(1)
	}
}

func (s *memSource) settled(n int) {
	if s.unsettled -= n; s.unsettled == 0 {
		close(s.all)
	}
}

func (s *memSource) settledAll() <-chan struct{} { return s.all }

func (s *memSource) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unsettled
}

func (s *memSource) Close(context.Context) error { return nil }

// memSink is a table in memory. answer, if set, is asked before a request is
// stored; its error is the answer, and nothing is stored unless it is a lost one.
type memSink struct {
	plan   *schema.Plan
	idAt   protowire.Number
	answer func(n int, ids []string) error // one at a time
	check  func() error
	asking sync.Mutex

	mu       sync.Mutex
	requests [][]string
	rows     map[string]int
	raw      map[string][]byte
	latency  time.Duration
	under    int // requests under way
}

// lost is an answer that the service gave and nobody received.
type lost struct{}

func (lost) Error() string { return "the answer was lost" }

func newMemSink(t *testing.T, name string) *memSink {
	t.Helper()
	table, err := schema.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := table.Compile()
	if err != nil {
		t.Fatal(err)
	}
	s := &memSink{plan: plan, rows: map[string]int{}, raw: map[string][]byte{}, latency: 20 * time.Millisecond}
	for i, c := range table.Columns {
		if c.Name == "message_id" {
			s.idAt = protowire.Number(i + 1)
		}
	}
	return s
}

func (s *memSink) Append(ctx context.Context, rows [][]byte) error {
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = string(s.field(row, s.idAt))
	}
	s.mu.Lock()
	s.requests = append(s.requests, ids)
	n := len(s.requests)
	s.under++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.under--
		s.mu.Unlock()
	}()
	select {
	case <-time.After(s.latency):
	case <-ctx.Done():
		return ctx.Err()
	}
	var err error
	if s.answer != nil {
		s.asking.Lock()
		err = s.answer(n, ids)
		s.asking.Unlock()
	}
	if err == nil || err == error(lost{}) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, id := range ids {
			s.rows[id]++
			s.raw[id] = append([]byte(nil), rows[i]...)
		}
	}
	return err
}

func (s *memSink) Check(context.Context) error {
	if s.check != nil {
		return s.check()
	}
	return nil
}

func (s *memSink) underWay() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.under
}

func (s *memSink) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows[id] > 0
}

func (s *memSink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rows)
}

// column returns a stored row's column.
func (s *memSink) column(id, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, c := range s.plan.Table().Columns {
		if c.Name == name {
			return string(s.field(s.raw[id], protowire.Number(i+1)))
		}
	}
	return ""
}

func (s *memSink) field(row []byte, want protowire.Number) []byte {
	for len(row) > 0 {
		num, typ, n := protowire.ConsumeTag(row)
		if n < 0 {
			panic(fmt.Sprint("row: ", protowire.ParseError(n)))
		}
		row = row[n:]
		if n = protowire.ConsumeFieldValue(num, typ, row); n < 0 {
			panic(fmt.Sprint("row: ", protowire.ParseError(n)))
		}
		if num == want && typ == protowire.BytesType {
			v, _ := protowire.ConsumeBytes(row)
			return v
		}
		row = row[n:]
	}
	return nil
}

// bubble runs f under the fake clock.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}
