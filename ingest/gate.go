package ingest

import (
	"iotbridge/schema"
)

// Gate decides which messages become rows of a table: the verdict's first half,
// about who speaks, stands here, the second, about what is said, in the plan.
type Gate struct {
	Plan         *schema.Plan
	RequireClaim bool      // a body without the identity claim is at fault
	Denied       *DenyList // nil: nobody is
	Attestation  *Attestor // nil: off
}

// judge is a gate at work, in one goroutine.
type judge struct {
	gate    *Gate
	encoder *schema.Encoder
	key     []byte // scratch
}

func (g *Gate) judge() *judge {
	return &judge{gate: g, encoder: g.Plan.NewEncoder(g.RequireClaim)}
}

// append appends the message's row to dst. The error is a *schema.Rejection, and
// dst then as it was.
func (j *judge) append(dst []byte, m *schema.Message, now int64) ([]byte, error) {
	if j.gate.Denied != nil || j.gate.Attestation != nil {
		if why := j.speaker(m); why != nil {
			return dst, why
		}
	}
	return j.encoder.Append(dst, m, now)
}

// speaker judges who sent the message. The encoder looks at the id again: it must
// not depend on a gate before it.
func (j *judge) speaker(m *schema.Message) *schema.Rejection {
	device, _ := m.Attr(schema.AttrDeviceID)
	if !schema.ValidID(device) {
		return nil // the encoder names the fault
	}
	if j.gate.Denied != nil && j.denied(m, device) {
		return &schema.Rejection{Reason: schema.DeviceBlocked, Detail: "the device is on the deny list"}
	}
	if j.gate.Attestation != nil {
		return j.gate.Attestation.verify(m)
	}
	return nil
}

// denied looks for both spellings of the device.
func (j *judge) denied(m *schema.Message, device []byte) bool {
	list := j.gate.Denied.list.Current()
	if len(list) == 0 {
		return false
	}
	registry, _ := m.Attr(schema.AttrRegistryID)
	number, _ := m.Attr(schema.AttrDeviceNumID)
	for _, id := range [][]byte{device, number} {
		j.key = append(append(append(j.key[:0], registry...), '/'), id...)
		if list[string(j.key)] {
			return true
		}
	}
	return false
}

// Append judges one message outside of a worker, as a replay does. It is judge's.
func (g *Gate) Append(dst []byte, m *schema.Message, now int64) ([]byte, error) {
	return g.judge().append(dst, m, now)
}
