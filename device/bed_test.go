package device

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bed is an agent between a sensor, a spool, a clock and a gateway in memory.
type bed struct {
	t      *testing.T
	agent  *Agent
	sensor *memSensor
	spool  *memSpool
	gate   *memGate
	clock  *memClock
	logs   *observer.ObservedLogs

	cancel context.CancelFunc
	ended  chan error
}

// bubble gives f a bed under the fake clock; the agent is stopped after it.
func bubble(t *testing.T, f func(t *testing.T, b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		f(t, b)
		b.stop()
	})
}

func newBed(t *testing.T) *bed {
	core, logs := observer.New(zapcore.DebugLevel)
	b := &bed{
		t: t, sensor: &memSensor{}, clock: newMemClock(), logs: logs,
		spool: newMemSpool(t, "0123456789abcdef0123456789abcdef"),
	}
	b.gate = newMemGate(t)
	b.spool.confirmed = b.gate.has
	b.agent = &Agent{
		Settings: DefaultSettings("2577321808646966"),
		Sensor:   b.sensor, Spool: b.spool, Uplink: b.gate, Clock: b.clock, Log: zap.New(core), Version: "test",
	}
	b.agent.Settings.Interval = time.Second
	b.gate.window = &b.agent.Settings.Window
	return b
}

func (b *bed) start() {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel, b.ended = cancel, make(chan error, 1)
	go func() { b.ended <- b.agent.Run(ctx) }()
}

// stop ends the agent and returns how long that took.
func (b *bed) stop() time.Duration {
	b.t.Helper()
	if b.cancel == nil {
		return 0
	}
	began := time.Now()
	b.cancel()
	if err := <-b.ended; err != nil {
		b.t.Errorf("Run: %v", err)
	}
	b.cancel = nil
	return time.Since(began)
}

// spoolSeen are the spool's readings that were published.
func (b *bed) spoolSeen() []string {
	b.gate.mu.Lock()
	defer b.gate.mu.Unlock()
	return slices.Clone(b.gate.published)
}

// pass lets time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// until waits for something, a day at most.
func (b *bed) until(what string, f func() bool) {
	b.t.Helper()
	for range 86_400 * 4 {
		if f() {
			return
		}
		pass(250 * time.Millisecond)
	}
	b.t.Fatalf("after a day: not %s; status %+v", what, b.agent.Status())
}

func (b *bed) idle() bool {
	d := b.agent.Status().Spool
	return d.Records == 0 && b.spool.Depth().Records == 0
}

// said counts the log's lines that contain text.
func (b *bed) said(text string) int {
	return b.logs.Filter(func(e observer.LoggedEntry) bool { return strings.Contains(e.Message, text) }).Len()
}

// memSensor measures 20, 20.001, …: each reading is told from the others.
type memSensor struct {
	mu    sync.Mutex
	n     int
	times []time.Time
	// sample, if set, stands in for what is measured.
	sample func(ctx context.Context, n int) ([]Sample, error)
}

func (s *memSensor) Sample(ctx context.Context) ([]Sample, error) {
	s.mu.Lock()
	s.n++
	n, f := s.n, s.sample
	s.times = append(s.times, time.Now())
	s.mu.Unlock()
	if f != nil {
		return f(ctx, n)
	}
	return []Sample{{Temperature: temperature(n)}}, nil
}

func temperature(n int) float64 { return 20 + float64(n)/1000 }

func (s *memSensor) set(f func(ctx context.Context, n int) ([]Sample, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sample = f
}

func (s *memSensor) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// memClock is a wall clock that can be wrong, and one that never is.
type memClock struct {
	mu        sync.Mutex
	booted    time.Time
	wrong     time.Duration
	boot      string
	plausible bool
}

func newMemClock() *memClock {
	return &memClock{booted: time.Now().Add(-time.Minute), boot: "boot-1", plausible: true}
}

func (c *memClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Round(0).Add(c.wrong)
}

func (c *memClock) SinceBoot() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.booted)
}

func (c *memClock) Boot() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.boot
}

func (c *memClock) Plausible() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.plausible
}

func (c *memClock) set(wrong time.Duration, plausible bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong, c.plausible = wrong, plausible
}

func (c *memClock) reboot(boot string, wrong time.Duration, plausible bool) {
	c.set(wrong, plausible)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.boot, c.booted = boot, time.Now()
}

