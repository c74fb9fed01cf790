package bigquery

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	bqclient "cloud.google.com/go/bigquery"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"iotbridge/localcloud/bigquery/conformance"
)

// TestChild is no test: it is the process that TestKill9 kills.
func TestChild(t *testing.T) {
	file := os.Getenv("BIGQUERY_TEST_FILE")
	if file == "" {
		t.Skip("only run by TestKill9")
	}
	_, h := serve(t, file, Options{})
	fmt.Printf("serving %s %s\n", h.Endpoints[0], h.Endpoints[1])
	select {}
}

// A kill −9 in the midst of appends loses no row that was confirmed.
func TestKill9(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bigquery.db")
	confirmed := map[string]bool{}
	for round := range 5 {
		child := exec.Command(os.Args[0], "-test.run=^TestChild$")
		child.Env = append(os.Environ(), "BIGQUERY_TEST_FILE="+file)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		var rest, write string
		for lines := bufio.NewScanner(out); write == "" && lines.Scan(); {
			fmt.Sscanf(lines.Text(), "serving %s %s", &rest, &write)
		}
		if write == "" {
			t.Fatal("the child does not serve")
		}
		for _, id := range appendUntilKilled(t, round, harnessAt(rest, write), func() { child.Process.Kill() }) {
			confirmed[id] = true
		}
		child.Wait() // it was killed
	}
	s, err := Open(file, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rows := 0
	for row, err := range s.Rows(context.Background(), idTable) {
		if err != nil {
			t.Fatal(err)
		}
		delete(confirmed, row[0].(string))
		rows++
	}
	n, err := s.Count(context.Background(), idTable)
	if len(confirmed) > 0 || err != nil || int(n) != rows {
		t.Errorf("%d confirmed rows are lost; %d rows, counted %d, %v", len(confirmed), rows, n, err)
	}
	t.Logf("%d rows after 5 kills", rows)
}

// appendUntilKilled appends on four streams, kills after a hundred confirmations and returns
// what was confirmed.
func appendUntilKilled(t *testing.T, round int, h conformance.Harness, kill func()) (confirmed []string) {
	ctx := testContext(t)
	b := &bench{Harness: h}
	b.connect(ctx, t)
	if round == 0 {
		if err := errors.Join(b.rest.Dataset("d").Create(ctx, nil),
			b.rest.Dataset("d").Table("t").Create(ctx, &bqclient.TableMetadata{Schema: bqclient.Schema{{Name: "id", Type: "STRING"}}})); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	var writers sync.WaitGroup
	for w := range 4 {
		ms := b.stream(ctx, t)
		writers.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprint(round, "-", w, "-", i)
				r, err := ms.AppendRows(ctx, ids(id))
				if err == nil {
					_, err = r.GetResult(ctx)
				}
				if err != nil {
					return
				}
				mu.Lock()
				confirmed = append(confirmed, id)
				if len(confirmed) == 100 {
					kill()
				}
				mu.Unlock()
			}
		})
	}
	writers.Wait()
	if len(confirmed) < 100 {
		t.Fatalf("only %d appends before the kill", len(confirmed))
	}
	return confirmed
}

func harnessAt(rest, write string) conformance.Harness {
	return conformance.Harness{
		Project: "demo", Local: true, Endpoints: [2]string{rest, write},
		REST: []option.ClientOption{option.WithEndpoint(rest + "/bigquery/v2/"), option.WithoutAuthentication()},
		Write: []option.ClientOption{
			option.WithEndpoint(write), option.WithoutAuthentication(),
			option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		},
	}
}

func TestReopen(t *testing.T) {
	ctx := testContext(t)
	file := filepath.Join(t.TempDir(), "with space?#%.db")
	s, err := Open(file, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second Open: %v, want ErrLocked", err)
	}
	h := serveOpen(t, s)
	b := &bench{Server: s, Harness: h}
	b.connect(ctx, t)
	if err := errors.Join(b.rest.Dataset("d").Create(ctx, nil),
		b.rest.Dataset("d").Table("t").Create(ctx, &bqclient.TableMetadata{Schema: bqclient.Schema{{Name: "id", Type: "STRING"}}}),
		b.rest.Dataset("d").Table("v").Create(ctx, &bqclient.TableMetadata{ViewQuery: "SELECT COUNT(*) AS n FROM d.t"})); err != nil {
		t.Fatal(err)
	}
	r, err := b.stream(ctx, t).AppendRows(ctx, ids("x", "y"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.GetResult(ctx); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.commits.checkpoint("TRUNCATE"), s.Close()); err != nil {
		t.Fatal(err)
	}
	if files, err := os.ReadDir(filepath.Dir(file)); err != nil || len(files) != 2 {
		t.Errorf("files %v, %v: want the database and its lock", files, err)
	}

	if s, err = Open(file, Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	again := &bench{Server: s, Harness: serveOpen(t, s)}
	again.connect(ctx, t)
	it, err := again.rest.Query("SELECT n FROM d.v").Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var row struct{ N int64 }
	if err := it.Next(&row); err != nil || row.N != 2 {
		t.Errorf("%+v, %v: want 2 rows", row, err)
	}
}

// A full disk makes appends UNAVAILABLE, and nothing else is needed than room.
func TestDiskFull(t *testing.T) {
	ctx := testContext(t)
	b := newBench(t)
	limit := func(pages int) {
		b.commits.turn.Lock()
		defer b.commits.turn.Unlock()
		if err := b.store.writer.exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // SQLite takes the size that the file has
	ms := b.stream(ctx, t)
	add := func(n int) error {
		r, err := ms.AppendRows(ctx, ids(strings.Repeat("x", n)))
		if err != nil {
			return err
		}
		_, err = r.GetResult(ctx)
		return err
	}
	err := add(100_000)
	if st := grpcStatus(err); st.Code() != codes.Unavailable || !strings.Contains(st.Message(), "disk is full") {
		t.Errorf("error %v, want UNAVAILABLE that says why", err)
	}
	limit(1 << 30)
	if err := add(100_000); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if n, err := b.Count(ctx, idTable); n != 1 || err != nil {
		t.Errorf("%d rows, %v: want 1", n, err)
	}
}

// Another program that keeps a transaction open makes appends UNAVAILABLE.
func TestFileLockedByAnotherProgram(t *testing.T) {
	ctx := testContext(t)
	b := newBench(t)
	other, err := openWriter(b.store.uri)
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	b.commits.turn.Lock()
	err = errors.Join(b.store.writer.exec("PRAGMA busy_timeout = 50"), other.exec("BEGIN IMMEDIATE"))
	b.commits.turn.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	ms := b.stream(ctx, t)
	add := func() error {
		r, err := ms.AppendRows(ctx, ids("x"))
		if err == nil {
			_, err = r.GetResult(ctx)
		}
		return err
	}
	if st := grpcStatus(add()); st.Code() != codes.Unavailable || !strings.Contains(st.Message(), "locked") {
		t.Errorf("status %v, want UNAVAILABLE that says why", st)
	}
	if err := other.exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := add(); err != nil {
		t.Error(err)
	}
}

// grpcStatus finds the status in what the stock client makes of it.
func grpcStatus(err error) *status.Status {
	var e interface{ GRPCStatus() *status.Status }
	if errors.As(err, &e) {
		return e.GRPCStatus()
	}
	return status.Convert(err)
}
