package bigquery

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// apiError is an error as the REST service tells it
// (cloud.google.com/bigquery/docs/error-messages).
type apiError struct {
	code    int
	reason  string
	message string
}

func (e *apiError) Error() string { return e.message }

func notFound(kind, name string) error {
	return &apiError{404, "notFound", "Not found: " + kind + " " + name}
}

func duplicate(kind, name string) error {
	return &apiError{409, "duplicate", "Already Exists: " + kind + " " + name}
}

func invalid(format string, args ...any) error {
	return &apiError{400, "invalid", fmt.Sprintf(format, args...)}
}

func invalidQuery(err error) error {
	return &apiError{400, "invalidQuery", err.Error()}
}

// changed is the error of a change that another one came before.
func changed(was bool, kind, name string) error {
	if !was {
		return duplicate(kind, name)
	}
	return &apiError{412, "conditionNotMet", "Precondition check failed: " + kind + " " + name + " was changed meanwhile"}
}

// rest is a table's name as the REST service tells it.
func (n tableName) rest() string { return n.project + ":" + n.dataset + "." + n.table }

// restCodes is how a gRPC status looks over REST.
var restCodes = map[codes.Code]apiError{
	codes.InvalidArgument:    {code: 400, reason: "invalid"},
	codes.Unauthenticated:    {code: 401, reason: "authError"},
	codes.PermissionDenied:   {code: 403, reason: "accessDenied"},
	codes.ResourceExhausted:  {code: 403, reason: "quotaExceeded"},
	codes.NotFound:           {code: 404, reason: "notFound"},
	codes.AlreadyExists:      {code: 409, reason: "duplicate"},
	codes.FailedPrecondition: {code: 412, reason: "conditionNotMet"},
	codes.Unimplemented:      {code: 501, reason: "notImplemented"},
	codes.Unavailable:        {code: 503, reason: "backendError"},
	codes.DeadlineExceeded:   {code: 504, reason: "timeout"},
}

// asAPIError finds the REST form of an error.
func asAPIError(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	st := status.Convert(err)
	if c, ok := restCodes[st.Code()]; ok {
		return &apiError{c.code, c.reason, st.Message()}
	}
	return &apiError{500, "internalError", st.Message()}
}

func writeError(w http.ResponseWriter, err error) {
	e := asAPIError(err)
	type item struct {
		Message string `json:"message"`
		Domain  string `json:"domain"`
		Reason  string `json:"reason"`
	}
	type body struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Errors  []item `json:"errors"`
	}
	writeJSON(w, e.code, map[string]body{"error": {e.code, e.message, []item{{e.message, "global", e.reason}}}})
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the client is gone, or has it
}
