package schema

// appendMember appends a column that comes from a member of the body.
func (e *Encoder) appendMember(dst []byte, c *column) ([]byte, *Rejection) {
	t := e.body.tokens[c.slot]
	if t.kind == absent || t.kind == null {
		if c.required {
			return nil, reject(MissingField, "%s: %s", c.name, [...]string{absent: "absent", null: "null"}[t.kind])
		}
		return dst, nil
	}
	switch c.source {
	case fromMemberFloat64:
		return e.appendFloat(dst, c, t)
	case fromMemberTimestamp:
		return e.appendTimestamp(dst, c, t)
	case fromMemberString:
		return e.appendText(dst, c, t)
	case fromMemberInt64:
		return e.appendInt(dst, c, t)
	case fromMemberBool:
		switch t.kind {
		case isTrue:
			return appendVarint(dst, c.tag, 1), nil
		case isFalse:
			return appendVarint(dst, c.tag, 0), nil
		}
		return nil, c.wrongType("true or false")
	default:
		return appendBytes(dst, c.tag, e.body.text[t.from:t.to]), nil
	}
}

func (e *Encoder) appendFloat(dst []byte, c *column, t token) ([]byte, *Rejection) {
	if t.kind != integer && t.kind != number {
		return nil, c.wrongType("a number")
	}
	v, ok := parseFloat(e.body.raw(t))
	if !ok || v < c.min || v > c.max {
		return nil, c.outOfRange()
	}
	return appendFixed(dst, c.tag, v), nil
}

func (e *Encoder) appendInt(dst []byte, c *column, t token) ([]byte, *Rejection) {
	if t.kind != integer {
		return nil, c.wrongType("an integer without fraction and exponent")
	}
	v, ok := parseInt(e.body.raw(t))
	if !ok || float64(v) < c.min || float64(v) > c.max {
		return nil, c.outOfRange()
	}
	return appendVarint(dst, c.tag, uint64(v)), nil
}

func (e *Encoder) appendText(dst []byte, c *column, t token) ([]byte, *Rejection) {
	v := e.body.raw(t)
	switch t.kind {
	case plainText:
		if c.maxBytes > 0 && len(v) > c.maxBytes {
			return nil, c.tooLong(len(v))
		}
		return appendBytes(dst, c.tag, v), nil
	case escapedText:
		start := len(dst)
		dst = e.body.appendString(dst, t)
		if n := len(dst) - start; c.maxBytes > 0 && n > c.maxBytes {
			return nil, c.tooLong(n)
		}
		return prefix(dst, start, c.tag), nil
	}
	return nil, c.wrongType("a string")
}

func (e *Encoder) appendTimestamp(dst []byte, c *column, t token) ([]byte, *Rejection) {
	var micros int64
	form, ok := true, false
	switch t.kind {
	case integer, number:
		micros, ok = epochMicros(e.body.raw(t), c.scale)
	case plainText:
		micros, form, ok = rfc3339Micros(e.body.raw(t))
	case escapedText:
		micros, form, ok = rfc3339Micros(e.body.nameOf(t))
	default:
		form = false
	}
	switch {
	case !form:
		return nil, c.wrongType("a number or an RFC 3339 timestamp")
	case !ok:
		return nil, reject(TimestampOutOfRange, "%s: not within the years 1 to 9999", c.name)
	}
	return appendVarint(dst, c.tag, uint64(micros)), nil
}

func (c *column) wrongType(want string) *Rejection {
	return reject(WrongType, "%s: not %s", c.name, want)
}

func (c *column) outOfRange() *Rejection {
	return reject(ValueOutOfRange, "%s: not within %g to %g", c.name, c.min, c.max)
}
