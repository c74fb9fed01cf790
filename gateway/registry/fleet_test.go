package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iotbridge/gateway"
)

// search returns the names of all pages.
func (w *world) search(t testing.TB, q gateway.DeviceQuery, size int) string {
	t.Helper()
	var names []string
	for token := ""; ; {
		lines, next, err := w.Fleet().Search(t.Context(), w.key, q, gateway.Page{Size: size, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			names = append(names, l.Name)
		}
		if token = next; next == "" {
			return strings.Join(names, " ")
		}
	}
}

func searches(t *testing.T, w *world) {
	long := time.Now().Add(-2 * gateway.SilentAfter)
	fine, quiet, wrong, out := w.create(t, "Boiler1"), w.create(t, "boiler2"), w.create(t, "pump1"), w.create(t, "pump2")
	now := time.Now()
	if err := w.Note(t.Context(), []gateway.Sign{
		{Device: fine.Number, Event: now.Add(-time.Second)},
		{Device: quiet.Number, Event: long},
		{Device: wrong.Number, Event: now.Add(-time.Minute), Error: now, ErrorStatus: &gateway.Status{Code: 3, Message: "too large"}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.UpdateDevice(t.Context(), "tester", out.Key, func(d *gateway.Device) error { d.Blocked = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Claim(t.Context(), fine.Number, "gate-1"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		q    gateway.DeviceQuery
		want string
	}{
		{gateway.DeviceQuery{}, "Boiler1 boiler2 pump1 pump2"},
		{gateway.DeviceQuery{Desc: true}, "pump2 pump1 boiler2 Boiler1"},
		{gateway.DeviceQuery{Text: "OILER"}, "Boiler1 boiler2"},
		{gateway.DeviceQuery{Text: "oiler", Desc: true}, "boiler2 Boiler1"},
		{gateway.DeviceQuery{Text: "%"}, ""},
		{gateway.DeviceQuery{Text: wrong.Num()}, "pump1"},
		{gateway.DeviceQuery{Kind: gateway.ConnectedDevices}, "Boiler1"},
		{gateway.DeviceQuery{Kind: gateway.SilentDevices}, "boiler2"},
		{gateway.DeviceQuery{Kind: gateway.BlockedDevices}, "pump2"},
		{gateway.DeviceQuery{Kind: gateway.ErroringDevices}, "pump1"},
		{gateway.DeviceQuery{Sort: gateway.ByLastEvent, Desc: true}, "Boiler1 pump1 boiler2 pump2"},
		{gateway.DeviceQuery{Sort: gateway.ByLastError, Desc: true, Text: "pump"}, "pump1 pump2"},
	} {
		for _, size := range []int{1, 3, 100} {
			if got := w.search(t, c.q, size); got != c.want {
				t.Errorf("%+v, %d a page: %s, want %s", c.q, size, got, c.want)
			}
		}
	}
	all, err := w.Fleet().Tallies(t.Context(), w.key.Project, w.key.Location)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := all[w.key.Registry], (gateway.Tally{Devices: 4, Connected: 1, Silent: 1, Blocked: 1, Erroring: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	lines, _, err := w.Fleet().Search(t.Context(), w.key, gateway.DeviceQuery{Kind: gateway.ErroringDevices}, gateway.Page{})
	if err != nil || lines[0].Error != "too large" || lines[0].Number != wrong.Number {
		t.Errorf("%+v, %v", lines, err)
	}
}

func searchRefusals(t *testing.T, w *world) {
	w.create(t, "boiler1")
	w.create(t, "boiler2")
	_, token, err := w.Fleet().Search(t.Context(), w.key, gateway.DeviceQuery{}, gateway.Page{Size: 1})
	if err != nil || token == "" {
		t.Fatal(token, err)
	}
	for _, c := range []struct {
		q    gateway.DeviceQuery
		page gateway.Page
	}{
		{gateway.DeviceQuery{Kind: "x"}, gateway.Page{}},
		{gateway.DeviceQuery{Sort: "d.name; DROP TABLE devices"}, gateway.Page{}},
		{gateway.DeviceQuery{Text: strings.Repeat("x", 256)}, gateway.Page{}},
		{gateway.DeviceQuery{Text: "a\x00"}, gateway.Page{}},
		{gateway.DeviceQuery{Text: "a\xff"}, gateway.Page{}},
		{gateway.DeviceQuery{Desc: true}, gateway.Page{Token: token}},
		{gateway.DeviceQuery{}, gateway.Page{Token: "x" + token}},
	} {
		if lines, _, err := w.Fleet().Search(t.Context(), w.key, c.q, c.page); !errors.Is(err, gateway.ErrInvalid) {
			t.Errorf("%+v %+v: %v, %v", c.q, c.page, lines, err)
		}
	}
}

func connections(t *testing.T, w *world) {
	d, at := w.create(t, "boiler1"), time.Now().Truncate(time.Microsecond).UTC()
	address := netip.MustParseAddr("192.0.2.7")
	open := gateway.Connection{Device: d.Number, Began: at, Instance: "gate-1", Address: address}
	ended := open
	ended.Ended, ended.Reason = at.Add(time.Minute), "keepalive"
	for _, batch := range [][]gateway.Connection{
		{open, {Device: 42, Began: at, Instance: "of nobody"}},
		{ended},
		{{Device: d.Number, Began: at.Add(2 * time.Minute), Instance: "gate-2", Address: address}}, // killed
		{{Device: d.Number, Began: at.Add(3 * time.Minute), Instance: "gate-1", Address: address}},
	} {
		if err := w.Book(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	want := []gateway.Connection{
		{Device: d.Number, Began: at.Add(3 * time.Minute), Instance: "gate-1", Address: address, Reason: "gateway_lost"},
		{Device: d.Number, Began: at.Add(2 * time.Minute), Ended: at.Add(3 * time.Minute), Instance: "gate-2", Address: address, Reason: "gateway_lost"},
		ended,
	}
	same := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	check := func() {
		t.Helper()
		got, err := w.Fleet().Connections(t.Context(), d.Number, 10)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Error(diff)
		}
	}
	check()
	epoch, err := w.Claim(t.Context(), d.Number, "gate-1")
	if err != nil {
		t.Fatal(err)
	}
	want[0].Reason = ""
	check()
	if err := w.Release(t.Context(), d.Number, epoch); err != nil {
		t.Fatal(err)
	}
	skewed(t, w, d, at)
	for i := range 50 {
		if err := w.Book(t.Context(), []gateway.Connection{{Device: d.Number, Began: at.Add(time.Duration(i) * time.Hour), Ended: at.Add(time.Duration(i+1) * time.Hour), Reason: "lost"}}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := w.Fleet().Connections(t.Context(), d.Number, 100); err != nil || len(got) != 20 || !got[0].Began.Equal(at.Add(49*time.Hour)) {
		t.Errorf("%d are kept, %v", len(got), err)
	}
}

// skewed: of two gateways the one whose clock is behind has the device now.
func skewed(t *testing.T, w *world, d *gateway.Device, at time.Time) {
	ahead := gateway.Connection{Device: d.Number, Began: at.Add(10 * time.Minute), Ended: at.Add(11 * time.Minute), Reason: "takeover", Instance: "gate-1"}
	behind := gateway.Connection{Device: d.Number, Began: at.Add(9 * time.Minute), Instance: "gate-2"}
	if err := w.Book(t.Context(), []gateway.Connection{ahead, behind}); err != nil {
		t.Fatal(err)
	}
	epoch, err := w.Claim(t.Context(), d.Number, "gate-2")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Release(t.Context(), d.Number, epoch); err != nil {
			t.Error(err)
		}
	}()
	got, err := w.Fleet().Connections(t.Context(), d.Number, 2)
	same := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if diff := cmp.Diff([]gateway.Connection{behind, ahead}, got, same); diff != "" || err != nil {
		t.Error(diff, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if list, err := w.Fleet().Connections(gone, d.Number, 2); err == nil {
		t.Errorf("the store does not answer: %+v", list)
	}
}

func pulses(t *testing.T, w *world) {
	other := w.open(t)
	at := time.Now().Truncate(time.Second).UTC()
	mine := gateway.Pulse{
		Instance: "gate-1", Began: at, At: at, Connections: 7, Events: 1 << 40, Refused: map[string]uint64{"signature": 3}, Holds: []string{"store"},
		Recent: []gateway.PulsePoint{{At: at, Connections: 6, Events: 5}},
	}
	for range 2 {
		if err := w.Fleet().Beat(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
	}
	got, err := other.Fleet().Pulses(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]gateway.Pulse{mine}, got); diff != "" {
		t.Error(diff)
	}
	a, errA := w.Fleet().Secret(t.Context(), "of the test")
	b, errB := other.Fleet().Secret(t.Context(), "of the test")
	c, errC := w.Fleet().Secret(t.Context(), "of another test")
	if errA != nil || errB != nil || errC != nil || len(a) != 32 || !bytes.Equal(a, b) || bytes.Equal(a, c) {
		t.Error("a secret is not one", errA, errB, errC)
	}
}

func BenchmarkFleetPages(b *testing.B) {
	w := populated(b)
	for i := range 1000 {
		if _, err := w.Claim(b.Context(), uint64(2500000000000000+i*97), "gate-1"); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("Tallies", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.Fleet().Tallies(b.Context(), w.key.Project, w.key.Location); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, q := range []gateway.DeviceQuery{
		{},
		{Desc: true},
		{Text: "99999"},
		{Text: "nothing"},
		{Kind: gateway.ConnectedDevices},
		{Kind: gateway.SilentDevices},
		{Kind: gateway.BlockedDevices},
		{Sort: gateway.ByLastEvent, Desc: true},
		{Sort: gateway.ByNumber},
		{Kind: gateway.ConnectedDevices, Sort: gateway.ByLastEvent},
	} {
		b.Run(fmt.Sprintf("%+v", q), func(b *testing.B) {
			for b.Loop() {
				if _, _, err := w.Fleet().Search(b.Context(), w.key, q, gateway.Page{Size: 50}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
