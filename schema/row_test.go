package schema

import (
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// decode reads a row back as BigQuery does, by column name: string (STRING, BYTES
// and JSON), int64 or float64. Fields come once and in the table's order.
func decode(tb testing.TB, table *Table, row []byte) map[string]any {
	tb.Helper()
	out := map[string]any{}
	last := protowire.Number(0)
	for len(row) > 0 {
		field, wire, n := protowire.ConsumeTag(row)
		if n < 0 || field <= last || int(field) > len(table.Columns) {
			tb.Fatalf("field %d after %d", field, last)
		}
		row, last = row[n:], field
		c := table.Columns[field-1]
		if uint64(wire) != c.Type.wire() {
			tb.Fatalf("column %s has wire type %d", c.Name, wire)
		}
		switch wire {
		case protowire.VarintType:
			var v uint64
			v, n = protowire.ConsumeVarint(row)
			out[c.Name] = int64(v)
		case protowire.Fixed64Type:
			var v uint64
			v, n = protowire.ConsumeFixed64(row)
			out[c.Name] = math.Float64frombits(v)
		case protowire.BytesType:
			var v []byte
			v, n = protowire.ConsumeBytes(row)
			out[c.Name] = string(v)
		}
		if n < 0 {
			tb.Fatalf("column %s: %v", c.Name, protowire.ParseError(n))
		}
		row = row[n:]
	}
	for _, c := range table.Columns {
		if _, ok := out[c.Name]; c.Required && !ok {
			tb.Fatalf("required column %s is missing", c.Name)
		}
	}
	return out
}

// judge appends a message's row behind a few bytes, which must stay.
func judge(tb testing.TB, e *Encoder, m *Message) (map[string]any, *Rejection) {
	tb.Helper()
	const before = "before"
	row, err := e.Append([]byte(before), m, now)
	if string(row[:len(before)]) != before {
		tb.Fatalf("what was there became %q", row[:len(before)])
	}
	if err != nil {
		if len(row) != len(before) {
			tb.Fatalf("a rejection leaves %q", row)
		}
		return nil, err.(*Rejection)
	}
	return decode(tb, e.plan.table, row[len(before):]), nil
}

// refuses checks a rejection's reason; "" is none.
func refuses(t *testing.T, e *Encoder, m *Message, want Reason) {
	t.Helper()
	_, why := judge(t, e, m)
	switch {
	case why == nil && want != "":
		t.Errorf("%.100s: taken, want %s", m.Data, want)
	case why != nil && why.Reason != want:
		t.Errorf("%.100s: %v, want %q", m.Data, why, want)
	}
}