// memSpool is a disk in memory, which may fail, be full, and forget after a crash
// what it was told to forget.
type memSpool struct {
	t         *testing.T
	stream    string
	confirmed func(id string) bool // whether the gateway has a reading

	mu       sync.Mutex
	last     uint64
	records  []*memRecord // by seq
	first    int          // in records: all before it are gone
	kept     int
	bytes    int64
	dropped  uint64
	gaps     []Gap
	reported []Gap
	max      int          // records; 0 is no bound
	acks     []*memRecord // since the last checkpoint
	broken   error        // of Append
	unread   error        // of Next
	stubborn error        // of Ack
	hang     chan struct{}
	nexts    int           // calls of Next
	linger   time.Duration // from when a record can be read until its Append returns
}

type memRecord struct {
	seq  uint64
	data []byte
	gone bool
	lost bool
}

func newMemSpool(t *testing.T, stream string) *memSpool { return &memSpool{t: t, stream: stream} }

func (s *memSpool) Stream() string { return s.stream }

func (s *memSpool) Append(record []byte) (uint64, error) {
	if s.linger > 0 {
		defer func() { <-time.After(s.linger) }()
	}
	s.mu.Lock()
	hang := s.hang
	s.mu.Unlock()
	if hang != nil {
		<-hang
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	if s.broken != nil {
		return 0, s.broken
	}
	for s.max > 0 && s.kept >= s.max {
		s.drop()
	}
	s.records = append(s.records, &memRecord{seq: s.last, data: slices.Clone(record)})
	s.kept++
	s.bytes += int64(len(record))
	return s.last, nil
}

func (s *memSpool) drop() {
	s.skip()
	r := s.records[s.first]
	r.lost = true
	s.forget(r)
	s.dropped++
	if n := len(s.gaps); n > 0 && s.gaps[n-1].Last+1 == r.seq {
		s.gaps[n-1].Last = r.seq
		return
	}
	s.gaps = append(s.gaps, Gap{s.stream, r.seq, r.seq, "full"})
}

func (s *memSpool) forget(r *memRecord) {
	r.gone = true
	s.kept--
	s.bytes -= int64(len(r.data))
}

func (s *memSpool) skip() {
	for s.first < len(s.records) && s.records[s.first].gone {
		s.first++
	}
}

func (s *memSpool) at(seq uint64) int {
	i, _ := slices.BinarySearchFunc(s.records, seq, func(r *memRecord, seq uint64) int { return int(int64(r.seq) - int64(seq)) })
	return i
}

func (s *memSpool) Next(from uint64) (uint64, []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nexts++
	if s.unread != nil {
		return 0, nil, s.unread
	}
	s.skip()
	for i := max(s.first, s.at(from)); i < len(s.records); i++ {
		if r := s.records[i]; !r.gone {
			return r.seq, slices.Clone(r.data), nil
		}
	}
	return 0, nil, ErrEmpty
}

func (s *memSpool) Ack(seq uint64) error {
	if !s.confirmed(readingID(s.stream, seq)) {
		s.t.Errorf("record %d was to be forgotten before the gateway had it", seq)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stubborn != nil {
		return s.stubborn
	}
	if i := s.at(seq); i < len(s.records) && s.records[i].seq == seq && !s.records[i].gone {
		s.forget(s.records[i])
		s.acks = append(s.acks, s.records[i])
	}
	return nil
}

// crash brings back what was forgotten since the last crash.
func (s *memSpool) crash() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.acks {
		if r.gone && !r.lost {
			r.gone = false
			s.kept++
			s.bytes += int64(len(r.data))
		}
	}
	s.acks, s.first = nil, 0
}

func (s *memSpool) Gaps() []Gap {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.gaps)
}

func (s *memSpool) Reported(g Gap) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reported = append(s.reported, g)
	s.gaps = slices.DeleteFunc(s.gaps, func(have Gap) bool { return have.First == g.First && have.Last <= g.Last })
	for i := range s.gaps {
		if s.gaps[i].First == g.First {
			s.gaps[i].First = g.Last + 1
		}
	}
	return nil
}

func (s *memSpool) Depth() Depth {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Depth{s.kept, s.bytes, s.dropped}
}

func (s *memSpool) fail(broken, unread, stubborn error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken, s.unread, s.stubborn = broken, unread, stubborn
}

