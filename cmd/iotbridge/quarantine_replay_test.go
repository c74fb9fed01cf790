package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/ingest/bigquery"
	"iotbridge/internal/site"
	"iotbridge/localcloud"
	"iotbridge/localcloud/fault"
	"iotbridge/schema"
)

// refused is how many messages stand in the quarantine that are good today.
const refused = 5

// A replay is killed after it has stored rows and before it has logged them; the next
// one stores none of them again, and logs them all.
func TestB64_ReplayKilledBetweenStoringAndLogging(t *testing.T) {
	faults := &fault.Injector{}
	dir, s := quarantined(t, faults)
	hang := faults.Add(fault.Rule{Method: "AppendRows", Match: into("quarantine_replays"), Hang: true, Times: 1})
	cmd := replay(t, dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return hang.Fired() == 1 })
	if got := ask(t, s, "SELECT COUNT(*) FROM `demo.iot.temperature`"); got != fmt.Sprint(refused) {
		t.Errorf("%s rows stored before the kill, want %d", got, refused)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if got := ask(t, s, "SELECT COUNT(*) FROM `demo.iot.quarantine_replays`"); got != "0" {
		t.Errorf("%s replays logged before the kill, want none", got)
	}
	again(t, dir, s)
	if got := ask(t, s, "SELECT outcome, COUNT(*) FROM `demo.iot.quarantine_replays` GROUP BY outcome"); got != fmt.Sprintf("already_stored,%d", 2*refused) {
		t.Errorf("logged %s", got)
	}
}

// The rows are stored, but the answer is lost: the replay fails and says what to do,
// and doing it stores nothing twice.
func TestB64_ReplayWhoseAnswerIsLost(t *testing.T) {
	faults := &fault.Injector{}
	dir, s := quarantined(t, faults)
	lost := faults.Add(fault.Rule{Method: "AppendRows", Match: into("temperature"), Err: status.Error(codes.Unavailable, "gone"), After: true, Cut: true, Times: 2})
	out, err := replay(t, dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "run the replay again") {
		t.Errorf("%v: %s", err, out)
	}
	if lost.Fired() == 0 {
		t.Fatal("no answer was lost")
	}
	again(t, dir, s)
}

// again replays twice and finds each message once.
func again(t *testing.T, dir string, s *site.Site) {
	t.Helper()
	for range 2 {
		if out, err := replay(t, dir).CombinedOutput(); err != nil || !strings.Contains(string(out), fmt.Sprintf("%d already_stored", refused)) {
			t.Errorf("%v: %s", err, out)
		}
	}
	if got := ask(t, s, "SELECT COUNT(*), COUNT(DISTINCT message_id) FROM `demo.iot.temperature`"); got != fmt.Sprintf("%d,%d", refused, refused) {
		t.Errorf("rows and ids: %s, want %d each", got, refused)
	}
}

func replay(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), program(t), "quarantine", "replay", "--local", dir)
}

// into matches appends to a table. Only a stream's first request names it, and here
// each stream has one.
func into(table string) func(any) bool {
	return func(req any) bool {
		r, ok := req.(*storagepb.AppendRowsRequest)
		return ok && strings.HasSuffix(r.GetWriteStream(), "/tables/"+table+"/streams/_default")
	}
}

// quarantined serves a cloud whose quarantine has messages that are good today.
func quarantined(t *testing.T, faults *fault.Injector) (dir string, s *site.Site) {
	t.Helper()
	dir = t.TempDir()
	cloud, err := localcloud.Open(t.Context(), localcloud.Options{Dir: dir, Ephemeral: true, Faults: faults})
	if err != nil {
		t.Fatal(err)
	}
	p := start(t.Context(), cloud.Run, nil)
	t.Cleanup(func() {
		if err := p.end(); err != nil {
			t.Error(err)
		}
	})
	s = siteOf(cloud)
	if err := prepare(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(dir); err != nil {
		t.Fatal(err)
	}
	refuse(t, s)
	return dir, s
}

// refuse puts messages into the quarantine as a worker with narrower bounds did.
func refuse(t *testing.T, s *site.Site) {
	t.Helper()
	table, err := schema.Builtin("quarantine")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := table.Compile()
	if err != nil {
		t.Fatal(err)
	}
	id, err := bigquery.ParseTableID(s.QuarantineTable)
	if err != nil {
		t.Fatal(err)
	}
	sink, err := bigquery.NewSink(id, table, bigquery.Settings{Endpoint: bigquery.Endpoint{REST: s.BigQuery, Storage: s.BigQueryStorage}})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close(t.Context())
	var rows [][]byte
	for i := range refused {
		m := &schema.Message{
			ID: fmt.Appendf(nil, "%d", 1000+i), PublishTime: time.Now().UnixMicro(),
			Attributes: []schema.Attribute{{Key: []byte(schema.AttrDeviceID), Value: []byte("device1")}},
			Data:       fmt.Appendf(nil, `{"timestamp":1700000000,"temperature":%d}`, 90+i),
		}
		rows = append(rows, plan.AppendRejected(nil, m, &schema.Verdict{
			Rejection: schema.NewRejection(schema.ValueOutOfRange, "temperature"), Now: time.Now().UnixMicro(), Subscription: s.Subscription,
		}))
	}
	rows = append(rows, rows[0]) // delivered, and refused, twice
	if err := sink.Append(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
}

func ask(t *testing.T, s *site.Site, sql string) string {
	t.Helper()
	client, err := s.OpenBigQuery(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	got, err := rowsOf(client, sql)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// until waits for a condition that another process brings about.
func until(t *testing.T, met func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for !met() {
		select {
		case <-tick.C:
		case <-late.Done():
			t.Fatal("it did not come about")
		}
	}
}
