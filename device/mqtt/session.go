package mqtt

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"iotbridge/device"
)

// subscriptions is how many topics a session subscribes to.
const subscriptions = 2

// session is one connection, as device.Session says.
type session struct {
	link   *link
	client paho.Client
	device string
	over   chan struct{} // closed when paho has ended

	mu      sync.Mutex
	queue   []message // as long as the core's window
	shut    bool      // nothing is queued any more
	wake    chan struct{}
	waiting sync.WaitGroup // one for each message that paho has

	renew chan struct{}
	timer *time.Timer
}

var _ device.Session = (*session)(nil)

type message struct {
	topic string
	data  []byte
	done  func(error)
}

func newSession(c *secured, u *Uplink) *session {
	return &session{
		link: newLink(c, u), device: u.Device,
		over: make(chan struct{}), wake: make(chan struct{}, 1), renew: make(chan struct{}),
	}
}

// start has paho connect over the link, and subscribes.
func (s *session) start(o *paho.ClientOptions, in *inbox) error {
	o.SetDefaultPublishHandler(in.take)
	o.SetConnectionLostHandler(func(paho.Client, error) { close(s.over) })
	client := paho.NewClient(o)
	connected := client.Connect()
	<-connected.Done()
	if err := connected.Error(); err != nil {
		return s.because(err)
	}
	s.client = client
	granted, ok := client.SubscribeMultiple(map[string]byte{in.config: 1, in.commands + "/#": 0}, nil).(*paho.SubscribeToken)
	if !ok {
		return errors.New("paho gave no token for a subscription")
	}
	select {
	case <-granted.Done():
	case <-s.link.broken:
	}
	if s.link.isBroken() {
		return s.link.err
	}
	if err := granted.Error(); err != nil {
		return fmt.Errorf("subscribing: %w", err)
	}
	result := granted.Result()
	for _, topic := range []string{in.config, in.commands + "/#"} {
		if qos, ok := result[topic]; !ok || qos > 1 {
			return fmt.Errorf("the gateway does not grant the subscription to %s: is the device id spelled as the gateway knows it?", topic)
		}
	}
	return nil
}

// because prefers the link's reason to what paho made of it.
func (s *session) because(err error) error {
	if s.link.isBroken() {
		return s.link.err
	}
	return err
}

// abandon ends a session that nobody was given.
func (s *session) abandon() {
	s.link.leave()
	close(s.link.quiet)
	if s.client != nil {
		<-s.over
	}
}

func (s *session) Publish(topic string, data []byte, done func(error)) {
	s.mu.Lock()
	if s.shut {
		s.mu.Unlock()
		go done(s.Err())
		return
	}
	s.queue = append(s.queue, message{"/devices/" + s.device + "/" + topic, bytes.Clone(data), done})
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// send hands to paho what is queued, in its order, until the link is broken.
func (s *session) send() {
	for !s.link.isBroken() {
		for _, m := range s.take(false) {
			if s.link.isBroken() {
				m.done(s.link.err)
				continue
			}
			// Returns when paho's writer has it, so at the latest with the write's deadline.
			token := s.client.Publish(m.topic, 1, false, m.data)
			s.waiting.Go(func() { s.confirm(token, m.done) })
		}
		select {
		case <-s.wake:
		case <-s.link.broken:
		}
	}
	for _, m := range s.take(true) {
		m.done(s.link.err)
	}
	close(s.link.quiet)
}

func (s *session) take(shut bool) []message {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.queue
	s.queue, s.shut = nil, shut
	return taken
}

// confirm waits for the PUBACK. What was acknowledged before the link broke counts,
// so it is paho's end that is waited for, and not the link's.
func (s *session) confirm(token paho.Token, done func(error)) {
	select {
	case <-token.Done():
	case <-s.over:
	}
	select {
	case <-token.Done():
		err := token.Error()
		if err != nil && s.link.isBroken() {
			err = s.link.err
		}
		if err != nil {
			s.link.fail(err) // a message that paho could not take: the writer is stuck
		}
		done(err)
	default:
		done(s.link.err)
	}
}

func (s *session) renewAfter(d time.Duration) {
	s.timer = time.AfterFunc(d, func() { close(s.renew) })
}

func (s *session) Renew() <-chan struct{} { return s.renew }

func (s *session) Ended() <-chan struct{} { return s.link.broken }

func (s *session) Err() error {
	if s.link.isBroken() {
		return s.link.err
	}
	return nil
}

func (s *session) Close() {
	s.timer.Stop()
	s.link.leave()
	<-s.over
	s.waiting.Wait()
}
