package ingestd_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"iotbridge/localcloud/fault"
)

// fired fails the test when its fault never struck.
func fired(t *testing.T, h *fault.Handle) {
	t.Helper()
	if h.Fired() == 0 {
		t.Error("the fault did not strike: the test shows nothing")
	}
}

// The same reading published twice has two message ids, and one row in the view.
func TestB41_SameReadingTwice(t *testing.T) {
	s := start(t)
	s.subscribe()
	s.worker("--create-tables")
	s.honest(10)
	s.exact()
	again := reading(`{"device_id":"device1","timestamp":1700000001,"temperature":21.4,"reading_id":"r-1"}`)
	s.send(again, again)
	s.eventually(12, stored)
	if n := s.number(views); n != 10 {
		t.Errorf("the dedup view shows %d readings, want 10", n)
	}
}

func TestB42_AckLost(t *testing.T) {
	s := start(t)
	s.subscribe()
	lost := s.faults.Add(fault.Rule{Method: "Acknowledge", Err: status.Error(codes.Unavailable, "injected"), After: true, Every: 2})
	failed := s.faults.Add(fault.Rule{Method: "Acknowledge", Err: status.Error(codes.Unavailable, "injected"), Every: 2})
	s.worker("--create-tables", "--batch-rows=100")
	s.honest(2000)
	if n := s.exact(); n != 0 {
		t.Errorf("%d duplicates although every ack could be sent again", n)
	}
	fired(t, lost)
	fired(t, failed)
}

func TestB44_PullStreamBreaks(t *testing.T) {
	s := start(t)
	s.subscribe()
	cut := s.faults.Add(fault.Rule{Method: "StreamingPull", Err: status.Error(codes.Unavailable, "injected"), From: 2, Every: 3, Times: 5})
	s.worker("--create-tables", "--max-outstanding-messages=200")
	s.honest(3000)
	s.exact()
	fired(t, cut)
}

// A day is replayed: every message is delivered again, and the view is as before.
func TestB45_SeekBack(t *testing.T) {
	s := start(t)
	s.subscribe()
	if _, err := s.admin.UpdateSubscription(t.Context(), retainAcked()); err != nil {
		t.Fatal(err)
	}
	s.worker("--create-tables")
	before := timestamppb.New(time.Now().Add(-time.Hour))
	s.honest(100)
	s.exact()
	if _, err := s.admin.Seek(t.Context(), &pubsubpb.SeekRequest{Subscription: subscription, Target: &pubsubpb.SeekRequest_Time{Time: before}}); err != nil {
		t.Fatal(err)
	}
	s.eventually(200, stored)
	s.exact()
}

// B46 and B62: who has no identity, or a body that nobody can read, is kept raw with
// every attribute.
func TestB46_B62_QuarantineKeepsEverything(t *testing.T) {
	s := start(t)
	s.subscribe()
	s.worker("--create-tables")
	big := strings.Repeat("\xff\x00", 4_500_000)
	nobody := reading(`{"timestamp":1,"temperature":1}`)
	delete(nobody.Attributes, "deviceId")
	for _, c := range []struct {
		reason  string
		message *pubsubpb.PubsubMessage
	}{
		{"missing_identity", nobody},
		{"missing_identity", reading(`{"timestamp":1,"temperature":1}`, "deviceId", "")},
		{"missing_identity", reading(`{"timestamp":1,"temperature":1}`, "deviceId", "goog-device")},
		{"device_mismatch", reading(`{"device_id":"device2","timestamp":1,"temperature":1}`)},
		{"malformed_body", reading("\xff\xfe{]")},
		{"malformed_body", reading("")},
		{"malformed_body", reading("{", "extra", strings.Repeat("x", 1024), "subFolder", "\x00\n\u2028")},
		{"oversize", reading(big)},
		{"oversize", reading(strings.Repeat("\x00", 9_999_600))}, // no request to Pub/Sub may be larger
	} {
		id := s.send(c.message)[0]
		row := "SELECT COUNT(*) FROM `p.iot.quarantine` WHERE message_id = '" + id + "' AND reason = '" + c.reason + "'"
		s.eventually(1, row)
		it, err := s.bigquery.Query("SELECT data, attributes FROM `p.iot.quarantine` WHERE message_id = '" + id + "'").Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Data       []byte
			Attributes string
		}
		if err := it.Next(&got); err != nil {
			t.Fatal(err)
		}
		if string(got.Data) != string(c.message.Data) {
			t.Errorf("%s: %d bytes of payload were kept as %d others", c.reason, len(c.message.Data), len(got.Data))
		}
		for k, v := range c.message.Attributes {
			if !strings.Contains(got.Attributes, k) || len(v) < 100 && v != "" && v[0] > ' ' && !strings.Contains(got.Attributes, v) {
				t.Errorf("%s: attribute %s is not in %.200s", c.reason, k, got.Attributes)
			}
		}
	}
	if n := s.number(stored); n != 0 {
		t.Errorf("%d bad messages in the table", n)
	}
}