// fill appends n readings, one a second until now.
func (s *memSpool) fill(c *memClock, n int) {
	for i := range n {
		ago := time.Duration(n-i) * time.Second
		r := record{wall: millis(c.Now().Add(-ago)), boot: "boot-0", plausible: true, temperature: 1 + float64(i)/1e6}
		linger := s.linger
		s.linger = 0
		_, err := s.Append(r.append(nil))
		s.linger = linger
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// message is one that the gateway has.
type message struct {
	topic string
	body  string
	at    time.Time // when it was published
}

// reading is a body's own words.
type reading struct {
	DeviceID    string      `json:"device_id"`
	Timestamp   json.Number `json:"timestamp"`
	Temperature float64     `json:"temperature"`
	ID          string      `json:"reading_id"`
	Probe       string      `json:"probe"`
	Suspect     bool        `json:"suspect"`
	Clock       string      `json:"clock"`
	Gap         *struct {
		Stream string `json:"stream"`
		First  uint64 `json:"first"`
		Last   uint64 `json:"last"`
		Reason string `json:"reason"`
	} `json:"gap"`
}

func (m *message) reading(t *testing.T) reading {
	t.Helper()
	var r reading
	if err := json.Unmarshal([]byte(m.body), &r); err != nil {
		t.Fatalf("%s: %v in %s", m.topic, err, m.body)
	}
	return r
}

// seconds is the timestamp as a time.
func (r *reading) time(t *testing.T) time.Time {
	t.Helper()
	seconds, ms, ok := strings.Cut(string(r.Timestamp), ".")
	var at, fraction int64
	if _, err := fmt.Sscan(seconds, &at); err != nil || !ok || len(ms) != 3 {
		t.Fatalf("timestamp %q: want seconds and three digits", r.Timestamp)
	}
	fmt.Sscan(strings.TrimLeft(ms, "0")+" 0", &fraction)
	return time.UnixMilli(at*1000 + fraction)
}

// fate is what becomes of a publish.
type fate int

const (
	confirmed   fate = iota
	lostBefore       // the connection ends, and the gateway never has it
	lostAfter        // the gateway has it, and the connection ends
	unconfirmed      // the gateway has it; its answer is lost and the connection stays
)

// memGate is the gateway, and the network before it.
type memGate struct {
	t       *testing.T
	latency time.Duration // from a publish to its confirmation
	window  *int

	mu        sync.Mutex
	refuse    func(n int) error // of each attempt, from 1
	fate      func(topic, body string) fate
	greet     func(in Inbox)
	attempts  []time.Time
	sessions  []*memSession
	got       []message
	ids       map[string][]string // bodies by reading_id
	published []string            // reading_ids, arrived or not
}

func newMemGate(t *testing.T) *memGate {
	return &memGate{t: t, latency: 20 * time.Millisecond, ids: map[string][]string{}}
}

func (g *memGate) Connect(ctx context.Context, in Inbox) (Session, error) {
	g.mu.Lock()
	g.attempts = append(g.attempts, time.Now())
	n, refuse := len(g.attempts), g.refuse
	g.mu.Unlock()
	select {
	case <-time.After(g.latency):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if refuse != nil {
		if err := refuse(n); err != nil {
			return nil, err
		}
	}
	s := &memSession{
		gate: g, in: in, renew: make(chan struct{}), ended: make(chan struct{}), wake: make(chan struct{}, 1),
		done: make(chan struct{}), ids: map[string]bool{},
	}
	g.mu.Lock()
	if l := len(g.sessions); l > 0 && !g.sessions[l-1].closed() {
		g.t.Error("a second session beside the first")
	}
	g.sessions = append(g.sessions, s)
	greet := g.greet
	g.mu.Unlock()
	go s.serve()
	if greet != nil {
		greet(in)
	}
	return s, nil
}

func (g *memGate) set(f func(g *memGate)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f(g)
}

// has says whether the gateway has a reading, or was told that it is damaged.
func (g *memGate) has(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.ids[id]) > 0
}

func (g *memGate) messages(topic string) []message {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []message
	for _, m := range g.got {
		if m.topic == topic {
			out = append(out, m)
		}
	}
	return out
}

func (g *memGate) readings() []message { return g.messages("events/temperature") }

func (g *memGate) connects() []time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.attempts)
}

