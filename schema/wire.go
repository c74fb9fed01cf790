package schema

import (
	"encoding/binary"
	"math"
)

// Protobuf's wire types (protobuf.dev/programming-guides/encoding).
const (
	wireVarint = 0
	wireFixed  = 1
	wireBytes  = 2
)

func (t Type) wire() uint64 {
	switch t {
	case Int64, Bool, Timestamp:
		return wireVarint
	case Float64:
		return wireFixed
	}
	return wireBytes
}

func appendVarint(dst []byte, tag, v uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, tag), v)
}

func appendFixed(dst []byte, tag uint64, v float64) []byte {
	return binary.LittleEndian.AppendUint64(binary.AppendUvarint(dst, tag), math.Float64bits(v))
}

func appendBytes[T string | []byte](dst []byte, tag uint64, v T) []byte {
	return append(appendVarint(dst, tag, uint64(len(v))), v...)
}

// prefix puts tag and length before what dst holds from start on.
func prefix(dst []byte, start int, tag uint64) []byte {
	var room [2 * binary.MaxVarintLen64]byte
	head := appendVarint(room[:0], tag, uint64(len(dst)-start))
	dst = append(dst, head...)
	copy(dst[start+len(head):], dst[start:])
	copy(dst[start:], head)
	return dst
}
