package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	iot "cloud.google.com/go/iot/apiv1"
	"golang.org/x/term"
	"google.golang.org/api/googleapi"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"iotbridge/internal/site"
)

// usage is a command line that cannot be meant: exit code 2.
type usage string

func (u usage) Error() string { return string(u) }

// door says which gateway's Device Manager a command calls, and as whom.
type door struct {
	operatorsAPI `embed:""`
	Project      string `placeholder:"P" help:"The registry's project. Default: the local system's."`
	Region       string `placeholder:"L" help:"The registry's region. Default: the local system's."`
}

// operatorsAPI says which gateway operators call, and as whom.
type operatorsAPI struct {
	Local     string        `type:"path" default:"./iotbridge-data" placeholder:"DIR" help:"The local system that serves from DIR."`
	API       string        `name:"api" placeholder:"URL" help:"A gateway's Device Manager, https://HOST:PORT, in the place of a local system."`
	TokenFile string        `type:"path" placeholder:"FILE" help:"The operator's token, with --api."`
	CA        string        `name:"ca" type:"path" placeholder:"FILE" help:"Who issued the gateway's certificate, in PEM, with --api. Default: who the machine believes."`
	Timeout   time.Duration `default:"30s" help:"How long to wait for an answer."`
	JSON      bool          `name:"json" help:"Print one JSON object a line, as Device Manager's REST has them."`
}

// client is an open door.
type client struct {
	*iot.DeviceManagerClient
	region   string // projects/P/locations/L
	project  string
	registry string // the local system's; or ""
	json     bool
	out      io.Writer
}

// call opens the door for one command, which must answer in time.
func (d *door) call(ctx context.Context, out io.Writer, do func(context.Context, *client) error) error {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	return d.work(ctx, out, do)
}

// work opens the door for as long as it takes.
func (d *door) work(ctx context.Context, out io.Writer, do func(context.Context, *client) error) error {
	s, err := d.site()
	if err != nil {
		return err
	}
	api, err := s.OpenDeviceManager(ctx)
	if err != nil {
		return err
	}
	defer api.Close()
	return plain(do(ctx, &client{api, "projects/" + s.Project + "/locations/" + s.Location, s.Project, s.Registry, d.JSON, out}))
}

func (d *door) site() (*site.Site, error) {
	s, err := d.operatorsAPI.site()
	if err != nil {
		return nil, err
	}
	s.Project, s.Location = cmp.Or(d.Project, s.Project), cmp.Or(d.Region, s.Location)
	switch {
	case s.Project == "":
		return nil, usage("--project is missing: whose registries?")
	case s.Location == "":
		return nil, usage("--region is missing: where are the registries?")
	}
	return s, nil
}

func (d *operatorsAPI) site() (*site.Site, error) {
	if d.API != "" {
		return &site.Site{API: d.API, AdminToken: d.TokenFile, CA: d.CA}, nil
	}
	if d.TokenFile != "" || d.CA != "" {
		return nil, usage("--token-file and --ca go with --api: the local system has its own")
	}
	return site.Read(d.Local)
}

// print prints a message of the API as JSON, or else as text does.
func (c *client) print(message proto.Message, text func(io.Writer)) error {
	if !c.json {
		text(c.out)
		return nil
	}
	raw, err := protojson.Marshal(message)
	if err != nil {
		return err
	}
	var line bytes.Buffer
	if err := json.Compact(&line, raw); err != nil { // protojson's spaces are not the same each time
		return err
	}
	line.WriteByte('\n')
	_, err = c.out.Write(line.Bytes())
	return err
}

// plain is an error of the API as the gateway worded it.
func plain(err error) error {
	var refused *googleapi.Error
	var unreached *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer in time: is the gateway well? --timeout gives it more: %w", err)
	case errors.As(err, &unreached):
		return fmt.Errorf("the gateway does not answer: %w", unreached.Err)
	case !errors.As(err, &refused):
		return err
	case refused.Code == 401:
		return errors.New("the gateway does not know this operator: --token-file names the token's file")
	case refused.Message == "":
		return fmt.Errorf("the gateway answered %d, which is no answer of Device Manager: is --api its address?", refused.Code)
	}
	return errors.New(shown(refused.Message))
}

// confirm asks whether it is meant. Where nobody can be asked, --yes must say it.
func confirm(question string, yes bool) error {
	if yes {
		return nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return usage(question + " Say --yes to mean it.")
	}
	fmt.Fprint(os.Stderr, question+" [y/N] ")
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n') // what is no yes is a no
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errors.New("nothing was done")
	}
	return nil
}
