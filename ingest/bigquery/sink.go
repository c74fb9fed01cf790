package bigquery

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/api/option"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/descriptorpb"

	"iotbridge/ingest"
	"iotbridge/schema"
)

// MaxRequestBytes is the most that an append may have in rows: the service's 10 MiB
// less half a MiB for the descriptor and for what the service adds to its count.
const MaxRequestBytes = 10<<20 - 512<<10

// maxAlone is the same for one row, for which the service adds little.
const maxAlone = ingest.MaxRowBytes + 64<<10

// maxFailures is after how many failed appends in a row a stream is replaced that
// the service itself keeps open.
const maxFailures = 3

// fitsFor is how long a compared schema is taken to be the table's.
const fitsFor = 5 * time.Second

// Settings are what all sinks share.
type Settings struct {
	Endpoint Endpoint
	Version  string        // of the program, for the service's records
	Streams  int           // connections a table; 0 is 2
	Timeout  time.Duration // of an append; 0 is 30 s
	Watchdog time.Duration // the oldest an append in flight may be; 0 is 60 s
	Metrics  *ingest.Metrics
}

// Sink appends rows to one table. It is an ingest.Sink; Close ends it.
type Sink struct {
	Settings
	ID    TableID
	Table *schema.Table

	descriptor *descriptorpb.DescriptorProto
	dial       []option.ClientOption
	timeout    time.Duration // the stream of an append is cut
	abandon    time.Duration // an append returns, come what may

	streams *streams
	fits    atomic.Int64 // when the table last had our schema, Unix ns
}

// NewSink returns a sink that opens its connections when they are needed: the table
// may come later.
func NewSink(id TableID, table *schema.Table, s Settings) (*Sink, error) {
	descriptor, err := Descriptor(table)
	if err != nil {
		return nil, err
	}
	if s.Streams == 0 {
		s.Streams = 2
	}
	if s.Timeout == 0 {
		s.Timeout = 30 * time.Second
	}
	if s.Watchdog == 0 {
		s.Watchdog = time.Minute
	}
	if s.Metrics == nil {
		s.Metrics = ingest.NewMetrics(nil)
	}
	timeout := min(s.Timeout, s.Watchdog)
	sink := &Sink{
		Settings: s, ID: id, Table: table, descriptor: descriptor, dial: s.Endpoint.storage(),
		timeout: timeout, abandon: max(s.Watchdog, timeout+cutGrace),
	}
	sink.streams = newStreams(s.Streams, sink.open)
	return sink, nil
}

// Append implements ingest.Sink. It takes Settings.Timeout at most once its stream is
// open, twice that after a lost connection. What was sent cannot be called back: when
// ctx ends first, whether the rows are stored is not known. At shutdown ctx is
// therefore one that ends with the grace period.
func (s *Sink) Append(ctx context.Context, rows [][]byte) error {
	if len(rows) == 0 {
		return nil
	}
	size, most := requestBytes(rows), MaxRequestBytes
	if len(rows) == 1 {
		most = maxAlone
	}
	if size > most {
		return &ingest.Refused{Detail: fmt.Sprintf("%d bytes of rows are more than the %d of one append", size, most)}
	}
	return s.append(ctx, rows, size)
}

// append tries once, and a second time where the first tells nothing about these rows.
func (s *Sink) append(ctx context.Context, rows [][]byte, size int) error {
	alone := false
	for again := false; ; again = true {
		st, err := s.streams.take(alone)
		if err != nil {
			return err
		}
		err = st.opened(ctx)
		if ctx.Err() != nil {
			s.streams.drop(st, false)
			return fmt.Errorf("append to %s: %w", s.ID, ctx.Err())
		}
		if err != nil {
			s.streams.drop(st, true)
			return notOpened(s.ID, err)
		}
		start := time.Now()
		a, sent := st.append(ctx, rows, s.timeout, s.abandon)
		if !again && a.idled(sent) {
			s.streams.drop(st, true) // no fault of anybody's: nothing is counted
			continue
		}
		s.observe(a, time.Since(start), len(rows), size)
		err = s.judge(ctx, st, a, len(rows))
		if s.streams.drop(st, s.spent(st, a, err)) {
			s.Metrics.StreamRestarts.WithLabelValues("bigquery").Inc()
		}
		var refused *ingest.Refused
		if !again && a.resp == nil && errors.As(err, &refused) {
			alone = true // the request that ended the stream may be another's
			continue
		}
		return err
	}
}

// Check implements ingest.Sink: it looks at the table anew.
func (s *Sink) Check(ctx context.Context) error {
	st, err := s.streams.take(false)
	if err != nil {
		return err
	}
	if err = st.opened(ctx); err == nil {
		ctx, cancel := context.WithTimeout(ctx, min(openTimeout, s.timeout))
		defer cancel()
		err = s.look(ctx, st.client)
	}
	s.streams.drop(st, err != nil && ctx.Err() == nil)
	if err != nil {
		return notOpened(s.ID, err)
	}
	return nil
}

// Close ends the sink after its appends. When ctx ends first they are cut off.
func (s *Sink) Close(ctx context.Context) error {
	if !s.streams.close(ctx) {
		return fmt.Errorf("table %s: appends were cut off, whether they are stored is not known: %w", s.ID, ctx.Err())
	}
	return nil
}

// judge is the answer's verdict. A request that is refused as a whole may be the
// first sign that the table has changed.
func (s *Sink) judge(ctx context.Context, st *stream, a answer, rows int) error {
	err := a.verdict(s.ID, rows)
	var refused *ingest.Refused
	if !errors.As(err, &refused) || time.Since(time.Unix(0, s.fits.Load())) < fitsFor {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, min(openTimeout, s.timeout))
	defer cancel()
	var held *ingest.Held
	if errors.As(s.look(ctx, st.client), &held) {
		return held
	}
	return err
}

// spent tells whether the answer speaks against using the stream again.
func (s *Sink) spent(st *stream, a answer, err error) bool {
	var named *ingest.RowErrors
	var refused *ingest.Refused
	var held *ingest.Held
	switch {
	case a.resp == nil || st.ctx.Err() != nil:
		return true
	case err == nil, errors.As(err, &named), errors.As(err, &refused):
		st.failed.Store(0)
		return false
	case errors.As(err, &held):
		return held.Cause != ingest.Quota
	case storageCode(a.err) != 0: // the stream's state
		return true
	}
	return st.failed.Add(1) >= maxFailures
}

func (s *Sink) observe(a answer, took time.Duration, rows, size int) {
	s.Metrics.AppendRows.Observe(float64(rows))
	s.Metrics.AppendBytes.Observe(float64(size))
	s.Metrics.AppendSeconds.WithLabelValues(s.ID.String(), a.code().String()).Observe(took.Seconds())
}

// requestBytes is what rows take in a request.
func requestBytes(rows [][]byte) int {
	n := 0
	for _, row := range rows {
		n += 1 + protowire.SizeBytes(len(row))
	}
	return n
}
