package devicemanager

import (
	"context"
	"crypto/tls"
	"path"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"iotbridge/gateway"
	"iotbridge/gateway/operators"
)

// Admit finds out who calls from the value of an Authorization header, or from the
// client's certificate; it throttles and books those who are nobody, as for a method.
// method is of a closed set, remote the caller's host:port.
func (s *Server) Admit(ctx context.Context, authorization string, state *tls.ConnectionState, method, remote string) (operators.Operator, error) {
	return s.admit(ctx, authorization, state, method, remote)
}

// Do is around what an operator does within this process that is no method of Device
// Manager: on behalf of operators.From(ctx), allowed, bounded, counted and logged as a
// method is. Its errors are gRPC's.
func (s *Server) Do(ctx context.Context, c operators.Call, do func(context.Context) error) error {
	_, err := s.governed(ctx, c, func(ctx context.Context) (any, error) { return nil, do(ctx) })
	return err
}

// Inside returns the methods for a caller in this process, on behalf of
// operators.From(ctx), under the same policies as over the network.
func (s *Server) Inside() iotpb.DeviceManagerClient { return iotpb.NewDeviceManagerClient(inside{s}) }

// ChangeCredentials is UpdateDevice of a device's keys as they are at that moment: of two
// who change them at once neither undoes what the other did. change may be called again.
func (s *Server) ChangeCredentials(ctx context.Context, name string, change func([]*iotpb.DeviceCredential) ([]*iotpb.DeviceCredential, error)) error {
	const method = "UpdateDevice"
	_, err := s.governed(ctx, operators.Call{Method: method, Role: policies[method].role, Resource: name}, func(ctx context.Context) (any, error) {
		key, err := deviceOf("device.name", name)
		if err != nil {
			return nil, err
		}
		r, err := s.Admin.Registry(ctx, key.RegistryKey)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		return s.Admin.UpdateDevice(ctx, operators.From(ctx).Name, key, func(d *gateway.Device) error {
			keys, err := change(deviceMessage(d).GetCredentials())
			if err == nil {
				d.Credentials, err = readCredentials(d.Credentials, keys, r.Authorities, now)
			}
			return err
		})
	})
	return err
}

type inside struct{ *Server }

// Invoke is for grpc.ClientConnInterface.
func (in inside) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	for i := range iotpb.DeviceManager_ServiceDesc.Methods {
		rpc := &iotpb.DeviceManager_ServiceDesc.Methods[i]
		if rpc.MethodName != path.Base(method) {
			continue
		}
		answered, err := rpc.Handler(methods(in), ctx, func(req any) error {
			proto.Merge(req.(proto.Message), args.(proto.Message))
			return nil
		}, in.govern)
		if err != nil {
			return err
		}
		proto.Merge(reply.(proto.Message), answered.(proto.Message))
		return nil
	}
	return status.Error(codes.Unimplemented, "there is no such method")
}

// NewStream is for grpc.ClientConnInterface.
func (in inside) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "Device Manager has no streams")
}
