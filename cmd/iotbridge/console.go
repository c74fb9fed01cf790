package main

import (
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

	"iotbridge/internal/site"
)

// The shortest and the longest that a link of the console may be good.
const (
	minLinkLife = time.Second
	maxLinkLife = time.Hour
)

type consoleCommand struct {
	operatorsAPI `embed:""`
	Life         time.Duration `default:"1m" help:"How long the link is good, an hour at most."`
}

// Help is shown after the flags.
func (*consoleCommand) Help() string {
	return `Who opens the link is signed in as the operator whose token this command has, for twelve hours. It is good once: give it to nobody.`
}

// Validate is called by kong.
func (c *consoleCommand) Validate() error {
	if c.Life < minLinkLife || c.Life > maxLinkLife {
		return fmt.Errorf("--life is between %v and %v", minLinkLife, maxLinkLife)
	}
	return nil
}

// Run asks for a link, and prints it.
func (c *consoleCommand) Run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	s, err := c.site()
	if err != nil {
		return err
	}
	link, err := signIn(ctx, s, c.Life)
	if err != nil {
		return plain(err)
	}
	if c.JSON {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		return e.Encode(link)
	}
	_, err = fmt.Fprintln(out, link.URL)
	return err
}

// link signs an operator in to the console.
type link struct {
	URL   string    `json:"url"`
	Until time.Time `json:"until"`
}

// signIn asks the site's gateway for a link that is good so long.
func signIn(ctx context.Context, s *site.Site, life time.Duration) (l link, err error) {
	client, err := s.OpenAPI()
	if err != nil {
		return l, err
	}
	defer client.CloseIdleConnections()
	root := strings.TrimSuffix(s.API, "/")
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, root+"/login/links?"+url.Values{"life": {life.String()}}.Encode(), nil)
	if err != nil {
		return l, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return l, err
	}
	defer answer.Body.Close()
	if err := googleapi.CheckResponse(answer); err != nil {
		return l, err
	}
	var given struct {
		Path  string
		Until time.Time
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(&given); err != nil || !strings.HasPrefix(given.Path, "/login?") {
		return l, errors.New("the gateway's answer is no link: is --api the address of one that has a console?")
	}
	return link{root + given.Path, given.Until}, nil
}
