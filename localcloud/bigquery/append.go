package bigquery

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"iotbridge/localcloud/fault"
)

// answer is what becomes of one request: a response, none (lost), or the stream's end.
type answer struct {
	resp *storagepb.AppendRowsResponse
	err  error
}

// appendStream is what one stream remembers between its requests.
type appendStream struct {
	*Server
	asked      string // the stream's name, as the client spelled it
	name       tableName
	descriptor *descriptorpb.DescriptorProto
	known      *table // whose schema the writer knows of
}

// receive reads requests until the client is done, the stream breaks, or it misbehaves.
// Requests that fit are worked on side by side: a slow one delays answers, not work.
func (s writeService) receive(ctx context.Context, stream storagepb.BigQueryWrite_AppendRowsServer, answers chan<- (<-chan answer)) error {
	st := &appendStream{Server: s.Server}
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		next := make(chan answer, 1)
		select {
		case answers <- next:
		case <-ctx.Done():
			return ctx.Err()
		}
		job, err := st.open(req)
		if err != nil {
			next <- answer{err: err}
			return nil //nolint:nilerr // it is the stream's last answer
		}
		go func() { next <- job.serve(ctx, s.faults) }()
	}
}

// request is one AppendRows request and what its stream knew when it came.
type request struct {
	appendStream
	req *storagepb.AppendRowsRequest
}

// open takes from a request what holds for those that follow. Its errors end the stream.
func (st *appendStream) open(req *storagepb.AppendRowsRequest) (*request, error) {
	if name := req.GetWriteStream(); name != "" && name != st.asked {
		n, err := parseStream(name)
		if err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
		st.asked, st.name, st.known = name, n, nil
	}
	if st.asked == "" {
		return nil, status.Error(codes.InvalidArgument, "the first request of a stream must name write_stream")
	}
	t := st.catalog.table(st.name)
	if t == nil {
		return nil, tableNotFound(st.name).Err()
	}
	if t.isView() {
		return nil, status.Errorf(codes.InvalidArgument, "%s is a view, rows go into tables", st.name)
	}
	if st.known == nil {
		st.known = t
	}
	if d := req.GetProtoRows().GetWriterSchema().GetProtoDescriptor(); d != nil {
		st.descriptor = d
	}
	switch {
	case req.GetOffset() != nil:
		return nil, status.Error(codes.InvalidArgument, "offset must not be set on the default stream")
	case req.GetArrowRows() != nil:
		return nil, status.Error(codes.Unimplemented, "the local BigQuery takes protobuf rows, not Arrow")
	case st.descriptor == nil:
		return nil, status.Error(codes.InvalidArgument, "the first request of a stream must have a writer_schema")
	}
	job := &request{*st, req}
	st.known = t
	return job, nil
}

// serve does the work, unless a fault is to come in its place or after it.
func (r *request) serve(ctx context.Context, faults *fault.Injector) answer {
	rule := faults.Next(ctx, "AppendRows", r.req)
	if rule == nil {
		return r.answer(nil)
	}
	if rule.Hang {
		return answer{err: status.FromContextError(ctx.Err()).Err()}
	}
	if rule.RowErrors != nil {
		return r.answer(rule.RowErrors(r.req.GetProtoRows().GetRows().GetSerializedRows()))
	}
	if rule.After {
		if a := r.answer(nil); a.resp.GetError() != nil {
			return a // nothing was stored that an answer could be lost of
		}
	} else if rule.Err == nil && !rule.Cut {
		return r.answer(nil) // it was only slow
	}
	switch {
	case rule.Cut:
		if rule.Err == nil {
			return answer{err: status.Error(codes.Aborted, "the connection was cut")}
		}
		return answer{err: rule.Err}
	case rule.Err != nil:
		return answer{resp: refused(r.asked, status.Convert(rule.Err).Proto())}
	}
	return answer{}
}

// answer stores the request's rows, all or none; those in bad are refused whatever they are.
func (r *request) answer(bad []int) answer {
	entity := r.name.path() + "/streams/_default"
	if n := proto.Size(r.req); n > maxRequest {
		return answer{resp: refused(r.asked, status.Newf(codes.InvalidArgument, "AppendRows request too large: %d limit %d", n, maxRequest).Proto())}
	}
	for {
		t := r.catalog.table(r.name)
		if t == nil {
			return answer{err: tableNotFound(r.name).Err()}
		}
		rowErrors, err := r.store(t, bad)
		switch {
		case errors.Is(err, errGone):
			continue // the table was changed meanwhile: decode for what it is now
		case err != nil:
			return answer{resp: refused(r.asked, statusOf(err, entity).Proto())}
		case len(rowErrors) > 0:
			return answer{resp: rowsRefused(r.asked, entity, rowErrors)}
		}
		resp := appended(r.asked)
		if t != r.known && len(t.columns) != len(r.known.columns) {
			resp.UpdatedSchema = t.writeSchema()
		}
		return answer{resp: resp}
	}
}

// store decodes and commits. Row errors and an error both mean that nothing is stored.
func (r *request) store(t *table, bad []int) ([]*storagepb.RowError, error) {
	dec, err := newDecoder(t, r.descriptor)
	if err != nil {
		return nil, err
	}
	rows := r.req.GetProtoRows().GetRows().GetSerializedRows()
	width := len(t.columns)
	values := make([]driver.Value, width*len(rows))
	var faults []*storagepb.RowError
	refuse := func(i int, text string) {
		if len(faults) < maxRowErrors {
			faults = append(faults, &storagepb.RowError{Index: int64(i), Code: storagepb.RowError_FIELDS_ERROR, Message: text})
		}
	}
	for _, i := range bad {
		refuse(i, "The row was refused by a test")
	}
	for i, row := range rows {
		if err := dec.decode(row, values[i*width:(i+1)*width]); err != nil {
			refuse(i, err.Error())
		}
	}
	if len(faults) > 0 || len(rows) == 0 {
		return faults, nil
	}
	return nil, r.commits.commit(&insert{table: t, values: values, gone: func() bool { return r.catalog.table(r.name) != t }})
}
