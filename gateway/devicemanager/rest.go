package devicemanager

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"iotbridge/gateway/operators"
)

// Handler serves the methods over REST, and nothing else. Its server brings the time
// limits: a call may take a minute.
func (s *Server) Handler() http.Handler {
	origins := http.NewCrossOriginProtection() // a browser shows its certificate for any page
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answered, err := s.serve(origins, r)
		if err != nil {
			writeError(w, err)
			return
		}
		write(w, http.StatusOK, protojson.MarshalOptions{UseEnumNumbers: enumNumbers(r)}, answered)
	})
}

func (s *Server) serve(origins *http.CrossOriginProtection, r *http.Request) (proto.Message, error) {
	route, resource := find(r.Method, r.URL.EscapedPath())
	method := ""
	if route != nil {
		method = route.rpc.MethodName
	}
	who, err := s.enter(origins, r, method)
	switch {
	case err != nil:
		return nil, err
	case route == nil:
		return nil, status.Error(codes.NotFound, "there is no such method: want /v1/projects/…")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, "the query is not key=value&…, escaped")
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return nil, bodyError(err)
	}
	var bad error
	govern := func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		return s.govern(ctx, req, info, func(ctx context.Context, req any) (any, error) {
			if bad != nil {
				return nil, bad // after it was asked whether they may, and what they asked for is in the log
			}
			return next(ctx, req)
		})
	}
	answered, err := route.rpc.Handler(methods{s}, operators.With(r.Context(), who), func(in any) error {
		bad = route.fill(in.(proto.Message), resource, query, body)
		return nil
	}, govern)
	if err != nil {
		return nil, err
	}
	return answered.(proto.Message), nil
}

// enter finds out who makes a request, and lets no page of another origin make it.
func (s *Server) enter(origins *http.CrossOriginProtection, r *http.Request, method string) (operators.Operator, error) {
	who, err := s.admit(r.Context(), r.Header.Get("Authorization"), r.TLS, method, r.RemoteAddr)
	if err == nil && origins.Check(r) != nil {
		s.denied(r.Context(), who.Name, "", "a call of "+cmp.Or(method, "no method")+" by a page of another origin")
		err = status.Error(codes.PermissionDenied, "a page of another origin may not call this")
	}
	return who, err
}

func bodyError(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return status.Errorf(codes.InvalidArgument, "the body has more than %d bytes", large.Limit)
	}
	return status.Error(codes.Canceled, "the body did not arrive")
}

// enumNumbers says that the client wants numbers for enums, as Google's own do.
func enumNumbers(r *http.Request) bool {
	return strings.Contains(r.URL.Query().Get("$alt"), "enum-encoding=int")
}

// write answers with JSON that no browser takes for anything else, with <, > and &
// escaped.
func write(w http.ResponseWriter, httpStatus int, as protojson.MarshalOptions, m proto.Message) {
	text, err := as.Marshal(m)
	if err != nil { // a string of the store that is not UTF-8
		writeError(w, status.Error(codes.Internal, "the answer cannot be written as JSON"))
		return
	}
	writeJSON(w, httpStatus, text)
}

func writeJSON(w http.ResponseWriter, httpStatus int, text []byte) {
	var escaped bytes.Buffer
	json.HTMLEscape(&escaped, text)
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if httpStatus == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(httpStatus)
	_, _ = w.Write(escaped.Bytes()) // who has gone does not read it
}

// writeError answers as Google's services do.
// https://cloud.google.com/apis/design/errors#http_mapping
func writeError(w http.ResponseWriter, err error) {
	type body struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Status  string `json:"status"`
	}
	st := status.Convert(err)
	httpStatus := httpStatuses[st.Code()]
	if httpStatus == 0 {
		httpStatus = http.StatusInternalServerError
	}
	text, _ := json.Marshal(map[string]body{"error": {httpStatus, st.Message(), code.Code(st.Code()).String()}}) // strings always can be
	writeJSON(w, httpStatus, text)
}

var httpStatuses = map[codes.Code]int{
	codes.InvalidArgument:    http.StatusBadRequest,
	codes.FailedPrecondition: http.StatusBadRequest,
	codes.OutOfRange:         http.StatusBadRequest,
	codes.Unauthenticated:    http.StatusUnauthorized,
	codes.PermissionDenied:   http.StatusForbidden,
	codes.NotFound:           http.StatusNotFound,
	codes.AlreadyExists:      http.StatusConflict,
	codes.Aborted:            http.StatusConflict,
	codes.ResourceExhausted:  http.StatusTooManyRequests,
	codes.Canceled:           499,
	codes.Unimplemented:      http.StatusNotImplemented,
	codes.Unavailable:        http.StatusServiceUnavailable,
	codes.DeadlineExceeded:   http.StatusGatewayTimeout,
}
