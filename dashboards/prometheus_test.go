package dashboards_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"))
}

// tool finds a program of Debian's. These tests take a minute, so they run where they
// are asked for: IOTBRIDGE_TOOLS=required.
func tool(t *testing.T, name, pkg string) string {
	t.Helper()
	if os.Getenv("IOTBRIDGE_TOOLS") != "required" {
		t.Skip("not asked for: IOTBRIDGE_TOOLS=required go test ./dashboards")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v (apt-get install %s)", err, pkg)
	}
	return path
}

func TestPromtoolTakesTheRules(t *testing.T) {
	promtool := tool(t, "promtool", "prometheus")
	for what, names := range map[string][]string{
		"check": glob(t, "rules/*.yaml", 2),
		"test":  glob(t, "rules/tests/*.yaml", 3),
	} {
		for _, name := range names {
			t.Run(what+" "+filepath.Base(name), func(t *testing.T) {
				t.Parallel()
				cmd := exec.CommandContext(t.Context(), promtool, what, "rules", filepath.Base(name))
				cmd.Dir = filepath.Dir(name)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("promtool %s rules %s: %v\n%s", what, name, err, out)
				}
			})
		}
	}
}

// prometheus is a real one, asked over HTTP.
type prometheus struct{ url string }

// startPrometheus runs one that scrapes and evaluates every second.
func startPrometheus(t *testing.T, program string, jobs map[string]string, ruleFiles []string) prometheus {
	t.Helper()
	dir := t.TempDir()
	var config strings.Builder
	config.WriteString("global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\nrule_files:\n")
	for _, name := range ruleFiles {
		absolute, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&config, "  - %s\n", absolute)
	}
	config.WriteString("scrape_configs:\n")
	for job, target := range jobs {
		fmt.Fprintf(&config, "  - {job_name: %s, static_configs: [{targets: [%q]}]}\n", job, target)
	}
	name := filepath.Join(dir, "prometheus.yaml")
	if err := os.WriteFile(name, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	// It does not tell a port that it was given: another program may take the free one
	// before it, and then there is another try.
	for range 5 {
		address := free(t)
		cmd := exec.Command(program, "--config.file="+name, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=error")
		ended := run(t, cmd)
		p := prometheus{"http://" + address}
		err := eventually(t, func() error {
			select {
			case err := <-ended:
				return errors.Join(errEnded, err)
			default:
				return p.ask(t.Context(), "/-/ready", nil, nil)
			}
		})
		if err == nil {
			return p
		}
		if !errors.Is(err, errEnded) {
			t.Fatal(err)
		}
	}
	t.Fatal("prometheus does not start")
	return prometheus{}
}

var errEnded = errors.New("the process has ended")

// run starts a process that is killed when the test is over; its words are shown when
// the test has failed.
func run(t *testing.T, cmd *exec.Cmd) (ended <-chan error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "output")
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		done <- cmd.Wait()
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-stopped
		out.Close()
		if t.Failed() {
			text, _ := os.ReadFile(name)
			t.Logf("%s said, at the end:\n%s", filepath.Base(cmd.Path), text[max(0, len(text)-4000):])
		}
	})
	return done
}

func free(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// eventually asks until there is no error. Two minutes are no measure: it is then that
// nobody believes in it any more.
func eventually(t *testing.T, holds func() error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		err := holds()
		if err == nil || errors.Is(err, errEnded) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

// ask decodes the data of an answer into data, if any.
func (p prometheus) ask(ctx context.Context, path string, query url.Values, data any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if data == nil {
		if answer.StatusCode != http.StatusOK {
			return errors.New(answer.Status)
		}
		return nil
	}
	var envelope struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(answer.Body).Decode(&envelope); err != nil {
		return err
	}
	if envelope.Status != "success" {
		return errors.New(envelope.Error)
	}
	return json.Unmarshal(envelope.Data, data)
}

// series counts what an expression returns.
func (p prometheus) series(ctx context.Context, expr string) (int, error) {
	var data struct {
		ResultType string
		Result     []json.RawMessage
	}
	err := p.ask(ctx, "/api/v1/query", url.Values{"query": {expr}}, &data)
	return len(data.Result), err
}

// state is what Prometheus says of one rule.
type state struct {
	Name, State, Health, LastError string
	LastEvaluation                 time.Time
	Labels                         map[string]string
}

func (p prometheus) rules(ctx context.Context) (out []state, err error) {
	var data struct {
		Groups []struct{ Rules []state }
	}
	err = p.ask(ctx, "/api/v1/rules", nil, &data)
	for _, g := range data.Groups {
		out = append(out, g.Rules...)
	}
	return out, err
}
