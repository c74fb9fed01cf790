package dashboards_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"iotbridge/dashboards"
	"iotbridge/internal/site"
	"iotbridge/internal/testprograms"
)

// speed are the alerts that measure this machine, which may be busy.
var speed = regexp.MustCompile(`Burn$|^IngestSaturated$|^IngestNoProgress$`)

// lied are the alerts that the one liar of the local system is meant to raise.
var lied = []string{"IngestSpoofByOneDevice", "IngestQuarantineSurge"}

// waits are the selectors that have samples only once something has gone wrong, and
// what does so here.
var waits = map[string]string{
	`ingest_append_seconds_count{code!="OK"}`:   "the table is deleted",
	`gateway_publish_seconds_count{code!="OK"}`: "the topic is deleted",
}

// The whole system with real agents, a liar and boards that provision themselves, as a
// Prometheus sees it that has our rules: first when all is well, then when table and
// topic are gone.
func TestRealPrometheus(t *testing.T) {
	program := tool(t, "prometheus", "prometheus")
	local := startLocal(t)
	p := startPrometheus(t, program, map[string]string{"iotbridge-ingest": local.Ops, "iotbridge-gateway": local.GatewayOps}, glob(t, "rules/*.yaml", 2))
	refuseOne(t, local)
	if err := eventually(t, func() error {
		n, err := p.series(t.Context(), "up == 1")
		if err == nil && n < 2 {
			err = fmt.Errorf("%d of 2 programs are scraped", n)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}

	t.Run("every expression returns", func(t *testing.T) { allReturn(t, p) })
	// What waits long for what does not come is the last.
	_ = t.Run("every selector has samples", func(t *testing.T) { allSampled(t, p, false) }) &&
		t.Run("every metric that is spoken of is there", func(t *testing.T) { allThere(t, p) }) &&
		t.Run("every rule is evaluated", func(t *testing.T) { healthy(t, p) }) &&
		t.Run("no alert", func(t *testing.T) { quiet(t, p) }) &&
		t.Run("table and topic are gone", func(t *testing.T) { takeAway(t, local) }) &&
		t.Run("alerts", func(t *testing.T) { raised(t, p, "IngestHold", "GatewayHold") }) &&
		t.Run("every selector of faults has samples", func(t *testing.T) { allSampled(t, p, true) }) &&
		t.Run("every rule is still evaluated", func(t *testing.T) { healthy(t, p) })
}

// startLocal runs iotbridge local and returns where it serves.
func startLocal(t *testing.T) *site.Site {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	ended := run(t, exec.Command(testprograms.Path(t, "iotbridge"), "local", "--ephemeral", "--data", data, "--provision", "--devices=5", "--spoofers=1", "--interval=100ms"))
	var s *site.Site
	if err := eventually(t, func() (err error) {
		select {
		case err := <-ended:
			return errors.Join(errEnded, err)
		default:
			s, err = site.Read(data)
			return err
		}
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

// refuseOne is a device over HTTPS that has no token.
func refuseOne(t *testing.T, s *site.Site) {
	t.Helper()
	ca, err := os.ReadFile(s.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	at := "https://" + s.DeviceHTTPS + "/v1/projects/" + s.Project + "/locations/" + s.Location + "/registries/" + s.Registry + "/devices/nobody:publishEvent"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at, strings.NewReader(`{"binary_data":""}`))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Fatalf("who has no token is told %s", answer.Status)
	}
}

// takeAway deletes the table that the worker writes, and the topic that the gateway
// publishes to.
func takeAway(t *testing.T, s *site.Site) {
	t.Helper()
	tables, err := s.OpenBigQuery(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Close()
	name := strings.Split(s.Table, ".")
	if err := tables.Dataset(name[1]).Table(name[2]).Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	// First the worker has to miss the table: without the topic nothing comes any more.
	topics, err := s.OpenPubSub(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer topics.Close()
	if err := eventually(t, func() error {
		answer, err := http.Get("http://" + s.Ops + "/readyz")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return errors.New("the worker is ready without its table")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	topic := "projects/" + s.Project + "/topics/" + name[2]
	if err := topics.TopicAdminClient.DeleteTopic(t.Context(), &pubsubpb.DeleteTopicRequest{Topic: topic}); err != nil {
		t.Fatal(err)
	}
}

func healthy(t *testing.T, p prometheus) {
	t.Helper()
	if err := eventually(t, func() error {
		all, err := p.rules(t.Context())
		if err == nil && len(all) != len(rules(t)) {
			err = fmt.Errorf("%d rules are loaded", len(all))
		}
		for _, r := range all {
			if r.Health != "ok" {
				err = errors.Join(err, fmt.Errorf("%s: %s %s", r.Name, r.Health, r.LastError))
			}
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// quiet wants no alert, not even one that waits, but for the liar's.
func quiet(t *testing.T, p prometheus) {
	t.Helper()
	if err := eventually(t, func() error {
		all, err := p.rules(t.Context())
		active := map[string]string{}
		for _, r := range all {
			if r.State == "pending" || r.State == "firing" {
				active[r.Name] = r.State
			}
		}
		for _, name := range lied {
			if active[name] == "" {
				err = errors.Join(err, fmt.Errorf("%s does not see the liar", name))
			}
			delete(active, name)
		}
		for name, state := range active {
			if !speed.MatchString(name) {
				err = errors.Join(err, fmt.Errorf("%s is %s", name, state))
			}
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

func raised(t *testing.T, p prometheus, alerts ...string) {
	t.Helper()
	if err := eventually(t, func() error {
		all, err := p.rules(t.Context())
		for _, alert := range alerts {
			if !slices.ContainsFunc(all, func(r state) bool { return r.Name == alert && (r.State == "pending" || r.State == "firing") }) {
				err = errors.Join(err, fmt.Errorf("%s is not raised", alert))
			}
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

func allReturn(t *testing.T, p prometheus) {
	t.Helper()
	for expr, where := range expressions(t) {
		if _, err := p.series(t.Context(), expr); err != nil {
			t.Errorf("%s: %s: %v", where, expr, err)
		}
	}
}

// selector is a metric in an expression, with what is asked of its labels.
var selector = regexp.MustCompile(`\b((?:ingest|gateway|iotbridge|process|go)_\w+|(?:ingest|gateway|iotbridge):[\w:]+|up)\b(\{[^{}]*\})?`)

// allSampled wants every selector of every expression to find something: those that
// wait for a fault only after it.
func allSampled(t *testing.T, p prometheus, after bool) {
	t.Helper()
	all := map[string]string{}
	for expr, where := range expressions(t) {
		for _, m := range selector.FindAllStringSubmatch(expr, -1) {
			all[m[1]+m[2]] = where
		}
	}
	if len(all) < 40 {
		t.Fatalf("only %d selectors were found", len(all))
	}
	for s := range waits {
		if all[s] == "" {
			t.Errorf("%s is excepted and nobody asks for it", s)
		}
	}
	t.Logf("%d selectors", len(all))
	if err := eventually(t, func() (err error) {
		for _, s := range slices.Sorted(maps.Keys(all)) {
			if _, waiting := waits[s]; waiting != after {
				continue
			}
			n, failed := p.series(t.Context(), s)
			if failed == nil && n == 0 {
				failed = errors.New("no sample")
			}
			if failed != nil {
				err = errors.Join(err, fmt.Errorf("%s: %s: %w", all[s], s, failed))
			}
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

var (
	spoken   = regexp.MustCompile(`\b(?:ingest|gateway|iotbridge)_[a-z]+_?[a-z_]*\b`)
	backtick = regexp.MustCompile("`[^`\n]+`")
)

// allThere wants each metric that an alert or a runbook names.
func allThere(t *testing.T, p prometheus) {
	t.Helper()
	all := map[string]string{}
	for _, r := range rules(t) {
		for _, text := range r.Annotations {
			for _, name := range spoken.FindAllString(text, -1) {
				all[name] = r.Alert
			}
		}
	}
	for _, page := range glob(t, "runbooks/*.md", 20) {
		for _, code := range backtick.FindAllString(read(t, page), -1) {
			for _, name := range spoken.FindAllString(code, -1) {
				all[name] = page
			}
		}
	}
	for name, where := range all {
		if n, err := p.series(t.Context(), `{__name__=~"`+name+`(_count)?"}`); err != nil || n == 0 {
			t.Errorf("%s: %s is no metric of a program (%v)", where, name, err)
		}
	}
}

var promql = regexp.MustCompile("(?ms)^```promql\n(.*?)^```$")

// expressions are all that we ask Prometheus, with where it stands.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, r := range rules(t) {
		out[r.Expr] = "rules"
	}
	for _, name := range glob(t, "runbooks/*.md", 20) {
		for _, m := range promql.FindAllStringSubmatch(read(t, name), -1) {
			out[m[1]] = name
		}
	}
	all, err := dashboards.Expressions()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		out[e.Expr] = e.Dashboard + ", " + e.Panel
	}
	return out
}