func (g *memGate) session() *memSession {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.sessions) == 0 {
		return nil
	}
	return g.sessions[len(g.sessions)-1]
}

func (g *memGate) take(m message) {
	g.got = append(g.got, m)
	r := m.reading(g.t)
	if r.Gap != nil && r.Gap.Reason == "damaged" && r.Gap.First == r.Gap.Last {
		r.ID = readingID(r.Gap.Stream, r.Gap.First)
	}
	if r.ID != "" && !slices.Contains(g.ids[r.ID], m.body) {
		g.ids[r.ID] = append(g.ids[r.ID], m.body)
	}
}

// memSession is one connection: what is published is answered in order.
type memSession struct {
	gate  *memGate
	in    Inbox
	renew chan struct{}
	ended chan struct{}
	wake  chan struct{}
	done  chan struct{} // serve has returned

	mu       sync.Mutex
	queue    []memPublish
	ids      map[string]bool // under way
	underWay int
	err      error
	over     bool
	quiet    bool // what is under way when it ends is never answered
	renewed  bool
}

type memPublish struct {
	message
	id   string
	done func(error)
}

func (s *memSession) Publish(topic string, data []byte, done func(error)) {
	m := message{topic, string(data), time.Now()}
	p := memPublish{m, m.topic, done}
	if r := m.reading(s.gate.t); r.ID != "" {
		p.id = r.ID
	} else if topic != topicState {
		p.id = m.body
	}
	s.mu.Lock()
	if s.over {
		quiet := s.quiet
		s.mu.Unlock()
		if !quiet {
			done(errors.New("not connected"))
		}
		return
	}
	if s.ids[p.id] {
		s.gate.t.Errorf("%s is under way twice: %s", p.id, p.body)
	}
	s.ids[p.id] = true
	s.underWay++
	s.queue = append(s.queue, p)
	under := s.underWay
	s.mu.Unlock()
	s.gate.mu.Lock()
	if p.id != "" && topic != topicState {
		s.gate.published = append(s.gate.published, p.id)
	}
	if under > *s.gate.window {
		s.gate.t.Errorf("%d under way, the window is %d", under, *s.gate.window)
	}
	s.gate.mu.Unlock()
	signal(s.wake)
}

func (s *memSession) serve() {
	defer close(s.done)
	for {
		s.mu.Lock()
		var p memPublish
		some := len(s.queue) > 0
		if some {
			p = s.queue[0]
		}
		s.mu.Unlock()
		wake := s.wake
		var due <-chan time.Time
		if some {
			due, wake = time.After(time.Until(p.at.Add(s.gate.latency))), nil
		}
		select {
		case <-s.ended:
			return
		case <-wake:
			continue
		case <-due:
		}
		s.mu.Lock()
		if s.over || len(s.queue) == 0 {
			s.mu.Unlock()
			continue
		}
		s.queue = s.queue[1:]
		s.mu.Unlock()
		s.decide(p)
	}
}

func (s *memSession) decide(p memPublish) {
	g := s.gate
	g.mu.Lock()
	f := confirmed
	if g.fate != nil {
		f = g.fate(p.topic, p.body)
	}
	if f != lostBefore {
		g.take(p.message)
	}
	g.mu.Unlock()
	switch f {
	case confirmed:
		s.mu.Lock()
		delete(s.ids, p.id)
		s.underWay--
		s.mu.Unlock()
		p.done(nil)
	case unconfirmed:
	default:
		s.mu.Lock()
		s.queue = append([]memPublish{p}, s.queue...)
		s.mu.Unlock()
		s.end(errors.New("connection reset by peer"))
	}
}

// end cuts the connection. What is under way is told to have failed, or is never
// heard of again.
func (s *memSession) end(err error) {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	s.over, s.err = true, err
	queue, quiet := s.queue, s.quiet
	s.queue = nil
	close(s.ended)
	s.mu.Unlock()
	for _, p := range queue {
		if !quiet {
			p.done(errors.New("connection lost"))
		}
	}
}

func (s *memSession) wantRenewal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.renewed {
		s.renewed = true
		close(s.renew)
	}
}

func (s *memSession) closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

func (s *memSession) Renew() <-chan struct{} { return s.renew }
func (s *memSession) Ended() <-chan struct{} { return s.ended }

func (s *memSession) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *memSession) Close() {
	s.end(nil)
	<-s.done
}
