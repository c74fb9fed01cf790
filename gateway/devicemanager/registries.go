package devicemanager

import (
	"context"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"iotbridge/gateway"
	"iotbridge/gateway/operators"
)

func (s methods) CreateDeviceRegistry(ctx context.Context, req *iotpb.CreateDeviceRegistryRequest) (*iotpb.DeviceRegistry, error) {
	project, location, err := locationOf("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	given := req.GetDeviceRegistry()
	if given.GetName() != "" {
		return nil, invalid("device_registry.name", "must be empty: it is made of parent and id")
	}
	r := &gateway.Registry{Key: gateway.RegistryKey{Project: project, Location: location, Registry: given.GetId()}}
	if !r.Key.Valid() {
		return nil, invalid("device_registry.id", idForm)
	}
	if err := changeRegistry(r, given, registryFields.all(), time.Now()); err != nil {
		return nil, err
	}
	made, err := s.Admin.CreateRegistry(ctx, operators.From(ctx).Name, r)
	return registryMessage(made), err
}

func (s methods) GetDeviceRegistry(ctx context.Context, req *iotpb.GetDeviceRegistryRequest) (*iotpb.DeviceRegistry, error) {
	key, err := registryOf("name", req.GetName())
	if err != nil {
		return nil, err
	}
	r, err := s.Admin.Registry(ctx, key)
	return registryMessage(r), err
}

func (s methods) UpdateDeviceRegistry(ctx context.Context, req *iotpb.UpdateDeviceRegistryRequest) (*iotpb.DeviceRegistry, error) {
	given := req.GetDeviceRegistry()
	key, err := registryOf("device_registry.name", given.GetName())
	if err != nil {
		return nil, err
	}
	if given.GetId() != "" {
		return nil, invalid("device_registry.id", "must be empty: name says which")
	}
	fields, err := registryFields.of(req.GetUpdateMask())
	if err != nil {
		return nil, err
	}
	now := time.Now()
	r, err := s.Admin.UpdateRegistry(ctx, operators.From(ctx).Name, key, func(r *gateway.Registry) error {
		return changeRegistry(r, given, fields, now)
	})
	return registryMessage(r), err
}

func (s methods) DeleteDeviceRegistry(ctx context.Context, req *iotpb.DeleteDeviceRegistryRequest) (*emptypb.Empty, error) {
	key, err := registryOf("name", req.GetName())
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, s.Admin.DeleteRegistry(ctx, operators.From(ctx).Name, key)
}

func (s methods) ListDeviceRegistries(ctx context.Context, req *iotpb.ListDeviceRegistriesRequest) (*iotpb.ListDeviceRegistriesResponse, error) {
	project, location, err := locationOf("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	list, next, err := s.Admin.Registries(ctx, project, location, gateway.Page{Size: int(req.GetPageSize()), Token: req.GetPageToken()})
	if err != nil {
		return nil, err
	}
	answer := &iotpb.ListDeviceRegistriesResponse{NextPageToken: next}
	for _, r := range list {
		answer.DeviceRegistries = append(answer.DeviceRegistries, registryMessage(r))
	}
	return answer, nil
}
