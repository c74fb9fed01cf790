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
	if s.Provisioning != nil && provisions(r.URL) {
		s.Provisioning.ServeHTTP(w, r)
		return
	}
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
	if err != nil {
		return nil, s.refuse(r, device, err)
	}
	return a, nil
}

// refuse counts and logs a refusal.
func (s *Server) refuse(r *http.Request, device gateway.DeviceKey, err error) error {
	why := &gateway.Refusal{Reason: gateway.StoreFault, Fault: true}
	errors.As(err, &why)
	s.Metrics.Refusals.WithLabelValues(string(why.Reason)).Inc()
	fields := []zap.Field{zap.String("reason", string(why.Reason)), zap.String("from", r.RemoteAddr)}
	if device.Valid() {
		fields = append(fields, zap.Stringer("device", device))
	}
	s.Log.Warn("refused over HTTP", fields...)
	return why
}

// publishEvent answers when Pub/Sub has confirmed the event, or will not.
func (s *Server) publishEvent(r *http.Request, a *gateway.Admission) ([]byte, error) {
	e, err := s.readEvent(r)
	if err == nil {
		a, err = s.through(r, a, e.via)
	}
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
	told, err := s.readState(r)
	if err == nil {
		a, err = s.through(r, a, told.via)
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTime)
	defer cancel()
	return []byte("{}"), s.Bridge.SetState(ctx, a, told.data)
}

// config answers with the latest version, and with its data when the device's own is
// older. That a device has asked does not acknowledge anything.
func (s *Server) config(r *http.Request, a *gateway.Admission) ([]byte, error) {
	local, through, err := configQuery(r.URL.RawQuery)
	if err == nil {
		a, err = s.through(r, a, through)
	}
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

// configQuery reads the version that the device has, 0 when it does not say, and who
// speaks for whom.
func configQuery(query string) (version int64, through via, err error) {
	wrong := refusal{codes.InvalidArgument, "local_version: want the number of a version, once"}
	q, err := url.ParseQuery(query)
	if err != nil {
		return 0, via{}, wrong
	}
	first := func(names ...string) string {
		for _, name := range names {
			if v := q.Get(name); v != "" {
				return v
			}
		}
		return ""
	}
	through = via{
		gateway: first("gatewayInfo.gatewayId", "gateway_info.gateway_id"),
		device:  first("gatewayInfo.delegatedDeviceId", "gateway_info.delegated_device_id"),
	}
	given := slices.Concat(q["local_version"], q["localVersion"])
	switch len(given) {
	case 0:
		return 0, through, nil
	case 1:
		version, err = strconv.ParseInt(given[0], 10, 64)
	}
	if len(given) > 1 || err != nil || version < 0 {
		return 0, via{}, wrong
	}
	return version, through, nil
}
