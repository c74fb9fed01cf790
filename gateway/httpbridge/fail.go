package httpbridge

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"google.golang.org/grpc/codes"

	"iotbridge/gateway"
)

// refusal is an answer that is no success; its text is for whoever programs devices.
type refusal struct {
	code codes.Code
	text string
}

func (r refusal) Error() string { return r.text }

var (
	// Whoever is refused learns nothing: not whether there is such a device.
	errUnauthenticated = refusal{codes.Unauthenticated, "the request's credentials are not those of this device: send Authorization: Bearer with a token that its key has signed"}
	errStore           = refusal{codes.Unavailable, "the gateway cannot answer now: try again"}
	errPublish         = refusal{codes.Unavailable, "the event is not confirmed: send it again"}
	errRate            = refusal{codes.ResourceExhausted, "over the device's rate: try again later"}
)

// verdict is what a device is told of an error.
func verdict(err error) refusal {
	var told refusal
	var refused *gateway.Refusal
	switch {
	case errors.As(err, &told):
		return told
	case errors.As(err, &refused) && refused.Fault:
		return errStore
	case errors.As(err, &refused) && refused.Reason == gateway.OverRate:
		return errRate
	case errors.As(err, &refused):
		return errUnauthenticated
	case errors.Is(err, gateway.ErrTooLarge):
		return refusal{codes.InvalidArgument, "binaryData: " + gateway.ErrTooLarge.Error()}
	case errors.Is(err, gateway.ErrSubFolder):
		return refusal{codes.InvalidArgument, "subFolder: " + gateway.ErrSubFolder.Error()}
	case errors.Is(err, gateway.ErrNoTopic):
		return refusal{codes.FailedPrecondition, gateway.ErrNoTopic.Error()}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return errStore
	}
	return errPublish
}

// httpCodes are Google's, of the codes that are used here.
// https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
var httpCodes = map[codes.Code]struct {
	http int
	name string
}{
	codes.InvalidArgument:    {http.StatusBadRequest, "INVALID_ARGUMENT"},
	codes.FailedPrecondition: {http.StatusBadRequest, "FAILED_PRECONDITION"},
	codes.OutOfRange:         {http.StatusBadRequest, "OUT_OF_RANGE"},
	codes.Unauthenticated:    {http.StatusUnauthorized, "UNAUTHENTICATED"},
	codes.NotFound:           {http.StatusNotFound, "NOT_FOUND"},
	codes.ResourceExhausted:  {http.StatusTooManyRequests, "RESOURCE_EXHAUSTED"},
	codes.Unavailable:        {http.StatusServiceUnavailable, "UNAVAILABLE"},
}

// fail answers with a google.rpc error and returns its HTTP code.
func (s *Server) fail(w http.ResponseWriter, err error) int {
	why := verdict(err)
	code := httpCodes[why.code]
	switch why.code {
	case codes.Unauthenticated:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case codes.ResourceExhausted, codes.Unavailable:
		w.Header().Set("Retry-After", "1")
	}
	type detail struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Status  string `json:"status"`
	}
	body, err := json.Marshal(map[string]detail{"error": {code.http, why.text, code.name}})
	if err != nil {
		panic(err) // strings and a number
	}
	answer(w, code.http, body)
	return code.http
}

func answer(w http.ResponseWriter, code int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=UTF-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	w.Write(append(body, '\n')) //nolint:errcheck // whoever asked has gone
}
