package pubsub

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"

	"iotbridge/ingest"
)

// The service ends a stream that says nothing, and answers when spoken to.
const (
	pingEvery  = 30 * time.Second
	answerTime = 15 * time.Second
	trialTime  = 5 * time.Second // a stream that lives so long was accepted
)

var (
	errSilent = errors.New("the subscription's stream went silent")
	errEnded  = errors.New("the service ended the stream")
)

// keepPulling opens a stream again and again until ctx ends.
func (s *Source) keepPulling(ctx context.Context, deliver func(ingest.Delivery)) {
	var pause backoff
	for ctx.Err() == nil {
		st := &stream{Source: s}
		err := st.pull(ctx, deliver)
		if ctx.Err() != nil {
			return
		}
		if st.accepted.Load() {
			pause = 0
		}
		s.Metrics.StreamRestarts.WithLabelValues("pubsub").Inc()
		s.standing.lost(st.accepted.Load(), err)
		sleep(ctx, pause.next())
	}
}

// stream is one StreamingPull from opening to end.
type stream struct {
	*Source
	accepted  atomic.Bool
	listening atomic.Int64 // since when, Unix ns; 0 while the worker is busy or out of credit
	pinged    atomic.Bool
	answers   atomic.Bool // this service answers pings
}

func (st *stream) pull(ctx context.Context, deliver func(ingest.Delivery)) error {
	ctx, cancel := context.WithCancelCause(st.route(ctx))
	defer cancel(nil)
	call, err := st.Conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, methodPull,
		raw, grpc.MaxCallRecvMsgSize(maxResponse))
	if err != nil {
		return err
	}
	err = call.SendMsg(&pubsubpb.StreamingPullRequest{
		Subscription:             st.Subscription,
		StreamAckDeadlineSeconds: int32(st.Deadline / time.Second),
		ClientId:                 st.client,
		MaxOutstandingMessages:   int64(max(st.MaxMessages/st.Streams, 1)),
		MaxOutstandingBytes:      int64(max(st.MaxBytes/4*3/st.Streams, 1)), // it does not count the ack ids, the budget does
		ProtocolVersion:          1,                                         // answer pings
	})
	if err != nil && !errors.Is(err, io.EOF) { // EOF: RecvMsg knows why
		return err
	}
	pulse := make(chan struct{})
	go func() {
		defer close(pulse)
		st.keepAlive(ctx, cancel, call)
	}()
	defer func() {
		cancel(nil)
		<-pulse
	}()
	for {
		f, err := st.receive(ctx, call)
		if err != nil {
			return err
		}
		if f.Len() > 0 {
			deliver(f)
		}
	}
}

// maxResponse bounds one response in bytes; the service stays below 10 MB.
const maxResponse = 20 << 20

func (st *stream) receive(ctx context.Context, call grpc.ClientStream) (*frame, error) {
	if err := st.Budget.Wait(ctx); err != nil {
		return nil, err
	}
	f := new(frame)
	st.listening.Store(time.Now().UnixNano())
	err := call.RecvMsg(f)
	st.listening.Store(0)
	if err == nil {
		err = f.parse()
	}
	switch {
	case err == nil:
	case errors.Is(context.Cause(ctx), errSilent):
		return nil, errSilent
	case errors.Is(err, io.EOF):
		return nil, errEnded
	default:
		return nil, err
	}
	st.accept()
	if f.exactlyOnce && !st.exactlyOnce.Swap(true) {
		st.Log.Info("exactly-once delivery: " + st.Subscription + " confirms each acknowledgement")
	}
	if f.Len() == 0 {
		if st.pinged.Load() {
			st.answers.Store(true)
		}
		return f, nil
	}
	st.Budget.Take(f.Len(), f.bytes)
	if f.redelivered > 0 {
		st.Metrics.Redelivered.Add(float64(f.redelivered))
	}
	st.track(f)
	return f, nil
}

// accept takes note that the service serves this stream.
func (st *stream) accept() {
	if !st.accepted.Swap(true) {
		st.standing.gained()
	}
}

// keepAlive pings, and ends a stream that answered once and no longer does.
func (st *stream) keepAlive(ctx context.Context, cancel context.CancelCauseFunc, call grpc.ClientStream) {
	// What answers comes sooner than the end of the trial. It may be no answer to
	// this ping, so none is counted: a service may send one empty response unasked.
	if call.SendMsg(&pubsubpb.StreamingPullRequest{}) != nil {
		return // RecvMsg knows why
	}
	if sleep(ctx, trialTime); ctx.Err() != nil {
		return
	}
	st.accept()
	for {
		if sleep(ctx, pingEvery-answerTime); ctx.Err() != nil {
			return
		}
		sent := time.Now().UnixNano()
		st.pinged.Store(true)
		if call.SendMsg(&pubsubpb.StreamingPullRequest{}) != nil {
			return // RecvMsg knows why
		}
		if sleep(ctx, answerTime); ctx.Err() != nil {
			return
		}
		if since := st.listening.Load(); st.answers.Load() && since != 0 && since < sent {
			cancel(errSilent)
			return
		}
	}
}
