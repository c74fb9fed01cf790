package pubsub

import "google.golang.org/protobuf/encoding/protowire"

// cursor walks the fields of one message in wire form, unknown ones included.
// It copies nothing and trusts no length.
type cursor struct {
	rest  []byte
	num   uint64 // the field's number
	value uint64 // of a varint field
	bytes []byte // of a length-delimited field, else nil
	bad   bool   // the bytes are not a message; there is no next field
}

// next moves to the next varint or length-delimited field; no field that is read
// here has another type.
func (c *cursor) next() bool {
	for len(c.rest) > 0 {
		key, n := uvarint(c.rest)
		if n < 0 || key>>3 == 0 || key>>3 > uint64(protowire.MaxValidNumber) {
			break
		}
		c.num = key >> 3
		rest := c.rest[n:]
		switch key & 7 {
		case 2:
			size, n := uvarint(rest)
			if n < 0 || size > uint64(len(rest)-n) {
				c.bad = true
				return false
			}
			end := n + int(size)
			c.bytes, c.rest = rest[n:end:end], rest[end:]
			return true
		case 0:
			if c.value, n = uvarint(rest); n < 0 {
				c.bad = true
				return false
			}
			c.bytes, c.rest = nil, rest[n:]
			return true
		}
		n = protowire.ConsumeFieldValue(protowire.Number(c.num), protowire.Type(key&7), rest)
		if n < 0 {
			break
		}
		c.rest = rest[n:]
	}
	c.bad = len(c.rest) > 0
	return false
}

// uvarint is protowire's, with the one-byte case inlined.
func uvarint(b []byte) (v uint64, n int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return protowire.ConsumeVarint(b)
}

// entry splits a map entry; ok is false when it is not a message.
func entry(b []byte) (key, value []byte, ok bool) {
	// As every encoder writes it: key, value, both shorter than 128 bytes.
	if len(b) > 1 && b[0] == 1<<3|2 && b[1] < 0x80 {
		k := 2 + int(b[1])
		if len(b) > k+1 && b[k] == 2<<3|2 && b[k+1] < 0x80 && len(b) == k+2+int(b[k+1]) {
			return b[2:k:k], b[k+2:], true
		}
	}
	c := cursor{rest: b}
	for c.next() {
		switch {
		case c.bytes == nil:
		case c.num == 1:
			key = c.bytes
		case c.num == 2:
			value = c.bytes
		}
	}
	return key, value, !c.bad
}

// micros reads a google.protobuf.Timestamp.
func micros(b []byte) (t int64, ok bool) {
	var seconds, nanos int64
	c := cursor{rest: b}
	for c.next() {
		switch {
		case c.bytes != nil:
		case c.num == 1:
			seconds = int64(c.value)
		case c.num == 2:
			nanos = int64(int32(c.value))
		}
	}
	return seconds*1e6 + nanos/1e3, !c.bad
}
