package httpbridge

import (
	"context"
	"errors"
	"net/http"

	"google.golang.org/grpc/codes"

	"iotbridge/gateway"
)

// via says that a request comes through a gateway. The path and the token are always
// the same one's: the gateway's, which then names the device, or the device's, which
// then names the gateway. The device must be bound to it; a gateway whose devices need
// tokens of their own cannot speak with its own alone.
// https://cloud.google.com/iot/docs/how-tos/gateways/http-bridge
type via struct{ gateway, device string }

// through returns the admission of the device that a request is about.
func (s *Server) through(r *http.Request, a *gateway.Admission, v via) (*gateway.Admission, error) {
	switch {
	case v == via{}:
		return a, nil
	case v.gateway != "" && v.device != "":
		return nil, refusal{codes.InvalidArgument, "gatewayInfo: want gatewayId or delegatedDeviceId, not both"}
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTime)
	defer cancel()
	var about *gateway.Admission
	var err error
	if v.device != "" {
		about, err = s.Bridge.Attach(ctx, a, v.device, nil)
	} else {
		about, err = s.relayed(ctx, a, v.gateway)
	}
	if err != nil {
		return nil, s.refuse(r, a.Device.Key, err)
	}
	return about, nil
}

// relayed is a device that has proved who it is and names the gateway between, to
// which it must be bound: the name is published with what it sends.
func (s *Server) relayed(ctx context.Context, a *gateway.Admission, name string) (*gateway.Admission, error) {
	key := gateway.DeviceKey{RegistryKey: a.Device.Key.RegistryKey, Device: name}
	if !key.Valid() {
		return nil, &gateway.Refusal{Reason: gateway.BadName}
	}
	between, err := s.Directory.Device(ctx, key)
	switch {
	case errors.Is(err, gateway.ErrNotFound):
		return nil, &gateway.Refusal{Reason: gateway.UnknownDevice}
	case err != nil:
		return nil, err
	case between.Blocked:
		return nil, &gateway.Refusal{Reason: gateway.Blocked}
	}
	bound, err := s.Directory.Bound(ctx, between.Number, a.Device.Number)
	switch {
	case err != nil:
		return nil, err
	case !bound:
		return nil, &gateway.Refusal{Reason: gateway.NotAttachable}
	}
	proxied := *a
	proxied.Via = between
	return &proxied, nil
}
