package gatewayd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/option"

	bq "iotbridge/ingest/bigquery"
	"iotbridge/internal/warehouse"
)

// flowEvery is how long what was stored is not asked again: a query of the service bills
// 10 MB at the least, one of a stand-in nothing.
const (
	flowEvery      = time.Minute
	flowEveryLocal = 2 * time.Second
)

// consoleFault is what is wrong with the console's settings.
func (s *Settings) consoleFault() error {
	if (s.ConsoleTable == "") != (s.ConsoleQuarantineTable == "") {
		return errors.New("console-table and console-quarantine-table go together")
	}
	if s.ConsoleSubscription != "" && s.ConsoleTable == "" {
		return errors.New("console-subscription needs console-table: where is stored what is replayed?")
	}
	for _, name := range []string{s.ConsoleTable, s.ConsoleQuarantineTable} {
		if name == "" {
			continue
		}
		if _, err := bq.ParseTableID(name); err != nil {
			return fmt.Errorf("console's tables: %w", err)
		}
	}
	return nil
}

// openWarehouse returns nil when the settings name no tables. It asks the service
// nothing.
func (a *assembly) openWarehouse(ctx context.Context) (*warehouse.Warehouse, error) {
	s := a.settings
	if s.ConsoleTable == "" {
		return nil, nil
	}
	w := &warehouse.Warehouse{Every: flowEvery}
	var err error
	if w.Table, err = bq.ParseTableID(s.ConsoleTable); err != nil {
		return nil, err
	}
	if w.Quarantine, err = bq.ParseTableID(s.ConsoleQuarantineTable); err != nil {
		return nil, err
	}
	var options []option.ClientOption
	if s.BigQuery.REST != "" {
		w.Every = flowEveryLocal
		options = append(options, option.WithEndpoint("http://"+s.BigQuery.REST+"/bigquery/v2/"), option.WithoutAuthentication())
	}
	if w.Client, err = bigquery.NewClient(ctx, w.Table.Project, options...); err != nil {
		return nil, fmt.Errorf("BigQuery, for the console: %w", err)
	}
	if s.ConsoleSubscription != "" {
		w.Replayer = &warehouse.Replayer{
			Subscription: s.ConsoleSubscription, AttestationKeys: s.AttestationKey,
			Endpoint: bq.Endpoint{REST: s.BigQuery.REST, Storage: s.BigQuery.Storage},
		}
	}
	return w, nil
}
