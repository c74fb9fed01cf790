package bigquery

import (
	"context"
	"errors"
	"strings"
	"testing"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/ingest"
)

// kind names what an error tells the worker to do.
func kind(err error) string {
	var named *ingest.RowErrors
	var refused *ingest.Refused
	var held *ingest.Held
	switch {
	case err == nil:
		return "durable"
	case errors.As(err, &named):
		return "rows"
	case errors.As(err, &refused):
		return "refused"
	case errors.As(err, &held):
		return string(held.Cause)
	}
	return "unknown"
}

func appendOnce(t *testing.T, st step) error {
	t.Helper()
	s := newServer(t)
	s.do(func(int, *storagepb.AppendRowsRequest) step { return st })
	return newSink(t, s, Settings{}).Append(context.Background(), rows(4))
}

// Whether the rows are stored must not change what an answer is taken for.
func TestB55_EveryCode(t *testing.T) {
	want := [17][2]string{ // about the append; ending the stream
		codes.OK:                 {"unknown", "unknown"},
		codes.Canceled:           {"unknown", "unknown"},
		codes.Unknown:            {"unknown", "unknown"},
		codes.InvalidArgument:    {"refused", "refused"},
		codes.DeadlineExceeded:   {"unknown", "unknown"},
		codes.NotFound:           {"missing", "missing"},
		codes.AlreadyExists:      {"durable", "unknown"},
		codes.PermissionDenied:   {"permission", "permission"},
		codes.ResourceExhausted:  {"quota", "quota"},
		codes.FailedPrecondition: {"unknown", "unknown"},
		codes.Aborted:            {"unknown", "unknown"},
		codes.OutOfRange:         {"unknown", "unknown"},
		codes.Unimplemented:      {"unknown", "unknown"},
		codes.Internal:           {"unknown", "unknown"},
		codes.Unavailable:        {"unknown", "unknown"},
		codes.DataLoss:           {"unknown", "unknown"},
		codes.Unauthenticated:    {"permission", "permission"},
	}
	for c, want := range want {
		code := codes.Code(c)
		for _, apply := range []bool{false, true} {
			err := status.Error(code, "the service's words")
			reply := step{reply: inBand(err), apply: apply}
			if code == codes.OK {
				reply.reply = inBand(errors.New("")) // an error that says OK
				reply.reply.GetError().Code = 0
			}
			if got := kind(appendOnce(t, reply)); got != want[0] {
				t.Errorf("%v, answered, stored %v: %s, want %s", code, apply, got, want[0])
			}
			end := step{end: err, apply: apply}
			if code == codes.OK {
				end = step{reply: &storagepb.AppendRowsResponse{}, apply: apply}
			}
			if got := kind(appendOnce(t, end)); got != want[1] {
				t.Errorf("%v, stream ended, stored %v: %s, want %s", code, apply, got, want[1])
			}
		}
	}
}

func TestStorageErrors(t *testing.T) {
	want := map[storagepb.StorageError_StorageErrorCode]string{
		storagepb.StorageError_TABLE_NOT_FOUND:              "missing",
		storagepb.StorageError_STREAM_ALREADY_COMMITTED:     "unknown",
		storagepb.StorageError_STREAM_NOT_FOUND:             "unknown",
		storagepb.StorageError_INVALID_STREAM_TYPE:          "unknown",
		storagepb.StorageError_INVALID_STREAM_STATE:         "unknown",
		storagepb.StorageError_STREAM_FINALIZED:             "unknown",
		storagepb.StorageError_SCHEMA_MISMATCH_EXTRA_FIELDS: "schema",
		storagepb.StorageError_OFFSET_ALREADY_EXISTS:        "durable",
		storagepb.StorageError_OFFSET_OUT_OF_RANGE:          "unknown",
		storagepb.StorageError_CMEK_NOT_PROVIDED:            "permission",
		storagepb.StorageError_INVALID_CMEK_PROVIDED:        "permission",
		storagepb.StorageError_CMEK_ENCRYPTION_ERROR:        "permission",
		storagepb.StorageError_KMS_SERVICE_ERROR:            "unavailable",
		storagepb.StorageError_KMS_PERMISSION_DENIED:        "permission",
	}
	for code := range storagepb.StorageError_StorageErrorCode_name {
		detail := storagepb.StorageError_StorageErrorCode(code)
		if detail == storagepb.StorageError_STORAGE_ERROR_CODE_UNSPECIFIED {
			continue
		}
		err := storageError(codes.InvalidArgument, detail)
		if got := kind((answer{inBand(err), err}).verdict(testID, 4)); got != want[detail] {
			t.Errorf("%v: %s, want %q", detail, got, want[detail])
		}
	}
}

func TestB50_OnePoisonRow(t *testing.T) {
	invalid := status.Error(codes.InvalidArgument, "Errors found while processing rows")
	for name, c := range map[string]struct {
		rows []int64
		kind string
		want []int
	}{
		"one":        {[]int64{2}, "rows", []int{2}},
		"all":        {[]int64{0, 1, 2, 3}, "rows", []int{0, 1, 2, 3}},
		"none named": {nil, "refused", nil},
		"not ours":   {[]int64{4, -1, 1 << 40}, "refused", nil},
		"one of two": {[]int64{3, 9}, "refused", nil},
	} {
		err := appendOnce(t, step{reply: inBand(invalid, c.rows...)})
		if kind(err) != c.kind {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var named *ingest.RowErrors
		if !errors.As(err, &named) {
			continue
		}
		for i, row := range named.Rows {
			if row.Index != c.want[i] || row.Detail == "" {
				t.Errorf("%s: row %d is %+v, want index %d", name, i, row, c.want[i])
			}
		}
	}
}

func TestOverloadIsQuota(t *testing.T) {
	for text, want := range map[string]string{
		"Task is overloaded (memory-protection) go/tr-t.": "quota",
		"the service is currently unavailable":            "unknown",
	} {
		if got := kind(appendOnce(t, step{reply: inBand(status.Error(codes.Unavailable, text))})); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	tooLong := status.Error(codes.ResourceExhausted, "grpc: received message larger than max (9 vs. 4)")
	if got := kind(appendOnce(t, step{end: tooLong})); got != "refused" {
		t.Errorf("%v: %s", tooLong, got)
	}
}

func TestDetailsAreBoundedAndPrintable(t *testing.T) {
	words := strings.Repeat("\x1b[31mé\x00\n", 400)
	resp := inBand(status.Error(codes.InvalidArgument, words), 0)
	resp.RowErrors[0].Message = words
	a := answer{resp, status.ErrorProto(resp.GetError())}
	var named *ingest.RowErrors
	if !errors.As(a.verdict(testID, 1), &named) {
		t.Fatal("no row errors")
	}
	var refused *ingest.Refused
	if !errors.As((answer{inBand(a.err), a.err}).verdict(testID, 1), &refused) {
		t.Fatal("not refused")
	}
	for _, detail := range []string{named.Rows[0].Detail, refused.Detail} {
		if len(detail) > maxDetail || strings.ContainsFunc(detail, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%d bytes: %q", len(detail), detail)
		}
	}
}

func TestHoldsNameTableCauseAndCure(t *testing.T) {
	err := status.Error(codes.PermissionDenied, "no")
	text := (answer{inBand(err), err}).verdict(testID, 1).Error()
	for _, part := range []string{"p.d.t", "bigquery.tables.updateData", "PermissionDenied: no"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q lacks %q", text, part)
		}
	}
}
