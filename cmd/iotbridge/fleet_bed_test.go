package main

import (
	"bufio"
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	_ "modernc.org/sqlite"

	"iotbridge/internal/site"
	"iotbridge/internal/testprograms"
)

// factory is a gateway in a process of its own, made from nothing with the operator's
// commands, and a Pub/Sub before it.
type factory struct {
	*site.Site
	t   *testing.T
	dir string
}

// newFactory makes authorities and starts the gateway on an empty store.
func newFactory(t *testing.T) *factory {
	t.Helper()
	f := &factory{t: t, dir: t.TempDir()}
	f.startCloud()
	f.cli("provision", "init", "--dir", f.pki(""), "--name", "batch7")

	files, err := site.ServerCertificate(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	token, operators, err := site.Operator(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	f.CA, f.AdminToken = files.CA, token
	f.startGateway(
		"--project="+f.Project, "--location="+f.Location, "--store=sqlite:"+f.store(), "--operators="+operators,
		"--tls-cert="+files.File, "--tls-key="+files.Key, "--attestation-key="+f.AttestationKeys,
		"--provision-ca="+f.pki("device-ca.pem"), "--provision-ca-key="+f.pki("device-ca.key"))
	if err := f.Write(f.dir); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *factory) pki(name string) string { return filepath.Join(f.dir, "pki", name) }
func (f *factory) store() string          { return filepath.Join(f.dir, "registry.db") }

func (f *factory) startCloud() {
	f.t.Helper()
	dir := f.t.TempDir()
	f.start(exec.Command(program(f.t), "local", "--data", dir, "--ephemeral", "--parts", "cloud", "--log-level", "error"), io.Discard)
	var err error
	if f.Site, err = awaitSite(dir, false); err != nil {
		f.t.Fatal(err)
	}
}

// startGateway starts it on ports of its own.
func (f *factory) startGateway(args ...string) {
	f.t.Helper()
	for _, listener := range []string{"mqtt", "device-https", "api", "grpc", "ops"} {
		args = append(args, "--"+listener+"=127.0.0.1:0")
	}
	cmd := exec.Command(testprograms.Path(f.t, "iotbridge-gateway"), args...)
	cmd.Env = append(os.Environ(), "PUBSUB_EMULATOR_HOST="+f.PubSub)
	lines, says := io.Pipe()
	f.start(cmd, says)
	listens := make(chan struct{})
	go func() {
		text := bufio.NewScanner(lines)
		for open := true; text.Scan(); {
			var line struct{ Message, Address, REST string }
			if !open || json.Unmarshal(text.Bytes(), &line) != nil {
				continue
			}
			switch line.Message {
			case "MQTT listener":
				f.MQTT = line.Address
			case "device HTTPS listener":
				f.DeviceHTTPS = line.Address
			case "operators' listeners":
				f.API = "http://" + line.REST
			case "operations listener":
				open = false
				close(listens)
			}
		}
	}()
	select {
	case <-listens:
	case <-f.t.Context().Done():
	}
}

// start starts a process that ends in order with the test. What it says on standard
// error goes to out, too.
func (f *factory) start(cmd *exec.Cmd, out io.Writer) {
	f.t.Helper()
	said := &bytes.Buffer{}
	cmd.Stderr = io.MultiWriter(said, out)
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			f.t.Errorf("%s: %v\n%s", filepath.Base(cmd.Path), err, said)
		}
	})
}

// cli runs one of the operator's commands, and returns its lines.
func (f *factory) cli(args ...string) []string {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), program(f.t), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		f.t.Fatalf("iotbridge %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// operate runs one that calls the gateway.
func (f *factory) operate(args ...string) []string {
	f.t.Helper()
	return f.cli(append(args, "--local", f.dir)...)
}

func (f *factory) write(name, text string) string {
	f.t.Helper()
	name = filepath.Join(f.dir, name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return name
}

// rows counts what the store has, by table.
func (f *factory) rows() map[string]int {
	f.t.Helper()
	db, err := sql.Open("sqlite", "file:"+f.store()+"?mode=ro&_pragma=busy_timeout(30000)")
	if err != nil {
		f.t.Fatal(err)
	}
	defer db.Close()
	var names string
	if err := db.QueryRow(`SELECT group_concat(name) FROM sqlite_master WHERE type = 'table'`).Scan(&names); err != nil {
		f.t.Fatal(err)
	}
	counts := map[string]int{}
	for name := range strings.SplitSeq(names, ",") {
		var n int
		if err := db.QueryRow(fmt.Sprintf(`SELECT COUNT(*) FROM %q`, name)).Scan(&n); err != nil {
			f.t.Fatal(err)
		}
		counts[name] = n
	}
	return counts
}

// together does something n times at once, and returns what went wrong.
func together(n int, do func(i int) error) (wrong []error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	begin := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-begin
			if err := do(i); err != nil {
				mu.Lock()
				defer mu.Unlock()
				wrong = append(wrong, fmt.Errorf("%d: %w", i, err))
			}
		})
	}
	close(begin)
	all.Wait()
	return wrong
}
