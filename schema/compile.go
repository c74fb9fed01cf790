package schema

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// units is the power of ten from a number that is a time to µs.
var units = map[string]int{"": 6, "s": 6, "ms": 3, "us": 0, "ns": -3}

// facts are the sources that a name alone says.
var facts = map[string]source{
	"message.id":          fromMessageID,
	"message.publishTime": fromPublishTime,
	"message.attempt":     fromAttempt,
	"message.attributes":  fromAttributes,
	"message.data":        fromData,
	"worker.now":          fromNow,
	"worker.subscription": fromSubscription,
	"worker.name":         fromWorker,
	"verdict.reason":      fromReason,
	"verdict.detail":      fromDetail,
	"verdict.claim":       fromClaim,
}

// memberSources is what a member can become.
var memberSources = map[Type]source{
	String: fromMemberString, JSON: fromMemberJSON, Int64: fromMemberInt64, Float64: fromMemberFloat64,
	Bool: fromMemberBool, Timestamp: fromMemberTimestamp,
}

// Compile checks the table and compiles it. Every fault is reported, one a line,
// with table and column: a source that there is not or that has another type, a
// member taken twice, the claim taken as a value, members kept without a column
// for them, a column that is required and may be NULL, a bound that its type does
// not have. A table is either for messages or, with columns from verdict.*, for
// those that were refused.
func (t *Table) Compile() (*Plan, error) {
	p := &Plan{table: t, members: members{claim: -1, unknown: t.Unknown}}
	p.attrs.add(AttrDeviceID)
	p.attrs.add(AttrDeviceNumID)
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("table %s: "+format, append([]any{t.Name}, args...)...))
	}
	if len(t.Columns) == 0 {
		wrong("no columns")
	}
	for _, f := range t.unknownFaults() {
		wrong("%s", f.text)
	}
	if t.Claim != "" {
		p.members.claim = 0
		p.members.names = append(p.members.names, []byte(t.Claim))
		p.readBody = true
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		if slices.ContainsFunc(t.Columns[:i], func(o Column) bool { return strings.EqualFold(o.Name, c.Name) }) {
			wrong("column %s: there twice", c.Name)
		}
		compiled, err := p.compile(i, c)
		if err != nil {
			wrong("column %s: %w", c.Name, err)
		}
		p.columns = append(p.columns, compiled)
	}
	if p.rejects() {
		if p.readBody {
			wrong("columns from both the body and the verdict")
		}
		for i := range p.columns {
			if c := &p.columns[i]; c.required && c.source == fromAttribute {
				wrong("column %s: what is refused can lack an attribute: it cannot be required", c.name)
			}
		}
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	return p, nil
}

// rejects says that the plan is for messages that were refused.
func (p *Plan) rejects() bool {
	return slices.ContainsFunc(p.columns, func(c column) bool { return c.source >= fromSubscription })
}

func (p *Plan) compile(i int, c *Column) (column, error) {
	out := column{
		name: c.Name, tag: uint64(i+1)<<3 | c.Type.wire(), required: c.Required, maxBytes: c.MaxBytes,
		min: -math.MaxFloat64, max: math.MaxFloat64,
	}
	if text := c.fromFault(); text != "" {
		return out, errors.New(text)
	}
	if err := c.boundsFault(); err != nil {
		return out, err
	}
	if c.Type == Int64 {
		out.min, out.max = math.MinInt64, math.MaxInt64
	}
	if c.Min != nil {
		out.min = *c.Min
	}
	if c.Max != nil {
		out.max = *c.Max
	}
	err := p.source(&out, c)
	return out, err
}

// source finds out where the column comes from.
func (p *Plan) source(out *column, c *Column) error {
	kind, name, _ := strings.Cut(c.From, ".")
	switch kind {
	case "attribute":
		out.source, out.slot = fromAttribute, p.attrs.add(name)
		if c.Type != String {
			return fmt.Errorf("from an attribute is STRING, not %s", c.Type)
		}
	case "body":
		p.readBody = true
		return p.fromBody(out, c, name)
	default:
		out.source = facts[c.From]
	}
	return nil
}

func (p *Plan) fromBody(out *column, c *Column, name string) (err error) {
	switch name {
	case "":
		out.source = fromBody
		return nil
	case "*":
		out.source = fromRest
		return nil
	}
	var ok bool
	if out.source, ok = memberSources[c.Type]; !ok {
		return fmt.Errorf("from a member of the body cannot be %s", c.Type)
	}
	out.scale = units[c.Unit]
	if slot, _ := p.members.slot([]byte(name)); slot >= 0 {
		other := p.members.names[slot]
		if slot == p.members.claim {
			return fmt.Errorf("member %q is the claim %q: what a body claims is compared, never stored; attribute.%s is the identity", name, other, AttrDeviceID)
		}
		return fmt.Errorf("member %q is taken already, as %q", name, bytes.ToValidUTF8(other, nil))
	}
	out.slot = len(p.members.names)
	p.members.names = append(p.members.names, []byte(name))
	return nil
}

// boundsFault checks min, max, max_bytes and unit.
func (c *Column) boundsFault() error {
	number := c.Type == Int64 || c.Type == Float64
	for _, bound := range []*float64{c.Min, c.Max} {
		switch {
		case bound == nil:
		case !number || !strings.HasPrefix(c.From, "body."):
			return errors.New("min and max are for numbers from body.NAME")
		case math.IsNaN(*bound) || math.IsInf(*bound, 0):
			return errors.New("min and max are finite numbers")
		case c.Type == Int64 && (*bound != math.Trunc(*bound) || math.Abs(*bound) >= 1<<53):
			return errors.New("min and max of INT64 are whole numbers within 2^53")
		}
	}
	switch _, unit := units[c.Unit]; {
	case c.Min != nil && c.Max != nil && *c.Min > *c.Max:
		return fmt.Errorf("min %v is above max %v", *c.Min, *c.Max)
	case c.MaxBytes < 0 || c.MaxBytes > 0 && (c.Type != String || !strings.HasPrefix(c.From, "body.") && !strings.HasPrefix(c.From, "attribute.")):
		return errors.New("max_bytes is a count above 0, for STRING from body.NAME and attribute.NAME")
	case !unit || c.Unit != "" && c.Type != Timestamp:
		return fmt.Errorf("unit %q: s, ms, us or ns, of a TIMESTAMP", c.Unit)
	}
	return nil
}
