package bigquery

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"iotbridge/schema"
)

// wireTypes says how a column travels. TIMESTAMP is µs since the epoch.
var wireTypes = map[schema.Type]descriptorpb.FieldDescriptorProto_Type{
	schema.String:    descriptorpb.FieldDescriptorProto_TYPE_STRING,
	schema.Bytes:     descriptorpb.FieldDescriptorProto_TYPE_BYTES,
	schema.Int64:     descriptorpb.FieldDescriptorProto_TYPE_INT64,
	schema.Float64:   descriptorpb.FieldDescriptorProto_TYPE_DOUBLE,
	schema.Bool:      descriptorpb.FieldDescriptorProto_TYPE_BOOL,
	schema.Timestamp: descriptorpb.FieldDescriptorProto_TYPE_INT64,
	schema.JSON:      descriptorpb.FieldDescriptorProto_TYPE_STRING,
}

// Descriptor is the proto2 message of the table's rows: column i is field i+1. The
// service matches fields to columns by name.
func Descriptor(table *schema.Table) (*descriptorpb.DescriptorProto, error) {
	d := &descriptorpb.DescriptorProto{Name: proto.String("Row")}
	for i, c := range table.Columns {
		wire, ok := wireTypes[c.Type]
		if !ok || !protoreflect.Name(c.Name).IsValid() {
			return nil, fmt.Errorf("table %s: column %q of type %q cannot be written", table.Name, c.Name, c.Type)
		}
		label := descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL
		if c.Required {
			label = descriptorpb.FieldDescriptorProto_LABEL_REQUIRED
		}
		d.Field = append(d.Field, &descriptorpb.FieldDescriptorProto{
			Name: proto.String(c.Name), Number: proto.Int32(int32(i + 1)), Type: wire.Enum(), Label: label.Enum(),
		})
	}
	return d, nil
}
