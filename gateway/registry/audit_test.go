package registry_test

import (
	"strings"
	"testing"
	"unicode"

	"iotbridge/gateway"
)

func audit(t *testing.T, w *world) {
	ctx := t.Context()
	const key = "-----BEGIN PUBLIC KEY-----"
	forger := "eve\r\n2026-01-01 root delete_registry\x1b[2J\u202e\u2028\xff"
	d := w.createAs(t, &gateway.Device{Key: w.device("device1"), Credentials: []gateway.Credential{{Format: gateway.ES256PEM, PEM: key}}})
	hub := w.createAs(t, &gateway.Device{Key: w.device("hub"), IsGateway: true})
	update := func(change func(*gateway.Device)) {
		t.Helper()
		if _, err := w.UpdateDevice(ctx, forger, w.device(d.Num()), func(d *gateway.Device) error { change(d); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	update(func(d *gateway.Device) { d.Blocked = true })
	update(func(d *gateway.Device) { d.Blocked, d.Metadata = false, map[string]string{"password": "SECRET"} })
	update(func(d *gateway.Device) { d.Credentials, d.LogLevel = nil, gateway.LogInfo })
	if _, err := w.SetConfig(ctx, "tester", d.Key, 0, []byte("SECRET")); err != nil {
		t.Fatal(err)
	}
	for _, do := range []func() error{
		func() error {
			return w.Record(ctx, gateway.AuditEntry{Actor: forger, Action: "send_command", Object: d.Key.String(), Detail: "6 bytes"})
		},
		func() error { return w.Bind(ctx, "tester", w.key, "hub", "device1") },
		func() error { return w.Unbind(ctx, "tester", w.key, hub.Num(), d.Num()) },
		func() error { return w.DeleteDevice(ctx, "tester", w.device(hub.Num())) },
		func() error { return w.DeleteDevice(ctx, "tester", d.Key) },
		func() error { return w.DeleteRegistry(ctx, "tester", w.key) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	// What was refused is not there.
	_ = w.DeleteRegistry(ctx, "tester", w.key)
	want := []string{
		"delete_registry ", "delete_device number " + d.Num(), "delete_device number " + hub.Num(), "unbind_device from gateway hub", "bind_device to gateway hub",
		"send_command 6 bytes", "set_config version 2, 6 bytes", "update_device credentials, log_level", "unblock_device blocked, metadata", "block_device blocked",
		"create_device number " + hub.Num(), "create_device number " + d.Num(), "create_registry ",
	}
	var got []string
	for page := (gateway.Page{Size: 3}); ; {
		list, next, err := w.Audit(ctx, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if e.Object != w.key.String() && !strings.HasPrefix(e.Object, w.key.String()+"/") {
				continue
			}
			got = append(got, e.Action+" "+e.Detail)
			text := e.Actor + e.Action + e.Object + e.Detail
			if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.Contains(text, "SECRET") || strings.Contains(text, key) {
				t.Errorf("entry %+q", e)
			}
			if e.At.IsZero() || e.Actor != "tester" && !strings.HasPrefix(e.Actor, "eve") {
				t.Errorf("entry %+q", e)
			}
		}
		if page.Token = next; next == "" {
			break
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("newest first:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
