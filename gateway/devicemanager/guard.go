package devicemanager

import (
	"context"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/gateway/operators"
)

// Guard is around another API for the same operators: who calls is found out, throttled,
// counted, logged and denied as for a method here. of says what a request asks for, by
// nothing but its method and path. answer is called for who may, on behalf of
// operators.From; what it returns is told as an error here is, unless it has begun to
// write. Its bodies it bounds itself.
func (s *Server) Guard(of func(*http.Request) operators.Call, answer func(http.ResponseWriter, *http.Request) error) http.Handler {
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once := &begun{ResponseWriter: w}
		if err := s.guarded(origins, of(r), once, r, answer); err != nil && !once.began {
			writeError(w, err)
		}
	})
}

func (s *Server) guarded(origins *http.CrossOriginProtection, c operators.Call, w http.ResponseWriter, r *http.Request, answer func(http.ResponseWriter, *http.Request) error) error {
	who, err := s.enter(origins, r, c.Method)
	switch {
	case err != nil:
		return err
	case c.Method == "":
		return status.Error(codes.NotFound, "there is no such method")
	}
	_, err = s.governed(operators.With(r.Context(), who), c, func(ctx context.Context) (any, error) {
		return nil, answer(w, r.WithContext(ctx))
	})
	return err
}

// begun knows whether an answer was begun.
type begun struct {
	http.ResponseWriter
	began bool
}

func (b *begun) WriteHeader(code int) {
	b.began = true
	b.ResponseWriter.WriteHeader(code)
}

func (b *begun) Write(p []byte) (int, error) {
	b.began = true
	return b.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }
