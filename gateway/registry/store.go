package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"iotbridge/gateway"
)

var (
	_ gateway.Admin   = (*Store)(nil)
	_ gateway.Mailbox = (*Store)(nil)
	_ gateway.Bus     = (*Store)(nil)
)

// Options may be zero.
type Options struct {
	Log *zap.Logger // nil discards
}

// Store is the registry. It is safe for concurrent use.
type Store struct {
	engine engine
	db     *sql.DB             // writes
	turn   *semaphore.Weighted // to write, in the order of asking; nil: nobody has to wait
	reads  querier
	pages  pageKey
	bus    bus
	log    *zap.Logger
}

// engine is what SQLite and PostgreSQL do each in its own way. Queries are written
// as PostgreSQL reads them.
type engine interface {
	spell(query string) string
	taken(err error) bool                                             // a unique key was there already
	again(err error, committing bool) bool                            // the transaction has done nothing and may be tried again
	explain(err error) error                                          // the file or server, the cause and the cure
	hold(ctx context.Context, c conn, name string, shared bool) error // until the transaction ends
	backup(ctx context.Context, file string) error
	close() error // what it holds apart from Store.db
}

// Open opens the store that an address names, and brings its tables up to date:
//
//	sqlite:FILE               made if it is not there; one process at a time
//	postgres://user@host/db   shared by any number of gateways
func Open(ctx context.Context, address string, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if file, ok := strings.CutPrefix(address, "sqlite:"); ok && file != "" {
		return openFile(ctx, file, o.Log)
	}
	if strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://") {
		return openServer(ctx, address, o.Log)
	}
	scheme, _, _ := strings.Cut(address, ":") // what follows may hold a password
	return nil, fmt.Errorf("store %s:…: want sqlite:FILE or postgres://USER@HOST/DATABASE", scheme)
}

// Run keeps the store on the bus until ctx ends. Without it, Watch is told nothing
// by other gateways, and claims lapse.
func (s *Store) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	s.bus.run(ctx, g)
	return g.Wait()
}

// Close lets go of every claim that was made here. Nothing may be under way.
func (s *Store) Close() error {
	s.bus.close()
	return errors.Join(s.db.Close(), s.engine.close())
}

// Ping says whether the store answers.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.read().one(ctx, `SELECT 1 FROM settings LIMIT 1`)
	return s.engine.explain(err)
}
