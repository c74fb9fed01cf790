package schema

import "bytes"

// MaxBody is the longest payload that is read, in bytes: IoT Core's 256 KiB.
const MaxBody = 262144

// members is what a plan looks for in a body: the members that columns take and
// the one that claims the identity, by slot.
type members struct {
	names   [][]byte
	claim   int // slot, or -1
	unknown Unknown
}

// slot returns the member's slot, or -1. variant says that the name is only a case
// variant or another simple Unicode fold of that member's: what a reader that
// folds names would take for it.
func (m *members) slot(name []byte) (slot int, variant bool) {
	for i, n := range m.names {
		if string(n) == string(name) {
			return i, false
		}
	}
	for i, n := range m.names {
		if bytes.EqualFold(n, name) {
			return i, true
		}
	}
	return -1, false
}

// body is one payload taken apart. Its tokens point into the payload.
type body struct {
	scanner
	tokens    []token // by slot
	ambiguous bool    // more than one member could be the claim
	rest      []byte  // the other members, each after a comma, as they came
	name      []byte  // scratch for a name with escapes
}

func newBody(m *members) body { return body{tokens: make([]token, len(m.names))} }

// read takes data apart. It is false when data is malformed: fault and at then say
// how and where.
func (b *body) read(m *members, data []byte) bool {
	b.scanner = scanner{text: data}
	clear(b.tokens)
	b.ambiguous = false
	b.rest = b.rest[:0]
	if b.peek() != '{' {
		b.fail("expected an object")
		return false
	}
	b.at++
	for first := true; b.more('}', first); first = false {
		name, value := b.member(1)
		if b.fault != "" {
			return false
		}
		b.keep(m, name, value)
	}
	if b.peek(); b.at < len(data) {
		b.fail("expected nothing after the object")
	}
	return b.fault == ""
}

// keep puts a member where it belongs.
func (b *body) keep(m *members, name, value token) {
	slot, variant := m.slot(b.nameOf(name))
	switch {
	case slot < 0:
		switch m.unknown {
		case Keep:
			b.rest = append(b.rest, ',')
			b.rest = append(b.rest, b.text[name.from:value.to]...)
		case Reject:
			b.at = name.from
			b.fail("a member that no column takes")
		}
	case !variant && b.tokens[slot].kind == absent:
		b.tokens[slot] = value
	case slot == m.claim:
		b.ambiguous = true
	case variant:
		b.at = name.from
		b.fail("a name that differs only in case from " + string(m.names[slot]))
	default:
		b.at = name.from
		b.fail("a second " + string(m.names[slot]))
	}
}

// nameOf is a name without quotes and escapes. It holds until the next one.
func (b *body) nameOf(name token) []byte {
	if name.kind == plainText {
		return b.text[name.from+1 : name.to-1]
	}
	b.name = b.appendString(b.name[:0], name)
	return b.name
}

// raw is a token's text as it came; of a string without its quotes.
func (b *body) raw(t token) []byte {
	if t.kind == plainText || t.kind == escapedText {
		return b.text[t.from+1 : t.to-1]
	}
	return b.text[t.from:t.to]
}
