package bigquery

import (
	"context"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"iotbridge/localcloud/fault"
)

// writeService is the Storage Write service on default streams.
type writeService struct {
	storagepb.UnimplementedBigQueryWriteServer
	*Server
}

// GetWriteStream describes a table's default stream.
func (s writeService) GetWriteStream(ctx context.Context, req *storagepb.GetWriteStreamRequest) (*storagepb.WriteStream, error) {
	if err := struck(ctx, s.faults.Next(ctx, "GetWriteStream", req)); err != nil {
		return nil, err
	}
	name, err := parseStream(req.GetName())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	t := s.catalog.table(name)
	if t == nil {
		return nil, tableNotFound(name).Err()
	}
	if t.isView() {
		return nil, status.Errorf(codes.InvalidArgument, "%s is a view, rows go into tables", name)
	}
	out := &storagepb.WriteStream{
		Name:       name.path() + "/streams/_default",
		Type:       storagepb.WriteStream_COMMITTED,
		WriteMode:  storagepb.WriteStream_INSERT,
		CreateTime: timestamppb.New(time.UnixMilli(t.resource.CreationTime)),
		Location:   s.location,
	}
	if req.GetView() == storagepb.WriteStreamView_FULL {
		out.TableSchema = t.writeSchema()
	}
	return out, nil
}

// maxWaiting is how many requests of one stream are worked on at a time.
const maxWaiting = 16

// AppendRows takes requests as they come and answers in their order. What concerns a request
// is answered in band; what concerns the stream ends it.
func (s writeService) AppendRows(stream storagepb.BigQueryWrite_AppendRowsServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	if err := struck(ctx, s.faults.Next(ctx, "AppendRows.open", nil)); err != nil {
		return err
	}
	answers := make(chan (<-chan answer), maxWaiting)
	received := make(chan error, 1)
	go func() {
		defer close(answers)
		received <- s.receive(ctx, stream, answers)
	}()
	if err := send(stream, answers); err != nil {
		return err // receive ends with the stream, which ends with this return
	}
	return <-received
}

// struck is the error of a call that meets a rule before it does anything.
func struck(ctx context.Context, rule *fault.Rule) error {
	switch {
	case rule == nil:
		return nil
	case rule.Hang:
		return status.FromContextError(ctx.Err()).Err()
	}
	return rule.Err
}

// send answers in order until a request ends the stream or all are answered.
func send(stream storagepb.BigQueryWrite_AppendRowsServer, answers <-chan (<-chan answer)) error {
	for next := range answers {
		a := <-next
		if a.err != nil {
			return a.err
		}
		if a.resp == nil {
			continue // lost
		}
		if err := stream.Send(a.resp); err != nil {
			return err
		}
	}
	return nil
}
