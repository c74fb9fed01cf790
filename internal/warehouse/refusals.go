package warehouse

import (
	"context"
	"errors"
	"time"

	"iotbridge/gateway/console"
	"iotbridge/internal/quarantine"
)

// Refusals are messages in quarantine, newest first.
func (w *Warehouse) Refusals(ctx context.Context, q console.RefusalQuery) (list []console.Refusal, err error) {
	if q.Before.IsZero() {
		q.Before = time.Now().Add(time.Hour) // by whoever's clock
	}
	err = read(ctx, w, "refusals", map[string]any{"since": q.Since, "before": q.Before, "reason": q.Reason, "device": q.Device, "limit": int64(q.Most)}, func(m *quarantine.Message) {
		list = append(list, refusal(m))
	})
	return list, err
}

// Refusal is all rows of one message, whole.
func (w *Warehouse) Refusal(ctx context.Context, messageID string) (list []console.Refusal, err error) {
	var wrong error
	err = read(ctx, w, "refusal", map[string]any{"message_id": messageID}, func(m *quarantine.Message) {
		one := refusal(m)
		attributes, err := m.AttributeMap()
		wrong = errors.Join(wrong, err)
		one.Attributes, one.Data = attributes, m.Data
		list = append(list, one)
	})
	return list, errors.Join(err, wrong)
}

func refusal(m *quarantine.Message) console.Refusal {
	return console.Refusal{
		MessageID: m.ID.StringVal, Reason: m.Reason.StringVal, Detail: m.Detail.StringVal, DeviceID: m.DeviceID.StringVal, ClaimedID: m.ClaimedDeviceID.StringVal,
		Subscription: m.Subscription.StringVal, Worker: m.Worker.StringVal, Published: m.PublishTime.Timestamp, Quarantined: m.QuarantineTime.Timestamp,
		Attempt: m.DeliveryAttempt.Int64,
	}
}
