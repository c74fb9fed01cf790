package devicemanager

import (
	"context"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/gateway/operators"
)

func (s methods) BindDeviceToGateway(ctx context.Context, req *iotpb.BindDeviceToGatewayRequest) (*iotpb.BindDeviceToGatewayResponse, error) {
	key, err := registryOf("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	return &iotpb.BindDeviceToGatewayResponse{}, s.Admin.Bind(ctx, operators.From(ctx).Name, key, req.GetGatewayId(), req.GetDeviceId())
}

func (s methods) UnbindDeviceFromGateway(ctx context.Context, req *iotpb.UnbindDeviceFromGatewayRequest) (*iotpb.UnbindDeviceFromGatewayResponse, error) {
	key, err := registryOf("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	return &iotpb.UnbindDeviceFromGatewayResponse{}, s.Admin.Unbind(ctx, operators.From(ctx).Name, key, req.GetGatewayId(), req.GetDeviceId())
}

var errNoPolicies = status.Error(codes.Unimplemented, "registries have no policies here: the gateway's operators file decides who may do what")

func (s methods) SetIamPolicy(context.Context, *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	return nil, errNoPolicies
}

func (s methods) GetIamPolicy(context.Context, *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	return nil, errNoPolicies
}

// TestIamPermissions answers which of the permissions the caller has, whether or not
// there is such a registry.
func (s methods) TestIamPermissions(ctx context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	if _, err := registryOf("resource", req.GetResource()); err != nil {
		return nil, err
	}
	answer := &iampb.TestIamPermissionsResponse{}
	for _, p := range req.GetPermissions() {
		if operators.From(ctx).May(roleFor(p), req.GetResource()) {
			answer.Permissions = append(answer.Permissions, p)
		}
	}
	return answer, nil
}
