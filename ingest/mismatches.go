package ingest

import (
	"hash/maphash"
	"sync"
	"time"

	"iotbridge/schema"
)

const (
	mismatchWindow  = 10   // minutes
	mismatchDevices = 1024 // counted at a time, each minute
)

// mismatches counts device_mismatch by device, for the one number that tells a device
// that lies from many that are wrong: no device is a label, and none is remembered by
// name. Of more devices than fit, the frequent ones stay, and each is counted too low
// rather than too high (Misra and Gries, 1982).
type mismatches struct {
	mu      sync.Mutex
	seed    maphash.Seed
	minutes [mismatchWindow]minute
}

type minute struct {
	at     int64 // since 1970
	counts map[uint64]uint32
}

// add takes the messages of a batch that were judged so. It comes before they are settled.
func (c *mismatches) add(b *batch, now time.Time) {
	for i, why := range b.rejections {
		if why.Reason == schema.DeviceMismatch {
			m := b.receipts[i].Delivery.Message(int(b.receipts[i].Index))
			c.count(&m, now)
		}
	}
}

func (c *mismatches) count(m *schema.Message, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seed == (maphash.Seed{}) {
		c.seed = maphash.MakeSeed()
	}
	var h maphash.Hash
	h.SetSeed(c.seed)
	for _, name := range []string{schema.AttrRegistryID, schema.AttrDeviceID} {
		v, _ := m.Attr(name)
		h.Write(v)
		h.WriteByte(0)
	}
	at := now.Unix() / 60
	slot := &c.minutes[at%mismatchWindow]
	if slot.at != at || slot.counts == nil {
		*slot = minute{at, map[uint64]uint32{}}
	}
	slot.add(h.Sum64())
}

func (m *minute) add(device uint64) {
	if n, ok := m.counts[device]; ok || len(m.counts) < mismatchDevices {
		m.counts[device] = n + 1
		return
	}
	for d, n := range m.counts { // one each is given up, and the newcomer's
		if m.counts[d] = n - 1; n == 1 {
			delete(m.counts, d)
		}
	}
}

// top is the most that any one device has in the window.
func (c *mismatches) top(now time.Time) (most uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sums := map[uint64]uint32{}
	for _, m := range c.minutes {
		if m.at <= now.Unix()/60-mismatchWindow {
			continue
		}
		for device, n := range m.counts {
			sums[device] += n
			most = max(most, sums[device])
		}
	}
	return most
}
