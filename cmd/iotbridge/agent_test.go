package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"

	"iotbridge/internal/site"
)

// machines are those that the agent is shipped for.
var machines = []struct {
	name, arch string
	emulator   string // of Debian's qemu-user-static; "" is this machine
}{
	{"native", runtime.GOARCH, ""},
	{"armv6", "arm", "qemu-arm-static"},
	{"arm64", "arm64", "qemu-aarch64-static"},
}

// From the sensor over the disk, TLS, the real gateway, Pub/Sub and the worker into the
// table; and a device that is blocked stops, and says why, while another goes on. The
// agents are those that are shipped, for each machine that they are shipped for.
func TestTheAgentFromItsSensorToTheTable(t *testing.T) {
	s := serveLocal(t, "--parts", "cloud,gateway,worker")
	tables, err := s.OpenBigQuery(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Close()
	witness := s.device(t, "witness", agentFor(t, runtime.GOARCH))
	witness.run("--one-wire", probes(t, 2), "--interval", "200ms")
	for _, m := range machines {
		t.Run(m.name, func(t *testing.T) {
			if m.emulator != "" && os.Getenv(agentsVariable) == "" {
				t.Skipf("emulated for agents that are built: %s is not set", agentsVariable)
			}
			starts := []string{agentFor(t, m.arch)}
			sensor := []string{"--simulate"}
			if m.emulator == "" {
				sensor = []string{"--one-wire", probes(t, 3)}
			} else {
				emulator, err := exec.LookPath(m.emulator)
				if err != nil {
					t.Skipf("%s is not there: apt-get install qemu-user-static", m.emulator)
				}
				starts = append([]string{emulator}, starts...)
			}
			d := s.device(t, "pi-"+m.name, starts...)
			d.env = []string{"GODEBUG=asyncpreemptoff=1"} // its signals are more than an emulator takes
			d.healthy(sensor...)
			agent := d.run(append(sensor, "--interval", "200ms")...)
			rows(t, tables, 6, d.id, time.Time{})
			d.says(func(exit int, answer string) bool { return exit == 0 && strings.Contains(answer, `"link":"sending"`) })
			t.Logf("%d KiB resident at most", highWater(t, agent.Process.Pid))

			asked := time.Now()
			s.cli(t, "devices", "block", d.id)
			d.says(func(exit int, answer string) bool {
				return exit == 1 && strings.Contains(answer, "has blocked it") && strings.Contains(answer, "CONNACK 5")
			})
			rows(t, tables, 10, witness.id, time.Now()) // by then all of the other's have come
			last := lastPublished(t, tables, d.id)
			t.Logf("blocked: its last message was published %v after an operator asked for it", last.Sub(asked).Round(time.Millisecond))
			if last.After(asked.Add(30 * time.Second)) {
				t.Error("the blocked device is still heard")
			}
		})
	}
}

// healthy wants doctor to find nothing.
func (d *deviceBed) healthy(sensor ...string) {
	d.t.Helper()
	out, err := d.settled("doctor", sensor...).CombinedOutput()
	if err != nil {
		d.t.Fatalf("doctor: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, line := range lines {
		if !strings.HasPrefix(line, "ok ") {
			d.t.Errorf("doctor: %s", line)
		}
	}
	if len(lines) < 10 {
		d.t.Errorf("doctor has looked at %d things:\n%s", len(lines), out)
	}
}

// probes makes a folder as the kernel's 1-wire driver shows one.
func probes(t *testing.T, n int) string {
	t.Helper()
	root := t.TempDir()
	for i := range n {
		dir := filepath.Join(root, fmt.Sprintf("28-%012x", 0x0316a2795b12+i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		const text = "57 01 4b 46 7f ff 0c 10 17 : crc=17 YES\n57 01 4b 46 7f ff 0c 10 17 t=21437\n"
		if err := os.WriteFile(filepath.Join(dir, "w1_slave"), []byte(text), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// rows waits until the table has so many of a device that were published later.
func rows(t *testing.T, client *bigquery.Client, want int, device string, later time.Time) {
	t.Helper()
	sql := fmt.Sprintf("SELECT COUNT(*) >= %d FROM `demo.iot.temperature` WHERE device_id = %q AND publish_time > TIMESTAMP %q",
		want, device, later.UTC().Format("2006-01-02 15:04:05.000000+00"))
	for end := time.Now().Add(agentPatience); ; <-time.After(50 * time.Millisecond) {
		got, err := rowsOf(client, sql)
		if err == nil && got == "true" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %s, %v", sql, got, err)
		}
	}
}

func lastPublished(t *testing.T, client *bigquery.Client, device string) time.Time {
	t.Helper()
	it, err := client.Query(fmt.Sprintf("SELECT MAX(publish_time) FROM `demo.iot.temperature` WHERE device_id = %q", device)).Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var row []bigquery.Value
	if err := it.Next(&row); err != nil {
		t.Fatal(err)
	}
	last, ok := row[0].(time.Time)
	if !ok {
		t.Fatalf("got %v", row)
	}
	return last
}

func TestWhereTheGatewayIsGoesIntoTheDevicesFile(t *testing.T) {
	for _, c := range []struct {
		at   site.Site
		want string
	}{
		{site.Site{MQTT: "127.0.0.1:45001", API: "http://127.0.0.1:8080"}, "127.0.0.1:45001"},
		{site.Site{API: "https://gateway.example.com:8080"}, "gateway.example.com"},
		{site.Site{API: "http://localhost:8080"}, ""},
		{site.Site{API: "http://[::1]:8080"}, ""},
	} {
		if got := gatewayOf(&c.at); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.at, got, c.want)
		}
	}
}
