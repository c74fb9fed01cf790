package migrate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"iotbridge/schema"
)

// Device is one that a file has, as CreateDevice takes it.
type Device struct {
	*iotpb.Device        // id, number, keys, blocked, metadata, log level, gateway's role, latest config
	From          string // projects/P/locations/L/registries/R; "" when the file does not say
	Renumber      bool   // it is to get a new number, whatever it had
}

// wish is the number that it is to have; 0 is a new one.
func (d *Device) wish() uint64 {
	if n := d.GetNumId(); !d.Renumber && schema.ValidNumID(strconv.FormatUint(n, 10)) {
		return n
	}
	return 0
}

// members tell the forms apart.
type members struct {
	Devices  []json.RawMessage `json:"devices"` // a page of Device Manager's list
	Data     []json.RawMessage `json:"data"`    // a page of EMQX's list
	DeviceID *string           `json:"deviceid"`
	Clients  []string          `json:"client_ids"`
	ID       *string           `json:"id"`
}

// parse returns the devices of one JSON object: one, or those of a page.
func parse(raw json.RawMessage) ([]Device, error) {
	var m members
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("neither a device nor a page of them: %w", err)
	}
	var one func(json.RawMessage) (Device, error)
	switch {
	case m.DeviceID != nil:
		one = fromEMQX
	case m.Clients != nil:
		one = fromExport
	case m.ID != nil:
		one = fromManager
	case m.Devices != nil || m.Data != nil:
		var list []Device
		for _, raw := range append(m.Devices, m.Data...) {
			devices, err := parse(raw)
			if err != nil {
				return nil, err
			}
			list = append(list, devices...)
		}
		return list, nil
	case bytes.Equal(bytes.TrimSpace(raw), []byte("{}")): // a page of an empty registry
		return nil, nil
	default:
		return nil, errors.New("neither a device nor a page of them: it has no id, deviceid or client_ids")
	}
	d, err := one(raw)
	if err != nil {
		return nil, err
	}
	return []Device{d}, nil
}

// fromManager reads a device as Device Manager's REST and gcloud write it.
func fromManager(raw json.RawMessage) (Device, error) {
	d := &iotpb.Device{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(raw, d); err != nil {
		return Device{}, fmt.Errorf("a device that is not as Device Manager lists them: %w", err)
	}
	from, _, _ := strings.Cut(d.GetName(), "/devices/")
	kept := &iotpb.Device{
		Id: d.GetId(), NumId: d.GetNumId(), Credentials: d.GetCredentials(), Blocked: d.GetBlocked(), Metadata: d.GetMetadata(), LogLevel: d.GetLogLevel(),
		Config: &iotpb.DeviceConfig{BinaryData: d.GetConfig().GetBinaryData()},
	}
	if g := d.GetGatewayConfig(); g.GetGatewayType() == iotpb.GatewayType_GATEWAY {
		kept.GatewayConfig = &iotpb.GatewayConfig{GatewayType: g.GetGatewayType(), GatewayAuthMethod: g.GetGatewayAuthMethod()}
	}
	return Device{Device: kept, From: from}, nil
}

// fromEMQX reads a device as EMQX's own API takes and lists it.
// https://docs.emqx.com/en/emqx/latest/access-control/authn/gcp-device.html
func fromEMQX(raw json.RawMessage) (Device, error) {
	var e struct {
		ID       string `json:"deviceid"`
		Project  string `json:"project"`
		Location string `json:"location"`
		Registry string `json:"registry"`
		Blocked  bool   `json:"blocked"`
		Config   []byte `json:"config"`
		Keys     []struct {
			Key     string `json:"key"`
			Type    string `json:"key_type"`
			Expires int64  `json:"expires_at"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return Device{}, fmt.Errorf("a device that is not as EMQX lists them: %w", err)
	}
	d := Device{Device: &iotpb.Device{Id: e.ID, Blocked: e.Blocked, Config: &iotpb.DeviceConfig{BinaryData: e.Config}}}
	if e.Project != "" && e.Location != "" && e.Registry != "" {
		d.From = "projects/" + e.Project + "/locations/" + e.Location + "/registries/" + e.Registry
	}
	for _, k := range e.Keys {
		d.Credentials = append(d.Credentials, credential(k.Type, k.Key, k.Expires))
	}
	return d, nil
}

// fromExport reads a device as EMQX's tool, gcp-export.py, took it from IoT Core.
// https://github.com/emqx/emqx-gcp-iot-migrate
func fromExport(raw json.RawMessage) (Device, error) {
	var e struct {
		Clients     []string `json:"client_ids"` // by id, and by number
		Blocked     bool     `json:"blocked"`
		Config      []byte   `json:"config"`
		Credentials []struct {
			PublicKey struct {
				Format string `json:"format"`
				Key    string `json:"key"`
			} `json:"public_key"`
			Expires int64 `json:"expiration_time"`
		} `json:"credentials"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return Device{}, fmt.Errorf("a device that is not as gcp-export.py writes them: %w", err)
	}
	d := Device{Device: &iotpb.Device{Blocked: e.Blocked, Config: &iotpb.DeviceConfig{BinaryData: e.Config}}}
	for _, client := range e.Clients {
		from, id, _ := strings.Cut(client, "/devices/")
		if number, ok := number(id); ok {
			d.NumId = number
		} else {
			d.Id, d.From = id, from
		}
	}
	for _, c := range e.Credentials {
		d.Credentials = append(d.Credentials, credential(c.PublicKey.Format, c.PublicKey.Key, c.Expires))
	}
	return d, nil
}

// credential is a key that ends at a time in epoch seconds; 0 is never.
func credential(format, key string, expires int64) *iotpb.DeviceCredential {
	c := &iotpb.DeviceCredential{Credential: &iotpb.DeviceCredential_PublicKey{PublicKey: &iotpb.PublicKeyCredential{
		Format: iotpb.PublicKeyFormat(iotpb.PublicKeyFormat_value[format]), Key: key,
	}}}
	if expires != 0 {
		c.ExpirationTime = timestamppb.New(time.Unix(expires, 0))
	}
	return c
}
