package main

import (
	"iotbridge/internal/ingestd"
	"iotbridge/internal/site"
)

// target says which system a command looks into.
type target struct {
	Local   string `type:"path" default:"./iotbridge-data" placeholder:"DIR" help:"The local system that serves from DIR."`
	Project string `placeholder:"P" help:"Google Cloud with the default credentials, and the project that pays, in the place of a local system."`
}

// site is the local system, or Google's services with nothing named but the project.
func (t *target) site() (*site.Site, error) {
	if t.Project == "" {
		return site.Read(t.Local)
	}
	e := ingestd.EndpointsFromEnv()
	return &site.Site{Project: t.Project, PubSub: e.PubSub, BigQuery: e.BigQuery, BigQueryStorage: e.BigQueryStorage}, nil
}
