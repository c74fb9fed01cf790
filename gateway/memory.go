package gateway

import (
	"strconv"
	"time"
)

const (
	// remembered is how long the store's last answer may stand in for it.
	remembered = time.Minute
	// maxMemory bounds what is remembered: so many devices, and as many again.
	maxMemory = 10_000
)

// memory is what the store said last, for when it does not answer. A device is
// remembered by its number, so that one Change takes both its spellings out.
type memory struct {
	changes    int // what was asked before a change is not remembered after it
	numbers    recent[DeviceKey, uint64]
	devices    recent[uint64, knownDevice]
	registries recent[RegistryKey, knownRegistry]
}

type knownDevice struct {
	*Device
	since time.Time
}

type knownRegistry struct {
	*Registry
	since time.Time
}

// device returns what was said of key, if that is not too long ago.
func (m *memory) device(key DeviceKey, now time.Time) *Device {
	d, ok := m.devices.find(m.number(key))
	if !ok || now.Sub(d.since) > remembered || d.Key.RegistryKey != key.RegistryKey {
		return nil
	}
	return d.Device
}

// registry returns what was said of key, if that is not too long ago.
func (m *memory) registry(key RegistryKey, now time.Time) *Registry {
	r, ok := m.registries.find(key)
	if !ok || now.Sub(r.since) > remembered {
		return nil
	}
	return r.Registry
}

// latest returns the registry as it was last seen, whenever that was.
func (m *memory) latest(r *Registry) *Registry {
	if known, ok := m.registries.find(r.Key); ok {
		return known.Registry
	}
	return r
}

// keepDevice remembers the answer to a question that was asked after so many changes.
func (m *memory) keepDevice(d *Device, now time.Time, changes int) {
	if changes != m.changes {
		return
	}
	if len(m.devices.young) >= maxMemory {
		m.devices.turn()
		m.numbers.turn()
	}
	m.devices.put(d.Number, knownDevice{d, now})
	m.numbers.put(d.Key, d.Number)
}

// keepRegistry remembers likewise, and returns the registry that sessions share: the
// one from before while it says the same.
func (m *memory) keepRegistry(r *Registry, now time.Time, changes int) *Registry {
	if before, ok := m.registries.find(r.Key); ok && before.equal(r) {
		r = before.Registry
	}
	if changes != m.changes {
		now = time.Time{}
	}
	if len(m.registries.young) >= maxMemory {
		m.registries.turn()
	}
	m.registries.put(r.Key, knownRegistry{r, now})
	return r
}

// forget takes out what may not stand in for the store any more.
func (m *memory) forget(c Change) {
	m.changes++
	switch c.Kind {
	case DeviceChanged:
		m.devices.drop(c.Device)
	case RegistryChanged:
		m.forgetRegistry(c.Registry)
	case Resync:
		m.devices = recent[uint64, knownDevice]{}
		m.registries = recent[RegistryKey, knownRegistry]{}
	}
}

// forgetDevice takes out a device that is not in the store.
func (m *memory) forgetDevice(key DeviceKey) { m.devices.drop(m.number(key)) }

func (m *memory) forgetRegistry(key RegistryKey) { m.registries.drop(key) }

// number is the device's number, 0 for a name that is not remembered.
func (m *memory) number(key DeviceKey) uint64 {
	number, err := strconv.ParseUint(key.Device, 10, 64)
	if err != nil {
		number, _ = m.numbers.find(key)
	}
	return number
}
