package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"iotbridge/ingest/bigquery"
	"iotbridge/internal/demo"
	"iotbridge/internal/site"
	"iotbridge/localcloud"
	"iotbridge/schema"
)

// The names of the local system; the registry's and its topics are the seed's.
const (
	project  = "demo"
	location = "us-central1"
	registry = "RaspberryPiDevices"
	dataset  = "demo.iot."
)

// cloud opens the local cloud and makes what the worker needs, or finds the one that
// another process serves; the part is then nil.
func (c *localCommand) cloud(ctx context.Context, log *zap.Logger, failed context.CancelCauseFunc) (*site.Site, *part, error) {
	if !c.has("cloud") {
		s, err := site.Read(c.Data)
		return s, nil, err
	}
	cloud, err := localcloud.Open(ctx, localcloud.Options{
		Dir: c.Data, PubSub: c.PubSub, BigQuery: c.BigQuery, BigQueryStorage: c.BigQueryStorage, Ephemeral: c.Ephemeral,
		Durable: true, Location: location, Log: log,
	})
	if err != nil {
		return nil, nil, err
	}
	p := start(ctx, cloud.Run, failed)
	s := siteOf(cloud)
	err = site.Remove(c.Data) // a killed run has left it
	if err == nil {
		_, s.AttestationKeys, err = site.Keyring(c.Data)
	}
	if err = errors.Join(err, prepare(ctx, s)); err != nil {
		return nil, nil, errors.Join(err, p.end())
	}
	return s, p, nil
}

// siteOf names the local system that this cloud serves.
func siteOf(cloud *localcloud.Cloud) *site.Site {
	s := &site.Site{
		Project: project, Location: location, Registry: registry,
		QuarantineTable: dataset + "quarantine",
		PubSub:          cloud.PubSub(), BigQuery: cloud.BigQuery(), BigQueryStorage: cloud.BigQueryStorage(),
	}
	for _, topic := range []string{demo.TopicTemperature, demo.TopicSensordata} {
		s.Routes = append(s.Routes, site.Route{
			Subscription: "projects/" + project + "/subscriptions/" + topic + "-ingest", Schema: topic, Table: dataset + topic,
		})
	}
	s.Subscription, s.Table = s.Routes[0].Subscription, s.Routes[0].Table
	return s
}

// prepare makes what is missing: topics, subscriptions, dataset, tables and views.
func prepare(ctx context.Context, s *site.Site) error {
	for _, r := range s.Routes {
		if err := prepareTopic(ctx, s, r); err != nil {
			return err
		}
	}
	catalog, err := bigquery.NewCatalog(ctx, s.Project, bigquery.Endpoint{REST: s.BigQuery})
	if err != nil {
		return err
	}
	defer catalog.Close()
	at, err := bigquery.ParseTableID(s.QuarantineTable)
	if err != nil {
		return err
	}
	if err := catalog.EnsureDataset(ctx, at, s.Location); err != nil {
		return err
	}
	for _, name := range schema.BuiltinNames() {
		table, err := schema.Builtin(name)
		if err != nil {
			return err
		}
		at.Table = name
		if err := catalog.EnsureTable(ctx, at, table); err != nil {
			return err
		}
	}
	return catalog.EnsureViews(ctx, at, schema.Views(at.Project, at.Dataset))
}

// prepareTopic makes a topic, the worker's subscription and one to look at what
// passes; what nobody looks at is forgotten there after ten minutes.
func prepareTopic(ctx context.Context, s *site.Site, r site.Route) error {
	client, err := s.OpenPubSub(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	topic := "projects/" + s.Project + "/topics/" + r.Schema
	if _, err := client.TopicAdminClient.CreateTopic(ctx, &pubsubpb.Topic{Name: topic}); unlessThere(err) != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	for _, sub := range []*pubsubpb.Subscription{
		{Name: r.Subscription, Topic: topic, AckDeadlineSeconds: 60},
		{Name: "projects/" + s.Project + "/subscriptions/" + r.Schema + "-view", Topic: topic, MessageRetentionDuration: durationpb.New(10 * time.Minute)},
	} {
		if _, err := client.SubscriptionAdminClient.CreateSubscription(ctx, sub); unlessThere(err) != nil {
			return fmt.Errorf("subscription %s: %w", sub.Name, err)
		}
	}
	return nil
}

func unlessThere(err error) error {
	if status.Code(err) == codes.AlreadyExists {
		return nil
	}
	return err
}
