package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/api/googleapi"

	"iotbridge/gateway/provision/office"
)

type provisionCommand struct {
	Init      provisionInit      `cmd:"" help:"Make the authorities, and a bootstrap certificate for a batch of boards."`
	Profiles  provisionProfiles  `cmd:"" help:"Say who may ask for a device's credential, and what is granted."`
	Allow     provisionList      `cmd:"" help:"The units that may become devices."`
	Deny      provisionList      `cmd:"" help:"The units that may not, whatever else speaks for them."`
	Claims    provisionClaims    `cmd:"" help:"Look at who has asked, and decide."`
	Bootstrap provisionBootstrap `cmd:"" help:"Take a bootstrap certificate's power away."`
}

// Help is shown after the commands.
func (*provisionCommand) Help() string {
	return `A board that holds nothing but the bootstrap certificate of its batch asks for a key of its own, and is a device if a profile and its lists say so. From nothing:

  iotbridge provision init --dir pki
  iotbridge provision profiles apply batch7.yaml
  iotbridge provision allow add --profile batch7 serials.csv

docs/provisioning.md has the flow, a profile explained, the factory's checklist, and what to do when the bootstrap key has leaked.`
}

// provisioning opens the door for one command, which must answer in time.
func (d *operatorsAPI) provisioning(ctx context.Context, out io.Writer, do func(context.Context, *desk) error) error {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	return d.atDesk(out, func(c *desk) error { return do(ctx, c) })
}

// atDesk opens the door for as long as it takes.
func (d *operatorsAPI) atDesk(out io.Writer, do func(*desk) error) error {
	s, err := d.site()
	if err != nil {
		return err
	}
	client, err := s.OpenAPI()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	return plain(do(&desk{client, strings.TrimSuffix(s.API, "/") + office.Root, d.JSON, out}))
}

// desk is the gateway's provisioning, as operators call it.
type desk struct {
	client *http.Client
	root   string
	json   bool
	out    io.Writer
}

// in is a path of the API; each part is one segment of it.
func in(parts ...string) string {
	escaped := make([]string, len(parts))
	for i, p := range parts {
		escaped[i] = url.PathEscape(p)
	}
	return strings.Join(escaped, "/")
}

const inJSON, inCSV = "application/json", "text/csv"

// call sends a request, and reads its answer into into. nil bodies are none.
func (d *desk) call(ctx context.Context, method, path string, body, into any) error {
	if body == nil {
		return d.send(ctx, method, path, "", nil, into)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return d.send(ctx, method, path, inJSON, bytes.NewReader(text), into)
}

const maxAnswer = 16 << 20

func (d *desk) send(ctx context.Context, method, path, media string, body io.Reader, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, d.root+path, body)
	if err != nil {
		return err
	}
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	answer, err := d.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if err := googleapi.CheckResponse(answer); err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the gateway's answer is not provisioning's: is --api its address? %w", err)
	}
	return nil
}

// missing says that the gateway has no such thing.
func missing(err error) bool {
	refused, ok := errors.AsType[*googleapi.Error](err)
	return ok && refused.Code == http.StatusNotFound
}

// print prints a resource as a line of JSON, or else as text does.
func (d *desk) print(resource any, text func(io.Writer)) error {
	if !d.json {
		text(d.out)
		return nil
	}
	e := json.NewEncoder(d.out)
	e.SetEscapeHTML(false)
	return e.Encode(resource)
}

// pages goes through a list until the limit, or its end. next reads a page from its
// place on, shows no more than limit, and says how many it has shown and where the
// following page begins.
func (d *desk) pages(limit int, next func(query string, limit int) (shown int, token string, err error)) error {
	for token := ""; limit > 0; {
		query := url.Values{"pageSize": {fmt.Sprint(min(limit, pageSize))}}
		if token != "" {
			query.Set("pageToken", token)
		}
		shown, following, err := next(query.Encode(), limit)
		if err != nil || following == "" {
			return err
		}
		limit, token = limit-shown, following
	}
	return nil
}

// whenever is a time to the second; never is "-".
func whenever(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
