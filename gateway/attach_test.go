package gateway_test

import (
	"errors"
	"testing"

	"iotbridge/gateway"
)

func TestAttachByEachMethod(t *testing.T) {
	key, wrong := newKey(), newKey()
	for _, c := range []struct {
		name   string
		method gateway.AuthMethod
		bound  bool
		token  []byte
		change func(b *bed, gw, d *gateway.Device)
		want   gateway.Reason
	}{
		{"bound", gateway.AssociationOnly, true, nil, nil, ""},
		{"bound, a token that is not looked at", gateway.AssociationOnly, true, []byte("{ 'no' }"), nil, ""},
		{"not bound", gateway.AssociationOnly, false, key.token(seed.Project), nil, gateway.NotAttachable},
		{"a token", gateway.DeviceToken, false, key.token(seed.Project), nil, ""},
		{"no token", gateway.DeviceToken, true, nil, nil, gateway.TokenMissing},
		{"a wrong token", gateway.DeviceToken, true, wrong.token(seed.Project), nil, gateway.BadSignature},
		{"both", gateway.AssociationAndDeviceToken, true, key.token(seed.Project), nil, ""},
		{"both wanted, not bound", gateway.AssociationAndDeviceToken, false, key.token(seed.Project), nil, gateway.NotAttachable},
		{"both wanted, no token", gateway.AssociationAndDeviceToken, true, nil, nil, gateway.TokenMissing},
		{"no method", 0, true, key.token(seed.Project), nil, gateway.NotAttachable},
		{"blocked", gateway.AssociationOnly, true, nil, func(_ *bed, _, d *gateway.Device) { d.Blocked = true }, gateway.Blocked},
		{"a gateway too", gateway.AssociationOnly, true, nil, func(_ *bed, _, d *gateway.Device) { d.IsGateway = true }, gateway.NotAttachable},
		{"unknown", gateway.AssociationOnly, true, nil, func(b *bed, _, d *gateway.Device) { delete(b.store.devices, d.Key) }, gateway.UnknownDevice},
		{"through a device", gateway.AssociationOnly, true, nil, func(_ *bed, gw, _ *gateway.Device) { gw.IsGateway = false }, gateway.NotAGateway},
		{"through a blocked gateway", gateway.AssociationOnly, true, nil, func(_ *bed, gw, _ *gateway.Device) { gw.Blocked = true }, gateway.Blocked},
		{"while the store is down", gateway.AssociationOnly, true, nil, func(b *bed, _, _ *gateway.Device) { b.store.fault = errors.New("down") }, gateway.StoreFault},
	} {
		b, own := newBed(), newKey()
		gw := b.store.add(seed, "gateway1", own.Credential)
		gw.IsGateway, gw.AuthMethod = true, c.method
		d := b.store.add(seed, "device1", key.Credential)
		b.store.bound[[2]uint64{gw.Number, d.Number}] = c.bound
		via, err := b.admit(seed, "gateway1", own.token(seed.Project))
		if err != nil {
			t.Fatal(err)
		}
		if c.change != nil {
			c.change(b, gw, d)
		}
		a, err := b.Attach(t.Context(), via, "device1", c.token)
		if why(t, err) != c.want {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if err != nil {
			continue
		}
		if a.Device.Number != d.Number || a.Via.Number != gw.Number || (a.Credential >= 0) != (c.method != gateway.AssociationOnly) {
			t.Errorf("%s: %+v", c.name, a)
		}
	}
}

func TestAttachKeepsToTheRegistry(t *testing.T) {
	b, own := newBed(), newKey()
	gw := b.store.add(seed, "gateway1", own.Credential)
	gw.IsGateway, gw.AuthMethod = true, gateway.AssociationOnly
	elsewhere := seed
	elsewhere.Registry = "Others"
	d := b.store.add(elsewhere, "device1")
	b.store.bound[[2]uint64{gw.Number, d.Number}] = true
	via, err := b.admit(seed, "gateway1", own.token(seed.Project))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]gateway.Reason{
		"device1": gateway.UnknownDevice, d.Num(): gateway.UnknownDevice, "gateway1": gateway.NotAttachable, gw.Num(): gateway.NotAttachable,
		"../device1": gateway.BadName, "": gateway.BadName, "+": gateway.BadName,
	} {
		if _, err := b.Attach(t.Context(), via, id, nil); why(t, err) != want {
			t.Errorf("%q: %v, want %s", id, err, want)
		}
	}
}

func TestStillOfAnAttachedDevice(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(b *bed, gw, d *gateway.Device)
		want gateway.Reason
	}{
		"nothing":           {func(*bed, *gateway.Device, *gateway.Device) {}, ""},
		"unbound":           {func(b *bed, gw, d *gateway.Device) { delete(b.store.bound, [2]uint64{gw.Number, d.Number}) }, gateway.NotAttachable},
		"blocked":           {func(_ *bed, _, d *gateway.Device) { d.Blocked = true }, gateway.Blocked},
		"gateway blocked":   {func(_ *bed, gw, _ *gateway.Device) { gw.Blocked = true }, gateway.Blocked},
		"no gateway now":    {func(_ *bed, gw, _ *gateway.Device) { gw.IsGateway = false }, gateway.NotAGateway},
		"tokens wanted now": {func(_ *bed, gw, _ *gateway.Device) { gw.AuthMethod = gateway.AssociationAndDeviceToken }, gateway.NotAttachable},
		"no method now":     {func(_ *bed, gw, _ *gateway.Device) { gw.AuthMethod = 0 }, gateway.NotAttachable},
	} {
		b, own := newBed(), newKey()
		gw := b.store.add(seed, "gateway1", own.Credential)
		gw.IsGateway, gw.AuthMethod = true, gateway.AssociationOnly
		d := b.store.add(seed, "device1")
		b.store.bound[[2]uint64{gw.Number, d.Number}] = true
		via, err := b.admit(seed, "gateway1", own.token(seed.Project))
		if err != nil {
			t.Fatal(err)
		}
		a, err := b.Attach(t.Context(), via, "device1", nil)
		if err != nil {
			t.Fatal(err)
		}
		c.do(b, gw, d)
		if err := b.Still(t.Context(), a); why(t, err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
