package demo

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"iotbridge/device"
	"iotbridge/device/spool"
)

// door is a gateway's, in memory. Each message is answered after a while.
type door struct {
	admit  func() error            // nil: everybody
	answer func(body []byte) error // nil: confirms
	after  time.Duration

	mu   sync.Mutex
	came map[string][][]byte // bodies, by the reading's id
}

func (d *door) Connect(context.Context, device.Inbox) (device.Session, error) {
	if d.admit != nil {
		if err := d.admit(); err != nil {
			return nil, err
		}
	}
	return &visit{door: d, ended: make(chan struct{})}, nil
}

func (d *door) bodies(id string) [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.came[id]
}

// readings is how many different ones came.
func (d *door) readings() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.came)
}

type visit struct {
	door    *door
	once    sync.Once
	ended   chan struct{}
	answers sync.WaitGroup
}

func (v *visit) Publish(_ string, body []byte, done func(error)) {
	v.door.mu.Lock()
	if v.door.came == nil {
		v.door.came = map[string][][]byte{}
	}
	id := idIn(string(body))
	v.door.came[id] = append(v.door.came[id], bytes.Clone(body))
	v.door.mu.Unlock()
	v.answers.Go(func() {
		select {
		case <-time.After(v.door.after):
		case <-v.ended:
			done(errors.New("gone"))
			return
		}
		var err error
		if v.door.answer != nil {
			err = v.door.answer(body)
		}
		done(err)
	})
}

func (*visit) Renew() <-chan struct{}   { return nil }
func (v *visit) Ended() <-chan struct{} { return v.ended }
func (*visit) Err() error               { return nil }
func (v *visit) Close() {
	v.once.Do(func() { close(v.ended) })
	v.answers.Wait()
}

// bench is a publisher of three devices and a spoofer, in a folder of its own.
func bench(t *testing.T) *Publisher {
	t.Helper()
	return &Publisher{Fleet: &Fleet{Devices: 3, Spoofers: 1}, Dir: t.TempDir(), Interval: time.Second, Books: &Books{}, Log: zap.NewNop()}
}

// work runs a device until so much time is over and it has drained. It returns how long
// draining took.
func work(t *testing.T, p *Publisher, index int, d *door, measure time.Duration) (drained time.Duration) {
	t.Helper()
	stop, ended := make(chan struct{}), make(chan error, 1)
	u := p.newUnit(index, identity{name: p.Fleet.Name(index)}, d)
	go func() { ended <- u.run(t.Context(), stop) }()
	<-time.After(measure)
	close(stop)
	began := time.Now()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return time.Since(began)
}

// held is how many readings the device's spool holds.
func held(t *testing.T, p *Publisher, index int) int {
	t.Helper()
	s, err := spool.Open(filepath.Join(p.folder(index), "spool"), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return s.Depth().Records
}

func TestADeviceEndsWhenAllThatItMeasuredIsConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, began := bench(t), time.Now()
		d := &door{after: 700 * time.Millisecond, admit: func() error {
			if time.Since(began) < 9*time.Second {
				return errors.New("no route to host")
			}
			return nil
		}}
		work(t, p, 0, d, 9500*time.Millisecond) // 0, 1, … 9 s
		if n := held(t, p, 0); n != 0 || p.Books.Kept() != 10 || p.Books.Published() != 10 || d.readings() != 10 {
			t.Errorf("measured 10, kept %d, sent %d, confirmed %d, left %d", p.Books.Kept(), d.readings(), p.Books.Published(), n)
		}
	})
}

func TestWhatARefusedDeviceHoldsGoesWithTheNextRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := bench(t)
		blocked := &door{admit: func() error { return &device.Refused{Code: 5} }}
		if took := work(t, p, 0, blocked, 4500*time.Millisecond); took >= DrainTimeout {
			t.Errorf("a refused device was waited for, %v", took)
		}
		if n := held(t, p, 0); n != 5 || p.Books.Published() != 0 {
			t.Fatalf("measured 5, %d in the spool, %d in the books", n, p.Books.Published())
		}
		d := &door{}
		work(t, p, 0, d, 0) // no time to measure: the spool's are sent all the same
		if n := held(t, p, 0); n != 0 || p.Books.Published() != p.Books.Kept() || p.Books.Published() < 5 {
			t.Errorf("%d left, %d kept, %d confirmed", n, p.Books.Kept(), p.Books.Published())
		}
	})
}

func TestADeviceThatCannotSendIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := bench(t)
		gone := &door{admit: func() error { return errors.New("no route to host") }}
		if took := work(t, p, 0, gone, 4500*time.Millisecond); took < DrainTimeout || took > 2*DrainTimeout {
			t.Errorf("given up after %v", took)
		}
		if n := held(t, p, 0); n != 5 {
			t.Errorf("%d in the spool, measured 5", n)
		}
	})
}

func TestWhatIsNotConfirmedIsInNoBook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := bench(t)
		d := &door{answer: func([]byte) error { return errors.New("the confirmation is lost") }}
		work(t, p, 0, d, 3500*time.Millisecond)
		if n := p.Books.Published(); n != 0 || d.readings() == 0 || held(t, p, 0) != 4 {
			t.Errorf("measured 4, sent %d, confirmed none, %d in the books, %d in the spool", d.readings(), n, held(t, p, 0))
		}
	})
}

func TestWhatIsSentAgainIsSpoiltAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, lost := bench(t), map[string]bool{}
		var mu sync.Mutex
		d := &door{after: time.Millisecond, answer: func(body []byte) error {
			mu.Lock()
			defer mu.Unlock()
			if id := idIn(string(body)); !lost[id] {
				lost[id] = true
				return errors.New("the confirmation is lost")
			}
			return nil
		}}
		work(t, p, 0, d, 10500*time.Millisecond)
		if n := p.Books.Published(); n != 11 || n != len(lost) || held(t, p, 0) != 0 {
			t.Errorf("measured 11, lost confirmations of %d, confirmed %d", len(lost), n)
		}
		spoilt := 0
		for id := range lost {
			copies := d.bodies(id)
			if len(copies) < 2 || !bytes.Equal(copies[0], copies[1]) {
				t.Errorf("%s: %q", id, copies)
			}
			if m, ok := p.Fleet.Message(0, copies[0]); ok && m.Kind == Malformed {
				spoilt++
			}
		}
		if spoilt != 1 {
			t.Errorf("%d of 11 are malformed, want the fifth", spoilt)
		}
	})
}

// The agent's own code: a body that claims another, and one with further members.
func TestEachDeviceClaimsAndMeasuresWhatItShould(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := bench(t)
		for index, want := range [][]string{
			0: {`"device_id":"device1"`, `"temperature":`},
			1: {`"device_id":"device2"`},
			2: {`"device_id":"device3"`, `"humidity":`},
			3: {`"device_id":"device1"`},
		} {
			d := &door{}
			work(t, p, index, d, 500*time.Millisecond) // the first is nobody's malformed one
			for id := range d.came {
				for _, text := range want {
					if !bytes.Contains(d.came[id][0], []byte(text)) {
						t.Errorf("device %d: %s, want %s", index, d.came[id][0], text)
					}
				}
			}
			if n := d.readings(); n != 1 {
				t.Errorf("device %d has sent %d readings, measured 1", index, n)
			}
		}
	})
}
