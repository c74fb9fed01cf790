package devicemanager

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/gateway"
	"iotbridge/gateway/operators"
	"iotbridge/schema"
)

// ModifyCloudToDeviceConfig makes the next version, unless another than the one
// that the caller knows is there.
func (s methods) ModifyCloudToDeviceConfig(ctx context.Context, req *iotpb.ModifyCloudToDeviceConfigRequest) (*iotpb.DeviceConfig, error) {
	key, err := deviceOf("name", req.GetName())
	if err != nil {
		return nil, err
	}
	if req.GetVersionToUpdate() < 0 {
		return nil, invalid("version_to_update", "is negative")
	}
	c, err := s.Admin.SetConfig(ctx, operators.From(ctx).Name, key, req.GetVersionToUpdate(), req.GetBinaryData())
	if err != nil {
		return nil, err
	}
	return configMessage(c), nil
}

func (s methods) ListDeviceConfigVersions(ctx context.Context, req *iotpb.ListDeviceConfigVersionsRequest) (*iotpb.ListDeviceConfigVersionsResponse, error) {
	key, err := deviceOf("name", req.GetName())
	if err != nil {
		return nil, err
	}
	if req.GetNumVersions() < 0 {
		return nil, invalid("num_versions", "is negative")
	}
	list, err := s.Admin.Configs(ctx, key, int(req.GetNumVersions()))
	answer := &iotpb.ListDeviceConfigVersionsResponse{}
	for _, c := range list {
		answer.DeviceConfigs = append(answer.DeviceConfigs, configMessage(c))
	}
	return answer, err
}

func (s methods) ListDeviceStates(ctx context.Context, req *iotpb.ListDeviceStatesRequest) (*iotpb.ListDeviceStatesResponse, error) {
	key, err := deviceOf("name", req.GetName())
	if err != nil {
		return nil, err
	}
	if req.GetNumStates() < 0 {
		return nil, invalid("num_states", "is negative")
	}
	list, err := s.Admin.States(ctx, key, int(req.GetNumStates()))
	answer := &iotpb.ListDeviceStatesResponse{}
	for _, st := range list {
		answer.DeviceStates = append(answer.DeviceStates, stateMessage(st))
	}
	return answer, err
}

// SendCommandToDevice is in the audit log before the device has anything. It returns when the device has it: to a subscription at QoS 1
// that is with its PUBACK, which is waited for half a minute.
func (s methods) SendCommandToDevice(ctx context.Context, req *iotpb.SendCommandToDeviceRequest) (*iotpb.SendCommandToDeviceResponse, error) {
	key, err := deviceOf("name", req.GetName())
	if err != nil {
		return nil, err
	}
	folder := req.GetSubfolder()
	switch {
	case folder != "" && !schema.ValidSubFolder(folder):
		return nil, invalid("subfolder", "want levels of A-Z a-z 0-9 - . _ ~ % between single slashes, at most 256 bytes")
	case len(req.GetBinaryData()) > maxCommand:
		return nil, invalid("binary_data", fmt.Sprintf("has %d bytes, want at most %d", len(req.GetBinaryData()), maxCommand))
	}
	d, err := s.Admin.Device(ctx, key)
	if err != nil {
		return nil, err
	}
	if err := s.Admin.Record(ctx, gateway.AuditEntry{
		Actor: operators.From(ctx).Name, Action: "send_command", Object: d.Key.String(),
		Detail: fmt.Sprintf("subfolder %q, %d bytes", folder, len(req.GetBinaryData())),
	}); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, commandWait)
	defer cancel()
	err = s.Bus.Send(ctx, gateway.Command{Device: d.Number, SubFolder: folder, Data: req.GetBinaryData()})
	if errors.Is(err, gateway.ErrNotConnected) {
		return nil, status.Error(codes.FailedPrecondition, "the device is "+gateway.ErrNotConnected.Error()+" to "+strings.TrimSuffix(
			schema.Topic{Device: d.Key.Device, Kind: schema.CommandsTopic}.String(), "/")+"/#")
	}
	return &iotpb.SendCommandToDeviceResponse{}, err
}
