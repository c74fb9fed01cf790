package bigquery

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	bqclient "cloud.google.com/go/bigquery"
	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"cloud.google.com/go/bigquery/storage/managedwriter"
	"google.golang.org/api/googleapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/localcloud/fault"
)

func TestFaultsOfAppendRows(t *testing.T) {
	lost := status.Error(codes.Unavailable, "try again")
	for name, c := range map[string]struct {
		rule   fault.Rule
		code   codes.Code
		stored string
	}{
		"before":        {fault.Rule{Err: lost}, codes.Unavailable, "after"},
		"B47 after":     {fault.Rule{Err: lost, After: true}, codes.Unavailable, "first after"},
		"cut":           {fault.Rule{Err: lost, Cut: true}, codes.Unavailable, "after"},
		"cut after":     {fault.Rule{Cut: true, After: true}, codes.Aborted, "first after"},
		"B55 quota":     {fault.Rule{Err: status.Error(codes.ResourceExhausted, "quota")}, codes.ResourceExhausted, "after"},
		"B50 row error": {fault.Rule{RowErrors: func([][]byte) []int { return []int{0} }}, codes.InvalidArgument, "after"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := testContext(t)
			b := newBench(t)
			c.rule.Method, c.rule.Times = "AppendRows", 1
			h := b.faults.Add(c.rule)
			r, err := b.stream(ctx, t).AppendRows(ctx, ids("first"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := r.FullResponse(ctx)
			if status.Code(errors.Unwrap(err)) != c.code && status.Code(err) != c.code {
				t.Errorf("error %v, want %v", err, c.code)
			}
			if want := c.rule.RowErrors != nil; (len(resp.GetRowErrors()) == 1) != want {
				t.Errorf("row errors %v, wanted: %v", resp.GetRowErrors(), want)
			}
			if h.Fired() != 1 {
				t.Errorf("the fault struck %d times, want once", h.Fired())
			}
			if r, err = b.stream(ctx, t).AppendRows(ctx, ids("after")); err != nil {
				t.Fatal(err)
			}
			if _, err := r.GetResult(ctx); err != nil {
				t.Fatal(err)
			}
			if got := b.stored(ctx, t); got != c.stored {
				t.Errorf("stored %q, want %q", got, c.stored)
			}
		})
	}
}

// A response that is lost without a word leaves the client waiting.
func TestB58_ResponseLost(t *testing.T) {
	ctx := testContext(t)
	b := newBench(t)
	h := b.faults.Add(fault.Rule{Method: "AppendRows", After: true, Times: 1})
	r, err := b.stream(ctx, t).AppendRows(ctx, ids("x"))
	if err != nil {
		t.Fatal(err)
	}
	for ctx.Err() == nil && b.stored(ctx, t) == "" {
	}
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if _, err := r.GetResult(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want no answer at all", err)
	}
	if got := b.stored(ctx, t); got != "x" || h.Fired() != 1 {
		t.Errorf("stored %q after %d faults, want x after one", got, h.Fired())
	}
}

func TestReconnectAfterCut(t *testing.T) {
	ctx := testContext(t)
	b := newBench(t)
	h := b.faults.Add(fault.Rule{Method: "AppendRows", From: 3, Times: 2, Every: 4, Err: status.Error(codes.Aborted, "moved"), Cut: true})
	ms := b.stream(ctx, t, managedwriter.EnableWriteRetries(true))
	var results []*managedwriter.AppendResult
	for i := range 10 {
		r, err := ms.AppendRows(ctx, ids(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	for i, r := range results {
		if _, err := r.GetResult(ctx); err != nil {
			t.Errorf("append %d: %v", i, err)
		}
	}
	if h.Fired() == 0 {
		t.Error("the fault never struck")
	}
	have := map[string]bool{}
	for row, err := range b.Rows(ctx, idTable) {
		if err != nil {
			t.Fatal(err)
		}
		have[row[0].(string)] = true
	}
	if len(have) != 10 {
		t.Errorf("%d of 10 rows are there", len(have))
	}
}

// A slow request delays the answers after it, and not the work.
func TestDelaysOverlap(t *testing.T) {
	ctx := testContext(t)
	b := newBench(t)
	const delay = 2 * time.Second
	b.faults.Add(fault.Rule{Method: "AppendRows", Delay: delay})
	ms := b.stream(ctx, t)
	start := time.Now()
	var results []*managedwriter.AppendResult
	for range maxWaiting {
		r, err := ms.AppendRows(ctx, ids("x"))
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	for _, r := range results {
		if _, err := r.GetResult(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if d := time.Since(start); d < delay || d > maxWaiting*delay/2 {
		t.Errorf("%d appends with %v each took %v", maxWaiting, delay, d)
	}
}

func TestFaultsOfOtherCalls(t *testing.T) {
	ctx := testContext(t)
	b := newBench(t)
	denied := b.faults.Add(fault.Rule{Method: "tables.get", Err: status.Error(codes.PermissionDenied, "no bigquery.tables.get")})
	_, err := b.rest.Dataset("d").Table("t").Metadata(ctx)
	var e *googleapi.Error
	if !errors.As(err, &e) || e.Code != 403 || e.Errors[0].Reason != "accessDenied" {
		t.Errorf("error %v, want 403 accessDenied", err)
	}
	denied.Remove()
	if _, err := b.rest.Dataset("d").Table("t").Metadata(ctx); err != nil {
		t.Error(err)
	}

	made := b.faults.Add(fault.Rule{Method: "tables.insert", After: true, Err: status.Error(codes.Internal, "who knows"), Times: 1})
	err = b.rest.Dataset("d").Table("u").Create(ctx, &bqclient.TableMetadata{Schema: bqclient.Schema{{Name: "id", Type: "STRING"}}})
	if _, gone := b.rest.Dataset("d").Table("u").Metadata(ctx); err == nil || gone != nil || made.Fired() != 1 {
		t.Errorf("error %v, table %v: want an error, and the table all the same", err, gone)
	}

	b.faults.Add(fault.Rule{Method: "jobs.query", Cut: true, Times: 1})
	if _, err := b.rest.Query("SELECT 1").Read(ctx); err == nil {
		t.Error("jobs.query: want a broken connection")
	}
	if _, err := b.rest.Query("SELECT 1").Read(ctx); err != nil {
		t.Error(err)
	}

	b.faults.Add(fault.Rule{Method: "GetWriteStream", Err: status.Error(codes.PermissionDenied, "no"), Times: 1})
	get := &storagepb.GetWriteStreamRequest{Name: "projects/demo/datasets/d/tables/t/streams/_default"}
	if _, err := b.write.GetWriteStream(ctx, get); err == nil {
		t.Error("GetWriteStream: want an error")
	}
	asking, giveUp := context.WithCancel(ctx)
	b.faults.Add(fault.Rule{Method: "GetWriteStream", Hang: true, Times: 1, Match: func(any) bool { giveUp(); return true }})
	if _, err := b.write.GetWriteStream(asking, get); err == nil {
		t.Error("GetWriteStream: want no answer")
	}
	open := b.faults.Add(fault.Rule{Method: "AppendRows.open", Err: status.Error(codes.PermissionDenied, "no"), Times: 1})
	if r, err := b.stream(ctx, t).AppendRows(ctx, ids("x")); err == nil {
		if _, err = r.GetResult(ctx); err == nil {
			t.Error("AppendRows: want an error")
		}
	}
	if open.Fired() != 1 {
		t.Errorf("AppendRows.open struck %d times", open.Fired())
	}
}
