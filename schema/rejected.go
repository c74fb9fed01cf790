package schema

import (
	"bytes"
	"unicode/utf8"
)

// Verdict is what a row of the quarantine table says beside the message.
type Verdict struct {
	*Rejection
	Claim        []byte // the body's claim; nil when it has none that can be told
	Now          int64  // µs
	Subscription string
	Worker       string
}

// AppendRejected appends a row of a table whose columns come from message.*,
// worker.*, attribute.* and verdict.*: the quarantine. It never fails: what a
// column could not take because it is not UTF-8 is stored with U+FFFD in its place.
func (p *Plan) AppendRejected(dst []byte, m *Message, v *Verdict) []byte {
	for i := range p.columns {
		c := &p.columns[i]
		switch c.source {
		case fromAttribute:
			if value, ok := m.Attr(p.attrs.names[c.slot]); ok {
				dst = appendBytes(dst, c.tag, repaired(value))
			}
		case fromMessageID:
			dst = appendBytes(dst, c.tag, repaired(m.ID))
		case fromSubscription:
			dst = appendBytes(dst, c.tag, v.Subscription)
		case fromWorker:
			dst = appendBytes(dst, c.tag, v.Worker)
		case fromReason:
			dst = appendBytes(dst, c.tag, string(v.Reason))
		case fromDetail:
			dst = appendBytes(dst, c.tag, printable(v.Detail))
		case fromClaim:
			if v.Claim != nil {
				dst = appendBytes(dst, c.tag, repaired(v.Claim))
			}
		default:
			dst = c.appendFact(dst, m, v.Now)
		}
	}
	return dst
}

func repaired(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return bytes.ToValidUTF8(b, []byte("\uFFFD"))
}
