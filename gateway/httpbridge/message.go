package httpbridge

import (
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/dynamicpb"
)

// event is what a device publishes.
type event struct {
	subFolder string
	data      []byte
	via       via
}

// state is what a device tells of itself.
type state struct {
	data []byte
	via  via
}

var (
	errEvent = refusal{codes.InvalidArgument, `body: want {"binaryData": base64, "subFolder": string}`}
	errState = refusal{codes.InvalidArgument, `body: want {"state": {"binaryData": base64}}`}
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
	if lenient.Unmarshal(text, m) != nil {
		return event{}, errEvent
	}
	return event{
		m.Get(requests.event.Fields().ByName("sub_folder")).String(),
		m.Get(requests.event.Fields().ByName("binary_data")).Bytes(), gatewayInfo(m),
	}, nil
}

func (s *Server) readState(r *http.Request) (state, error) {
	text, release, err := s.body(r)
	if err != nil {
		return state{}, err
	}
	defer release()
	return parseState(text)
}

func parseState(text []byte) (state, error) {
	m := dynamicpb.NewMessage(requests.stateRequest)
	told := requests.stateRequest.Fields().ByName("state")
	if lenient.Unmarshal(text, m) != nil || !m.Has(told) {
		return state{}, errState
	}
	return state{m.Get(told).Message().Get(requests.state.Fields().ByName("binary_data")).Bytes(), gatewayInfo(m)}, nil
}

// gatewayInfo is the member of that name, of either request.
func gatewayInfo(m *dynamicpb.Message) via {
	info := m.Get(m.Descriptor().Fields().ByName("gateway_info")).Message()
	fields := info.Descriptor().Fields()
	return via{gateway: info.Get(fields.ByName("gateway_id")).String(), device: info.Get(fields.ByName("delegated_device_id")).String()}
}

// lenient is how Google's services read JSON.
var lenient = protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: 32}
