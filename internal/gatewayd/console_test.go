package gatewayd_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"iotbridge/internal/testpostgres"
)

// page is one of the console's, as its operator sees it.
func (g *gate) page(path string) string {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, "http://"+g.api+path, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+string(g.read(g.token)))
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		g.t.Fatalf("%s: %s, %v", path, resp.Status, err)
	}
	return string(text)
}

var connected = regexp.MustCompile(`<dt>Connected</dt><dd>(\d+) <small>of (\d+) devices`)

// Whichever gateway is asked, the pages show all of them, their devices, and why
// connections ended.
func TestTheConsoleShowsTheWholeFleet(t *testing.T) {
	s := start(t)
	s.store = testpostgres.Database(t)
	a, b := s.gateway(), s.gateway()
	a.seed()
	first, second := a.device("device1"), a.device("device2")
	one := a.mustConnect(first)
	b.mustConnect(second)
	moved := b.mustConnect(first)
	a.closed(one)
	for _, g := range []*gate{a, b} {
		s.eventually("the overview shows two gateways and two devices", func() bool {
			text := g.page("/")
			found := connected.FindStringSubmatch(text)
			return found != nil && found[1] == "2" && found[2] == "2" && strings.Count(text, `<span class="badge good">ready</span>`) == 2
		})
		s.eventually("the device's page shows where it is, and why it left", func() bool {
			text := g.page("/registries/RaspberryPiDevices/devices/device1")
			return strings.Contains(text, `<span class="badge good">connected</span> since`) && strings.Contains(text, "<td>takeover</td>") && strings.Contains(text, "from 127.0.0.1")
		})
	}
	moved.Disconnect(250)
	s.eventually("the list shows who has gone", func() bool {
		return strings.Contains(a.page("/registries/RaspberryPiDevices/devices?kind=connected"), ">device2</a>") &&
			!strings.Contains(a.page("/registries/RaspberryPiDevices/devices?kind=connected"), ">device1</a>")
	})
	s.eventually("and why", func() bool {
		return strings.Contains(a.page("/registries/RaspberryPiDevices/devices/device1"), "<td>client</td>")
	})
}
