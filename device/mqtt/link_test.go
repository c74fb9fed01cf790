package mqtt

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

func TestB18_PubacksLostTwiceAndUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := uplinkTo(t, func(p *peer) {
			p.welcome()
			var ids []uint16
			for range 4 {
				pk, _ := p.want(packets.Publish)
				ids = append(ids, pk.PacketID)
			}
			// Nothing for the first; the others out of order, twice, among ids of nobody.
			p.send(ackPublish(0), ackPublish(ids[3]), ackPublish(ids[1]), ackPublish(ids[1]), ackPublish(40000), ackPublish(ids[2]), ackPublish(ids[3]))
			p.confirm()
		})
		s := connected(t, u)
		var answers []<-chan error
		for i := range 4 {
			answers = append(answers, sent(t, s, "events", fmt.Sprint(i)))
		}
		for _, a := range answers[1:] {
			if err := within(t, "a PUBACK", a); err != nil {
				t.Error(err)
			}
		}
		if err := within(t, "the session after all this", sent(t, s, "events", "5")); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		select {
		case err := <-answers[0]:
			t.Errorf("the message whose PUBACK was lost: %v", err)
		default:
		}
		s.Close()
		select {
		case err := <-answers[0]:
			if err == nil {
				t.Error("a message without a PUBACK was confirmed")
			}
		default:
			t.Error("Close has returned, and a message has no answer")
		}
	})
}

// More messages than there are packet ids, while one of the first stays unconfirmed:
// its id is not given to another.
func TestB18_PacketIDsWrap(t *testing.T) {
	const window, count, together = 200, 66000, 50
	var held uint16
	u := uplinkTo(t, func(p *peer) {
		p.welcome()
		first, _ := p.want(packets.Publish)
		held = first.PacketID
		var acks []byte
		for i := range count {
			pk, ok := p.want(packets.Publish)
			if !ok {
				return
			}
			if pk.PacketID == 0 || pk.PacketID == held {
				t.Errorf("packet id %d, while %d is unconfirmed", pk.PacketID, held)
			}
			if acks = append(acks, ackPublish(pk.PacketID)...); i%together == together-1 {
				p.send(acks)
				acks = nil
			}
		}
		p.send(ackPublish(held))
		p.confirm()
	})
	s := connected(t, u)
	first := sent(t, s, "events", "first")
	room := make(chan struct{}, window)
	var answered sync.WaitGroup
	for range count {
		room <- struct{}{}
		answered.Add(1)
		s.Publish("events", nil, func(err error) {
			if err != nil {
				t.Error(err)
			}
			<-room
			answered.Done()
		})
	}
	answered.Wait()
	if err := within(t, "the first", first); err != nil {
		t.Error(err)
	}
}

func TestB20_SilenceEndsTheSessionAfterOneAndAHalfKeepalives(t *testing.T) {
	for _, keepalive := range []time.Duration{time.Minute, 20 * time.Second, 8 * time.Second} {
		t.Run(keepalive.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := uplinkTo(t, func(p *peer) {
					p.welcome()
					p.drain() // takes all, answers nothing
				})
				u.KeepAlive = keepalive
				s := connected(t, u)
				start := time.Now()
				answer := sent(t, s, "events", "1")
				<-s.Ended()
				if d := time.Since(start); d != keepalive*3/2 {
					t.Errorf("ended after %s", d)
				}
				if err := within(t, "the answer", answer); err == nil || !strings.Contains(err.Error(), "nothing has come") {
					t.Errorf("the message without a PUBACK: %v", err)
				}
			})
		})
	}
}

