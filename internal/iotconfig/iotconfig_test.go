package iotconfig_test

import (
	"strings"
	"testing"

	"iotbridge/internal/iotconfig"
)

func TestWhereTheGatewayIs(t *testing.T) {
	for gateway, want := range map[string]string{
		"gate.example:8883": "HOST = gate.example\n", "gate.example:443": "HOST = gate.example\nPORT = 443\n", "gate.example": "HOST = gate.example\n",
		"[2001:db8::1]:8883": "HOST = 2001:db8::1\n", "[2001:db8::1]": "HOST = 2001:db8::1\n", "": "HOST = <GATEWAY>\n",
	} {
		var out strings.Builder
		if err := iotconfig.Write(&out, iotconfig.Device{Project: "p", Region: "us-central1", Registry: "plant7", Number: 2500000000000001, Gateway: gateway}); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); !strings.HasSuffix(got, "# Where the gateway is\n"+want) || !strings.Contains(got, "\nDEVICE_ID   = 2500000000000001\n") || !strings.Contains(got, "= ec_private.pem\n") {
			t.Errorf("%s: %s", gateway, got)
		}
	}
}
