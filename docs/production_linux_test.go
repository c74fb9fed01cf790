package docs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The page's blocks are one script, from the first secret to the last drill, and it runs
// as it stands but for addresses: another of loopback's, and ports that nobody has.
func TestTheProductionPageRunsFromTopToBottom(t *testing.T) {
	p, dir := walkable(t, "production.md")
	out := walk(t, dir, elsewhere(t, strings.Join(p.blocks("sh"), "")))
	for _, m := range regexp.MustCompile(`(?m)^cost .*# (publish and pull [0-9.]+)`).FindAllStringSubmatch(p.text, -1) {
		if !strings.Contains(out, m[1]+",") {
			t.Errorf("the page says %q, its own formula does not", m[1])
		}
	}
	sayBytes(t, p, filepath.Join(dir, "message.json"))
	allReadings(t, filepath.Join(dir, "readings.json"))
}

// A device of IoT Core comes over with its number and key; an id that cannot is told.
func TestTheMigrationPageRunsFromTopToBottom(t *testing.T) {
	p, dir := walkable(t, "migrating-from-iot-core.md")
	out := walk(t, dir, strings.Join(p.blocks("sh"), ""))
	plan := read(t, filepath.Join(dir, "plan.json"))
	for _, want := range []string{`"device":"my-pi"`, `"verdict":"create"`, `"device":"hall+1"`, `"verdict":"refused"`} {
		if !strings.Contains(plan, want) {
			t.Errorf("the dry run has no %s:\n%s", want, plan)
		}
	}
	for _, want := range []string{"nothing was changed", "created    1", "deviceNumId              2928540609735937", "token          accepted"} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing says %q:\n%s", want, tail(out))
		}
	}
}

// walkable is a page whose blocks are to be run, and a place for it: programs in bin,
// deploy beside them.
func walkable(t *testing.T, name string) (page, string) {
	t.Helper()
	if os.Getenv("IOTBRIDGE_WALK") == "" {
		t.Skip("IOTBRIDGE_WALK is not set: make walk runs it, as CI does")
	}
	for _, tool := range []string{"bash", "openssl", "curl", "awk"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatal(err)
		}
	}
	build(t)
	dir := t.TempDir()
	for name, to := range map[string]string{"bin": bin, "deploy": filepath.Join(root, "deploy")} {
		to, err := filepath.Abs(to)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return page{"docs/" + name, read(t, name)}, dir
}

// walk runs a script, and leaves none of its processes.
func walk(t *testing.T, dir, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euxo", "pipefail", "-c", script)
	cmd.Dir = dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return regexp.MustCompile(`^(IOTBRIDGE|GATEWAY|INGEST|AGENT|PUBSUB|BIGQUERY|GOOGLE)_|^(https?|no|all)_proxy=`).MatchString(v)
	})
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	end := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel, cmd.WaitDelay = end, 10*time.Second
	var out, trace strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &trace
	err := cmd.Run()
	if cmd.Process != nil {
		_ = end() // what a failed script has left behind
	}
	if err == nil {
		return out.String()
	}
	t.Errorf("%v\n%s\n%s", err, tail(trace.String()), tail(out.String()))
	logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	for _, name := range logs {
		t.Logf("%s:\n%s", filepath.Base(name), tail(read(t, name)))
	}
	t.FailNow()
	return ""
}

func tail(text string) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "")
}

// elsewhere moves a script's servers: the machine may have others at work.
func elsewhere(t *testing.T, script string) string {
	t.Helper()
	address := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	script = strings.ReplaceAll(script, "127.0.0.1", address)
	for _, port := range []string{"8883", "8443", "8080", "8081", "8085", "9050", "9060", "9101", "9102"} {
		found := regexp.MustCompile(`\b` + port + `\b`)
		if !found.MatchString(script) {
			t.Fatalf("the page has lost port %s", port)
		}
		other := free(t)
		for strings.Contains(script, other) { // it has been given to one before
			other = free(t)
		}
		script = found.ReplaceAllString(script, other)
	}
	return script
}

// free is a port that the kernel gives nobody by itself, and nobody has.
func free(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(12000 + rand.IntN(18000))
		l, err := net.Listen("tcp", ":"+port)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatal("no port is free")
	return ""
}

// sayBytes holds the size that costs are reckoned with against a message that passed.
func sayBytes(t *testing.T, p page, file string) {
	t.Helper()
	var message struct {
		ID         string `json:"message_id"`
		Attributes map[string]string
		Data       string
	}
	if err := json.Unmarshal([]byte(read(t, file)), &message); err != nil {
		t.Fatal(err)
	}
	size := len(message.Data) + 20 + len(message.ID)
	for name, value := range message.Attributes {
		size += len(name) + len(value)
	}
	said := regexp.MustCompile("about ([0-9]+) bytes to Pub/Sub.*\n?.*`--attestation-key`\\) about ([0-9]+)").FindStringSubmatch(p.text)
	if said == nil || message.Attributes["attestation"] == "" {
		t.Fatalf("the page says %q, the message has %v", said, message.Attributes)
	}
	for i, is := range []int{size - len("attestation") - len(message.Attributes["attestation"]), size} {
		if says, _ := strconv.Atoi(said[1+i]); says < is*9/10 || says > is*11/10 {
			t.Errorf("the page says %d bytes, it is %d", says, is)
		}
	}
}

// allReadings wants every reading of the one device, under the one number, but for the
// last ones, which may wait on the device still.
func allReadings(t *testing.T, file string) {
	t.Helper()
	var answer struct {
		Rows []struct {
			F []struct{ V string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, file)), &answer); err != nil {
		t.Fatal(err)
	}
	devices, streams, numbers := map[string]bool{}, map[string]bool{}, map[int]bool{}
	most := 0
	for _, row := range answer.Rows {
		stream, text, _ := strings.Cut(row.F[1].V, "-")
		n, err := strconv.Atoi(text)
		if err != nil || numbers[n] {
			t.Fatalf("the reading %s: twice, or %v", row.F[1].V, err)
		}
		devices[row.F[0].V], streams[stream], numbers[n] = true, true, true
		most = max(most, n)
	}
	if len(devices) != 1 || len(streams) != 1 || most < 10 {
		t.Errorf("devices %v, streams %v, %d readings", devices, streams, most)
	}
	for n := 1; n < most-5; n++ {
		if !numbers[n] {
			t.Errorf("reading %d of %d is lost", n, most)
		}
	}
}
