package agentd

import (
	"context"
	"crypto"
	"errors"
	"sync"

	"iotbridge/device"
	"iotbridge/device/mqtt"
)

// keys is the uplink of a device whose key is renewed while it works. It connects with
// the newest key, and with the one before as long as that one is there and the newest is
// refused.
type keys struct {
	newest, before string // files
	with           func(*mqtt.Key) device.Uplink
	accepted       func(crypto.PublicKey) // which key was let in

	mu      sync.Mutex
	changed chan struct{} // closed when there is another key
}

var _ device.Uplink = (*keys)(nil)

// Connect is device.Uplink's.
func (k *keys) Connect(ctx context.Context, in device.Inbox) (device.Session, error) {
	changed := k.watch()
	key, err := mqtt.LoadKey(k.newest)
	if err != nil {
		return nil, err
	}
	session, err := k.with(key).Connect(ctx, in)
	refused := (*device.Refused)(nil)
	if errors.As(err, &refused) && refused.Slow() {
		if older, oerr := mqtt.LoadKey(k.before); oerr == nil {
			if session, oerr = k.with(older).Connect(ctx, in); oerr == nil {
				key, err = older, nil
			}
		}
	}
	if err != nil {
		return nil, err
	}
	k.accepted(key.Public())
	return hold(session, changed), nil
}

func (k *keys) watch() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.changed == nil {
		k.changed = make(chan struct{})
	}
	return k.changed
}

// renewed has sessions end in order that were opened with the key before.
func (k *keys) renewed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.changed != nil {
		close(k.changed)
		k.changed = nil
	}
}

// held is a session that also wants to be followed by another when the key has changed.
type held struct {
	device.Session
	renew, left, ended chan struct{}
}

func hold(s device.Session, changed <-chan struct{}) *held {
	h := &held{s, make(chan struct{}), make(chan struct{}), make(chan struct{})}
	go func() {
		defer close(h.ended)
		select {
		case <-changed:
			close(h.renew)
		case <-s.Renew():
			close(h.renew)
		case <-h.left:
		}
	}()
	return h
}

func (h *held) Renew() <-chan struct{} { return h.renew }

func (h *held) Close() {
	close(h.left)
	<-h.ended
	h.Session.Close()
}
