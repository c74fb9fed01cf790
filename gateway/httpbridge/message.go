package httpbridge

import (
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// event is what a device publishes.
type event struct {
	subFolder string
	data      []byte
}

var (
	errEvent   = refusal{codes.InvalidArgument, `body: want {"binaryData": base64, "subFolder": string}`}
	errState   = refusal{codes.InvalidArgument, `body: want {"state": {"binaryData": base64}}`}
	errGateway = refusal{codes.Unimplemented, "gatewayInfo: gateways speak for their devices over MQTT"}
)

func (s *Server) readEvent(r *http.Request) (event, error) {
	text, release, err := s.body(r)
	if err != nil {
		return event{}, err
	}
	defer release()
	return parseEvent(text)
}

func parseEvent(text []byte) (event, error) {
	m := dynamicpb.NewMessage(requests.event)
	switch {
	case lenient.Unmarshal(text, m) != nil:
		return event{}, errEvent
	case m.Has(requests.event.Fields().ByName("gateway_info")):
		return event{}, errGateway
	}
	return event{m.Get(requests.event.Fields().ByName("sub_folder")).String(), m.Get(requests.event.Fields().ByName("binary_data")).Bytes()}, nil
}

func (s *Server) readState(r *http.Request) ([]byte, error) {
	text, release, err := s.body(r)
	if err != nil {
		return nil, err
	}
	defer release()
	return parseState(text)
}

func parseState(text []byte) ([]byte, error) {
	m := dynamicpb.NewMessage(requests.stateRequest)
	state := requests.stateRequest.Fields().ByName("state")
	switch {
	case lenient.Unmarshal(text, m) != nil || !m.Has(state):
		return nil, errState
	case m.Has(requests.stateRequest.Fields().ByName("gateway_info")):
		return nil, errGateway
	}
	return m.Get(state).Message().Get(requests.state.Fields().ByName("binary_data")).Bytes(), nil
}

// lenient is how Google's services read JSON.
var lenient = protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: 32}

// requests are the messages of IoT Core's device service, which were never published
// as protos.
var requests = func() (m struct {
	event, stateRequest, state protoreflect.MessageDescriptor
}) { field := func(name string, number int32, t descriptorpb.FieldDescriptorProto_Type, message string) *descriptorpb.FieldDescriptorProto {
	f := &descriptorpb.FieldDescriptorProto{
		Name: &name, Number: &number, Type: &t, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}
	if message != "" {
		f.TypeName = proto.String(".httpbridge." + message)
	}
	return f
}; message := func(name string, fields ...*descriptorpb.FieldDescriptorProto) *descriptorpb.DescriptorProto {
	return &descriptorpb.DescriptorProto{Name: &name, Field: fields}
}; const (
	text  = descriptorpb.FieldDescriptorProto_TYPE_STRING
	bytes = descriptorpb.FieldDescriptorProto_TYPE_BYTES
	other = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
); file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
	Name: proto.String("httpbridge.proto"), Package: proto.String("httpbridge"), Syntax: proto.String("proto3"),
	MessageType: []*descriptorpb.DescriptorProto{
		message("GatewayInfo", field("gateway_id", 1, text, "")),
		message("PublishEventRequest", field("binary_data", 1, bytes, ""), field("sub_folder", 2, text, ""), field("gateway_info", 3, other, "GatewayInfo")),
		message("DeviceState", field("binary_data", 1, bytes, "")),
		message("SetStateRequest", field("state", 1, other, "DeviceState"), field("gateway_info", 2, other, "GatewayInfo")),
	},
}, nil); if err != nil {
	panic(err) // it is the same for every program
}; m.event, m.state = file.Messages().ByName("PublishEventRequest"), file.Messages().ByName("DeviceState"); m.stateRequest = file.Messages().ByName("SetStateRequest"); return m }()
