package devicemanager

import (
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
	"iotbridge/gateway/operators"
)

const (
	maxBody     = 2 << 20          // of a request: the largest device takes 1 MiB, base64 and escapes some more
	maxCall     = 60 * time.Second // after which a call ends, whatever it waits for
	maxStreams  = 32               // calls of one connection at a time
	maxHeaders  = 64 << 10         // of a gRPC call
	maxCommand  = 256 << 10
	commandWait = 30 * time.Second // for a device's PUBACK
)

// Server is the Device Manager. Its first three fields are required.
type Server struct {
	Admin     gateway.Admin
	Bus       gateway.Bus // takes commands to their devices
	Operators *operators.File
	Metrics   *Metrics    // nil: nothing is counted
	Log       *zap.Logger // nil discards; every call is in it

	failed  auth.Throttle // addresses from which nobody calls
	denials denials
}

// GRPC returns a server that has the Device Manager and nothing else. Of options it
// needs its transport credentials.
func (s *Server) GRPC(options ...grpc.ServerOption) *grpc.Server {
	g := grpc.NewServer(append([]grpc.ServerOption{
		grpc.ChainUnaryInterceptor(s.identify, s.govern),
		grpc.MaxRecvMsgSize(maxBody),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.ConnectionTimeout(10 * time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: 15 * time.Minute, Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	}, options...)...)
	iotpb.RegisterDeviceManagerServer(g, methods{s})
	return g
}

func (s *Server) log() *zap.Logger {
	if s.Log == nil {
		return zap.NewNop()
	}
	return s.Log
}

// methods is what can be called; nothing else of a Server can.
type methods struct{ *Server }

var _ iotpb.DeviceManagerServer = methods{}
