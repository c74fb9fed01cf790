package registry_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"iotbridge/gateway"
)

func pages(t *testing.T, w *world) {
	ctx := t.Context()
	for i := range 25 {
		w.create(t, fmt.Sprintf("device%02d", 24-i))
	}
	w.create(t, "Zebra") // bytes are the order, not a language
	var all []*gateway.Device
	var tokens []string
	for page := (gateway.Page{Size: 10}); ; {
		list, next, err := w.Devices(ctx, w.key, gateway.DeviceFilter{}, page)
		if err != nil || len(list) > 10 {
			t.Fatalf("%d devices, %v", len(list), err)
		}
		all = append(all, list...)
		if next == "" {
			break
		}
		tokens = append(tokens, next)
		page.Token = next
		if len(tokens) == 1 { // what comes and goes meanwhile shifts nothing
			if err := w.DeleteDevice(ctx, "tester", w.device("device00")); err != nil {
				t.Fatal(err)
			}
			w.create(t, "Aardvark")
		}
	}
	if len(all) != 26 || all[0].Key.Device != "Zebra" || !slices.IsSortedFunc(all, func(a, b *gateway.Device) int { return strings.Compare(a.Key.Device, b.Key.Device) }) || len(tokens) != 2 {
		t.Errorf("%d pages, %s", len(tokens)+1, names(all))
	}
	for _, size := range []int{0, math.MaxInt32, math.MaxInt} {
		if _, _, err := w.Devices(ctx, w.key, gateway.DeviceFilter{}, gateway.Page{Size: size}); err != nil {
			t.Errorf("size %d: %v", size, err)
		}
	}
	if _, _, err := w.Devices(ctx, w.key, gateway.DeviceFilter{}, gateway.Page{Size: -1}); !errors.Is(err, gateway.ErrInvalid) {
		t.Errorf("size -1: %v, want ErrInvalid", err)
	}
	// A token is for its list and nothing else.
	other := newWorld(t, w.Store, w.open)
	yes := true
	_, _, elsewhere := w.Devices(ctx, other.key, gateway.DeviceFilter{}, gateway.Page{Token: tokens[0]})
	_, _, filtered := w.Devices(ctx, w.key, gateway.DeviceFilter{Gateways: &yes}, gateway.Page{Token: tokens[0]})
	_, _, registries := w.Registries(ctx, w.key.Project, w.key.Location, gateway.Page{Token: tokens[0]})
	_, _, audit := w.Audit(ctx, gateway.Page{Token: tokens[0]})
	flipped := []byte(tokens[0])
	flipped[len(flipped)-2] ^= 1
	bad := map[string]error{"another registry": elsewhere, "another filter": filtered, "registries": registries, "audit": audit}
	for _, token := range []string{string(flipped), "x", "%%%", strings.Repeat("A", 5000), tokens[0] + "=", tokens[0] + "\n", base64.RawURLEncoding.EncodeToString([]byte("0123456789abcdefdevice01"))} {
		_, _, bad[token] = w.Devices(ctx, w.key, gateway.DeviceFilter{}, gateway.Page{Token: token})
	}
	for what, err := range bad {
		var detail *gateway.InvalidError
		if !errors.As(err, &detail) || detail.Field != "page_token" {
			t.Errorf("a token for %.40q: %v, want an InvalidError of page_token", what, err)
		}
	}
	// Another gateway, or the same after a restart, takes it.
	if list, _, err := w.open(t).Devices(ctx, w.key, gateway.DeviceFilter{}, gateway.Page{Size: 1, Token: tokens[0]}); err != nil || len(list) != 1 || list[0].Key != all[10].Key {
		t.Errorf("another Store: %s, %v; want %s", names(list), err, all[10].Key.Device)
	}
	var found []string
	for page := (gateway.Page{Size: 1}); ; {
		list, next, err := w.Registries(ctx, w.key.Project, w.key.Location, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			found = append(found, r.Key.Registry)
		}
		if page.Token = next; next == "" {
			break
		}
	}
	if !slices.IsSorted(found) || !slices.Contains(found, w.key.Registry) || !slices.Contains(found, other.key.Registry) {
		t.Errorf("registries %v", found)
	}
	if list, _, err := w.Registries(ctx, w.key.Project, "europe-west1", gateway.Page{}); len(list) != 0 || err != nil {
		t.Errorf("another location has %d registries, %v", len(list), err)
	}
	// Large devices end a page early, and none is skipped.
	large := newWorld(t, w.Store, w.open)
	for i := range 30 {
		large.createAs(t, &gateway.Device{Key: large.device(fmt.Sprintf("large%02d", i)), Metadata: pairs(8, 8, 30<<10)})
	}
	total, most := 0, 0
	for page := (gateway.Page{Size: 500}); ; {
		list, next, err := large.Devices(ctx, large.key, gateway.DeviceFilter{}, page)
		if err != nil || len(list) == 0 {
			t.Fatal(len(list), err)
		}
		total, most = total+len(list), max(most, len(list))
		if page.Token = next; next == "" {
			break
		}
	}
	if total != 30 || most > 14 {
		t.Errorf("%d devices of 240 KB, up to %d on a page; want 30, 14", total, most)
	}
}

