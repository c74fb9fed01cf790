package pubsub

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"iotbridge/schema"
)

// response is n messages such as the service sends for a device.
func response(n int) *pubsubpb.StreamingPullResponse {
	r := &pubsubpb.StreamingPullResponse{SubscriptionProperties: &pubsubpb.StreamingPullResponse_SubscriptionProperties{}}
	for i := range n {
		r.ReceivedMessages = append(r.ReceivedMessages, &pubsubpb.ReceivedMessage{
			AckId: fmt.Sprintf("%08d", i) + strings.Repeat("a", 176),
			Message: &pubsubpb.PubsubMessage{
				Data: []byte(`{"device_id":"device1","timestamp":1700000000.123,"temperature":21.437}`),
				Attributes: map[string]string{
					"deviceId": "device1", "deviceNumId": "2859309841234567", "deviceRegistryId": "registry",
					"deviceRegistryLocation": "europe-west1", "projectId": "project", "subFolder": "",
				},
				MessageId:   fmt.Sprint(4911384718212345 + i),
				PublishTime: timestamppb.New(time.UnixMicro(1700000000123456)),
			},
			DeliveryAttempt: int32(i % 3),
		})
	}
	return r
}

func wire(t testing.TB, r *pubsubpb.StreamingPullResponse) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wantEqual compares a frame with what the generated types read.
func wantEqual(t *testing.T, f *frame, r *pubsubpb.StreamingPullResponse) {
	t.Helper()
	if f.Len() != len(r.ReceivedMessages) {
		t.Fatalf("%d messages, want %d", f.Len(), len(r.ReceivedMessages))
	}
	if once := r.GetSubscriptionProperties().GetExactlyOnceDeliveryEnabled(); f.exactlyOnce != once {
		t.Errorf("exactly once: %v, want %v", f.exactlyOnce, once)
	}
	for i, m := range f.Messages() {
		want := r.ReceivedMessages[i]
		if got := string(ackID(f.message(i))); got != want.AckId {
			t.Errorf("ack id %q, want %q", got, want.AckId)
		}
		wantMessage(t, m, want)
		again := f.Message(i)
		wantMessage(t, &again, want)
	}
}

func wantMessage(t *testing.T, m *schema.Message, r *pubsubpb.ReceivedMessage) {
	t.Helper()
	want := r.GetMessage()
	switch {
	case string(m.ID) != want.GetMessageId(), !bytes.Equal(m.Data, want.GetData()), m.Attempt != r.DeliveryAttempt,
		len(m.Attributes) != len(want.GetAttributes()), m.PublishTime != microsOf(want.GetPublishTime()):
		t.Errorf("read %+v, want %v", m, r)
	}
	for key, value := range want.GetAttributes() {
		if got, ok := m.Attr(key); !ok || string(got) != value {
			t.Errorf("attribute %q: %q, %v, want %q", key, got, ok, value)
		}
	}
}

func microsOf(t *timestamppb.Timestamp) int64 {
	return t.GetSeconds()*1e6 + int64(t.GetNanos())/1e3
}

func TestFrameIsReadAsTheGeneratedTypesReadIt(t *testing.T) {
	long := response(1)
	long.ReceivedMessages[0].Message.Attributes = map[string]string{strings.Repeat("k", 200): strings.Repeat("v", 1024), "empty": "", "": "x"}
	once := response(2)
	once.SubscriptionProperties.ExactlyOnceDeliveryEnabled = true
	for _, r := range []*pubsubpb.StreamingPullResponse{
		response(100), response(0), long, once,
		{ReceivedMessages: []*pubsubpb.ReceivedMessage{{AckId: "bare"}, {AckId: "empty", Message: &pubsubpb.PubsubMessage{}}}},
	} {
		f := &frame{raw: wire(t, r)}
		if err := f.parse(); err != nil {
			t.Fatal(err)
		}
		wantEqual(t, f, r)
	}
}

