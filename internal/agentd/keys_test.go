package agentd

import (
	"context"
	"crypto"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"iotbridge/device"
	"iotbridge/device/mqtt"
)

// door lets in the keys of some files.
type door struct {
	lets   map[string]error // by Key.String; nil lets in
	came   []string
	before func()
}

type atDoor struct {
	*door
	key *mqtt.Key
}

func (d atDoor) Connect(context.Context, device.Inbox) (device.Session, error) {
	d.came = append(d.came, d.key.String())
	if d.before != nil {
		d.before()
	}
	if err := d.lets[d.key.String()]; err != nil {
		return nil, err
	}
	return &visit{renew: make(chan struct{})}, nil
}

type visit struct {
	device.Session
	renew  chan struct{}
	closed bool
}

func (v *visit) Renew() <-chan struct{} { return v.renew }
func (v *visit) Close()                 { v.closed = true }

func newKeys(t *testing.T) (k *keys, d *door, newest, before *mqtt.Key, accepted func() crypto.PublicKey) {
	t.Helper()
	var loaded [2]*mqtt.Key
	var names [2]string
	for i := range loaded {
		dir := t.TempDir()
		if _, err := keygen(t, "--key-path="+dir); err != nil {
			t.Fatal(err)
		}
		names[i] = filepath.Join(dir, "ec_private.pem")
		var err error
		if loaded[i], err = mqtt.LoadKey(names[i]); err != nil {
			t.Fatal(err)
		}
	}
	d = &door{lets: map[string]error{}}
	var last crypto.PublicKey
	k = &keys{
		newest: names[0], before: names[1], accepted: func(p crypto.PublicKey) { last = p },
		with: func(key *mqtt.Key) device.Uplink { return atDoor{d, key} },
	}
	return k, d, loaded[0], loaded[1], func() crypto.PublicKey { return last }
}

func is(key *mqtt.Key, p crypto.PublicKey) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && p != nil && public.Equal(p)
}

func TestTheKeyBeforeIsTriedWhenTheNewestIsRefused(t *testing.T) {
	k, d, newest, before, accepted := newKeys(t)
	session, err := k.Connect(t.Context(), nil)
	if err != nil || !is(newest, accepted()) || len(d.came) != 1 {
		t.Fatalf("%v, %v", err, d.came)
	}
	session.Close()

	d.lets[newest.String()] = &device.Refused{Code: 5}
	if session, err = k.Connect(t.Context(), nil); err != nil || !is(before, accepted()) {
		t.Fatalf("%v, %v", err, d.came)
	}
	session.Close()

	d.came, d.lets[newest.String()] = nil, errors.New("no network")
	if _, err = k.Connect(t.Context(), nil); err == nil || len(d.came) != 1 {
		t.Errorf("%v, %v", err, d.came)
	}
	refused := &device.Refused{Code: 5}
	d.lets[newest.String()] = refused
	if err := os.Remove(k.before); err != nil {
		t.Fatal(err)
	}
	if _, err = k.Connect(t.Context(), nil); !errors.Is(err, refused) {
		t.Error(err)
	}
}

func TestASessionEndsInOrderWhenTheKeyHasChanged(t *testing.T) {
	k, d, _, _, _ := newKeys(t)
	session, err := k.Connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-session.Renew():
		t.Error("at once")
	default:
	}
	k.renewed()
	<-session.Renew()
	session.Close()

	d.before = k.renewed // while it connects
	if session, err = k.Connect(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	<-session.Renew()
	session.Close()

	d.before = nil
	if session, err = k.Connect(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	inner, ok := session.(*held).Session.(*visit)
	if !ok {
		t.Fatal("another session")
	}
	close(inner.renew) // its token gets old
	<-session.Renew()
	session.Close()
	if !inner.closed {
		t.Error("it is not closed")
	}
}
