package bigquery

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/descriptorpb"

	"iotbridge/localcloud/bigquery/googlesql"
)

// The protobuf types that a row may have.
const (
	protoDouble   = descriptorpb.FieldDescriptorProto_TYPE_DOUBLE
	protoFloat    = descriptorpb.FieldDescriptorProto_TYPE_FLOAT
	protoInt32    = descriptorpb.FieldDescriptorProto_TYPE_INT32
	protoInt64    = descriptorpb.FieldDescriptorProto_TYPE_INT64
	protoUint32   = descriptorpb.FieldDescriptorProto_TYPE_UINT32
	protoUint64   = descriptorpb.FieldDescriptorProto_TYPE_UINT64
	protoSint32   = descriptorpb.FieldDescriptorProto_TYPE_SINT32
	protoSint64   = descriptorpb.FieldDescriptorProto_TYPE_SINT64
	protoFixed32  = descriptorpb.FieldDescriptorProto_TYPE_FIXED32
	protoFixed64  = descriptorpb.FieldDescriptorProto_TYPE_FIXED64
	protoSfixed32 = descriptorpb.FieldDescriptorProto_TYPE_SFIXED32
	protoSfixed64 = descriptorpb.FieldDescriptorProto_TYPE_SFIXED64
	protoBool     = descriptorpb.FieldDescriptorProto_TYPE_BOOL
	protoEnum     = descriptorpb.FieldDescriptorProto_TYPE_ENUM
	protoString   = descriptorpb.FieldDescriptorProto_TYPE_STRING
	protoBytes    = descriptorpb.FieldDescriptorProto_TYPE_BYTES
)

var wireTypes = map[descriptorpb.FieldDescriptorProto_Type]protowire.Type{
	protoDouble: protowire.Fixed64Type, protoFloat: protowire.Fixed32Type,
	protoInt32: protowire.VarintType, protoInt64: protowire.VarintType, protoUint32: protowire.VarintType, protoUint64: protowire.VarintType,
	protoSint32: protowire.VarintType, protoSint64: protowire.VarintType, protoBool: protowire.VarintType, protoEnum: protowire.VarintType,
	protoFixed32: protowire.Fixed32Type, protoSfixed32: protowire.Fixed32Type,
	protoFixed64: protowire.Fixed64Type, protoSfixed64: protowire.Fixed64Type,
	protoString: protowire.BytesType, protoBytes: protowire.BytesType,
}

// accepts says which protobuf types a column takes, as the vendor's table of
// conversions has it (cloud.google.com/bigquery/docs/supported-data-types), without
// the wrapper messages and the textual forms of numbers and times.
func accepts(typ googlesql.Type, kind descriptorpb.FieldDescriptorProto_Type) bool {
	switch typ {
	case googlesql.String, googlesql.JSON:
		return kind == protoString
	case googlesql.Bytes:
		return kind == protoBytes || kind == protoString
	case googlesql.Float64:
		return kind == protoDouble || kind == protoFloat
	case googlesql.Bool:
		return kind == protoBool || kind == protoInt32 || kind == protoInt64 || kind == protoUint32 || kind == protoUint64
	case googlesql.Timestamp:
		return kind == protoInt64 || kind == protoInt32 || kind == protoUint32
	case googlesql.Date:
		return kind == protoInt32 || kind == protoInt64
	}
	switch kind {
	case protoDouble, protoFloat, protoBool, protoString, protoBytes:
		return false
	}
	return true // INT64
}
