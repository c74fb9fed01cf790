package devicemanager

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
)

var deviceFields = mutable{
	"credentials":                        "credentials",
	"blocked":                            "blocked",
	"metadata":                           "metadata",
	"log_level":                          "log_level",
	"gateway_config.gateway_auth_method": "gateway_config.gateway_auth_method",
}

// changeDevice sets the fields as they are given.
func changeDevice(d *gateway.Device, given *iotpb.Device, fields, authorities []string, now time.Time) (err error) {
	for _, field := range fields {
		switch field {
		case "credentials":
			if d.Credentials, err = readCredentials(d.Credentials, given.GetCredentials(), authorities, now); err != nil {
				return err
			}
		case "blocked":
			d.Blocked = given.GetBlocked()
		case "metadata":
			d.Metadata = maps.Clone(given.GetMetadata())
		case "log_level":
			d.LogLevel = gateway.LogLevel(given.GetLogLevel())
		case "gateway_config.gateway_auth_method":
			d.AuthMethod = gateway.AuthMethod(given.GetGatewayConfig().GetGatewayAuthMethod())
		}
	}
	return nil
}

// maxCredentials bounds what is parsed; the store has the same bound.
const maxCredentials = 3

// readCredentials reads the keys of a device. One that it has already is not checked
// again: a later change of the registry's certificates, or a certificate's end, does
// not touch it.
func readCredentials(had []gateway.Credential, given []*iotpb.DeviceCredential, authorities []string, now time.Time) ([]gateway.Credential, error) {
	if len(given) > maxCredentials {
		return nil, invalid("credentials", fmt.Sprintf("%d of them: a device has at most %d", len(given), maxCredentials))
	}
	var list []gateway.Credential
	for i, g := range given {
		c := gateway.Credential{Format: gateway.KeyFormat(g.GetPublicKey().GetFormat()), PEM: g.GetPublicKey().GetKey()}
		if at := g.GetExpirationTime(); at.GetSeconds() != 0 || at.GetNanos() != 0 {
			if c.Expires = at.AsTime(); at.CheckValid() != nil {
				return nil, invalid("credentials", fmt.Sprintf("number %d: the expiration time is none", i))
			}
		}
		same := func(h gateway.Credential) bool { return h.Format == c.Format && h.PEM == c.PEM }
		if !slices.ContainsFunc(had, same) {
			if _, err := auth.Register(c, authorities, now); err != nil {
				return nil, invalid("credentials", fmt.Sprintf("number %d: %v", i, err))
			}
		}
		list = append(list, c)
	}
	return list, nil
}

// deviceMessage is a device as clients see it; of none, none.
func deviceMessage(d *gateway.Device) *iotpb.Device {
	if d == nil {
		return nil
	}
	m := &iotpb.Device{
		Id:                 d.Key.Device,
		Name:               gateway.DeviceKey{RegistryKey: d.Key.RegistryKey, Device: d.Num()}.String(),
		NumId:              d.Number,
		LastHeartbeatTime:  timestamp(d.LastHeartbeat),
		LastEventTime:      timestamp(d.LastEvent),
		LastStateTime:      timestamp(d.LastState),
		LastConfigAckTime:  timestamp(d.LastConfigAck),
		LastConfigSendTime: timestamp(d.LastConfigSend),
		Blocked:            d.Blocked,
		LastErrorTime:      timestamp(d.LastError),
		Config:             configMessage(d.Config),
		LogLevel:           iotpb.LogLevel(d.LogLevel),
		Metadata:           d.Metadata,
		GatewayConfig: &iotpb.GatewayConfig{
			GatewayType:             iotpb.GatewayType_NON_GATEWAY,
			GatewayAuthMethod:       iotpb.GatewayAuthMethod(d.AuthMethod),
			LastAccessedGatewayId:   d.LastGateway,
			LastAccessedGatewayTime: timestamp(d.LastGatewayTime),
		},
	}
	if d.IsGateway {
		m.GatewayConfig.GatewayType = iotpb.GatewayType_GATEWAY
	}
	if d.LastErrorStatus != nil {
		m.LastErrorStatus = &status.Status{Code: d.LastErrorStatus.Code, Message: d.LastErrorStatus.Message}
	}
	if d.State != nil {
		m.State = stateMessage(*d.State)
	}
	for _, c := range d.Credentials {
		never := &timestamppb.Timestamp{} // 1970-01-01T00:00:00Z, as IoT Core said it
		if !c.Expires.IsZero() {
			never = timestamppb.New(c.Expires)
		}
		m.Credentials = append(m.Credentials, &iotpb.DeviceCredential{
			Credential:     &iotpb.DeviceCredential_PublicKey{PublicKey: &iotpb.PublicKeyCredential{Format: iotpb.PublicKeyFormat(c.Format), Key: c.PEM}},
			ExpirationTime: never,
		})
	}
	return m
}

func configMessage(c gateway.Config) *iotpb.DeviceConfig {
	return &iotpb.DeviceConfig{Version: c.Version, CloudUpdateTime: timestamp(c.Updated), DeviceAckTime: timestamp(c.Acked), BinaryData: c.Data}
}

func stateMessage(s gateway.State) *iotpb.DeviceState {
	return &iotpb.DeviceState{UpdateTime: timestamp(s.Updated), BinaryData: s.Data}
}

// timestamp is t; no time is no timestamp.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
