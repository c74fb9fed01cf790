package bigquery

import (
	"bytes"
	"context"
	"testing"

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

func TestAppendGoesOnWhenTheCallerEnds(t *testing.T) {
	s := newServer(t)
	sink := newSink(t, s, Settings{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := sink.Append(ctx, rows(2)); err != nil {
		t.Fatal(err)
	}
	if n := len(s.rows()); n != 2 {
		t.Errorf("%d rows stored, want 2", n)
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
