package schema

// maxClaim bounds a claim that is kept, in bytes.
const maxClaim = 255

// judgeClaim compares what the body claims to be with the attributes: byte for
// byte, with the device's name or its numeric id.
func (e *Encoder) judgeClaim(m *Message) *Rejection {
	slot := e.plan.members.claim
	if slot < 0 {
		return nil
	}
	if e.body.ambiguous {
		return reject(AmbiguousIdentity, "more than one %s", e.plan.table.Claim)
	}
	claim := e.body.raw(e.body.tokens[slot])
	switch e.body.tokens[slot].kind {
	case plainText, integer:
	case escapedText:
		e.claim = e.body.appendString(e.claim[:0], e.body.tokens[slot])
		claim = e.claim
	case absent:
		if e.requireClaim {
			return reject(MissingField, "%s: absent", e.plan.table.Claim)
		}
		return nil
	default:
		return reject(WrongType, "%s: neither a string nor an integer", e.plan.table.Claim)
	}
	id, _ := e.attribute(m, deviceIDSlot)
	number, _ := e.attribute(m, deviceNumIDSlot)
	if string(claim) == string(id) || len(claim) > 0 && string(claim) == string(number) {
		return nil
	}
	return reject(DeviceMismatch, "%s is neither the attribute deviceId nor deviceNumId", e.plan.table.Claim)
}

// ClaimOf returns the identity that a body claims: the claim's text when it is
// a string or a number of at most 255 bytes and the body can be read, else nil. Of
// two claims neither can be told to be the one.
func (p *Plan) ClaimOf(data []byte) []byte {
	if p.members.claim < 0 || len(data) > MaxBody {
		return nil
	}
	only := members{names: [][]byte{[]byte(p.table.Claim)}}
	b := newBody(&only)
	if !b.read(&only, data) || b.ambiguous {
		return nil
	}
	claim := b.raw(b.tokens[0])
	switch b.tokens[0].kind {
	case plainText, integer, number:
	case escapedText:
		claim = b.appendString(nil, b.tokens[0])
	default:
		return nil
	}
	if len(claim) > maxClaim {
		return nil
	}
	return claim
}
