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
