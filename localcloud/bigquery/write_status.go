package bigquery

import (
	"errors"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxRequest is the bound of one AppendRows request, serialized.
const maxRequest = 10_485_760

// maxRowErrors bounds how many bad rows an answer names: the service warns that its
// list may not be complete, and so may ours.
const maxRowErrors = 1000

// rowErrorsText is what the service says beside row_errors.
const rowErrorsText = "Errors found while processing rows. Please refer to the row_errors field for details. " +
	"The list may not be complete because of the size limitations."

// schemaMismatch is a writer schema that does not fit the table: no row's fault.
type schemaMismatch struct {
	text  string
	extra bool // the one kind that has a code of its own
}

func (e *schemaMismatch) Error() string { return e.text }

// storageStatus is a status with a StorageError in its details.
func storageStatus(code codes.Code, kind storagepb.StorageError_StorageErrorCode, entity, text string) *status.Status {
	st := status.New(code, text+" Entity: "+entity)
	detailed, err := st.WithDetails(&storagepb.StorageError{Code: kind, Entity: entity, ErrorMessage: text})
	if err != nil {
		return st
	}
	return detailed
}

func tableNotFound(n tableName) *status.Status {
	return storageStatus(codes.NotFound, storagepb.StorageError_TABLE_NOT_FOUND, n.path(),
		"Requested entity was not found: Table "+n.String()+" does not exist.")
}

// statusOf is the in-band answer to a request that failed.
func statusOf(err error, entity string) *status.Status {
	var mismatch *schemaMismatch
	if errors.As(err, &mismatch) {
		kind := storagepb.StorageError_STORAGE_ERROR_CODE_UNSPECIFIED
		if mismatch.extra {
			kind = storagepb.StorageError_SCHEMA_MISMATCH_EXTRA_FIELDS
		}
		return storageStatus(codes.InvalidArgument, kind, entity, mismatch.text)
	}
	return status.Convert(err)
}

// appended, refused and rowsRefused are the three answers to a request.
func appended(stream string) *storagepb.AppendRowsResponse {
	return &storagepb.AppendRowsResponse{
		WriteStream: stream,
		Response:    &storagepb.AppendRowsResponse_AppendResult_{AppendResult: &storagepb.AppendRowsResponse_AppendResult{}},
	}
}

func refused(stream string, st *spb.Status) *storagepb.AppendRowsResponse {
	return &storagepb.AppendRowsResponse{WriteStream: stream, Response: &storagepb.AppendRowsResponse_Error{Error: st}}
}

func rowsRefused(stream, entity string, rows []*storagepb.RowError) *storagepb.AppendRowsResponse {
	r := refused(stream, status.New(codes.InvalidArgument, rowErrorsText+" Entity: "+entity).Proto())
	r.RowErrors = rows
	return r
}
