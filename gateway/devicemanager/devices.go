package devicemanager

import (
	"context"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"iotbridge/gateway"
	"iotbridge/gateway/operators"
	"iotbridge/schema"
)

func (s methods) CreateDevice(ctx context.Context, req *iotpb.CreateDeviceRequest) (*iotpb.Device, error) {
	key, err := registryOf("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	given := req.GetDevice()
	switch {
	case given.GetName() != "":
		return nil, invalid("device.name", "must be empty: it is made of parent and the number that the device gets")
	case !schema.ValidID(given.GetId()):
		return nil, invalid("device.id", idForm)
	case given.GetConfig().GetVersion() != 0:
		return nil, invalid("device.config.version", "must be 0: the first is 1")
	}
	if err := mayNumber(ctx, key, given.GetNumId()); err != nil {
		return nil, err
	}
	r, err := s.Admin.Registry(ctx, key)
	if err != nil {
		return nil, err
	}
	d := &gateway.Device{
		Key:       gateway.DeviceKey{RegistryKey: key, Device: given.GetId()},
		Number:    given.GetNumId(),
		IsGateway: given.GetGatewayConfig().GetGatewayType() == iotpb.GatewayType_GATEWAY,
		Config:    gateway.Config{Data: given.GetConfig().GetBinaryData()},
	}
	if err := changeDevice(d, given, deviceFields.all(), r.Authorities, time.Now()); err != nil {
		return nil, err
	}
	made, err := s.Admin.CreateDevice(ctx, operators.From(ctx).Name, d)
	return deviceMessage(made), err
}

// mayNumber says whether the caller may wish for a device's number, which IoT Core
// gave alone: a device that comes from there keeps it. All registries share the
// numbers, so who operates one of them could take those of others, or try out which
// are theirs.
func mayNumber(ctx context.Context, key gateway.RegistryKey, number uint64) error {
	if number == 0 || operators.From(ctx).Reaches("projects/"+key.Project+"/locations/"+key.Location) {
		return nil
	}
	return status.Error(codes.PermissionDenied, "device.num_id: all registries share the numbers: leave it out, or let an admin of the whole location create the device")
}

func (s methods) GetDevice(ctx context.Context, req *iotpb.GetDeviceRequest) (*iotpb.Device, error) {
	key, err := deviceOf("name", req.GetName())
	if err != nil {
		return nil, err
	}
	paths, err := readMask(&iotpb.Device{}, req.GetFieldMask())
	if err != nil {
		return nil, err
	}
	d, err := s.Admin.Device(ctx, key)
	m := deviceMessage(d)
	if m != nil && paths != nil {
		keep(m.ProtoReflect(), paths)
	}
	return m, err
}

func (s methods) UpdateDevice(ctx context.Context, req *iotpb.UpdateDeviceRequest) (*iotpb.Device, error) {
	given := req.GetDevice()
	key, err := deviceOf("device.name", given.GetName())
	if err != nil {
		return nil, err
	}
	if given.GetId() != "" || given.GetNumId() != 0 {
		return nil, invalid("device.id", "id and num_id must be empty: name says which")
	}
	fields, err := deviceFields.of(req.GetUpdateMask())
	if err != nil {
		return nil, err
	}
	r, err := s.Admin.Registry(ctx, key.RegistryKey)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	d, err := s.Admin.UpdateDevice(ctx, operators.From(ctx).Name, key, func(d *gateway.Device) error {
		return changeDevice(d, given, fields, r.Authorities, now)
	})
	return deviceMessage(d), err
}

func (s methods) DeleteDevice(ctx context.Context, req *iotpb.DeleteDeviceRequest) (*emptypb.Empty, error) {
	key, err := deviceOf("name", req.GetName())
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, s.Admin.DeleteDevice(ctx, operators.From(ctx).Name, key)
}

// ListDevices answers with id and num_id, and what the mask asks for beside them.
func (s methods) ListDevices(ctx context.Context, req *iotpb.ListDevicesRequest) (*iotpb.ListDevicesResponse, error) {
	key, err := registryOf("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	paths, err := readMask(&iotpb.Device{}, req.GetFieldMask(), "id", "num_id")
	if err != nil {
		return nil, err
	}
	if paths == nil {
		paths = []string{"id", "num_id"}
	}
	list, next, err := s.Admin.Devices(ctx, key, filter(req), gateway.Page{Size: int(req.GetPageSize()), Token: req.GetPageToken()})
	if err != nil {
		return nil, err
	}
	answer := &iotpb.ListDevicesResponse{NextPageToken: next}
	for _, d := range list {
		m := deviceMessage(d)
		keep(m.ProtoReflect(), paths)
		answer.Devices = append(answer.Devices, m)
	}
	return answer, nil
}

func filter(req *iotpb.ListDevicesRequest) gateway.DeviceFilter {
	f := gateway.DeviceFilter{Numbers: req.GetDeviceNumIds(), Names: req.GetDeviceIds()}
	switch o := req.GetGatewayListOptions().GetFilter().(type) {
	case *iotpb.GatewayListOptions_GatewayType:
		if o.GatewayType != iotpb.GatewayType_GATEWAY_TYPE_UNSPECIFIED {
			gateways := o.GatewayType == iotpb.GatewayType_GATEWAY
			f.Gateways = &gateways
		}
	case *iotpb.GatewayListOptions_AssociationsGatewayId:
		f.BoundTo = o.AssociationsGatewayId
	case *iotpb.GatewayListOptions_AssociationsDeviceId:
		f.GatewaysOf = o.AssociationsDeviceId
	}
	return f
}
