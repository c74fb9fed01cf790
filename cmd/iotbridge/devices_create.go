package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"iotbridge/gateway/auth"
	"iotbridge/internal/iotconfig"
	"iotbridge/internal/site"
)

// keys are the public keys that a command line names.
type keys struct {
	PublicKey []string `type:"existingfile" placeholder:"FILE" help:"A public key, or a certificate of it, in PEM; P-256, or RSA of 2048 bits or more. Up to three."`
	Expires   string   `placeholder:"TIME" help:"When these keys end, as 2027-01-02T15:04:05Z. Default: never."`
}

func (k *keys) credentials() ([]*iotpb.DeviceCredential, error) {
	var expires *timestamppb.Timestamp
	if k.Expires != "" {
		at, err := time.Parse(time.RFC3339, k.Expires)
		if err != nil {
			return nil, usage("--expires " + shown(k.Expires) + ": want a time as 2027-01-02T15:04:05Z")
		}
		expires = timestamppb.New(at)
	}
	var list []*iotpb.DeviceCredential
	for _, name := range k.PublicKey {
		text, err := readFile(name)
		if err != nil {
			return nil, err
		}
		format, err := auth.DetectFormat(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, &iotpb.DeviceCredential{
			Credential:     &iotpb.DeviceCredential_PublicKey{PublicKey: &iotpb.PublicKeyCredential{Format: iotpb.PublicKeyFormat(format), Key: string(text)}},
			ExpirationTime: expires,
		})
	}
	return list, nil
}

type devicesCreate struct {
	deviceOf   `embed:""`
	keys       `embed:""`
	Metadata   map[string]string `mapsep:"none" placeholder:"KEY=VALUE" help:"What is to be known of it; may be repeated."`
	Blocked    bool              `help:"Keep it out until it is unblocked."`
	Logging    string            `default:"" enum:",none,error,info,debug" help:"How much of its life is logged: none, error, info or debug. Default: the registry's."`
	Gateway    bool              `help:"It speaks for other devices."`
	AuthMethod string            `default:"association-only" enum:"association-only,device-auth-token-only,association-and-device-auth-token" help:"What a gateway needs to attach a device: ${enum}."`
}

// Help is shown after the flags.
func (*devicesCreate) Help() string {
	return `On the device, a key pair is made as it was for IoT Core, and the private key never leaves it:

  openssl ecparam -genkey -name prime256v1 -noout -out ec_private.pem
  openssl ec -in ec_private.pem -pubout -out ec_public.pem

What is printed is the device's gcp_iot_config.txt, with its number as DEVICE_ID.`
}

// Run registers it.
func (c *devicesCreate) Run(ctx context.Context, out io.Writer) error {
	credentials, err := c.credentials()
	if err != nil {
		return err
	}
	d := &iotpb.Device{Id: c.Device, Credentials: credentials, Metadata: c.Metadata, Blocked: c.Blocked, LogLevel: logLevel(c.Logging)}
	if c.Gateway {
		d.GatewayConfig = &iotpb.GatewayConfig{
			GatewayType:       iotpb.GatewayType_GATEWAY,
			GatewayAuthMethod: iotpb.GatewayAuthMethod(iotpb.GatewayAuthMethod_value[strings.ToUpper(strings.ReplaceAll(c.AuthMethod, "-", "_"))]),
		}
	}
	at, err := c.site()
	if err != nil {
		return err
	}
	return c.in(ctx, out, func(ctx context.Context, api *client, registry string) error {
		made, err := api.CreateDevice(ctx, &iotpb.CreateDeviceRequest{Parent: registry, Device: d})
		if err != nil {
			return err
		}
		return api.print(made, func(out io.Writer) { c.configuration(out, api, at, made) })
	})
}

// configuration is the file that the device needs, as the seed's devices read it.
func (c *devicesCreate) configuration(out io.Writer, api *client, at *site.Site, d *iotpb.Device) {
	fmt.Fprintf(out, "# Device %s of registry %s has the number %d.\n", d.GetId(), cmp.Or(c.Registry, api.registry), d.GetNumId())
	if len(d.GetCredentials()) == 0 {
		fmt.Fprintln(out, "# It has no key yet: iotbridge devices update gives it one.")
	}
	private := "ec_private.pem"
	if len(c.PublicKey) > 0 {
		if name := filepath.Base(c.PublicKey[0]); strings.Contains(name, "public") {
			private = strings.Replace(name, "public", "private", 1)
		}
	}
	_ = iotconfig.Write(out, iotconfig.Device{ // as above: who has closed the pipe does not read it
		Project: api.project, Region: regionOf(d.GetName()), Registry: cmp.Or(c.Registry, api.registry), Number: d.GetNumId(),
		PrivateKey: private, Gateway: gatewayOf(at),
	})
}

// gatewayOf is where devices find the gateway that operators call; "" of one that is
// only known by a tunnel's end.
func gatewayOf(at *site.Site) string {
	if at.MQTT != "" {
		return at.MQTT
	}
	if api, err := url.Parse(at.API); err == nil && api.Hostname() != "localhost" && !net.ParseIP(api.Hostname()).IsLoopback() {
		return api.Hostname()
	}
	return ""
}
