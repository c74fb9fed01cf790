package spool

import (
	"encoding/binary"
	"hash/crc32"
)

// MaxRecord is the longest record, in bytes.
const MaxRecord = 64 << 10

// A record on disk, big-endian: length of the payload (4), number (8), CRC32C of the
// payload (4), CRC32C of those 16 bytes (4), payload.
const recordHead = 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// stream names a spool and seeds the sums of its records.
type stream [16]byte

func (s stream) seed() uint32 { return crc32.Checksum(s[:], castagnoli) }

func appendRecord(b []byte, seed uint32, seq uint64, payload []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.BigEndian.AppendUint64(b, seq)
	b = binary.BigEndian.AppendUint32(b, crc32.Update(seed, castagnoli, payload))
	b = binary.BigEndian.AppendUint32(b, crc32.Update(seed, castagnoli, b[start:]))
	return append(b, payload...)
}

// found is a whole record, and where the next one should begin.
type found struct {
	seq     uint64
	payload []byte
	end     int
}

// find returns the first whole record at or after off whose number is in [least, below).
// A damaged one is stepped over: by its length when its head is whole, else byte by byte.
func find(b []byte, off int, seed uint32, least, below uint64) (found, bool) {
	for ; len(b)-off >= recordHead; off++ {
		seq := binary.BigEndian.Uint64(b[off+4:])
		if seq < least || seq >= below {
			continue
		}
		if crc32.Update(seed, castagnoli, b[off:off+16]) != binary.BigEndian.Uint32(b[off+16:]) {
			continue
		}
		length := binary.BigEndian.Uint32(b[off:])
		if length > MaxRecord || int(length) > len(b)-off-recordHead {
			continue
		}
		payload := b[off+recordHead : off+recordHead+int(length) : off+recordHead+int(length)]
		if crc32.Update(seed, castagnoli, payload) == binary.BigEndian.Uint32(b[off+12:]) {
			return found{seq: seq, payload: payload, end: off + recordHead + int(length)}, true
		}
		off += recordHead + int(length) - 1
	}
	return found{}, false
}
