package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"iotbridge/internal/loadtest"
	"iotbridge/internal/loadtest/rig"
)

type benchProvision struct {
	Boards   int    `default:"2000" help:"How many enrol, each with a key of its own, on a connection of its own."`
	AtOnce   int    `default:"64" help:"Of them at a time."`
	Postgres string `placeholder:"postgres://USER@HOST/DB" help:"Measure a gateway on this PostgreSQL, too. It works in a schema of its own there, which goes with it."`
	JSON     bool   `name:"json" help:"Print the figures as JSON."`
}

// Help is shown after the flags.
func (*benchProvision) Help() string {
	return `Two servers are started on this machine and asked by the same boards, one after the other: a bare one, which does a full TLS handshake with the boards' certificate, checks the signature of the request and signs a certificate, all keys on P-256, and keeps nothing; and the gateway as iotbridge-gateway runs it, with a profile and an allow list, on SQLite. The bare one is what handshakes and signatures cost at the least on this machine now; what the gateway takes beyond is the decision and its commit to the disk. On a machine that does something else at the time, CPU says more than time, and the ratios more than the figures.

The exit code is 1 if a board was not granted its certificate.`
}

// Validate is called by kong.
func (c *benchProvision) Validate() error {
	switch {
	case c.Boards < 1 || c.Boards > 100_000:
		return errors.New("--boards is from 1 to 100000")
	case c.AtOnce < 1 || c.AtOnce > 5000:
		return errors.New("--at-once is from 1 to 5000")
	case c.Postgres != "" && !strings.HasPrefix(c.Postgres, "postgres://"):
		return errors.New("--postgres is postgres://USER@HOST/DB")
	}
	return nil
}

// Run measures, and prints the table.
func (c *benchProvision) Run(ctx context.Context, stdout io.Writer) error {
	boards, err := loadtest.NewBoards(c.Boards)
	if err != nil {
		return err
	}
	report := loadtest.NewEnrolReport(c.AtOnce)
	floor, gateways, err := rig.CompareEnrolments(ctx, benchServes, boards, c.AtOnce, c.Postgres, func(what string) { fmt.Fprintln(os.Stderr, what) })
	if len(gateways) == 0 {
		return err
	}
	report.End(floor, gateways)
	if c.JSON {
		return errors.Join(report.JSON(stdout), err)
	}
	return errors.Join(report.Table(stdout), err)
}
