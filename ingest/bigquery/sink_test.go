package bigquery

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/protobuf/types/descriptorpb"
)

func TestAppendStoresRows(t *testing.T) {
	s := newServer(t)
	sink := newSink(t, s, Settings{Version: "1.2.3"})
	want := rows(3)
	if err := sink.Append(context.Background(), want); err != nil {
		t.Fatal(err)
	}
	got := s.rows()
	if len(got) != 3 || !bytes.Equal(got[2], want[2]) {
		t.Errorf("stored %q, want %q", got, want)
	}
	if name := s.first.GetWriteStream(); name != "projects/p/datasets/d/tables/t/streams/_default" {
		t.Errorf("stream %q", name)
	}
	if trace := s.first.GetTraceId(); !bytes.HasSuffix([]byte(trace), []byte("iotbridge:1.2.3")) {
		t.Errorf("trace id %q", trace)
	}
	fields := s.first.GetProtoRows().GetWriterSchema().GetProtoDescriptor().GetField()
	if len(fields) != 3 || fields[0].GetLabel() != descriptorpb.FieldDescriptorProto_LABEL_REQUIRED ||
		fields[2].GetName() != "at" || fields[2].GetNumber() != 3 || fields[2].GetType() != descriptorpb.FieldDescriptorProto_TYPE_INT64 {
		t.Errorf("descriptor %v", fields)
	}
}

func TestAppendEndsWithItsContext(t *testing.T) {
	s := newServer(t)
	arrived := make(chan struct{})
	s.do(func(call int, _ *storagepb.AppendRowsRequest) step {
		if call == 1 {
			close(arrived)
			return step{hang: true}
		}
		return step{}
	})
	sink := newSink(t, s, Settings{Timeout: time.Hour, Watchdog: time.Hour})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-arrived
		cancel()
	}()
	if err := sink.Append(ctx, rows(2)); kind(err) != "unknown" || !errors.Is(err, context.Canceled) {
		t.Errorf("ended after it was sent: %v", err)
	}
	if err := sink.Append(ctx, rows(2)); kind(err) != "unknown" {
		t.Errorf("ended before: %v", err)
	}
	if err := sink.Append(context.Background(), rows(2)); err != nil {
		t.Error(err)
	}
}

func TestNothingIsOpenedBeforeTheFirstRow(t *testing.T) {
	s := newServer(t)
	sink := newSink(t, s, Settings{})
	if err := sink.Append(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if calls, opens, gets := s.counts(); calls+opens+gets != 0 {
		t.Errorf("%d calls, %d streams, %d looks at the table", calls, opens, gets)
	}
}
