package devicemanager

import (
	"cmp"
	"context"
	"crypto/tls"
	"path"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"iotbridge/gateway"
	"iotbridge/gateway/operators"
)

// identify finds out who calls over gRPC.
func (s *Server) identify(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	var authorization, remote string
	if values := metadata.ValueFromIncomingContext(ctx, "authorization"); len(values) > 0 {
		authorization = values[0]
	}
	var state *tls.ConnectionState
	if p, ok := peer.FromContext(ctx); ok {
		remote = p.Addr.String()
		if t, ok := p.AuthInfo.(credentials.TLSInfo); ok {
			state = &t.State
		}
	}
	who, err := s.admit(ctx, authorization, state, path.Base(info.FullMethod), remote)
	if err != nil {
		return nil, err
	}
	return next(operators.With(ctx, who), req)
}

// admit is for gRPC and REST alike. An address that has failed 600 times in a minute is
// not looked at. method is for metrics and logs only.
func (s *Server) admit(ctx context.Context, authorization string, state *tls.ConnectionState, method, remote string) (operators.Operator, error) {
	now, from := time.Now(), address(remote)
	if !s.failed.Allow(from, gateway.DeviceKey{}, now) {
		s.Metrics.count(method, codes.ResourceExhausted)
		return operators.Operator{}, status.Error(codes.ResourceExhausted, "too many calls without a credential came from this address: wait a minute")
	}
	who, err := s.Operators.Admit(authorization, state)
	if err != nil {
		s.failed.Failed(from, gateway.DeviceKey{}, now)
		s.Metrics.count(method, codes.Unauthenticated)
		s.log().Warn("a call by nobody", zap.String("method", method), zap.String("remote", remote))
		s.denied(ctx, nobody, "", "a call of "+cmp.Or(method, "no method")+" from "+from.String())
		return operators.Operator{}, status.Error(codes.Unauthenticated, err.Error())
	}
	return who, nil
}

// govern is around every method, however it came.
func (s *Server) govern(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	method := path.Base(info.FullMethod)
	c := operators.Call{Method: method, Role: policies[method].role, Resource: resourceOf(method, req)}
	return s.governed(ctx, c, func(ctx context.Context) (any, error) { return next(ctx, req) })
}

// governed is around every call: it denies what the operator may not, bounds what is
// waited for, and keeps the log of who called what.
func (s *Server) governed(ctx context.Context, c operators.Call, do func(context.Context) (any, error)) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.Most, maxCall))
	defer cancel()
	began, who := time.Now(), operators.From(ctx)
	var answered any
	err := status.Error(codes.PermissionDenied, who.Name+" may not: it takes the role "+c.Role.String()+", and the resource within what the operators file says")
	if who.May(c.Role, c.Resource) {
		answered, err = s.safely(ctx, do)
	}
	out := answer(err)
	s.Metrics.count(c.Method, status.Code(out))
	s.keep(who.Name, c, err, out, time.Since(began))
	if status.Code(out) == codes.PermissionDenied {
		s.denied(ctx, who.Name, c.Resource, c.Method)
	}
	if out != nil {
		return nil, out
	}
	return answered, nil
}

// safely calls a method: what it stumbles over does not take the devices' sessions
// with it.
func (s *Server) safely(ctx context.Context, do func(context.Context) (any, error)) (answered any, err error) {
	defer func() {
		if r := recover(); r != nil {
			s.log().Error("a call panicked", zap.Any("panic", r), zap.Stack("stack"))
			answered, err = nil, status.Error(codes.Internal, "a fault of the gateway: its log says more")
		}
	}()
	return do(ctx)
}

// keep writes the call into the log: what sees, quietly.
func (s *Server) keep(actor string, c operators.Call, err, out error, took time.Duration) {
	fields := []zap.Field{
		zap.String("actor", actor), zap.String("method", c.Method), zap.String("resource", cut(c.Resource)),
		zap.String("code", status.Code(out).String()), zap.Duration("took", took),
	}
	switch code := status.Code(out); {
	case code == codes.PermissionDenied:
		s.log().Warn("a call was denied", fields...)
	case code == codes.Unavailable || code == codes.Internal || code == codes.Unknown:
		s.log().Error("a call failed", append(fields, zap.Error(err))...)
	case c.Role == operators.Admin:
		s.log().Info("a call", fields...)
	default:
		s.log().Debug("a call", fields...)
	}
}

// cut bounds a name that the caller gave.
func cut(name string) string {
	const most = 1024
	return name[:min(len(name), most)]
}

// resourceOf is the resource name that the request's path has, or would have.
func resourceOf(method string, req any) string {
	m, ok := req.(proto.Message)
	if !ok || resources[method] == nil {
		return ""
	}
	at := m.ProtoReflect()
	for _, f := range resources[method] {
		if f.Message() == nil {
			return at.Get(f).String()
		}
		at = at.Get(f).Message()
	}
	return ""
}
