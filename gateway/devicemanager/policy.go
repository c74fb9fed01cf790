package devicemanager

import "iotbridge/gateway/operators"

// policy is what it takes to call a method: a role, which has the permission by IoT
// Core's name.
type policy struct {
	role       operators.Role
	permission string
}

// policies has every method. https://cloud.google.com/iot/docs/how-tos/iam
var policies = map[string]policy{
	"CreateDeviceRegistry": {operators.Admin, "cloudiot.registries.create"},
	"GetDeviceRegistry":    {operators.Viewer, "cloudiot.registries.get"},
	"UpdateDeviceRegistry": {operators.Admin, "cloudiot.registries.update"},
	"DeleteDeviceRegistry": {operators.Admin, "cloudiot.registries.delete"},
	"ListDeviceRegistries": {operators.Viewer, "cloudiot.registries.list"},

	"CreateDevice": {operators.Admin, "cloudiot.devices.create"},
	"GetDevice":    {operators.Viewer, "cloudiot.devices.get"},
	"UpdateDevice": {operators.Admin, "cloudiot.devices.update"},
	"DeleteDevice": {operators.Admin, "cloudiot.devices.delete"},
	"ListDevices":  {operators.Viewer, "cloudiot.devices.list"},

	"ModifyCloudToDeviceConfig": {operators.Admin, "cloudiot.devices.updateConfig"},
	"ListDeviceConfigVersions":  {operators.Viewer, "cloudiot.devices.get"},
	"ListDeviceStates":          {operators.Viewer, "cloudiot.devices.get"},
	"SendCommandToDevice":       {operators.Admin, "cloudiot.devices.sendCommand"},

	"BindDeviceToGateway":     {operators.Admin, "cloudiot.devices.bindGateway"},
	"UnbindDeviceFromGateway": {operators.Admin, "cloudiot.devices.unbindGateway"},

	"SetIamPolicy":       {operators.Admin, "cloudiot.registries.setIamPolicy"},
	"GetIamPolicy":       {operators.Viewer, "cloudiot.registries.getIamPolicy"},
	"TestIamPermissions": {operators.Viewer, ""},
}

// roleFor is what a permission takes; none when there is no such permission.
func roleFor(permission string) operators.Role {
	for _, p := range policies {
		if p.permission == permission && permission != "" {
			return p.role
		}
	}
	return 0
}