func TestFrameFieldsMayComeInAnyOrderAmongUnknownOnes(t *testing.T) {
	field := func(b []byte, n protowire.Number, v string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), v)
	}
	unknown := func(b []byte) []byte {
		b = protowire.AppendFixed64(protowire.AppendTag(b, 90, protowire.Fixed64Type), 7)
		b = protowire.AppendFixed32(protowire.AppendTag(b, 91, protowire.Fixed32Type), 7)
		b = protowire.AppendVarint(protowire.AppendTag(b, 1, protowire.VarintType), 7) // a known number, of another type
		return protowire.AppendGroup(protowire.AppendTag(b, 92, protowire.StartGroupType), 92, field(nil, 1, "in a group"))
	}
	attribute := unknown(field(unknown(field(nil, 2, "device1")), 1, "deviceId")) // value before key
	body := field(field(unknown(field(nil, 2, string(attribute))), 3, "77"), 1, "payload")
	received := protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 4)
	received = field(unknown(field(received, 2, string(body))), 1, "ack")
	f := &frame{raw: unknown(field(unknown(nil), 1, string(received)))}
	if err := f.parse(); err != nil {
		t.Fatal(err)
	}
	m := f.Message(0)
	device, _ := m.Attr("deviceId")
	if f.Len() != 1 || string(m.ID) != "77" || string(m.Data) != "payload" || string(device) != "device1" || m.Attempt != 4 ||
		string(ackID(f.message(0))) != "ack" || f.redelivered != 1 {
		t.Errorf("read %d: %+v", f.Len(), m)
	}
}

func TestMalformedFramesAreRefused(t *testing.T) {
	good := wire(t, response(2))
	for n := 1; n < len(good); n++ {
		f := &frame{raw: good[:n]}
		var r pubsubpb.StreamingPullResponse
		if ours, theirs := f.parse(), proto.Unmarshal(good[:n], &r); (ours != nil) != (theirs != nil) {
			t.Fatalf("cut at %d: %v, the generated types say %v", n, ours, theirs)
		}
	}
	for name, b := range map[string][]byte{
		"field number 0":       {0x02, 0x00},
		"length beyond int":    {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"endless varint":       bytes.Repeat([]byte{0xff}, 12),
		"group without end":    {0x0b},
		"end without group":    {0x0c},
		"no ack id":            {0x0a, 0x02, 0x12, 0x00},
		"attribute cut":        {0x0a, 0x09, 0x0a, 0x01, 'a', 0x12, 0x04, 0x12, 0x02, 0x0a, 0x05},
		"publish time cut":     {0x0a, 0x09, 0x0a, 0x01, 'a', 0x12, 0x04, 0x22, 0x02, 0x08, 0x80},
		"message is not bytes": {0x0a, 0x05, 0x0a, 0x01, 'a', 0x12, 0x07},
	} {
		if f := (&frame{raw: b}); f.parse() != errMalformed {
			t.Errorf("%s was accepted", name)
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(wire(f, response(3)))
	f.Add([]byte{0x0a, 0x02, 0x12, 0x00})
	f.Add([]byte{0x0b, 0x0a, 0x01, 0x61, 0x0c})
	f.Fuzz(func(t *testing.T, b []byte) {
		fr := &frame{raw: b}
		ours := fr.parse()
		for range fr.Messages() { // whatever was found can be read
		}
		var r pubsubpb.StreamingPullResponse
		if proto.Unmarshal(b, &r) != nil {
			return // they also check UTF-8, and fields that are not read here
		}
		for _, m := range r.ReceivedMessages {
			if m.AckId == "" {
				return
			}
		}
		if ours != nil {
			t.Fatalf("refused: %v", &r)
		}
		again := &frame{raw: wire(t, &r)} // each field once
		if err := again.parse(); err != nil {
			t.Fatal(err)
		}
		wantEqual(t, again, &r)
	})
}

func BenchmarkFrame(b *testing.B) {
	const n = 1000
	raw := wire(b, response(n))
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		begin := cpu()
		for b.Loop() {
			f := &frame{raw: raw}
			if f.parse() != nil {
				b.Fatal("malformed")
			}
		}
		perMessage(b, n, begin)
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		f := &frame{raw: raw}
		f.parse()
		begin := cpu()
		for b.Loop() {
			for _, m := range f.Messages() {
				if len(m.Attributes) != 6 {
					b.Fatal("misread")
				}
			}
		}
		perMessage(b, n, begin)
	})
	b.Run("settle", func(b *testing.B) {
		b.ReportAllocs()
		f := &frame{raw: raw}
		f.parse()
		s := &Source{}
		o := newOutbox(&s.mu, acknowledge(subscription))
		all := receipts(f)
		begin := cpu()
		for b.Loop() {
			f.left = n
			clear(f.settled)
			s.settle(o, all)
			for r, _ := o.due(true); r != nil; r, _ = o.due(true) {
				r.free()
			}
		}
		perMessage(b, n, begin)
	})
}

// cpu is what this process has used, in ns: unlike the time on the wall it does
// not depend on what else runs.
func cpu() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

func perMessage(b *testing.B, n int, begin int64) {
	b.ReportMetric(float64(cpu()-begin)/float64(b.N)/float64(n), "cpu-ns/msg")
	b.ReportMetric(0, "ns/op")
}
