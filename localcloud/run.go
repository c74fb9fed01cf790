package localcloud

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
)

// stopGrace is how long calls may take to end when Run's context has ended.
const stopGrace = 2 * time.Second

// Run serves until ctx ends. When it returns, calls have ended or were cut off, and
// directory and ports are free. It is called once.
func (c *Cloud) Run(ctx context.Context) error {
	messages, rows := c.servers()
	// The files outlive the calls: what is being answered is still committed.
	behind, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var files errgroup.Group
	files.Go(func() error { return c.bigquery.Run(behind) })

	calls, ctx := errgroup.WithContext(ctx)
	calls.Go(func() error { return c.pubsub.Run(ctx) }) // its end ends the streams of pulling
	serve(ctx, calls, messages, c.messages)
	serve(ctx, calls, rows, c.rows)
	c.serveREST(ctx, calls)
	err := calls.Wait()
	stop()
	return errors.Join(err, files.Wait(), c.close())
}

func serve(ctx context.Context, g *errgroup.Group, server *grpc.Server, l net.Listener) {
	g.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, grpc.ErrServerStopped) { // it was told to before it began
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		cut := time.AfterFunc(stopGrace, server.Stop)
		defer cut.Stop()
		server.GracefulStop()
		return nil
	})
}

func (c *Cloud) serveREST(ctx context.Context, g *errgroup.Group) {
	server := &http.Server{
		Handler:           c.bigquery.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	g.Go(func() error {
		if err := server.Serve(c.rest); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer cancel()
		if server.Shutdown(grace) == nil {
			return nil
		}
		return server.Close()
	})
}