func TestB47_B55_AnswersLostAndRefused(t *testing.T) {
	s := start(t)
	s.subscribe()
	lost := s.faults.Add(fault.Rule{Method: "AppendRows", After: true, Err: status.Error(codes.Internal, "injected"), From: 2, Every: 7})
	cut := s.faults.Add(fault.Rule{Method: "AppendRows", Cut: true, Err: status.Error(codes.Unavailable, "injected"), From: 3, Every: 7})
	refused := s.faults.Add(fault.Rule{Method: "AppendRows", Err: status.Error(codes.Aborted, "injected"), From: 4, Every: 7})
	s.worker("--create-tables", "--batch-rows=50")
	s.honest(3000)
	t.Logf("%d duplicates", s.exact())
	for _, h := range []*fault.Handle{lost, cut, refused} {
		fired(t, h)
	}
}

// The worker dies after the rows are durable and before their acks: they come
// again, and the view shows each once.
func TestB48_KilledBetweenAppendAndAck(t *testing.T) {
	s := start(t)
	s.subscribe()
	hang := s.faults.Add(fault.Rule{Method: "Acknowledge", Hang: true})
	doomed := s.process(nil, "--create-tables")
	s.honest(1000)
	s.eventually(1000, stored)
	if err := doomed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	doomed.Wait()
	hang.Remove()
	s.worker()
	s.eventually(2000, stored) // all of them again, when their leases end: no ack had arrived
	s.exact()
}

func TestB50_PoisonRowAmongMany(t *testing.T) {
	s := start(t)
	s.subscribe()
	poison := s.faults.Add(fault.Rule{Method: "AppendRows", Match: into("temperature"), RowErrors: func(rows [][]byte) (bad []int) {
		for i, row := range rows {
			if strings.Contains(string(row), "r-777") {
				bad = append(bad, i)
			}
		}
		return bad
	}})
	s.worker("--create-tables")
	s.honest(5000)
	s.eventually(4999, distinct)
	s.eventually(1, liesCount+" WHERE reason = 'rejected_by_bigquery'")
	fired(t, poison)
	if n := s.number(liesCount); n != 1 {
		t.Errorf("%d in quarantine", n)
	}
}

// into matches the appends into a table.
func into(table string) func(any) bool {
	stream := ""
	return func(req any) bool {
		if name := req.(*storagepb.AppendRowsRequest).GetWriteStream(); name != "" {
			stream = name // later requests of a connection need not name it
		}
		return strings.Contains(stream, "/tables/"+table+"/")
	}
}

// The table is deleted under a running worker, and made again: it holds, says so,
// and goes on.
func TestB53_TableGoneAndBack(t *testing.T) {
	s := start(t)
	s.subscribe()
	w := s.worker("--create-tables")
	s.honest(100)
	s.exact()
	if err := s.bigquery.Dataset("iot").Table("temperature").Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.honest(100)
	s.stop(w)
	if n := s.number(liesCount); n != 0 {
		t.Errorf("%d good messages in quarantine", n)
	}
	s.worker("--create-tables")
	s.eventually(100, distinct)
}

func (s *system) stop(w worker) {
	s.t.Helper()
	if err := w.stop(); err != nil {
		s.t.Error(err)
	}
}

func TestB54_PermissionRevokedAndGranted(t *testing.T) {
	s := start(t)
	s.subscribe()
	s.worker("--create-tables")
	s.honest(10)
	s.exact()
	denied := s.faults.Add(fault.Rule{Method: "AppendRows", Err: status.Error(codes.PermissionDenied, "injected"), Times: 3})
	s.honest(100)
	s.exact()
	fired(t, denied)
}

// Workers come and go, one of them sleeps through its leases: each message is in
// the view once.
func TestB59_ScaleAndZombie(t *testing.T) {
	s := start(t)
	s.subscribe()
	first := s.process(nil, "--create-tables")
	s.honest(1000)
	s.eventually(1000, distinct)
	if err := first.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.honest(2000)
	for range 3 {
		s.process(nil)
	}
	if err := first.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.honest(2000)
	if err := first.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d duplicates", s.exact())
}

// A worker that must not have much memory holds little, and loses nothing when it
// dies of it.
func TestB60_LittleMemory(t *testing.T) {
	s := start(t)
	s.subscribe()
	s.honest(20_000)
	small := s.process([]string{"GOMEMLIMIT=48MiB"}, "--create-tables", "--max-outstanding-bytes=1048576")
	s.eventually(1000, "SELECT LEAST(COUNT(*), 1000) FROM `p.iot.temperature`")
	if err := small.Process.Signal(os.Kill); err != nil {
		t.Fatal(err)
	}
	s.worker("--max-outstanding-bytes=1048576")
	t.Logf("%d duplicates", s.exact())
}

// What a device says can only collide with what the same device of the same
// registry said.
func TestG11_ReadingsOfOthersAreNotErased(t *testing.T) {
	s := start(t)
	s.subscribe()
	s.worker("--create-tables")
	same := `{"timestamp":1700000001,"temperature":21.4,"reading_id":"r-1"}`
	s.send(reading(same), reading(same, "deviceId", "device2"), reading(same, "deviceRegistryId", "other"), reading(same))
	s.eventually(4, stored)
	if n := s.number(views); n != 3 {
		t.Errorf("the dedup view shows %d readings, want 3", n)
	}
}