func filters(t *testing.T, w *world) {
	ctx := t.Context()
	numbers := map[string]uint64{}
	for _, name := range []string{"hub1", "hub2"} {
		numbers[name] = w.createAs(t, &gateway.Device{Key: w.device(name), IsGateway: true, AuthMethod: gateway.AssociationOnly}).Number
	}
	for _, name := range []string{"leaf1", "leaf2", "leaf3"} {
		numbers[name] = w.create(t, name).Number
	}
	stranger := newWorld(t, w.Store, w.open).create(t, "leaf1")
	for _, b := range [][2]string{{"hub1", "leaf1"}, {"hub1", "leaf2"}, {"hub2", "leaf2"}} {
		if err := w.Bind(ctx, "tester", w.key, b[0], b[1]); err != nil {
			t.Fatal(err)
		}
	}
	yes, no := true, false
	for _, c := range []struct {
		f    gateway.DeviceFilter
		want string
	}{
		{gateway.DeviceFilter{}, "hub1 hub2 leaf1 leaf2 leaf3"},
		{gateway.DeviceFilter{Gateways: &yes}, "hub1 hub2"},
		{gateway.DeviceFilter{Gateways: &no}, "leaf1 leaf2 leaf3"},
		{gateway.DeviceFilter{Names: []string{"leaf3", "hub1", "nobody", "a'b", "a\x00b", "\xff"}}, "hub1 leaf3"},
		{gateway.DeviceFilter{Numbers: []uint64{numbers["leaf2"], 5, math.MaxUint64 >> 1}}, "leaf2"},
		{gateway.DeviceFilter{Numbers: []uint64{numbers["leaf2"]}, Names: []string{"leaf1", "leaf2"}}, "leaf1 leaf2"},
		{gateway.DeviceFilter{Numbers: []uint64{stranger.Number}}, ""},
		{gateway.DeviceFilter{BoundTo: "hub1"}, "leaf1 leaf2"},
		{gateway.DeviceFilter{BoundTo: fmt.Sprint(numbers["hub2"])}, "leaf2"},
		{gateway.DeviceFilter{BoundTo: "nobody"}, ""},
		{gateway.DeviceFilter{BoundTo: "a\x00b"}, ""},
		{gateway.DeviceFilter{GatewaysOf: "\xff"}, ""},
		{gateway.DeviceFilter{GatewaysOf: "leaf2"}, "hub1 hub2"},
		{gateway.DeviceFilter{GatewaysOf: fmt.Sprint(numbers["leaf1"])}, "hub1"},
		{gateway.DeviceFilter{BoundTo: "hub1", Names: []string{"leaf2", "leaf3"}}, "leaf2"},
	} {
		var got []*gateway.Device
		for page := (gateway.Page{Size: 1}); ; {
			list, next, err := w.Devices(ctx, w.key, c.f, page)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, list...)
			if page.Token = next; next == "" {
				break
			}
		}
		if names(got) != c.want {
			t.Errorf("%+v: %q, want %q", c.f, names(got), c.want)
		}
	}
	if _, _, err := w.Devices(ctx, w.key, gateway.DeviceFilter{Names: make([]string, 10_001)}, gateway.Page{}); !errors.Is(err, gateway.ErrInvalid) {
		t.Errorf("10,001 names: %v, want ErrInvalid", err)
	}
}
