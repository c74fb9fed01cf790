package bigquery

import (
	"context"
	"errors"
	"net/http"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"iotbridge/localcloud/fault"
)

// MaxRecvMsgSize is what the gRPC server must take, by grpc.MaxRecvMsgSize: more than the
// largest request, so that a request over the limit is answered in BigQuery's words.
const MaxRecvMsgSize = 2 * maxRequest

// checkpointEvery is how long the log grows before Run copies it into the file.
const checkpointEvery = time.Second

// Options are the server's settings; the zero value serves.
type Options struct {
	Location string      // of new datasets that name none; default US
	Log      *zap.Logger // nil discards

	// Faults makes calls fail. Its methods: GetWriteStream, AppendRows.open (a stream opens;
	// the request is nil), AppendRows (a message of a stream: Err is answered in
	// band unless Cut, After stores the rows first, After alone loses the response),
	// and REST's, by resource and verb, with the *http.Request: datasets.get, .insert,
	// .list, .patch, .delete; tables.get, .insert, .list, .patch, .delete;
	// tabledata.list; jobs.get, .insert, .query, .getQueryResults. There, Err is a gRPC
	// status that becomes its HTTP counterpart, and Cut or After alone drop the connection.
	Faults *fault.Injector
}

// Server is the local BigQuery.
type Server struct {
	location string
	log      *zap.Logger
	faults   *fault.Injector
	store    *store
	commits  *committer
	catalog  *catalog
	jobs     jobs
}

// Open opens the file, or makes it. The error says when another process has it (ErrLocked)
// or when the disk does not let it.
func Open(file string, o Options) (*Server, error) {
	if o.Location == "" {
		o.Location = "US"
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	st, err := openStore(file)
	if err != nil {
		return nil, err
	}
	commits := newCommitter(st)
	cat, err := loadCatalog(commits)
	if err != nil {
		return nil, errors.Join(err, st.close())
	}
	return &Server{location: o.Location, log: o.Log, faults: o.Faults, store: st, commits: commits, catalog: cat}, nil
}

// Register adds the Storage Write service to a gRPC server.
func (s *Server) Register(g *grpc.Server) {
	storagepb.RegisterBigQueryWriteServer(g, writeService{Server: s})
}

// Handler is the REST service, under /bigquery/v2/.
func (s *Server) Handler() http.Handler { return s.routes() }

// Run keeps the log of the file short, until ctx ends. Without it the server works,
// and now and then an append waits for that.
func (s *Server) Run(ctx context.Context) error {
	t := time.NewTicker(checkpointEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if err := s.commits.checkpoint("PASSIVE"); err != nil {
				s.log.Warn("the log was not copied into the file, it is tried again", zap.Error(err))
			}
		}
	}
}

// Close closes the file. Calls must have ended.
func (s *Server) Close() error {
	s.commits.end()
	return s.store.close()
}
