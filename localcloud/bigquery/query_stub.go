package bigquery

import (
	"context"

	bq "google.golang.org/api/bigquery/v2"
)

type results struct{}

func (s *Server) describeView(ctx context.Context, n tableName, r *bq.Table) error { return nil }
func (s *Server) listRows(c *call) (any, error)                                    { return nil, &apiError{501, "notImplemented", "soon"} }
func (s *Server) query(c *call) (any, error)                                       { return nil, &apiError{501, "notImplemented", "soon"} }
func (s *Server) queryResults(c *call) (any, error) {
	return nil, &apiError{501, "notImplemented", "soon"}
}
func (s *Server) insertJob(c *call) (any, error) {
	return nil, &apiError{501, "notImplemented", "soon"}
}
func (s *Server) readJob(c *call) (any, error) { return nil, &apiError{501, "notImplemented", "soon"} }
