// Package conformance is what the product relies on in BigQuery, as tests that talk through
// the stock clients alone. It runs against the local BigQuery and, where a project is
// given, against Google's: a double that passes the tests of the real thing may be trusted.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/bigquery/storage/managedwriter"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
)

// Harness says where the service is.
type Harness struct {
	Project   string
	REST      []option.ClientOption
	Write     []option.ClientOption
	Endpoints [2]string // of the local one: REST (a URL) and gRPC
	Local     bool      // our own: some texts and limits are exact there and Google's own affair there
}

// suite is one run: a dataset of its own, deleted at the end.
type suite struct {
	Harness
	rest    *bigquery.Client
	write   *managedwriter.Client
	dataset *bigquery.Dataset
	tables  int
}

// patience bounds each test; a table of Google's is at times there only after a while.
const patience = 2 * time.Minute

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	ctx := context.Background()
	rest, err := bigquery.NewClient(ctx, h.Project, h.REST...)
	if err != nil {
		t.Fatal(err)
	}
	defer rest.Close()
	write, err := managedwriter.NewClient(ctx, h.Project, h.Write...)
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	s := &suite{Harness: h, rest: rest, write: write}
	s.dataset = rest.Dataset(fmt.Sprintf("conformance_%d", time.Now().UnixNano()))
	if err := s.dataset.Create(ctx, &bigquery.DatasetMetadata{}); err != nil {
		t.Fatalf("create dataset: %v", err)
	}
	defer func() {
		if err := s.dataset.DeleteWithContents(ctx); err != nil {
			t.Errorf("delete dataset %s by hand: %v", s.dataset.DatasetID, err)
		}
	}()
	for name, test := range map[string]func(context.Context, *testing.T){
		"Dataset":         s.testDataset,
		"Table":           s.testTable,
		"TableChange":     s.testTableChange,
		"View":            s.testView,
		"Append":          s.testAppend,
		"Values":          s.testValues,
		"RowErrors":       s.testRowErrors,
		"SchemaMismatch":  s.testSchemaMismatch,
		"TooLarge":        s.testTooLarge,
		"MissingTable":    s.testMissingTable,
		"WriteStream":     s.testWriteStream,
		"Pipelined":       s.testPipelined,
		"QueryParameters": s.testQueryParameters,
		"QueryFunctions":  s.testQueryFunctions,
		"QueryTimes":      s.testQueryTimes,
		"QueryWindows":    s.testQueryWindows,
		"QueryPages":      s.testQueryPages,
		"QueryErrors":     s.testQueryErrors,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			test(ctx, t)
		})
	}
}

// column and required make a schema.
func column(name string, typ bigquery.FieldType) *bigquery.FieldSchema {
	return &bigquery.FieldSchema{Name: name, Type: typ}
}

func required(name string, typ bigquery.FieldType) *bigquery.FieldSchema {
	return &bigquery.FieldSchema{Name: name, Type: typ, Required: true}
}

// table makes a table.
func (s *suite) table(ctx context.Context, t *testing.T, columns ...*bigquery.FieldSchema) *bigquery.Table {
	t.Helper()
	s.tables++
	table := s.dataset.Table(fmt.Sprintf("t%d", s.tables))
	if err := table.Create(ctx, &bigquery.TableMetadata{Schema: columns}); err != nil {
		t.Fatal(err)
	}
	return table
}

// sql is a table's name in a query.
func sql(t *bigquery.Table) string {
	return "`" + t.ProjectID + "." + t.DatasetID + "." + t.TableID + "`"
}

// wantREST checks an error of the REST service.
func wantREST(t *testing.T, err error, code int, reason string) {
	t.Helper()
	var e *googleapi.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want HTTP %d %s", err, code, reason)
	}
	if e.Code != code || len(e.Errors) == 0 || e.Errors[0].Reason != reason {
		t.Errorf("error %v, want HTTP %d %s", e, code, reason)
	}
}
