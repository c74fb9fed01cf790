package bigquery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/googleapi"

	"iotbridge/ingest"
	"iotbridge/schema"
)

// Catalog makes and inspects datasets, tables and views, over REST. Its calls take as
// long as their context lets them: the library repeats what fails for a passing reason.
// What no fault of ours prevents is an *ingest.Held.
type Catalog struct{ client *bigquery.Client }

// NewCatalog returns a catalog; nothing is asked yet. The project pays for what is asked.
func NewCatalog(ctx context.Context, project string, e Endpoint) (*Catalog, error) {
	client, err := bigquery.NewClient(context.WithoutCancel(ctx), project, e.rest()...)
	if err != nil {
		return nil, &ingest.Held{Cause: ingest.Permission, Detail: "BigQuery: no valid credentials: " + clean(err.Error())}
	}
	return &Catalog{client}, nil
}

// Close ends the catalog.
func (c *Catalog) Close() error { return c.client.Close() }

// EnsureDataset makes the dataset of id where there is none. Location is a region,
// such as EU or europe-west1; it cannot be changed later.
func (c *Catalog) EnsureDataset(ctx context.Context, id TableID, location string) error {
	dataset := c.client.DatasetInProject(id.Project, id.Dataset)
	place := "dataset " + id.Project + "." + id.Dataset
	_, err := dataset.Metadata(ctx)
	if httpStatus(err) == http.StatusNotFound {
		err = existing(dataset.Create(ctx, &bigquery.DatasetMetadata{Location: location}))
	}
	return restError(place, "bigquery.datasets.get and bigquery.datasets.create", err)
}

// EnsureTable makes the table where there is none: partitioned by day and clustered.
// Its dataset must be there. What is there already is left as it is; see Inspect.
func (c *Catalog) EnsureTable(ctx context.Context, id TableID, table *schema.Table) error {
	t := c.table(id)
	_, err := t.Metadata(ctx)
	if httpStatus(err) == http.StatusNotFound {
		err = existing(t.Create(ctx, metadata(table)))
	}
	return restError("table "+id.String(), "bigquery.tables.get and bigquery.tables.create", err)
}

// EnsureViews makes those of the views that are not in the dataset of id.
func (c *Catalog) EnsureViews(ctx context.Context, id TableID, views []schema.View) error {
	for _, v := range views {
		id.Table = v.Name
		t := c.table(id)
		_, err := t.Metadata(ctx)
		if httpStatus(err) == http.StatusNotFound {
			err = existing(t.Create(ctx, &bigquery.TableMetadata{Description: v.Description, ViewQuery: v.SQL}))
		}
		if err := restError("view "+id.String(), "bigquery.tables.get and bigquery.tables.create", err); err != nil {
			return err
		}
	}
	return nil
}

// Inspect compares a live table with ours. Differences keep rows out; warnings are
// about a layout that costs money or time, and nothing else.
func (c *Catalog) Inspect(ctx context.Context, id TableID, table *schema.Table) (differences []Difference, warnings []string, err error) {
	live, err := c.table(id).Metadata(ctx)
	if err != nil {
		return nil, nil, restError("table "+id.String(), "bigquery.tables.get", err)
	}
	if live.Type != bigquery.RegularTable {
		return nil, nil, fmt.Errorf("%s is a %s, rows go into tables; correct its name", id, strings.ToLower(string(live.Type)))
	}
	return Compare(table, fromREST(live.Schema)), layoutWarnings(table, live), nil
}

func layoutWarnings(table *schema.Table, live *bigquery.TableMetadata) (warnings []string) {
	partition := "nothing"
	if p := live.TimePartitioning; p != nil {
		partition = string(p.Type) + "(" + p.Field + ")"
	}
	if want := "DAY(" + table.Partition + ")"; table.Partition != "" && !strings.EqualFold(partition, want) {
		warnings = append(warnings, fmt.Sprintf("partitioned by %s, ours by %s", partition, want))
	}
	var cluster []string
	if live.Clustering != nil {
		cluster = live.Clustering.Fields
	}
	if !slices.EqualFunc(cluster, table.Cluster, strings.EqualFold) {
		warnings = append(warnings, fmt.Sprintf("clustered by %q, ours by %q", cluster, table.Cluster))
	}
	return warnings
}

func (c *Catalog) table(id TableID) *bigquery.Table {
	return c.client.DatasetInProject(id.Project, id.Dataset).Table(id.Table)
}

// legacy are REST's names for GoogleSQL's types, where they differ.
var legacy = map[schema.Type]bigquery.FieldType{
	schema.Int64: bigquery.IntegerFieldType, schema.Float64: bigquery.FloatFieldType, schema.Bool: bigquery.BooleanFieldType,
}

// metadata is the table as REST creates it.
func metadata(table *schema.Table) *bigquery.TableMetadata {
	m := &bigquery.TableMetadata{Description: table.Description}
	for _, c := range table.Columns {
		typ, ok := legacy[c.Type]
		if !ok {
			typ = bigquery.FieldType(c.Type)
		}
		m.Schema = append(m.Schema, &bigquery.FieldSchema{Name: c.Name, Type: typ, Required: c.Required, Description: c.Description})
	}
	if table.Partition != "" {
		m.TimePartitioning = &bigquery.TimePartitioning{Type: bigquery.DayPartitioningType, Field: table.Partition}
	}
	if len(table.Cluster) > 0 {
		m.Clustering = &bigquery.Clustering{Fields: table.Cluster}
	}
	return m
}

// httpStatus is the HTTP status of an error, or 0.
func httpStatus(err error) int {
	var e *googleapi.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// existing takes a creation that another worker was first with for its own.
func existing(err error) error {
	if httpStatus(err) == http.StatusConflict {
		return nil
	}
	return err
}

// restError sorts an error of REST as notOpened does those of gRPC.
func restError(place, permissions string, err error) error {
	if err == nil {
		return nil
	}
	words := clean(err.Error())
	switch code := httpStatus(err); {
	case code == http.StatusNotFound:
		return &ingest.Held{Cause: ingest.Missing, Detail: fmt.Sprintf("%s is not there; create it or run with --create-tables: %s", place, words)}
	case code == http.StatusTooManyRequests, code == http.StatusForbidden && limited(err):
		return &ingest.Held{Cause: ingest.Quota, Detail: fmt.Sprintf("%s: the service asks for less; it is retried: %s", place, words)}
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return &ingest.Held{Cause: ingest.Permission, Detail: fmt.Sprintf("%s: grant %s, or renew the credentials: %s", place, permissions, words)}
	case code != 0 && code < http.StatusInternalServerError:
		return fmt.Errorf("%s: %w", place, err)
	}
	return &ingest.Held{Cause: ingest.Unavailable, Detail: fmt.Sprintf("%s cannot be reached; it is retried: %s", place, words)}
}

// limited tells a quota's 403 from a denial.
func limited(err error) bool {
	var e *googleapi.Error
	return errors.As(err, &e) && slices.ContainsFunc(e.Errors, func(i googleapi.ErrorItem) bool {
		return i.Reason == "rateLimitExceeded" || i.Reason == "quotaExceeded"
	})
}