// The network takes nothing any more: nobody reads at the other end. One message is
// stuck in the write itself, those after it before that.
func TestB20_AStuckWriteEndsTheSessionAndHoldsNobodyUp(t *testing.T) {
	for _, count := range []int{1, 2, 100} {
		synctest.Test(t, func(t *testing.T) {
			enough := make(chan struct{})
			u := uplinkTo(t, func(p *peer) {
				p.welcome()
				<-enough
			})
			defer close(enough)
			s := connected(t, u)
			start := time.Now()
			var answers []<-chan error
			for range count {
				answers = append(answers, sent(t, s, "events", "1"))
			}
			if d := time.Since(start); d != 0 {
				t.Errorf("Publish took %s", d)
			}
			<-s.Ended()
			if d := time.Since(start); d != defaultWriteTimeout {
				t.Errorf("%d messages: ended after %s", count, d)
			}
			for _, a := range answers {
				if within(t, "an answer", a) == nil {
					t.Error("confirmed by nobody")
				}
			}
		})
	}
}

// Close with a write under way does not wait for the write's own deadline.
func TestCloseHurriesAStuckWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enough := make(chan struct{})
		u := uplinkTo(t, func(p *peer) {
			p.welcome()
			<-enough
		})
		defer close(enough)
		s := connected(t, u)
		answer := sent(t, s, "events", "1")
		synctest.Wait() // it is being written
		start := time.Now()
		s.Close()
		if d := time.Since(start); d > farewell {
			t.Errorf("Close took %s", d)
		}
		if within(t, "the answer", answer) == nil {
			t.Error("confirmed by nobody")
		}
	})
}

// The connection goes while messages are being handed over, again and again: each has
// one answer, nothing hangs, nothing is left behind. On the wall's clock, so that the
// schedule is a real one.
func TestB20_ConnectionsCutUnderLoad(t *testing.T) {
	for i := range 200 {
		u := uplinkTo(t, func(p *peer) {
			p.welcome()
			for range i % 20 {
				if pk, ok := p.want(packets.Publish); ok {
					p.send(ackPublish(pk.PacketID))
				}
			}
			p.raw.Close()
		})
		s, err := u.open(t.Context(), make(letters, 1))
		if err != nil {
			if i%20 == 0 {
				continue // cut right behind the SUBACK
			}
			t.Fatal(err)
		}
		var answers []<-chan error
		for range 40 {
			answers = append(answers, sent(t, s, "events", "1"))
		}
		if i%3 == 0 {
			s.Close()
		}
		within(t, "the end", s.Ended())
		for _, a := range answers {
			within(t, "an answer", a)
		}
		s.Close()
	}
}

func TestB20_ResetAndFIN(t *testing.T) {
	for _, how := range []string{"RST", "FIN", "close_notify"} {
		t.Run(how, func(t *testing.T) {
			u := overTCP(t, func(p *peer) {
				p.welcome()
				p.want(packets.Publish)
				switch how {
				case "RST":
					p.raw.(*net.TCPConn).SetLinger(0)
				case "close_notify":
					p.conn.CloseWrite()
					return
				}
				p.raw.Close()
			})
			s := connected(t, u)
			if err := within(t, "the answer", sent(t, s, "events", "1")); err == nil {
				t.Error("confirmed by nobody")
			}
			within(t, "the end", s.Ended())
			if s.Err() == nil {
				t.Error("ended, and does not say why")
			}
		})
	}
}

// slow passes one byte at a time, and takes its time for each.
type slow struct {
	net.Conn
	each time.Duration
}

func (s slow) Read(b []byte) (int, error) {
	time.Sleep(s.each) //nolint:forbidigo // in a bubble: the network's time, and none of ours
	return s.Conn.Read(b[:min(1, len(b))])
}

func (s slow) Write(b []byte) (int, error) {
	for i := range b {
		time.Sleep(s.each) //nolint:forbidigo // likewise
		if n, err := s.Conn.Write(b[i : i+1]); err != nil {
			return i + n, err
		}
	}
	return len(b), nil
}

func TestB21_OneByteAtATimeAt1KBPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := uplinkTo(t, good)
		dial := u.Dial
		u.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dial(ctx, network, address)
			return slow{c, time.Millisecond}, err
		}
		s := connected(t, u)
		var answers []<-chan error
		for i := range 30 {
			answers = append(answers, sent(t, s, "events", strings.Repeat(fmt.Sprint(i%10), 200)))
		}
		for _, a := range answers {
			if err := within(t, "a PUBACK", a); err != nil {
				t.Fatal(err)
			}
		}
	})
}
