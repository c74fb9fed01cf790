package schema

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// What Pub/Sub itself takes of attributes (cloud.google.com/pubsub/quotas). A
// message beyond it does not come from there.
const (
	maxAttributes     = 100
	maxAttributeKey   = 256
	maxAttributeValue = 1024
)

// Encoder turns messages into rows by one plan. It holds scratch space: one a goroutine.
type Encoder struct {
	plan         *Plan
	requireClaim bool
	attrs        []int32 // index+1 of each slot's attribute; 0 is absent
	body         body
	claim        []byte // scratch for a claim with escapes
}

// NewEncoder returns an encoder. With requireClaim, a body without the identity
// claim is a missing_field.
func (p *Plan) NewEncoder(requireClaim bool) *Encoder {
	return &Encoder{plan: p, requireClaim: requireClaim, attrs: make([]int32, len(p.attrs.names)), body: newBody(&p.members)}
}

// Append appends the message's row, in protobuf wire form, to dst. The error is
// a *Rejection: missing_identity, or what is found in the order of Reasons from
// oversize on; dst then comes back as it was. now is the time of ingest in µs. A
// good message allocates nothing.
func (e *Encoder) Append(dst []byte, m *Message, now int64) ([]byte, error) {
	row, why := e.append(dst, m, now)
	e.body.text = nil // it is the caller's
	if why != nil {
		return dst, why
	}
	return row, nil
}

func (e *Encoder) append(dst []byte, m *Message, now int64) ([]byte, *Rejection) {
	e.plan.attrs.find(e.attrs, m.Attributes)
	if why := e.bounds(m); why != nil {
		return nil, why
	}
	if e.plan.readBody {
		if !e.body.read(&e.plan.members, m.Data) {
			return nil, reject(MalformedBody, "byte %d: %s", e.body.at, e.body.fault)
		}
		if why := e.judgeClaim(m); why != nil {
			return nil, why
		}
	}
	for i := range e.plan.columns {
		c := &e.plan.columns[i]
		var why *Rejection
		switch {
		case c.source >= fromMemberString && c.source <= fromMemberTimestamp:
			dst, why = e.appendMember(dst, c)
		case c.source == fromAttribute:
			dst, why = e.appendAttribute(dst, c, m)
		case c.source == fromBody:
			dst = appendBytes(dst, c.tag, m.Data)
		case c.source == fromRest:
			dst = e.appendRest(dst, c)
		default:
			dst = c.appendFact(dst, m, now)
		}
		if why != nil {
			return nil, why
		}
	}
	return dst, nil
}

// bounds checks what must hold before anything else is read.
func (e *Encoder) bounds(m *Message) *Rejection {
	switch id, ok := e.attribute(m, deviceIDSlot); {
	case !ok:
		return &Rejection{MissingIdentity, "no attribute deviceId"}
	case !ValidID(id):
		return &Rejection{MissingIdentity, "the attribute deviceId is no device's name"}
	case len(m.Data) > MaxBody:
		return reject(Oversize, "%d bytes, the most is %d", len(m.Data), MaxBody)
	case len(m.Attributes) > maxAttributes:
		return reject(Oversize, "%d attributes, the most is %d", len(m.Attributes), maxAttributes)
	}
	for i := range m.Attributes {
		if a := &m.Attributes[i]; len(a.Key) > maxAttributeKey || len(a.Value) > maxAttributeValue {
			return reject(Oversize, "an attribute of %d and %d bytes, the most is %d and %d", len(a.Key), len(a.Value), maxAttributeKey, maxAttributeValue)
		}
	}
	return nil
}

// attribute returns a slot's value.
func (e *Encoder) attribute(m *Message, slot int) ([]byte, bool) {
	if i := e.attrs[slot]; i > 0 {
		return m.Attributes[i-1].Value, true
	}
	return nil, false
}

func (e *Encoder) appendAttribute(dst []byte, c *column, m *Message) ([]byte, *Rejection) {
	v, ok := e.attribute(m, c.slot)
	switch {
	case !ok && c.required:
		return nil, reject(MissingField, "%s: no attribute %s", c.name, e.plan.attrs.names[c.slot])
	case !ok:
		return dst, nil
	case c.maxBytes > 0 && len(v) > c.maxBytes:
		return nil, c.tooLong(len(v))
	case !validUTF8(v):
		return nil, reject(WrongType, "%s: the attribute is not UTF-8", c.name)
	}
	return appendBytes(dst, c.tag, v), nil
}

// validUTF8 is utf8.Valid, faster for short ASCII: most attributes.
func validUTF8(b []byte) bool {
	const high = 0x8080808080808080
	for len(b) >= 8 && binary.LittleEndian.Uint64(b)&high == 0 {
		b = b[8:]
	}
	for len(b) > 0 && b[0] < utf8.RuneSelf {
		b = b[1:]
	}
	return utf8.Valid(b)
}

// appendRest appends the members that no column takes, as one object; nothing when
// there are none.
func (e *Encoder) appendRest(dst []byte, c *column) []byte {
	rest := e.body.rest
	if len(rest) == 0 {
		return dst
	}
	dst = appendVarint(dst, c.tag, uint64(len(rest)+1))
	dst = append(dst, '{')
	dst = append(dst, rest[1:]...) // without the first comma
	return append(dst, '}')
}

// appendFact appends what is known of a message beside its body and attributes.
func (c *column) appendFact(dst []byte, m *Message, now int64) []byte {
	switch c.source {
	case fromMessageID:
		return appendBytes(dst, c.tag, m.ID)
	case fromPublishTime:
		return appendVarint(dst, c.tag, uint64(m.PublishTime))
	case fromNow:
		return appendVarint(dst, c.tag, uint64(now))
	case fromData:
		return appendBytes(dst, c.tag, m.Data)
	case fromAttempt:
		if m.Attempt > 0 {
			return appendVarint(dst, c.tag, uint64(m.Attempt))
		}
	case fromAttributes:
		start := len(dst)
		return prefix(appendAttributesJSON(dst, m.Attributes), start, c.tag)
	}
	return dst
}

func (c *column) tooLong(n int) *Rejection {
	return reject(ValueOutOfRange, "%s: %d bytes, the most is %d", c.name, n, c.maxBytes)
}

func reject(reason Reason, format string, args ...any) *Rejection {
	return NewRejection(reason, fmt.Sprintf(format, args...))
}
