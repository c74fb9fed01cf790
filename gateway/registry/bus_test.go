package registry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iotbridge/gateway"
	"iotbridge/gateway/registry"
)

// listen watches a store, and returns when it hears what w does.
func (w *world) listen(t testing.TB, s *registry.Store) chan gateway.Change {
	t.Helper()
	heard := make(chan gateway.Change, 10_000)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Watch(ctx, func(c gateway.Change) { heard <- c }) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	probe := w.create(t, fmt.Sprintf("probe%d", worlds.Add(1)))
	limit := time.After(soon)
	for {
		if _, err := w.SetConfig(t.Context(), "tester", probe.Key, 0, nil); err != nil {
			t.Fatal(err)
		}
		for again := time.After(50 * time.Millisecond); ; {
			select {
			case c := <-heard:
				if c.Device == probe.Number {
					return heard
				}
				continue
			case <-again:
			case <-limit:
				t.Fatal("nothing is heard")
			}
			break
		}
	}
}

// next waits for the first change that is of one of the kinds.
func next(t testing.TB, heard chan gateway.Change, device uint64, kinds ...gateway.ChangeKind) gateway.Change {
	t.Helper()
	for limit := time.After(soon); ; {
		select {
		case c := <-heard:
			for _, kind := range kinds {
				if c.Kind == kind && c.Device == device {
					return c
				}
			}
		case <-limit:
			t.Fatalf("no change %v of %d", kinds, device)
		}
	}
}

func changes(t *testing.T, w *world) {
	ctx := t.Context()
	other := w.open(t)
	hub := w.createAs(t, &gateway.Device{Key: w.device("hub"), IsGateway: true})
	d := w.create(t, "device1")
	heard := w.listen(t, other)
	block := func() error {
		_, err := w.UpdateDevice(ctx, "tester", d.Key, func(d *gateway.Device) error { d.Blocked = true; return nil })
		return err
	}
	config := func() error {
		_, err := w.SetConfig(ctx, "tester", d.Key, 0, nil)
		return err
	}
	protocols := func() error {
		_, err := w.UpdateRegistry(ctx, "tester", w.key, func(r *gateway.Registry) error { r.HTTP = true; return nil })
		return err
	}
	for _, c := range []struct {
		what string
		do   func() error
		want gateway.Change
	}{
		{"block", block, gateway.Change{Kind: gateway.DeviceChanged, Device: d.Number}},
		{"config", config, gateway.Change{Kind: gateway.ConfigChanged, Device: d.Number}},
		{"registry", protocols, gateway.Change{Kind: gateway.RegistryChanged, Registry: w.key}},
		{"bind", func() error { return w.Bind(ctx, "tester", w.key, "hub", "device1") }, gateway.Change{Kind: gateway.DeviceChanged, Device: d.Number}},
		{"unbind", func() error { return w.Unbind(ctx, "tester", w.key, "hub", "device1") }, gateway.Change{Kind: gateway.DeviceChanged, Device: d.Number}},
		{"delete", func() error { return w.DeleteDevice(ctx, "tester", hub.Key) }, gateway.Change{Kind: gateway.DeviceChanged, Device: hub.Number}},
	} {
		if err := c.do(); err != nil {
			t.Fatal(c.what, err)
		}
		got := next(t, heard, c.want.Device, gateway.DeviceChanged, gateway.RegistryChanged, gateway.ConfigChanged)
		if !cmp.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.what, got, c.want)
		}
		if c.what == "block" {
			if got, err := other.Device(ctx, d.Key); err != nil || !got.Blocked {
				t.Errorf("told, and the other reads %+v, %v", got, err)
			}
		}
	}
}

