package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"iotbridge/internal/site"
	"iotbridge/internal/testprograms"
)

// enrolBed is a gateway that provisions, in a process that can be killed, and what a
// factory gives its boards. Devices reach it through relays.
type enrolBed struct {
	t      *testing.T
	dir    string
	cloud  *site.Site
	files  site.Certificate
	flags  []string // the gateway's
	https  *relay
	mqtt   *relay
	api    *relay
	ops    string // the gateway's
	gate   *process
	logs   []*said // of every process
	boards int

	life sync.Mutex // nobody dies while it is held
	dead bool       // the gateway

	mu      sync.Mutex
	watched func(instant) bool
	looking sync.WaitGroup // at what passes
	conns   map[string]int // first of each port since watched was set
}

const enrolProfile = `id: batch
registry: RaspberryPiDevices
keyMode: %s
rates: {certificate: 100000, address: 100000, prefix: 100000}
bootstrap:
  - name: batch
    certificateFile: pki/bootstrap-batch.pem
`

// startEnrolment starts the gateway, and makes registry and profile as an operator does.
func startEnrolment(t *testing.T, keyMode string, more ...string) *enrolBed {
	t.Helper()
	b := &enrolBed{t: t, dir: t.TempDir(), conns: map[string]int{}}
	cloud := t.TempDir()
	b.begin(exec.Command(program(t), "local", "--data", cloud, "--ephemeral", "--parts", "cloud"), nil)
	var err error
	if b.cloud, err = awaitSite(cloud, false); err != nil {
		t.Fatal(err)
	}
	b.https, b.mqtt, b.api = newRelay(t, "https", b.see), newRelay(t, "mqtt", b.see), newRelay(t, "api", nil)
	if b.files, err = site.ServerCertificate(b.dir); err != nil {
		t.Fatal(err)
	}
	token, operators, err := site.Operator(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	at := *b.cloud
	at.API, at.AdminToken, at.CA = "http://"+b.api.address(), token, b.files.CA
	if err := at.Write(b.dir); err != nil {
		t.Fatal(err)
	}
	pki := filepath.Join(b.dir, "pki")
	b.cli("provision", "init", "--dir", pki, "--name", "batch")
	b.flags = append([]string{
		"--project=" + at.Project, "--location=" + at.Location, "--store=sqlite:" + b.store(), "--attestation-key=" + at.AttestationKeys,
		"--tls-cert=" + b.files.File, "--tls-key=" + b.files.Key, "--operators=" + operators,
		"--mqtt=127.0.0.1:0", "--device-https=127.0.0.1:0", "--api=127.0.0.1:0", "--grpc=127.0.0.1:0", "--ops=127.0.0.1:0",
		"--provision-ca=" + filepath.Join(pki, "device-ca.pem"), "--provision-ca-key=" + filepath.Join(pki, "device-ca.key"),
		"--provision-mqtt=" + b.mqtt.address(), "--provision-https=" + b.https.address(), "--log-format=json",
	}, more...)
	b.serve()
	b.cli("registries", "create", at.Registry, "--local", b.dir, "--default-topic", "sensordata", "--route", "temperature=temperature")
	b.apply(fmt.Sprintf(enrolProfile, keyMode))
	return b
}

func (b *enrolBed) store() string { return filepath.Join(b.dir, "registry.db") }

func (b *enrolBed) apply(profile string) {
	b.t.Helper()
	file := filepath.Join(b.dir, "profile.yaml")
	if err := os.WriteFile(file, []byte(profile), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.cli("provision", "profiles", "apply", file, "--local", b.dir)
}

// cli runs one of the operator's commands.
func (b *enrolBed) cli(args ...string) []byte {
	b.t.Helper()
	p := b.begin(exec.Command(program(b.t), args...), nil)
	if <-p.ended; p.err != nil {
		b.t.Fatalf("iotbridge %s: %v\n%s", strings.Join(args, " "), p.err, p.said)
	}
	return p.said.all()
}

// see is what the relays ask.
func (b *enrolBed) see(m instant) bool {
	b.mu.Lock()
	first, known := b.conns[m.port]
	if !known && m.record < 0 {
		first, known = m.conn, true
		b.conns[m.port] = first
	}
	watched := b.watched
	if m.conn -= first; watched == nil || !known || m.conn < 0 {
		b.mu.Unlock()
		return false
	}
	b.looking.Add(1)
	b.mu.Unlock()
	defer b.looking.Done()
	return watched(m)
}

// watch has what passes from now on be looked at, and counts its connections from 0. With
// nil nothing is, and what was is done with when it returns: it is not for watched to call.
func (b *enrolBed) watch(watched func(instant) bool) {
	b.mu.Lock()
	b.watched, b.conns = watched, map[string]int{}
	b.mu.Unlock()
	if watched == nil {
		b.looking.Wait()
	}
}

// process is one that can be killed.
type process struct {
	*exec.Cmd
	said  *said
	ended chan struct{}
	err   error // of its end
}

// begin starts it; what it says is kept, and line sees each line of it.
func (b *enrolBed) begin(cmd *exec.Cmd, line func(string)) *process {
	b.t.Helper()
	p := &process{Cmd: cmd, said: &said{line: line, begun: make(chan struct{})}, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.said, p.said
	b.mu.Lock()
	b.logs = append(b.logs, p.said)
	b.mu.Unlock()
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	b.t.Cleanup(p.kill)
	return p
}

// kill is kill -9. When it returns, the process is no more.
func (p *process) kill() {
	_ = p.Process.Kill() // it may have ended
	<-p.ended
}

// stop ends it in order, once it has said that it begins: before, it cannot be told.
func (p *process) stop(t *testing.T) {
	t.Helper()
	select {
	case <-p.said.begun:
	case <-p.ended:
	}
	_ = p.Process.Signal(syscall.SIGTERM)
	if <-p.ended; p.err != nil {
		t.Errorf("%s ended with %v\n%s", p.Path, p.err, p.said)
	}
}

// said is what a process has written.
type said struct {
	line  func(string)
	begun chan struct{}

	mu   sync.Mutex
	text bytes.Buffer
	seen int // bytes of whole lines
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.text.Len() == 0 {
		close(s.begun)
	}
	s.text.Write(p)
	for s.line != nil {
		line, _, whole := bytes.Cut(s.text.Bytes()[s.seen:], []byte("\n"))
		if !whole {
			break
		}
		s.seen += len(line) + 1
		s.line(string(line))
	}
	return len(p), nil
}

func (s *said) all() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.text.Bytes())
}

func (s *said) String() string { return string(s.all()) }

var listens = regexp.MustCompile(`"(MQTT listener|device HTTPS listener|operators' listeners|operations listener)".*"(?:address|rest)":"([^"]+)"`)

// serve starts the gateway, and returns when it serves where devices look for it.
func (b *enrolBed) serve() {
	b.t.Helper()
	at, ready := map[string]string{}, make(chan struct{})
	cmd := exec.Command(testprograms.Path(b.t, "iotbridge-gateway"), b.flags...)
	cmd.Env = append(os.Environ(), "PUBSUB_EMULATOR_HOST="+b.cloud.PubSub)
	b.gate = b.begin(cmd, func(line string) {
		if found := listens.FindStringSubmatch(line); found != nil && at["operations listener"] == "" {
			if at[found[1]] = found[2]; found[1] == "operations listener" {
				close(ready)
			}
		}
	})
	select {
	case <-ready:
	case <-b.gate.ended:
		b.t.Fatalf("the gateway ended with %v\n%s", b.gate.err, b.gate.said)
	case <-time.After(agentPatience):
		b.t.Fatalf("the gateway does not serve\n%s", b.gate.said)
	}
	b.life.Lock()
	b.dead = false
	b.life.Unlock()
	b.mqtt.point(at["MQTT listener"])
	b.https.point(at["device HTTPS listener"])
	b.api.point(at["operators' listeners"])
	b.ops = at["operations listener"]
}

// killGateway is kill -9.
func (b *enrolBed) killGateway() {
	b.life.Lock()
	defer b.life.Unlock()
	b.dead = true
	b.gate.kill()
}

// alive does something while the gateway lives, or nothing.
func (b *enrolBed) alive(do func()) {
	b.life.Lock()
	defer b.life.Unlock()
	if !b.dead {
		do()
	}
}

// enrolBoard is a board with the factory's image: no key, no name.
type enrolBoard struct {
	*enrolBed
	serial, dir string
}

func (b *enrolBed) board() *enrolBoard {
	b.t.Helper()
	b.boards++
	d := &enrolBoard{b, fmt.Sprintf("1000%08X", b.boards), b.t.TempDir()}
	for to, from := range map[string]string{"bootstrap.pem": "pki/bootstrap-batch.pem", "bootstrap.key": "pki/bootstrap-batch.key", "roots.pem": filepath.Base(b.files.CA)} {
		text, err := os.ReadFile(filepath.Join(b.dir, from))
		if err == nil {
			err = os.WriteFile(filepath.Join(d.dir, to), text, 0o600)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	_, port, _ := strings.Cut(b.https.address(), ":")
	text := fmt.Sprintf("[SETTINGS]\nPROVISION_URL = https://localhost:%s\nPROFILE = batch\nSERIAL = %s\nSIMULATE = yes\nINTERVAL = 1h\n", port, d.serial)
	if err := os.WriteFile(d.config(), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return d
}

func (d *enrolBoard) config() string { return filepath.Join(d.dir, "gcp_iot_config.txt") }
func (d *enrolBoard) key() string    { return filepath.Join(d.dir, "ec_private.pem") }
func (d *enrolBoard) id() string     { return "d-" + d.serial }

// agent starts one of the agent's commands.
func (d *enrolBoard) agent(command string, more ...string) *process {
	d.t.Helper()
	return d.begin(exec.Command(agentFor(d.t, runtime.GOARCH), append([]string{command, "-c", d.config()}, more...)...), nil)
}

// enrolled asks until it is granted, and says how often.
func (d *enrolBoard) enrolled() (asked int) {
	d.t.Helper()
	for end := time.Now().Add(agentPatience); ; {
		asked++
		p := d.agent("provision", "--once")
		if <-p.ended; p.err == nil {
			return asked
		}
		if bytes.Contains(p.said.all(), []byte("ALREADY_PROVISIONED")) || time.Now().After(end) {
			d.t.Fatalf("%s: %v\n%s", d.serial, p.err, p.said)
		}
	}
}

func (d *enrolBoard) has(suffix string) bool {
	_, err := os.Stat(d.key() + suffix)
	return err == nil
}

// until waits until it holds.
func (d *enrolBoard) until(what string, holds func() bool) {
	d.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(agentPatience); !holds(); {
		select {
		case <-tick.C:
		case <-late:
			d.t.Fatalf("%s: not within %v: %s", d.serial, agentPatience, what)
		}
	}
}
