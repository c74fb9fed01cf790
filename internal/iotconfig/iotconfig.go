// Package iotconfig writes the gcp_iot_config.txt that a device of IoT Core reads, and
// the agent still does.
package iotconfig

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"strings"
)

// Device is who reads the file, and where it finds its gateway.
type Device struct {
	Project, Region, Registry string
	Number                    uint64
	PrivateKey                string // a file's name; "": ec_private.pem
	Gateway                   string // host or host:port; "": not known, a placeholder that the agent refuses
}

// Write writes the file.
func Write(out io.Writer, d Device) error {
	_, err := fmt.Fprintf(out, `[SETTINGS]
# The path to the location of the keys on the device
KEY_PATH = /home/pi/GCP/iot_keys/
# The private key, and the gateway's root certificate
PRIVATE_KEY      = %s
GOOGLE_ROOT_CERT = roots.pem
# Who the device is
REGISTRY_ID = %s
DEVICE_ID   = %d
REGION      = %s
PROJECT_ID  = %s
# Where the gateway is
%s`, cmp.Or(d.PrivateKey, "ec_private.pem"), d.Registry, d.Number, d.Region, d.Project, where(d.Gateway))
	return err
}

// where has a port only when it is not the usual one.
func where(gateway string) string {
	host, port, err := net.SplitHostPort(gateway)
	if err != nil {
		host, port = cmp.Or(strings.Trim(gateway, "[]"), "<GATEWAY>"), "8883"
	}
	if port == "8883" {
		return "HOST = " + host + "\n"
	}
	return "HOST = " + host + "\nPORT = " + port + "\n"
}
