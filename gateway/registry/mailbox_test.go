package registry_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"iotbridge/gateway"
)

func configVersions(t *testing.T, w *world) {
	ctx := t.Context()
	d := w.createAs(t, &gateway.Device{Key: w.device("device1"), Config: gateway.Config{Data: []byte("1")}})
	for v := int64(2); v <= 13; v++ {
		data := []byte(fmt.Sprint(v))
		c, err := w.SetConfig(ctx, "tester", w.device(d.Num()), (v-1)*(v%2), data) // 0 is any
		if err != nil || c.Version != v || c.Updated.IsZero() || !c.Acked.IsZero() {
			t.Fatalf("version %d: %+v, %v", v, c, err)
		}
		data[0] = 'x'
	}
	for _, version := range []int64{1, 12, 14, -1} {
		if _, err := w.SetConfig(ctx, "tester", d.Key, version, nil); !errors.Is(err, gateway.ErrConflict) {
			t.Errorf("after version %d: %v, want ErrConflict", version, err)
		}
	}
	at := time.UnixMicro(1_800_000_000_000_001).UTC()
	for i, when := range []time.Time{at, at.Add(time.Second)} { // the first time counts
		if err := w.ConfigAcked(ctx, d.Number, 13, when); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := w.ConfigAcked(ctx, d.Number, 1, at); err != nil {
		t.Errorf("a version that is not kept: %v", err)
	}
	list, err := w.Configs(ctx, d.Key, 0)
	if err != nil || len(list) != 10 {
		t.Fatalf("%d versions, %v, want 10", len(list), err)
	}
	for i, c := range list {
		want := gateway.Config{Version: int64(13 - i), Data: []byte(fmt.Sprint(13 - i))}
		if i == 0 {
			want.Acked = at
		}
		if diff := cmp.Diff(want, c, cmpopts.IgnoreFields(gateway.Config{}, "Updated")); diff != "" {
			t.Errorf("version %d:\n%s", i, diff)
		}
	}
	if two, err := w.Configs(ctx, d.Key, 2); err != nil || !cmp.Equal(two, list[:2]) {
		t.Errorf("two: %+v, %v", two, err)
	}
	got, err := w.Device(ctx, d.Key)
	if err != nil || !cmp.Equal(got.Config, list[0]) || !got.LastConfigAck.Equal(at.Add(time.Second)) {
		t.Errorf("the device's is %+v, acknowledged %v, %v", got.Config, got.LastConfigAck, err)
	}
	if c, err := w.Config(ctx, d.Number); err != nil || !cmp.Equal(c, list[0]) {
		t.Errorf("the latest is %+v, %v", c, err)
	}
	_, latest := w.Config(ctx, 1)
	_, set := w.SetConfig(ctx, "tester", w.device("nobody"), 0, nil)
	_, versions := w.Configs(ctx, w.device("nobody"), 0)
	for what, err := range map[string]error{"Config": latest, "SetConfig": set, "Configs": versions, "ConfigAcked": w.ConfigAcked(ctx, 1, 1, at)} {
		if !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("%s of nobody: %v, want ErrNotFound", what, err)
		}
	}
}

