package registry

import (
	"cmp"
	"context"
	"slices"

	"iotbridge/gateway"
)

// sign is a gateway.Sign as it travels in one query's argument.
type sign struct {
	Device     uint64 `json:"device"`
	Heartbeat  int64  `json:"heartbeat"`
	Event      int64  `json:"event"`
	ConfigSend int64  `json:"config_send"`
	Error      int64  `json:"error"`
	Code       int32  `json:"code"`
	Message    string `json:"message"`
	Via        int64  `json:"via"`
	Gateway    string `json:"gateway"`
}

// merged is one sign a device, in the devices' order: two gateways that note the
// same devices wait for each other, and never in a circle.
func merged(signs []gateway.Sign) []sign {
	of := map[uint64]*sign{}
	for _, n := range signs {
		s := of[n.Device]
		if s == nil {
			s = &sign{Device: n.Device}
			of[n.Device] = s
		}
		s.Heartbeat = max(s.Heartbeat, micros(n.Heartbeat))
		s.Event = max(s.Event, micros(n.Event))
		s.ConfigSend = max(s.ConfigSend, micros(n.ConfigSend))
		if at := micros(n.Error); at > s.Error && n.ErrorStatus != nil {
			s.Error, s.Code, s.Message = at, n.ErrorStatus.Code, printable(n.ErrorStatus.Message, 1024)
		}
		if at := micros(n.Via); at > s.Via {
			s.Via, s.Gateway = at, printable(n.Gateway, 255)
		}
	}
	list := make([]sign, 0, len(of))
	for _, s := range of {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b sign) int { return cmp.Compare(a.Device, b.Device) })
	return list
}

const noteSigns = `UPDATE life SET
	heartbeat = CASE WHEN v.heartbeat > life.heartbeat THEN v.heartbeat ELSE life.heartbeat END,
	event = CASE WHEN v.event > life.event THEN v.event ELSE life.event END,
	config_send = CASE WHEN v.config_send > life.config_send THEN v.config_send ELSE life.config_send END,
	error = CASE WHEN v.error > life.error THEN v.error ELSE life.error END,
	error_code = CASE WHEN v.error > life.error THEN v.code ELSE life.error_code END,
	error_message = CASE WHEN v.error > life.error THEN v.message ELSE life.error_message END,
	via = CASE WHEN v.via > life.via THEN v.via ELSE life.via END,
	gateway = CASE WHEN v.via > life.via THEN v.gateway ELSE life.gateway END
	FROM (SELECT CAST(value->>'device' AS BIGINT) AS device, CAST(value->>'heartbeat' AS BIGINT) AS heartbeat, CAST(value->>'event' AS BIGINT) AS event,
		CAST(value->>'config_send' AS BIGINT) AS config_send, CAST(value->>'error' AS BIGINT) AS error, CAST(value->>'code' AS INTEGER) AS code,
		value->>'message' AS message, CAST(value->>'via' AS BIGINT) AS via, value->>'gateway' AS gateway
		FROM json_array_elements($1::json)) v
	WHERE life.device = v.device`

// Note books a batch in one statement. Times only go forward; devices that are gone
// are passed over.
func (s *Store) Note(ctx context.Context, signs []gateway.Sign) error {
	if len(signs) == 0 {
		return nil
	}
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(ctx, noteSigns, encode(merged(signs)))
		return err
	})
}
