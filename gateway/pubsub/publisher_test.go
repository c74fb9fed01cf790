package pubsub_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/gateway"
	"iotbridge/gateway/pubsub"
	"iotbridge/localcloud/fault"
)

func TestEveryMessageIsConfirmedOnceAndInTheTopic(t *testing.T) {
	b, a := newBed(t), newAnswers()
	const n = 2500
	b.publish(a, 0, n)
	confirmed, failed := a.wait(t, n)
	if len(failed) > 0 {
		t.Fatalf("%d failed", len(failed))
	}
	for m, times := range b.landed(t, confirmed) {
		if times != 1 {
			t.Errorf("%s is there %d times", m, times)
		}
	}
	if messages, bytes := b.Outstanding(); messages != 0 || bytes != 0 {
		t.Errorf("%d messages and %d bytes are outstanding", messages, bytes)
	}
}

func TestB26_PassingFaultsAreOutlived(t *testing.T) {
	for _, code := range []codes.Code{
		codes.Unavailable, codes.DeadlineExceeded, codes.Aborted, codes.Internal, codes.Unknown, codes.Canceled, codes.ResourceExhausted,
	} {
		t.Run(code.String(), func(t *testing.T) {
			b, a := newBed(t), newAnswers()
			h := b.faults.Add(fault.Rule{Method: "Publish", Times: 2, Err: status.Error(code, "for now")})
			b.publish(a, 0, 100)
			confirmed, failed := a.wait(t, 100)
			if len(failed) > 0 {
				t.Errorf("%d failed", len(failed))
			}
			b.landed(t, confirmed)
			if h.Fired() != 2 {
				t.Errorf("the fault struck %d times", h.Fired())
			}
			if held := b.holds.Reasons(); held != nil {
				t.Errorf("held: %q", held)
			}
		})
	}
}

func TestB26_AnOutageIsNeverConfirmed(t *testing.T) {
	bubble(t, func(t *testing.T, newBed func(...func(*pubsub.Publisher)) *bed) {
		b, a := newBed(func(p *pubsub.Publisher) { p.GiveUp = 300 * time.Millisecond }), newAnswers()
		h := b.faults.Add(fault.Rule{Method: "Publish", Err: status.Error(codes.Unavailable, "down")})
		b.publish(a, 0, 100)
		if confirmed, _ := a.wait(t, 100); len(confirmed) > 0 {
			t.Errorf("%d were confirmed", len(confirmed))
		}
		if h.Fired() < 2 {
			t.Errorf("the fault struck %d times", h.Fired())
		}
		if held := strings.Join(b.holds.Reasons(), "\n"); !strings.Contains(held, topic) {
			t.Errorf("ready: %q", held)
		}
		h.Remove()
		b.publish(a, 100, 1)
		if confirmed, _ := a.wait(t, 101); len(confirmed) != 1 {
			t.Errorf("it does not heal: %d confirmed", len(confirmed))
		}
		if held := b.holds.Reasons(); held != nil {
			t.Errorf("held: %q", held)
		}
	})
}

func TestB27_AHangingTopicIsBoundedAndLeavesRoom(t *testing.T) {
	bubble(t, func(t *testing.T, newBed func(...func(*pubsub.Publisher)) *bed) {
		b, a := newBed(func(p *pubsub.Publisher) {
			p.MaxMessages, p.GiveUp = 2000, 2*time.Second
		}), newAnswers()
		const other = "projects/p/topics/other"
		if _, err := pubsubpb.NewPublisherClient(b.conn).CreateTopic(t.Context(), &pubsubpb.Topic{Name: other}); err != nil {
			t.Fatal(err)
		}
		h := b.faults.Add(fault.Rule{Method: "Publish", Hang: true, Match: func(req any) bool {
			return req.(*pubsubpb.PublishRequest).Topic == topic
		}})
		before := runtime.NumGoroutine()
		const n = 3000
		b.publish(a, 0, n)
		if messages, _ := b.Outstanding(); messages > 1000 {
			t.Errorf("%d are outstanding", messages)
		}
		good := newAnswers()
		b.Publish(other, nil, []byte("x"), good.done("x"))
		if confirmed, _ := good.wait(t, 1); len(confirmed) != 1 {
			t.Error("the other topic hangs too")
		}
		if more := runtime.NumGoroutine() - before; more > 100 {
			t.Errorf("%d goroutines for one topic", more)
		}
		if confirmed, _ := a.wait(t, n); len(confirmed) > 0 {
			t.Errorf("%d were confirmed", len(confirmed))
		}
		busy := 0
		for _, errs := range a.got {
			if errors.Is(errs[0], gateway.ErrBusy) {
				busy++
			}
		}
		if busy != n-1000 {
			t.Errorf("%d were refused", busy)
		}
		if h.Fired() == 0 {
			t.Error("the fault did not strike")
		}
	})
}

func TestB28_AnAnswerThatWasLostMeansTwiceNotNever(t *testing.T) {
	b, a := newBed(t), newAnswers()
	h := b.faults.Add(fault.Rule{Method: "Publish", Times: 1, After: true, Err: status.Error(codes.Unavailable, "lost")})
	b.publish(a, 0, 1)
	confirmed, _ := a.wait(t, 1)
	b.publish(a, 1, 1)
	more, _ := a.wait(t, 2)
	if len(confirmed) != 1 || len(more) != 2 || h.Fired() != 1 {
		t.Fatalf("%d, %d, struck %d times", len(confirmed), len(more), h.Fired())
	}
	if got := b.landed(t, more); got["0"] != 2 || got["1"] != 1 {
		t.Errorf("in the topic: %v", got)
	}
}

