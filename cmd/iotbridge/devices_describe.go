package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/iot/apiv1/iotpb"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
)

func describeDevice(out io.Writer, d *iotpb.Device) {
	line(out, "device", d.GetId())
	line(out, "number", strconv.FormatUint(d.GetNumId(), 10))
	line(out, "name", d.GetName())
	line(out, "blocked", yesNo(d.GetBlocked()))
	for _, c := range d.GetCredentials() {
		line(out, "key", describeKey(c))
	}
	if g := d.GetGatewayConfig(); g.GetGatewayType() == iotpb.GatewayType_GATEWAY {
		line(out, "gateway", strings.ToLower(g.GetGatewayAuthMethod().String()))
	}
	line(out, "log level", levelName(d.GetLogLevel(), "the registry's"))
	line(out, "config", fmt.Sprintf("version %d of %s, acknowledged %s", d.GetConfig().GetVersion(), when(d.GetConfig().GetCloudUpdateTime()), when(d.GetConfig().GetDeviceAckTime())))
	line(out, "last heartbeat", when(d.GetLastHeartbeatTime()))
	line(out, "last event", when(d.GetLastEventTime()))
	line(out, "last state", when(d.GetLastStateTime()))
	if d.GetLastErrorTime() != nil {
		line(out, "last error", when(d.GetLastErrorTime())+" "+d.GetLastErrorStatus().GetMessage())
	}
	for _, key := range slices.Sorted(maps.Keys(d.GetMetadata())) {
		fmt.Fprintf(out, "  %-24s %s\n", shown(key), shown(d.GetMetadata()[key]))
	}
}

// describeKey tells a key by its fingerprint, which is the same on the device.
func describeKey(c *iotpb.DeviceCredential) string {
	public := c.GetPublicKey()
	text := public.GetFormat().String()
	if key, err := auth.ParseKey(gateway.KeyFormat(public.GetFormat()), public.GetKey()); err == nil {
		text += " SHA-256 " + key.Fingerprint()
	}
	if at := c.GetExpirationTime(); at.GetSeconds() != 0 {
		text += ", until " + when(at)
	}
	return text
}

// levelName is a log level as --logging takes it.
func levelName(l iotpb.LogLevel, unset string) string {
	if l == iotpb.LogLevel_LOG_LEVEL_UNSPECIFIED {
		return unset
	}
	return strings.ToLower(l.String())
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
