package bigquery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/ingest"
)

// maxDetail bounds what is kept of the service's words, in bytes.
const maxDetail = 256

// errNoVerdict is an answer that says neither yes nor no.
var errNoVerdict = errors.New("the answer has neither a result nor an error")

// answer is what came back for one append. An error without a response ended the
// whole stream; one beside a response is about this append alone.
type answer struct {
	resp *storagepb.AppendRowsResponse
	err  error
}

// code is the answer's gRPC code, the metric's label.
func (a answer) code() codes.Code {
	switch {
	case errors.Is(a.err, io.EOF):
		return codes.Unavailable
	case errors.Is(a.err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	case errors.Is(a.err, context.Canceled):
		return codes.Canceled
	case a.err == nil && a.resp.GetAppendResult() == nil:
		return codes.Unknown
	}
	return status.Code(a.err)
}

// idled tells whether the stream had ended before the append came: the service ends
// one that idles for 10 minutes.
func (a answer) idled(sent bool) bool {
	if !sent {
		return errors.Is(a.err, io.EOF)
	}
	return status.Code(a.err) == codes.Aborted && strings.Contains(a.err.Error(), "inactive")
}

// verdict sorts an answer to an append of n rows into what ingest.Sink promises.
// The sources are the comments of AppendRowsResponse and StorageError.
func (a answer) verdict(id TableID, n int) error {
	if named := rowErrors(a.resp.GetRowErrors(), n); named != nil { // an error stands beside them; they say more
		return named
	}
	if a.err == nil {
		if a.resp.GetAppendResult() == nil {
			return fmt.Errorf("append to %s: %w", id, errNoVerdict)
		}
		return nil
	}
	if len(a.resp.GetRowErrors()) > 0 { // not all of them are rows that we sent
		return &ingest.Refused{Detail: printable(a.err)}
	}
	switch code := storageCode(a.err); code {
	case storagepb.StorageError_STORAGE_ERROR_CODE_UNSPECIFIED:
	case storagepb.StorageError_OFFSET_ALREADY_EXISTS:
		return nil // stored by an earlier try
	case storagepb.StorageError_TABLE_NOT_FOUND:
		return missing(id, a.err)
	case storagepb.StorageError_SCHEMA_MISMATCH_EXTRA_FIELDS:
		return drift(id, printable(a.err))
	case storagepb.StorageError_CMEK_NOT_PROVIDED, storagepb.StorageError_INVALID_CMEK_PROVIDED,
		storagepb.StorageError_CMEK_ENCRYPTION_ERROR, storagepb.StorageError_KMS_PERMISSION_DENIED:
		return &ingest.Held{Cause: ingest.Permission, Detail: fmt.Sprintf(
			"table %s: its encryption key cannot be used (%s); check the key and the grant of BigQuery's service account on it: %s", id, code, printable(a.err))}
	case storagepb.StorageError_KMS_SERVICE_ERROR:
		return unavailable(id, a.err)
	default: // a stream's state, or an offset: another stream will do
		return fmt.Errorf("append to %s: %s: %w", id, code, a.err)
	}
	switch a.code() {
	case codes.InvalidArgument:
		return &ingest.Refused{Detail: printable(a.err)}
	case codes.NotFound:
		return missing(id, a.err)
	case codes.PermissionDenied, codes.Unauthenticated:
		return denied(id, a.err)
	case codes.ResourceExhausted:
		if strings.Contains(a.err.Error(), "larger than max") { // gRPC's own words for a message too long
			return &ingest.Refused{Detail: printable(a.err)}
		}
		return quota(id, a.err)
	case codes.Unavailable:
		if strings.Contains(a.err.Error(), "Task is overloaded") {
			return quota(id, a.err)
		}
	case codes.AlreadyExists:
		if a.resp != nil { // the proto: "this error can be ignored"
			return nil
		}
	}
	return fmt.Errorf("append to %s: %w", id, a.err)
}

// rowErrors are the rows that were refused by name; nil when none was, or when the
// list names another row than the n of the request and so cannot be trusted.
func rowErrors(errs []*storagepb.RowError, n int) error {
	rows := make([]ingest.RowError, len(errs))
	for i, e := range errs {
		if e.GetIndex() < 0 || e.GetIndex() >= int64(n) {
			return nil
		}
		rows[i] = ingest.RowError{Index: int(e.GetIndex()), Detail: clean(e.GetMessage())}
	}
	if len(rows) == 0 {
		return nil
	}
	return &ingest.RowErrors{Rows: rows}
}

// notOpened says why no stream could be opened: nothing was sent.
func notOpened(id TableID, err error) error {
	var held *ingest.Held
	if errors.As(err, &held) {
		return held
	}
	switch a := (answer{err: err}); {
	case storageCode(err) == storagepb.StorageError_TABLE_NOT_FOUND, a.code() == codes.NotFound:
		return missing(id, err)
	case a.code() == codes.PermissionDenied, a.code() == codes.Unauthenticated, strings.Contains(err.Error(), "could not find default credentials"):
		return denied(id, err)
	case a.code() == codes.ResourceExhausted:
		return quota(id, err)
	}
	return unavailable(id, err)
}

func missing(id TableID, err error) error {
	return &ingest.Held{Cause: ingest.Missing, Detail: fmt.Sprintf(
		"table %s is not there; create it or run with --create-tables: %s", id, printable(err))}
}

func denied(id TableID, err error) error {
	return &ingest.Held{Cause: ingest.Permission, Detail: fmt.Sprintf(
		"table %s cannot be written: grant bigquery.tables.updateData and bigquery.tables.get on it (roles/bigquery.dataEditor), or renew the credentials: %s", id, printable(err))}
}

func drift(id TableID, detail string) error {
	return &ingest.Held{Cause: ingest.Drift, Detail: fmt.Sprintf("table %s does not contain our schema; alter the table or --schema: %s", id, detail)}
}

func quota(id TableID, err error) error {
	return &ingest.Held{Cause: ingest.Quota, Detail: fmt.Sprintf("table %s: the service asks for less; it is retried at a lower rate: %s", id, printable(err))}
}

func unavailable(id TableID, err error) error {
	return &ingest.Held{Cause: ingest.Unavailable, Detail: fmt.Sprintf("table %s cannot be reached; it is retried: %s", id, printable(err))}
}

// storageCode is the error's detail, or unspecified.
func storageCode(err error) storagepb.StorageError_StorageErrorCode {
	if s, ok := status.FromError(err); ok {
		for _, d := range s.Details() {
			if e, ok := d.(*storagepb.StorageError); ok {
				return e.GetCode()
			}
		}
	}
	return storagepb.StorageError_STORAGE_ERROR_CODE_UNSPECIFIED
}

func printable(err error) string {
	if s, ok := status.FromError(err); ok {
		return clean(s.Code().String() + ": " + s.Message())
	}
	return clean(err.Error())
}

// clean keeps at most maxDetail bytes of printable ASCII.
func clean(s string) string {
	if len(s) > maxDetail {
		s = s[:maxDetail]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