func TestB29_AQuotaIsWaitedOut(t *testing.T) {
	bubble(t, func(t *testing.T, newBed func(...func(*pubsub.Publisher)) *bed) {
		b, a := newBed(), newAnswers()
		h := b.faults.Add(fault.Rule{Method: "Publish", Times: 3, Err: status.Error(codes.ResourceExhausted, "slower")})
		began := time.Now()
		b.publish(a, 0, 1) // one batch: the pauses are one after the other
		confirmed, _ := a.wait(t, 1)
		took := time.Since(began)
		if len(confirmed) != 1 || h.Fired() != 3 || took < 350*time.Millisecond || took > time.Second {
			t.Errorf("%d confirmed after %v, struck %d times", len(confirmed), took, h.Fired())
		}
	})
}

func TestB30_ATopicThatIsGoneHoldsAndHeals(t *testing.T) {
	bubble(t, func(t *testing.T, newBed func(...func(*pubsub.Publisher)) *bed) {
		b, a := newBed(), newAnswers()
		topics := pubsubpb.NewPublisherClient(b.conn)
		if _, err := topics.DeleteTopic(t.Context(), &pubsubpb.DeleteTopicRequest{Topic: topic}); err != nil {
			t.Fatal(err)
		}
		b.publish(a, 0, 10)
		b.until(t, func() bool { return len(b.holds.Reasons()) > 0 })
		if held := b.holds.Reasons()[0]; !strings.Contains(held, topic+" does not exist") {
			t.Errorf("held: %s", held)
		}
		if _, err := topics.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic}); err != nil {
			t.Fatal(err)
		}
		if confirmed, failed := a.wait(t, 10); len(confirmed) != 10 {
			t.Errorf("%d failed", len(failed))
		}
		if held := b.holds.Reasons(); held != nil {
			t.Errorf("held yet: %q", held)
		}
	})
}

func TestB30_ADenialHoldsAndIsNeverConfirmed(t *testing.T) {
	bubble(t, func(t *testing.T, newBed func(...func(*pubsub.Publisher)) *bed) {
		b, a := newBed(func(p *pubsub.Publisher) { p.GiveUp = 200 * time.Millisecond }), newAnswers()
		h := b.faults.Add(fault.Rule{Method: "Publish", Err: status.Error(codes.PermissionDenied, "no")})
		b.publish(a, 0, 10)
		if confirmed, _ := a.wait(t, 10); len(confirmed) > 0 {
			t.Errorf("%d were confirmed", len(confirmed))
		}
		if held := strings.Join(b.holds.Reasons(), "\n"); !strings.Contains(held, topic) || !strings.Contains(held, "pubsub.topics.publish") || !b.holds.Held(gateway.CausePubSub) {
			t.Errorf("held: %q", held)
		}
		h.Remove()
		b.publish(a, 10, 1)
		if confirmed, _ := a.wait(t, 11); len(confirmed) != 1 || b.holds.Reasons() != nil {
			t.Errorf("%d confirmed, held: %q", len(confirmed), b.holds.Reasons())
		}
	})
}

func TestB35_TheLargestMessages(t *testing.T) {
	b, a := newBed(t), newAnswers()
	attributes := []gateway.Attribute{{Key: strings.Repeat("k", 256), Value: strings.Repeat("v", 1024)}}
	for i := range 99 {
		attributes = append(attributes, gateway.Attribute{Key: strings.Repeat("a", 1+i), Value: strings.Repeat("v", 1024)})
	}
	p := &pubsub.Publisher{Conn: b.conn}
	const n = 60 // 21 MB, gathered before anything is sent: three requests
	for i := range n {
		p.Publish(topic, attributes, make([]byte, gateway.MaxTelemetry), a.done(strconv.Itoa(i)))
	}
	p.Publish(topic, attributes[:1], nil, a.done("empty"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	if _, failed := a.wait(t, n+1); len(failed) > 0 {
		t.Errorf("%d of %d failed", len(failed), n+1)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRunEndsWithEveryMessageAnswered(t *testing.T) {
	t.Run("sent", func(t *testing.T) {
		bubble(t, func(t *testing.T, newBed func(...func(*pubsub.Publisher)) *bed) {
			b, a := newBed(), newAnswers()
			b.faults.Add(fault.Rule{Method: "Publish", Delay: 50 * time.Millisecond})
			b.publish(a, 0, 500)
			b.stop()
			confirmed, _ := a.wait(t, 500)
			if len(confirmed) != 500 {
				t.Errorf("%d were sent", len(confirmed))
			}
			b.publish(a, 500, 1)
			if _, failed := a.wait(t, 501); len(failed) != 1 {
				t.Error("one is taken after the end")
			}
		})
	})
	t.Run("hanging", func(t *testing.T) {
		bubble(t, func(t *testing.T, newBed func(...func(*pubsub.Publisher)) *bed) {
			b, a := newBed(func(p *pubsub.Publisher) { p.Grace = 100 * time.Millisecond }), newAnswers()
			b.faults.Add(fault.Rule{Method: "Publish", Hang: true})
			b.publish(a, 0, 50_000)
			began := time.Now()
			b.stop()
			if took := time.Since(began); took > time.Second {
				t.Errorf("it took %v", took)
			}
			if confirmed, failed := a.wait(t, 50_000); len(confirmed) > 0 || len(failed) != 50_000 {
				t.Errorf("%d were confirmed, %d failed", len(confirmed), len(failed))
			}
		})
	})
}

func TestCheck(t *testing.T) {
	b := newBed(t)
	if err := b.Check(t.Context(), topic); err != nil {
		t.Error(err)
	}
	if err := b.Check(t.Context(), topic+"x"); err == nil {
		t.Error("a topic that is not there passes")
	}
}
