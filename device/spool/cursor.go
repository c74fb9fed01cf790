package spool

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"math"
)

// Why a record was lost: the words of device.Gap.
const (
	full = iota
	age
	damaged
	reasons
)

var words = [reasons]string{"full", "age", "damaged"}

const (
	maxSettled = 4096 // spans of settled numbers that are remembered
	maxGaps    = 1024 // and of lost ones, each reason
	maxCursor  = cursorFixed + 16*(maxSettledRead+reasons*maxGaps) + 4

	maxSettledRead = 2 * maxSettled
	cursorFixed    = 8 + 16 + 16 + 5*8 + (1+reasons)*4
	cursorVersion  = 1
)

var cursorMagic = []byte("iotbcur")

// mark is what is kept of a machine's id: enough to know it again, not to tell it.
type mark [16]byte

func newMark(s stream, machineID string) (m mark) {
	if machineID == "" {
		return m
	}
	sum := sha256.Sum256(append(append([]byte("iotbridge spool\x00"), s[:]...), machineID...))
	copy(m[:], sum[:])
	return m
}

func newStream() (s stream) {
	rand.Read(s[:]) // it never fails
	return s
}

// cursor is what the segments do not say.
type cursor struct {
	stream  stream
	machine mark
	next    uint64 // numbers from here on are unused, as far as no segment says more
	top     uint64 // numbers from here on were not given when this was written
	newest  uint64 // base of the last segment
	closed  bool   // next is exact while newest is the last segment
	dropped uint64
	settled spans // not to be delivered: confirmed, lost, or never given
	gaps    [reasons]spans
}

func (c *cursor) encode() []byte {
	b := append(append([]byte(nil), cursorMagic...), cursorVersion)
	b = append(append(b, c.stream[:]...), c.machine[:]...)
	closed := uint64(0)
	if c.closed {
		closed = 1
	}
	for _, n := range []uint64{c.next, c.top, c.newest, closed, c.dropped} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	lists := append([]spans{c.settled}, c.gaps[:]...)
	for _, l := range lists {
		b = binary.BigEndian.AppendUint32(b, uint32(len(l)))
	}
	for _, l := range lists {
		for _, x := range l {
			b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, x.first), x.last)
		}
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeCursor(b []byte) (*cursor, error) {
	if len(b) < cursorFixed+4 || len(b) > maxCursor || !bytes.HasPrefix(b, cursorMagic) {
		return nil, errDamaged
	}
	b, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(b, castagnoli) != sum {
		return nil, errDamaged
	}
	if b[7] != cursorVersion {
		return nil, errNewer
	}
	c := &cursor{}
	copy(c.stream[:], b[8:])
	copy(c.machine[:], b[24:])
	numbers := make([]uint64, 5)
	for i := range numbers {
		numbers[i] = binary.BigEndian.Uint64(b[40+8*i:])
	}
	c.next, c.top, c.newest, c.closed, c.dropped = numbers[0], numbers[1], numbers[2], numbers[3] == 1, numbers[4]
	counts, rest := b[80:cursorFixed], b[cursorFixed:]
	for i, list := range []*spans{&c.settled, &c.gaps[full], &c.gaps[age], &c.gaps[damaged]} {
		n := binary.BigEndian.Uint32(counts[4*i:])
		if uint64(n)*16 > uint64(len(rest)) {
			return nil, errDamaged
		}
		if !list.decode(rest[:16*n]) {
			return nil, errDamaged
		}
		rest = rest[16*n:]
	}
	if len(rest) > 0 || c.next == 0 || c.top > c.next || c.newest > c.next {
		return nil, errDamaged
	}
	return c, nil
}

func (s *spans) decode(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	*s = make(spans, 0, len(b)/16)
	for ; len(b) > 0; b = b[16:] {
		x := span{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
		if n := len(*s); x.first > x.last || x.last == math.MaxUint64 || n > 0 && x.first <= (*s)[n-1].last+1 {
			return false
		}
		*s = append(*s, x)
	}
	return true
}
