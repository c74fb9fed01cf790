package device

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"

	"go.uber.org/zap"
)

// maxGaps bounds the ranges that a ring remembers to have lost.
const maxGaps = 64

// ring is a Spool in memory, for while the disk takes nothing. When it is full the
// oldest go. It is safe for several goroutines.
type ring struct {
	stream              string
	maxRecords, maxSize int

	mu      sync.Mutex
	last    uint64
	records []held // by seq
	size    int
	dropped uint64
	gaps    []Gap
}

type held struct {
	seq    uint64
	record []byte
	handed bool // somebody may have seen it under this number
}

func newRing(records, size int) *ring {
	var id [16]byte
	rand.Read(id[:]) // never fails: it ends the program rather
	return &ring{stream: hex.EncodeToString(id[:]), maxRecords: records, maxSize: size}
}

func (r *ring) Stream() string { return r.stream }

func (r *ring) Append(record []byte) (uint64, error) {
	if len(record) > r.maxSize {
		return 0, fmt.Errorf("ring: a record of %d bytes, the most is %d", len(record), r.maxSize)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.records) > 0 && (len(r.records) >= r.maxRecords || r.size+len(record) > r.maxSize) {
		r.lose(r.records[0].seq)
		r.remove(0)
	}
	r.last++
	r.records = append(r.records, held{seq: r.last, record: slices.Clone(record)})
	r.size += len(record)
	return r.last, nil
}

// lose remembers a loss. Past the bound the last gap grows over what lies between:
// too much is then called lost, never too little.
func (r *ring) lose(seq uint64) {
	r.dropped++
	if n := len(r.gaps); n > 0 && (r.gaps[n-1].Last+1 == seq || n >= maxGaps) {
		r.gaps[n-1].Last = seq
		return
	}
	r.gaps = append(r.gaps, Gap{r.stream, seq, seq, "full"})
}

func (r *ring) remove(i int) {
	r.size -= len(r.records[i].record)
	r.records = slices.Delete(r.records, i, i+1)
}

func (r *ring) at(seq uint64) (int, bool) {
	return slices.BinarySearchFunc(r.records, seq, func(h held, seq uint64) int {
		switch {
		case h.seq < seq:
			return -1
		case h.seq > seq:
			return 1
		}
		return 0
	})
}

func (r *ring) Next(from uint64) (uint64, []byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, _ := r.at(from)
	if i == len(r.records) {
		return 0, nil, ErrEmpty
	}
	r.records[i].handed = true
	return r.records[i].seq, r.records[i].record, nil
}

func (r *ring) Ack(seq uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i, ok := r.at(seq); ok {
		r.remove(i)
	}
	return nil
}

func (r *ring) Gaps() []Gap {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.gaps)
}

// Reported forgets what lies within the gap: it may have grown since it was told.
func (r *ring) Reported(g Gap) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gaps = slices.DeleteFunc(r.gaps, func(have Gap) bool { return have.First == g.First && have.Last <= g.Last })
	for i := range r.gaps {
		if r.gaps[i].First == g.First {
			r.gaps[i].First = g.Last + 1
		}
	}
	return nil
}

func (r *ring) Depth() Depth {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Depth{len(r.records), int64(r.size), r.dropped}
}

// rescue moves to the spool what nobody has seen yet: it may take a new name. What
// was sent under the ring's name keeps it, and is lost with the memory unless the
// gateway has it. A disk that hangs meanwhile holds nobody else up.
func (r *ring) rescue(to Spool, log *zap.Logger) {
	saved := 0
	for h, ok := r.take(); ok; h, ok = r.take() {
		if _, err := to.Append(h.record); err != nil {
			r.putBack(h)
			break
		}
		saved++
	}
	if left := r.Depth().Records; saved > 0 || left > 0 {
		log.Warn("readings were in memory only", zap.Int("saved to the spool", saved), zap.Int("left", left))
	}
}

func (r *ring) take() (h held, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.records, func(h held) bool { return !h.handed })
	if i < 0 {
		return held{}, false
	}
	h = r.records[i]
	r.remove(i)
	return h, true
}

func (r *ring) putBack(h held) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, _ := r.at(h.seq)
	r.records = slices.Insert(r.records, i, h)
	r.size += len(h.record)
}
