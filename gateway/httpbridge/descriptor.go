package httpbridge

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// requests are the messages of IoT Core's device service, which were never published
// as protos.
var requests = describe()

type descriptors struct {
	event, stateRequest, state protoreflect.MessageDescriptor
}

func describe() (m descriptors) {
	field := func(name string, number int32, t descriptorpb.FieldDescriptorProto_Type, message string) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{
			Name: &name, Number: &number, Type: &t, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
		if message != "" {
			f.TypeName = proto.String(".httpbridge." + message)
		}
		return f
	}
	message := func(name string, fields ...*descriptorpb.FieldDescriptorProto) *descriptorpb.DescriptorProto {
		return &descriptorpb.DescriptorProto{Name: &name, Field: fields}
	}
	const (
		text  = descriptorpb.FieldDescriptorProto_TYPE_STRING
		bytes = descriptorpb.FieldDescriptorProto_TYPE_BYTES
		other = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
	)
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("httpbridge.proto"), Package: proto.String("httpbridge"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{
			message("GatewayInfo", field("gateway_id", 1, text, ""), field("delegated_device_id", 2, text, "")),
			message("PublishEventRequest", field("binary_data", 1, bytes, ""), field("sub_folder", 2, text, ""), field("gateway_info", 3, other, "GatewayInfo")),
			message("DeviceState", field("binary_data", 1, bytes, "")),
			message("SetStateRequest", field("state", 1, other, "DeviceState"), field("gateway_info", 2, other, "GatewayInfo")),
		},
	}, nil)
	if err != nil {
		panic(err) // it is the same for every program
	}
	m.event, m.state = file.Messages().ByName("PublishEventRequest"), file.Messages().ByName("DeviceState")
	m.stateRequest = file.Messages().ByName("SetStateRequest")
	return m
}
