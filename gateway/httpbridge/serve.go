package httpbridge

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"

	"iotbridge/gateway"
)

// ServeHTTP serves one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	m, device := route(r.Method, r.URL)
	body, err := s.call(r, m, device)
	code := http.StatusOK
	if err != nil {
		code = s.fail(w, err)
	} else {
		answer(w, code, body)
	}
	s.Metrics.observe(m, code, time.Since(begin))
}

// call does what the request asks for and returns the answer's JSON.
func (s *Server) call(r *http.Request, m method, device gateway.DeviceKey) ([]byte, error) {
	if m == noMethod {
		return nil, refusal{codes.NotFound, "nothing is served here: want POST /v1/{device}:publishEvent, POST /v1/{device}:setState or GET /v1/{device}/config"}
	}
	admission, err := s.admit(r, device)
	if err != nil {
		return nil, err
	}
	switch m {
	case publishEvent:
		return s.publishEvent(r, admission)
	case setState:
		return s.setState(r, admission)
	}
	return s.config(r, admission)
}

// admit asks who sends the request, before anything of its body is read.
func (s *Server) admit(r *http.Request, device gateway.DeviceKey) (*gateway.Admission, error) {
	from, _ := netip.ParseAddrPort(r.RemoteAddr)
	a, err := s.Bridge.Admit(r.Context(), gateway.Attempt{
		Key: device, Token: token(r.Header), Remote: from.Addr().Unmap(), Protocol: gateway.HTTP,
	})
	if err == nil {
		return a, nil
	}
	why := &gateway.Refusal{Reason: gateway.StoreFault, Fault: true}
	errors.As(err, &why)
	s.Metrics.Refusals.WithLabelValues(string(why.Reason)).Inc()
	fields := []zap.Field{zap.String("reason", string(why.Reason)), zap.String("from", r.RemoteAddr)}
	if device.Valid() {
		fields = append(fields, zap.Stringer("device", device))
	}
	s.Log.Warn("refused over HTTP", fields...)
	return nil, why
}

// publishEvent answers when Pub/Sub has confirmed the event, or will not.
func (s *Server) publishEvent(r *http.Request, a *gateway.Admission) ([]byte, error) {
	e, err := s.readEvent(r)
	if err != nil {
		return nil, err
	}
	settled := make(chan error, 1)
	s.Bridge.Telemetry(a, e.subFolder, e.data, func(err error) { settled <- err })
	select {
	case err := <-settled:
		return []byte("{}"), err
	case <-r.Context().Done(): // nobody waits for the answer any more
		return nil, r.Context().Err()
	}
}

func (s *Server) setState(r *http.Request, a *gateway.Admission) ([]byte, error) {
	data, err := s.readState(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTime)
	defer cancel()
	return []byte("{}"), s.Bridge.SetState(ctx, a, data)
}

// config answers with the latest version, and with its data when the device's own is
// older. That a device has asked does not acknowledge anything.
func (s *Server) config(r *http.Request, a *gateway.Admission) ([]byte, error) {
	local, err := localVersion(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTime)
	defer cancel()
	c, err := s.Mailbox.Config(ctx, a.Device.Number)
	switch {
	case errors.Is(err, gateway.ErrNotFound): // deleted just now
		return nil, &gateway.Refusal{Reason: gateway.UnknownDevice}
	case err != nil:
		s.Log.Error("a config cannot be read", zap.Stringer("device", a.Device.Key), zap.Error(err))
		return nil, &gateway.Refusal{Reason: gateway.StoreFault, Fault: true}
	case local > c.Version:
		return nil, refusal{codes.OutOfRange, "local_version is " + strconv.FormatInt(local, 10) + ", the latest version is " + strconv.FormatInt(c.Version, 10)}
	}
	out := append(strconv.AppendInt([]byte(`{"version":"`), c.Version, 10), '"')
	if local < c.Version {
		s.Bridge.Note(gateway.Sign{Device: a.Device.Number, ConfigSend: time.Now()})
		if len(c.Data) > 0 {
			out = append(base64.StdEncoding.AppendEncode(append(out, `,"binaryData":"`...), c.Data), '"')
		}
	}
	return append(out, '}'), nil
}

// localVersion is the version that the device has; 0 when it does not say.
func localVersion(query string) (int64, error) {
	wrong := refusal{codes.InvalidArgument, "local_version: want the number of a version, once"}
	q, err := url.ParseQuery(query)
	if err != nil {
		return 0, wrong
	}
	given := slices.Concat(q["local_version"], q["localVersion"])
	switch {
	case len(q["gatewayInfo.gatewayId"])+len(q["gateway_info.gateway_id"]) > 0:
		return 0, errGateway
	case len(given) == 0:
		return 0, nil
	case len(given) > 1:
		return 0, wrong
	}
	n, err := strconv.ParseInt(given[0], 10, 64)
	if err != nil || n < 0 {
		return 0, wrong
	}
	return n, nil
}