func claims(t *testing.T, w *world) {
	ctx := t.Context()
	other := w.open(t)
	d := w.create(t, "device1")
	heard := w.listen(t, w.Store)
	if _, _, err := w.Holder(ctx, d.Number); !errors.Is(err, gateway.ErrNotConnected) {
		t.Errorf("nobody's: %v, want ErrNotConnected", err)
	}
	first, err := w.Claim(ctx, d.Number, "gateway-a")
	if err != nil || first <= 0 {
		t.Fatal(first, err)
	}
	second, err := other.Claim(ctx, d.Number, "gateway-b")
	if err != nil || second <= first {
		t.Fatalf("epoch %d after %d, %v", second, first, err)
	}
	want := gateway.Change{Kind: gateway.Claimed, Device: d.Number, Instance: "gateway-b", Epoch: second}
	if got := next(t, heard, d.Number, gateway.Claimed); !cmp.Equal(got, want) {
		t.Errorf("told %+v, want %+v", got, want)
	}
	if err := w.Release(ctx, d.Number, first); err != nil { // comes late and does nothing
		t.Fatal(err)
	}
	for _, s := range []*registry.Store{w.Store, other} {
		if instance, epoch, err := s.Holder(ctx, d.Number); instance != "gateway-b" || epoch != second || err != nil {
			t.Errorf("held by %s, %d, %v", instance, epoch, err)
		}
	}
	if err := other.Release(ctx, d.Number, second); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Holder(ctx, d.Number); !errors.Is(err, gateway.ErrNotConnected) {
		t.Errorf("released: %v, want ErrNotConnected", err)
	}
	third, err := w.Claim(ctx, d.Number, "gateway-a")
	if err != nil || third <= second {
		t.Errorf("epoch %d after %d, %v", third, second, err)
	}
	// Of claims at once one holds, with the highest epoch, and every other is told of a higher one.
	const n = 20
	epochs := make(chan int64, n)
	for i := range n {
		s := w.Store
		if i%2 == 1 {
			s = other
		}
		go func() {
			epoch, err := s.Claim(ctx, d.Number, fmt.Sprint(i))
			if err != nil {
				t.Error(err)
			}
			epochs <- epoch
		}()
	}
	seen, highest := map[int64]bool{}, int64(0)
	for range n {
		epoch := <-epochs
		seen[epoch], highest = true, max(highest, epoch)
	}
	if _, epoch, err := w.Holder(ctx, d.Number); err != nil || epoch != highest || len(seen) != n {
		t.Errorf("held with %d, %v; %d epochs up to %d", epoch, err, len(seen), highest)
	}
	for told := int64(0); told < highest; {
		told = max(told, next(t, heard, d.Number, gateway.Claimed).Epoch)
	}
}

func commands(t *testing.T, w *world) {
	ctx, stop := context.WithTimeout(t.Context(), soon)
	defer stop()
	holder := w.open(t)
	d := w.create(t, "device1")
	command := gateway.Command{Device: d.Number, SubFolder: "a/b", Data: []byte("go\x00")}
	if err := w.Send(ctx, command); !errors.Is(err, gateway.ErrNotConnected) {
		t.Errorf("to nobody: %v, want ErrNotConnected", err)
	}
	heard := w.listen(t, holder)
	if _, err := holder.Claim(ctx, d.Number, "gateway-b"); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("the device is\nover its rate")
	for _, answer := range []error{nil, gateway.ErrNotConnected, refused} {
		result := make(chan error, 1)
		go func() { result <- w.Send(ctx, command) }()
		got := next(t, heard, d.Number, gateway.CommandSent)
		if got.Command == nil || got.Command.ID == "" || got.Instance != "gateway-b" {
			t.Fatalf("sent as %+v", got)
		}
		want := command
		want.ID = got.Command.ID
		if diff := cmp.Diff(&want, got.Command); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		for range 2 { // a second answer does nothing
			if err := holder.Answer(ctx, got.Command.ID, answer); err != nil {
				t.Fatal(err)
			}
		}
		switch err := <-result; {
		case answer == nil && err != nil, answer != nil && err == nil, errors.Is(answer, gateway.ErrNotConnected) != errors.Is(err, gateway.ErrNotConnected):
			t.Errorf("answered %v, got %v", answer, err)
		}
	}
	// Nobody answers.
	short, done := context.WithTimeout(ctx, 50*time.Millisecond)
	defer done()
	if err := w.Send(short, command); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("unanswered: %v, want DeadlineExceeded", err)
	}
	if err := holder.Answer(ctx, "unknown", nil); err != nil {
		t.Errorf("an answer to nobody: %v", err)
	}
	for _, c := range []gateway.Command{{Data: make([]byte, 256<<10+1)}, {SubFolder: string(make([]byte, 257))}} {
		if err := w.Send(ctx, c); !errors.Is(err, gateway.ErrInvalid) {
			t.Errorf("too large: %v, want ErrInvalid", err)
		}
	}
}
