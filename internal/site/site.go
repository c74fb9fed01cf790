// Package site names one running system: its resources, and where its services
// listen. The local system leaves that in its data directory, and scripts, tests and
// the other commands read it there.
package site

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// FileName is the file in the data directory; it is there while the system serves.
const FileName = "local.json"

// ErrNotRunning says that no local system serves from the directory.
var ErrNotRunning = errors.New("no local system serves from this directory: start one with iotbridge local, or name another with --local")

// Site is one system. Addresses are host:port, and "" is Google's own service.
type Site struct {
	Project         string `json:"project"`
	Location        string `json:"location"`
	Registry        string `json:"registry"`
	Subscription    string `json:"subscription"` // the worker's, projects/P/subscriptions/S
	Table           string `json:"table"`        // P.D.T
	QuarantineTable string `json:"quarantineTable"`
	PubSub          string `json:"pubsub"`
	BigQuery        string `json:"bigquery"`        // REST
	BigQueryStorage string `json:"bigqueryStorage"` // Storage Write
	Ops             string `json:"ops,omitempty"`

	MQTT        string `json:"mqtt,omitempty"`        // TLS
	DeviceHTTPS string `json:"deviceHttps,omitempty"` // TLS
	API         string `json:"api,omitempty"`         // Device Manager over REST, a URL
	GRPC        string `json:"grpc,omitempty"`        // the same over gRPC
	CA          string `json:"ca,omitempty"`          // file; who issued the servers' certificates
	AdminToken  string `json:"adminToken,omitempty"`  // file; sent as Authorization: Bearer
	GatewayOps  string `json:"gatewayOps,omitempty"`  // host:port

	// Of a system that provisions.
	Profile       string `json:"profile,omitempty"`
	BootstrapCert string `json:"bootstrapCert,omitempty"` // file; may ask for a device's credential
	BootstrapKey  string `json:"bootstrapKey,omitempty"`  // file; its key

	AttestationKeys string  `json:"attestationKeys,omitempty"` // file; every message must be signed with one of them
	Routes          []Route `json:"routes"`                    // all that the worker serves
}

// Route is where the messages of one subscription go.
type Route struct {
	Subscription string `json:"subscription"`
	Schema       string `json:"schema"`
	Table        string `json:"table"` // P.D.T
}

// Read reads the site that serves from dir.
func Read(dir string) (*Site, error) {
	text, err := os.ReadFile(filepath.Join(dir, FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNotRunning)
	}
	if err != nil {
		return nil, err
	}
	s := new(Site)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, FileName), err)
	}
	return s, nil
}

// Write leaves the site in dir, whole or not at all.
func (s *Site) Write(dir string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(filepath.Join(dir, FileName), append(text, '\n'))
}

// Remove says that nothing serves from dir.
func Remove(dir string) error {
	err := os.Remove(filepath.Join(dir, FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
