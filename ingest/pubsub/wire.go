package pubsub

import "google.golang.org/protobuf/encoding/protowire"

// A field's key in wire form: number and type in one, so that a field of another
// type than expected is an unknown field.
const (
	typeVarint = 0
	typeBytes  = 2
)

// field reads the field at b[i:], known or not: its key, where its content lies,
// and so where the next field begins. It trusts no length; to is negative when
// b[i:] is not a field. The content of bytes is b[from:to], of a varint what
// varint reads at from.
func field(b []byte, i int) (key uint64, from, to int) {
	// Nearly every field is one of the first 15, of bytes, and shorter than 16 KiB.
	if i+2 < len(b) && b[i]&^0x78 == typeBytes && b[i] > 7 {
		if size := int(b[i+1]); size < 0x80 {
			from, to = i+2, i+2+size
		} else if b[i+2] < 0x80 {
			from, to = i+3, i+3+size&0x7f+int(b[i+2])<<7
		}
		if 0 < to && to <= len(b) {
			return uint64(b[i]), from, to
		}
	}
	return longField(b, i)
}

func longField(b []byte, i int) (key uint64, from, to int) {
	key, n := protowire.ConsumeVarint(b[i:])
	if n < 0 || key>>3 == 0 || key>>3 > uint64(protowire.MaxValidNumber) {
		return 0, 0, -1
	}
	from = i + n
	if key&7 == typeBytes {
		size, n := protowire.ConsumeVarint(b[from:])
		if n < 0 || size > uint64(len(b)-from-n) {
			return 0, 0, -1
		}
		from += n
		return key, from, from + int(size)
	}
	if n = protowire.ConsumeFieldValue(protowire.Number(key>>3), protowire.Type(key&7), b[from:]); n < 0 {
		return 0, 0, -1
	}
	return key, from, from + n
}

// varint reads a varint that field has found.
func varint(b []byte, from int) uint64 {
	v, _ := protowire.ConsumeVarint(b[from:])
	return v
}

const (
	entryKey   = 1<<3 | typeBytes
	entryValue = 2<<3 | typeBytes

	timeSeconds = 1<<3 | typeVarint
	timeNanos   = 2<<3 | typeVarint
)

// entry splits a map entry; ok is false when it is not a message.
func entry(b []byte) (k, v []byte, ok bool) {
	if len(b) > 3 && b[0] == entryKey && b[1] < 0x80 { // as encoders write it
		k := 2 + int(b[1])
		if k+1 < len(b) && b[k] == entryValue && b[k+1] < 0x80 && k+2+int(b[k+1]) == len(b) {
			return b[2:k:k], b[k+2:], true
		}
	}
	for i := 0; i < len(b); {
		key, from, to := field(b, i)
		if to < 0 {
			return nil, nil, false
		}
		switch key {
		case entryKey:
			k = b[from:to:to]
		case entryValue:
			v = b[from:to:to]
		}
		i = to
	}
	return k, v, true
}

// micros reads a google.protobuf.Timestamp.
func micros(b []byte) (t int64, ok bool) {
	var seconds, nanos int64
	for i := 0; i < len(b); {
		if b[i] != timeSeconds && b[i] != timeNanos {
			if _, _, i = field(b, i); i < 0 {
				return 0, false
			}
			continue
		}
		v, n := protowire.ConsumeVarint(b[i+1:])
		if n < 0 {
			return 0, false
		}
		if b[i] == timeSeconds {
			seconds = int64(v)
		} else {
			nanos = int64(int32(v))
		}
		i += 1 + n
	}
	return seconds*1e6 + nanos/1e3, true
}
