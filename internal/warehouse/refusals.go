package warehouse

import (
	"context"
	"errors"

	"iotbridge/gateway/console"
	"iotbridge/internal/quarantine"
)

const mostRefusals = 20 // of one message

// Refusals are messages in quarantine, newest first.
func (w *Warehouse) Refusals(ctx context.Context, q console.RefusalQuery) (list []console.Refusal, err error) {
	for m, err := range w.quarantine().List(ctx, filter(q), q.Most) {
		if err != nil {
			return nil, err
		}
		list = append(list, refusal(m))
	}
	return list, nil
}

// Refusal is the rows of one message, whole.
func (w *Warehouse) Refusal(ctx context.Context, messageID string) (list []console.Refusal, err error) {
	var wrong error
	for m, err := range w.quarantine().Show(ctx, messageID) {
		if err != nil {
			return list, errors.Join(wrong, err)
		}
		one := refusal(m)
		attributes, err := m.AttributeMap()
		wrong = errors.Join(wrong, err)
		one.Attributes, one.Data = attributes, m.Data
		if list = append(list, one); len(list) == mostRefusals {
			break
		}
	}
	return list, wrong
}

func (w *Warehouse) quarantine() *quarantine.Table {
	return &quarantine.Table{Client: w.Client, ID: w.Quarantine}
}

func filter(q console.RefusalQuery) quarantine.Filter {
	return quarantine.Filter{Reason: q.Reason, Device: q.Device, MessageID: q.MessageID, Since: q.Since, Before: q.Before, Registry: q.Registry}
}

func refusal(m *quarantine.Message) console.Refusal {
	return console.Refusal{
		MessageID: m.ID.StringVal, Reason: m.Reason.StringVal, Detail: m.Detail.StringVal, DeviceID: m.DeviceID.StringVal, ClaimedID: m.ClaimedDeviceID.StringVal,
		Subscription: m.Subscription.StringVal, Worker: m.Worker.StringVal, Published: m.PublishTime.Timestamp, Quarantined: m.QuarantineTime.Timestamp,
		Attempt: m.DeliveryAttempt.Int64,
	}
}
