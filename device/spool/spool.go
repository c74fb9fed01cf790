package spool

import (
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"iotbridge/device"
)

// Options of a spool; the zero value is one for a Raspberry Pi.
type Options struct {
	MaxBytes     int64         // of records on disk, at least 64 KiB; 0: 256 MiB
	MaxAge       time.Duration // of a record, by whole segments; 0: none is too old
	Block        bool          // when full: refuse new records instead of dropping the oldest
	Sync         time.Duration // how long a record may stay unsynced; 0: not at all
	SegmentBytes int           // 0: 512 KiB, or an eighth of MaxBytes if that is less

	// MachineID is what tells this machine from others, as in /etc/machine-id; "" when
	// that is not known, and then no other is either.
	MachineID string
	// Now is the wall clock, or zero as long as it is not plausible. nil: never.
	Now func() time.Time
	// Warn takes one sentence on what went wrong and was dealt with. It must return at
	// once, and not call the spool. nil discards.
	Warn func(string)
}

const (
	defaultBytes    = 256 << 20
	leastBytes      = 64 << 10
	defaultSegment  = 512 << 10
	leastSegment    = 8 << 10
	maxSegmentBytes = 4 << 20

	maxPending = 64 << 10 // bytes of records that wait for a sync
	flushEvery = time.Second
	flushAcks  = 4096
)

var (
	// ErrFull says that the spool holds all it may, and may not drop any of it.
	ErrFull = errors.New("the spool is full and set to block: confirm records, or allow it more bytes")
	// ErrClosed says that the spool was closed.
	ErrClosed = errors.New("the spool is closed")
)

// Spool is a device.Spool. It is safe for concurrent use.
type Spool struct {
	files   files
	release func()
	opt     Options
	seed    uint32

	mu       sync.Mutex
	closed   bool
	cur      cursor     // stream, machine, settled, gaps, dropped: the truth; the rest is set when written
	segments []*segment // by base
	active   file       // of the last segment; nil when that is sealed
	next     uint64     // number of the next record
	end      uint64     // numbers below were given to a durable record, or to none
	pending  []record   // appended, not yet durable
	waiting  int        // bytes of them
	synced   time.Time

	readers [2]reader // the live records' and the backlog's
	turn    uint64

	dirty      bool // the cursor has to be written
	acks       int  // since that was tried
	flushed    time.Time
	reserve    int // bytes of that file
	reserveTry time.Time
}

type record struct {
	seq     uint64
	payload []byte
}

var _ device.Spool = (*Spool)(nil)

// Open opens the spool in a folder, and makes it when it is not there. Errors name the
// path, the cause and the cure.
func Open(path string, opt Options) (*Spool, error) {
	f, err := openFolder(path)
	if err != nil {
		return nil, err
	}
	s, err := open(f, opt)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("spool %s: %w", path, err)
	}
	s.release = f.Close
	return s, nil
}

func open(f files, opt Options) (*Spool, error) {
	if err := opt.complete(); err != nil {
		return nil, err
	}
	s := &Spool{files: f, opt: opt, release: func() {}, flushed: time.Now(), synced: time.Now()}
	if err := s.recover(); err != nil {
		return nil, err
	}
	s.keepReserve(len(s.cur.encode()), false)
	return s, nil
}

func (o *Options) complete() error {
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultBytes
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = int(min(defaultSegment, o.MaxBytes/8))
	}
	switch {
	case o.MaxBytes < leastBytes:
		return fmt.Errorf("%d bytes are too few: allow at least %d", o.MaxBytes, leastBytes)
	case o.SegmentBytes < leastSegment || o.SegmentBytes > maxSegmentBytes || int64(o.SegmentBytes) > o.MaxBytes/4:
		return fmt.Errorf("segments of %d bytes: choose %d to %d, and no more than a quarter of the whole", o.SegmentBytes, leastSegment, maxSegmentBytes)
	case o.MaxAge < 0 || o.Sync < 0:
		return errors.New("a negative time")
	}
	if o.Now == nil {
		o.Now = func() time.Time { return time.Time{} }
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	return nil
}

// Stream names the spool.
func (s *Spool) Stream() string { return hex.EncodeToString(s.cur.stream[:]) }

// Depth says how much it holds.
func (s *Spool) Depth() device.Depth {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := device.Depth{Bytes: s.bytes(), Dropped: s.cur.dropped}
	for _, g := range s.segments {
		d.Records += g.live
	}
	for _, r := range s.pending {
		if !s.cur.settled.has(r.seq) {
			d.Records++
		}
	}
	return d
}

func (s *Spool) bytes() (n int64) {
	for _, g := range s.segments {
		n += g.size
	}
	return n + int64(s.waiting)
}

// Close writes down what is not yet on disk, and gives the folder up.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	err := s.syncPending()
	s.seal()
	s.cur.closed = len(s.pending) == 0
	err = errors.Join(err, s.flush())
	s.closed = true
	s.release()
	return err
}

// last is the segment with the highest numbers, or nil.
func (s *Spool) last() *segment {
	if len(s.segments) == 0 {
		return nil
	}
	return s.segments[len(s.segments)-1]
}

func (s *Spool) warn(format string, args ...any) { s.opt.Warn(fmt.Sprintf(format, args...)) }
