package localcloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"iotbridge/localcloud/bigquery"
	"iotbridge/localcloud/fault"
	"iotbridge/localcloud/pubsub"
)

// The files of a data directory.
const (
	PubSubFile   = "pubsub.db"
	BigQueryFile = "bigquery.db"
	lockFile     = "lock"
)

// ErrLocked says that another process serves from the directory.
var ErrLocked = errors.New("another process serves from it: stop that one, or choose another directory with --data")

// Options say where a Cloud keeps its files and listens.
type Options struct {
	Dir string // made if it is not there

	// host:port; the defaults are 127.0.0.1:8085, :9050 (REST) and :9060.
	PubSub, BigQuery, BigQueryStorage string
	Ephemeral                         bool // free ports of 127.0.0.1 where no address is given

	Durable  bool            // a power cut loses nothing either, which costs Pub/Sub a sync a commit
	Location string          // of new datasets that name none; default US
	Faults   *fault.Injector // of both; nil is none
	Log      *zap.Logger     // nil discards
}

// Cloud is one local cloud, listening from Open on.
type Cloud struct {
	pubsub   *pubsub.Server
	bigquery *bigquery.Server
	lock     *os.File
	log      *zap.Logger

	messages, rest, rows net.Listener
}

// Open takes the directory and the ports. Run must follow: it gives them back.
func Open(ctx context.Context, o Options) (_ *Cloud, err error) {
	c := &Cloud{log: cmp.Or(o.Log, zap.NewNop())}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if c.lock, err = lock(filepath.Join(o.Dir, lockFile)); err != nil {
		return nil, fmt.Errorf("data directory %s: %w", o.Dir, err)
	}
	for _, l := range []struct {
		listener             *net.Listener
		addr, standard, flag string
	}{
		{&c.messages, o.PubSub, "127.0.0.1:8085", "--pubsub"},
		{&c.rest, o.BigQuery, "127.0.0.1:9050", "--bigquery"},
		{&c.rows, o.BigQueryStorage, "127.0.0.1:9060", "--bigquery-storage"},
	} {
		if o.Ephemeral {
			l.standard = "127.0.0.1:0"
		}
		if *l.listener, err = listen(ctx, cmp.Or(l.addr, l.standard), l.flag); err != nil {
			return nil, err
		}
	}
	if c.pubsub, err = pubsub.Open(filepath.Join(o.Dir, PubSubFile), pubsub.Options{Durable: o.Durable, Faults: o.Faults}); err != nil {
		return nil, plain(err)
	}
	c.bigquery, err = bigquery.Open(filepath.Join(o.Dir, BigQueryFile), bigquery.Options{Location: o.Location, Log: c.log, Faults: o.Faults})
	if err != nil {
		return nil, plain(err)
	}
	return c, nil
}

// PubSub, BigQuery and BigQueryStorage are the addresses in force, host:port.
func (c *Cloud) PubSub() string          { return c.messages.Addr().String() }
func (c *Cloud) BigQuery() string        { return c.rest.Addr().String() }
func (c *Cloud) BigQueryStorage() string { return c.rows.Addr().String() }

// close gives back what Open has taken so far.
func (c *Cloud) close() error {
	var errs []error
	for _, l := range []net.Listener{c.messages, c.rest, c.rows} {
		if l == nil {
			continue
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) { // its server has closed it
			errs = append(errs, err)
		}
	}
	if c.pubsub != nil {
		errs = append(errs, c.pubsub.Close())
	}
	if c.bigquery != nil {
		errs = append(errs, c.bigquery.Close())
	}
	if c.lock != nil {
		errs = append(errs, c.lock.Close())
	}
	return errors.Join(errs...)
}

func listen(ctx context.Context, addr, flag string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use: stop what listens there, choose another address with %s, or free ports with --ephemeral", addr, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return l, nil
}

// plain is an error without the frame that gRPC puts around it.
func plain(err error) error {
	if s, ok := status.FromError(err); ok {
		return errors.New(s.Message())
	}
	return err
}

// servers are the gRPC servers of a Cloud; handlers end before they do.
func (c *Cloud) servers() (messages, rows *grpc.Server) {
	messages = grpc.NewServer(append(pubsub.ServerOptions(), grpc.WaitForHandlers(true))...)
	c.pubsub.Register(messages)
	rows = grpc.NewServer(grpc.MaxRecvMsgSize(bigquery.MaxRecvMsgSize), grpc.WaitForHandlers(true))
	c.bigquery.Register(rows)
	return messages, rows
}