// Of many who expect the same version, one succeeds.
func lostUpdate(t *testing.T, w *world) {
	d := w.create(t, "device1")
	other := w.open(t)
	for round := range int64(5) {
		var wg sync.WaitGroup
		results := make(chan error, 8)
		for i := range cap(results) {
			store := w.Store
			if i%2 == 1 {
				store = other
			}
			wg.Go(func() {
				_, err := store.SetConfig(t.Context(), "tester", d.Key, round+1, []byte{byte(i)})
				results <- err
			})
		}
		wg.Wait()
		close(results)
		won := 0
		for err := range results {
			if err == nil {
				won++
			} else if !errors.Is(err, gateway.ErrConflict) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d of 8 won, want 1", won)
		}
	}
	var wg sync.WaitGroup
	for i := range 8 {
		store := w.Store
		if i%2 == 1 {
			store = other
		}
		wg.Go(func() {
			_, err := store.UpdateDevice(t.Context(), "tester", d.Key, func(d *gateway.Device) error {
				if d.Metadata == nil {
					d.Metadata = map[string]string{}
				}
				d.Metadata[fmt.Sprintf("k%d", i)] = "v"
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, err := w.Device(t.Context(), d.Key); err != nil || len(got.Metadata) != 8 {
		t.Errorf("8 updates at once left %v, %v", got.Metadata, err)
	}
}

func states(t *testing.T, w *world) {
	ctx := t.Context()
	d := w.create(t, "device1")
	at := time.UnixMicro(1_800_000_000_000_000).UTC()
	var want []gateway.State
	for i := range 12 {
		at = at.Add(time.Second)
		if err := w.SetState(ctx, d.Number, []byte(fmt.Sprint(i)), at); err != nil {
			t.Fatal(err)
		}
		want = append([]gateway.State{{Data: []byte(fmt.Sprint(i)), Updated: at}}, want...)
	}
	got, err := w.States(ctx, d.Key, 0)
	if diff := cmp.Diff(want[:10], got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if one, err := w.States(ctx, d.Key, 1); err != nil || !cmp.Equal(one, want[:1]) {
		t.Errorf("one: %+v, %v", one, err)
	}
	device, err := w.Device(ctx, d.Key)
	if err != nil || !cmp.Equal(device.State, &want[0]) || !device.LastState.Equal(at) {
		t.Errorf("the device's is %+v at %v, %v", device.State, device.LastState, err)
	}
	if err := w.SetState(ctx, d.Number, nil, at.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if device, err := w.Device(ctx, d.Key); err != nil || device.State == nil || len(device.State.Data) != 0 {
		t.Errorf("an empty state is %+v, %v", device.State, err)
	}
	if err := w.SetState(ctx, 1, nil, at); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("nobody's state: %v, want ErrNotFound", err)
	}
}

func note(t *testing.T, w *world) {
	ctx := t.Context()
	a, b := w.create(t, "device1"), w.create(t, "device2")
	at := time.UnixMicro(1_800_000_000_000_000).UTC()
	later := at.Add(time.Second)
	for _, batch := range [][]gateway.Sign{
		nil,
		{
			{Device: b.Number, Event: at},
			{Device: a.Number, Heartbeat: later, Error: at, ErrorStatus: &gateway.Status{Code: 9, Message: "mqtt:\r\nclosed"}},
			{Device: a.Number, Heartbeat: at, ConfigSend: at, Via: at, Gateway: "hub1"},
			{Device: 1, Event: at}, // gone meanwhile
		},
		{{Device: a.Number, Via: later, Gateway: "hub2", Error: at.Add(-time.Second), ErrorStatus: &gateway.Status{Code: 1, Message: "older"}}},
	} {
		if err := w.Note(ctx, batch); err != nil {
			t.Fatal(err)
		}
	}
	want := *a
	want.LastHeartbeat, want.LastConfigSend, want.LastGateway, want.LastGatewayTime = later, at, "hub2", later
	want.LastError, want.LastErrorStatus = at, &gateway.Status{Code: 9, Message: "mqtt:\ufffd\ufffdclosed"}
	got, err := w.Device(ctx, a.Key)
	if diff := cmp.Diff(&want, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if got, err := w.Device(ctx, b.Key); err != nil || !got.LastEvent.Equal(at) || !got.LastHeartbeat.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	// Two gateways that note the same devices in other orders.
	other := w.open(t)
	var wg sync.WaitGroup
	for i := range 10 {
		batch := []gateway.Sign{{Device: a.Number, Event: later}, {Device: b.Number, Event: later}}
		store := w.Store
		if i%2 == 1 {
			batch[0], batch[1] = batch[1], batch[0]
			store = other
		}
		wg.Go(func() {
			if err := store.Note(ctx, batch); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func bindings(t *testing.T, w *world) {
	ctx := t.Context()
	hub := w.createAs(t, &gateway.Device{Key: w.device("hub"), IsGateway: true, AuthMethod: gateway.AssociationOnly})
	leaf := w.create(t, "leaf")
	stranger := newWorld(t, w.Store, w.open).create(t, "stranger")
	if bound, err := w.Bound(ctx, hub.Number, leaf.Number); bound || err != nil {
		t.Errorf("bound before: %v, %v", bound, err)
	}
	if err := w.Bind(ctx, "tester", w.key, hub.Num(), "leaf"); err != nil {
		t.Fatal(err)
	}
	if bound, err := w.Bound(ctx, hub.Number, leaf.Number); !bound || err != nil {
		t.Errorf("bound: %v, %v", bound, err)
	}
	for _, c := range []struct {
		what string
		err  error
		want error
	}{
		{"again", w.Bind(ctx, "tester", w.key, "hub", leaf.Num()), gateway.ErrExists},
		{"the other way round", w.Bind(ctx, "tester", w.key, "leaf", "hub"), gateway.ErrInvalid},
		{"itself", w.Bind(ctx, "tester", w.key, "hub", "hub"), gateway.ErrInvalid},
		{"R2: a device of another registry", w.Bind(ctx, "tester", w.key, "hub", stranger.Num()), gateway.ErrNotFound},
		{"deleting the gateway", w.DeleteDevice(ctx, "tester", hub.Key), gateway.ErrInUse},
		{"unbinding a stranger", w.Unbind(ctx, "tester", w.key, "hub", "stranger"), gateway.ErrNotFound},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, c.err, c.want)
		}
	}
	if err := w.Unbind(ctx, "tester", w.key, "hub", "leaf"); err != nil {
		t.Fatal(err)
	}
	if err := w.Unbind(ctx, "tester", w.key, "hub", "leaf"); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("unbound twice: %v, want ErrNotFound", err)
	}
	for i := range 11 {
		name := fmt.Sprintf("hub%d", i)
		w.createAs(t, &gateway.Device{Key: w.device(name), IsGateway: true})
		if err := w.Bind(ctx, "tester", w.key, name, "leaf"); (err == nil) != (i < 10) || err != nil && !errors.Is(err, gateway.ErrFull) {
			t.Errorf("gateway %d of a device: %v", i+1, err)
		}
	}
	if err := w.DeleteDevice(ctx, "tester", leaf.Key); err != nil {
		t.Errorf("a device that is bound: %v", err)
	}
	if err := w.DeleteDevice(ctx, "tester", w.device("hub0")); err != nil {
		t.Errorf("a gateway whose devices are gone: %v", err)
	}
}
