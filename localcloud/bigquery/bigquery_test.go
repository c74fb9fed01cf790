package bigquery

import (
	"context"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"iotbridge/localcloud/bigquery/conformance"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The stock clients leave these behind: the one for good, the other for 20 s.
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
		goleak.IgnoreAnyFunction("cloud.google.com/go/bigquery/storage/managedwriter.(*connection).getStream.func1"))
}

// serve opens a file and serves it on loopback until the test ends.
func serve(t testing.TB, file string, o Options) (*Server, conformance.Harness) {
	t.Helper()
	s, err := Open(file, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, serveOpen(t, s)
}

func serveOpen(t testing.TB, s *Server) conformance.Harness {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(grpc.MaxRecvMsgSize(MaxRecvMsgSize))
	s.Register(g)
	served := make(chan error, 1)
	go func() { served <- g.Serve(l) }()
	rest := httptest.NewServer(s.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	t.Cleanup(func() {
		g.Stop()
		<-served
		rest.Close()
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	return harnessAt(rest.URL, l.Addr().String())
}

func TestConformance(t *testing.T) {
	_, h := serve(t, filepath.Join(t.TempDir(), "bigquery.db"), Options{})
	conformance.Run(t, h)
}

func TestConformanceOfGoogle(t *testing.T) {
	project := os.Getenv("IOTBRIDGE_TEST_GCP_PROJECT")
	if project == "" {
		t.Skip("not compared with Google's BigQuery: set IOTBRIDGE_TEST_GCP_PROJECT, with credentials, to do so")
	}
	conformance.Run(t, conformance.Harness{Project: project})
}
