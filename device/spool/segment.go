package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"
)

const (
	segmentHead    = 80
	segmentVersion = 1
	// segmentNumbers is how many numbers a segment's existence takes out of use.
	segmentNumbers = 1 << 16
	// maxSegment is the most that is ever read of a segment.
	maxSegment = maxSegmentBytes + MaxRecord + recordHead + segmentHead
)

var segmentMagic = []byte("iotbseg")

// segment is a file of records with the numbers [base, end): those given by Append.
type segment struct {
	base, end uint64
	size      int64     // up to which it counts
	live      int       // numbers not settled
	began     time.Time // zero when the clock was not plausible
	newest    time.Time // not before its last record, or zero
}

func (g *segment) name() string { return segmentName(g.base) }

func segmentName(base uint64) string { return fmt.Sprintf("%016x.seg", base) }

// parseName returns the number in a segment's name.
func parseName(name string) (base uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, ".seg")
	if !ok {
		return 0, false
	}
	base, err := strconv.ParseUint(digits, 16, 64)
	return base, err == nil && segmentName(base) == name
}

// header opens a segment. All but its base may be lost: records are checked by
// themselves, and the base is in the name.
type header struct {
	stream   stream
	machine  mark
	base     uint64
	prevBase uint64    // of the segment before it, 0 for none
	prevEnd  uint64    // the numbers in [prevEnd, base) were given to nobody
	created  time.Time // zero when the clock was not plausible
}

func (h header) encode() []byte {
	b := make([]byte, 0, segmentHead)
	b = append(append(b, segmentMagic...), segmentVersion)
	b = append(append(b, h.stream[:]...), h.machine[:]...)
	b = binary.BigEndian.AppendUint64(b, h.base)
	b = binary.BigEndian.AppendUint64(b, h.prevBase)
	b = binary.BigEndian.AppendUint64(b, h.prevEnd)
	var created uint64
	if !h.created.IsZero() {
		created = uint64(max(h.created.Unix(), 0))
	}
	b = binary.BigEndian.AppendUint64(b, created)
	b = append(b, 0, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

var (
	errDamaged = errors.New("damaged")
	errNewer   = errors.New("written by a newer version of the agent: install that one, or move the file away")
)

func decodeHeader(b []byte) (h header, err error) {
	if len(b) < segmentHead {
		return h, errDamaged
	}
	b = b[:segmentHead]
	if !bytes.HasPrefix(b, segmentMagic) || crc32.Checksum(b[:segmentHead-4], castagnoli) != binary.BigEndian.Uint32(b[segmentHead-4:]) {
		return h, errDamaged
	}
	if b[7] != segmentVersion {
		return h, errNewer
	}
	copy(h.stream[:], b[8:])
	copy(h.machine[:], b[24:])
	h.base = binary.BigEndian.Uint64(b[40:])
	h.prevBase = binary.BigEndian.Uint64(b[48:])
	h.prevEnd = binary.BigEndian.Uint64(b[56:])
	if created := binary.BigEndian.Uint64(b[64:]); created != 0 {
		h.created = time.Unix(int64(created), 0)
	}
	if h.base == 0 || h.prevEnd > h.base || h.prevBase >= h.base || h.prevBase > h.prevEnd {
		return header{}, errDamaged
	}
	return h, nil
}
