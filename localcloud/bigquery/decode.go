package bigquery

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"iotbridge/localcloud/bigquery/googlesql"
)

// decoder turns rows of one writer schema into values of one table.
type decoder struct {
	table  *table
	fields map[protowire.Number]field
	needed []int // columns that a row must have
}

// field is one field of the writer schema: where it goes and how it is on the wire.
type field struct {
	name     string
	column   int
	kind     descriptorpb.FieldDescriptorProto_Type
	wire     protowire.Type
	required bool // proto2 required
}

// newDecoder matches a writer schema with a table. The error is a *schemaMismatch.
func newDecoder(t *table, d *descriptorpb.DescriptorProto) (*decoder, error) {
	dec := &decoder{table: t, fields: map[protowire.Number]field{}}
	given := make([]bool, len(t.columns))
	for _, fd := range d.GetField() {
		f := field{name: columnName(fd), column: -1, kind: fd.GetType(), required: fd.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REQUIRED}
		for i, c := range t.columns {
			if strings.EqualFold(c.name, f.name) {
				f.column = i
			}
		}
		if f.column < 0 {
			return nil, &schemaMismatch{extra: true, text: fmt.Sprintf("Input schema has more fields than BigQuery schema, extra fields: '%.300s'", f.name)}
		}
		typ := t.columns[f.column].typ
		var ok bool
		if f.wire, ok = wireTypes[f.kind]; !ok || !accepts(typ, f.kind) || fd.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REPEATED {
			kind := strings.ToLower(strings.TrimPrefix(f.kind.String(), "TYPE_"))
			return nil, &schemaMismatch{text: fmt.Sprintf("The proto field mismatched with BigQuery field at %.100s.%s, the proto field type %s, BigQuery field type %s",
				d.GetName(), f.name, kind, restTypes[typ])}
		}
		given[f.column] = true
		if f.required || t.columns[f.column].required {
			dec.needed = append(dec.needed, f.column)
		}
		dec.fields[protowire.Number(fd.GetNumber())] = f
	}
	for i, c := range t.columns {
		if c.required && !given[i] {
			return nil, &schemaMismatch{text: fmt.Sprintf("The required field %s of the BigQuery schema is missing in the proto schema", c.name)}
		}
	}
	return dec, nil
}

// columnName is the field's name, or what the column_name option says.
func columnName(fd *descriptorpb.FieldDescriptorProto) string {
	if o := fd.GetOptions(); o != nil && proto.HasExtension(o, storagepb.E_ColumnName) {
		return proto.GetExtension(o, storagepb.E_ColumnName).(string)
	}
	return fd.GetName()
}

// decode reads one row into dst, one value a column. The error is the row's fault, in
// words that do not quote the row.
func (d *decoder) decode(row []byte, dst []driver.Value) error {
	for len(row) > 0 {
		num, wire, n := protowire.ConsumeTag(row)
		if n < 0 {
			return errBroken
		}
		f, known := d.fields[num]
		if known && wire != f.wire {
			return errBroken
		}
		var bits uint64
		var data []byte
		var m int
		switch wire {
		case protowire.VarintType:
			bits, m = protowire.ConsumeVarint(row[n:])
		case protowire.Fixed64Type:
			bits, m = protowire.ConsumeFixed64(row[n:])
		case protowire.Fixed32Type:
			var v uint32
			v, m = protowire.ConsumeFixed32(row[n:])
			bits = uint64(v)
		case protowire.BytesType:
			data, m = protowire.ConsumeBytes(row[n:])
		default:
			m = protowire.ConsumeFieldValue(num, wire, row[n:])
		}
		if m < 0 {
			return errBroken
		}
		row = row[n+m:]
		if !known {
			continue
		}
		v, err := f.value(d.table.columns[f.column].typ, bits, data)
		if err != nil {
			return rowFault("Field " + f.name + ": " + err.Error())
		}
		dst[f.column] = v
	}
	for _, i := range d.needed {
		if dst[i] == nil {
			return rowFault(fmt.Sprintf("Field %s is required but missing", d.table.columns[i].name))
		}
	}
	return nil
}

// rowFault says what is wrong with a row, in the service's manner.
type rowFault string

func (f rowFault) Error() string { return string(f) }

const errBroken = rowFault("Failed to parse the serialized row as the proto schema says")

// value converts one field to what is stored for its column.
func (f field) value(typ googlesql.Type, bits uint64, data []byte) (driver.Value, error) {
	switch typ {
	case googlesql.String, googlesql.JSON:
		if !utf8.Valid(data) {
			return nil, rowFault("the value is not valid UTF-8")
		}
		if typ == googlesql.JSON && !json.Valid(data) {
			return nil, rowFault("the value is not valid JSON")
		}
		return string(data), nil
	case googlesql.Bytes:
		return append(make([]byte, 0, len(data)), data...), nil // never nil: empty is not NULL
	case googlesql.Bool:
		return int64(min(bits, 1)), nil
	case googlesql.Float64:
		return f.float(bits), nil
	case googlesql.Timestamp:
		n := f.integer(bits)
		if n < googlesql.MinTimestamp || n > googlesql.MaxTimestamp {
			return nil, fmt.Errorf("the timestamp is out of range: %d µs is not in the years 1 to 9999", n)
		}
		return googlesql.FormatTimestamp(n), nil
	case googlesql.Date:
		n := f.integer(bits)
		if n < googlesql.MinTimestamp/86400e6 || n > googlesql.MaxTimestamp/86400e6 {
			return nil, fmt.Errorf("the date is out of range: day %d is not in the years 1 to 9999", n)
		}
		return googlesql.FormatDate(n), nil
	}
	n := f.integer(bits)
	if f.kind == protoUint64 || f.kind == protoFixed64 {
		if n < 0 {
			return nil, rowFault("the value does not fit INT64")
		}
	}
	return n, nil
}

func (f field) float(bits uint64) driver.Value {
	v := math.Float64frombits(bits)
	if f.kind == protoFloat {
		v = float64(math.Float32frombits(uint32(bits)))
	}
	if math.IsNaN(v) {
		return "NaN" // SQLite would make it NULL
	}
	return v
}

func (f field) integer(bits uint64) int64 {
	switch f.kind {
	case protoSint32, protoSint64:
		return protowire.DecodeZigZag(bits)
	case protoInt32, protoSfixed32, protoEnum:
		return int64(int32(bits))
	case protoUint32, protoFixed32:
		return int64(uint32(bits))
	}
	return int64(bits)
}
