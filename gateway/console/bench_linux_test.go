package console_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/console"
)

const (
	manyDevices = 100_000
	manyLive    = 1000
)

// crowded is a bed over so many devices, of which the first are connected.
func crowded(b *testing.B) *bed {
	b.Helper()
	file := filepath.Join(b.TempDir(), "registry.db")
	store := openStore(b, file)
	if _, err := store.CreateRegistry(b.Context(), "test", &gateway.Registry{Key: key("plant7"), MQTT: true, HTTP: true}); err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		b.Fatal(err)
	}
	const numbers = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1) `
	for _, statement := range []string{
		numbers + `INSERT INTO devices (number, registry, name, credentials, blocked, metadata, log_level, is_gateway, auth_method, created, updated)
			SELECT 2500000000000000 + i, 1, printf('device%06d', i), '[{"format":2,"pem":"` + strings.Repeat("0", 178) + `"}]', i % 97 = 0, '{"site":"hall 7"}', 0, 0, 0, 1, 1 FROM n`,
		numbers + `INSERT INTO life (device, event, heartbeat, error) SELECT 2500000000000000 + i, ?2 - i * 1000000, ?2 - i * 2000000, iif(i % 31 = 0, ?2, 0) FROM n`,
		numbers + `INSERT INTO configs (device, version, data, updated, acked) SELECT 2500000000000000 + i, 1, x'', 1, 0 FROM n`,
	} {
		if _, err := db.ExecContext(b.Context(), statement, manyDevices, time.Now().UnixMicro()); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	for i := range uint64(manyLive) {
		if _, err := store.Claim(b.Context(), 2_500_000_000_000_000+i, "gateway-1"); err != nil {
			b.Fatal(err)
		}
	}
	return newBed(b, func(c *console.Console) { c.Fleet, c.Manager.Admin, c.Manager.Bus = store.Fleet(), store, store })
}

// The pages of a large fleet: half of them, and 99 of 100, are answered within.
func BenchmarkPages(b *testing.B) {
	at := crowded(b)
	w := at.browse(viewer)
	const devices = "/registries/plant7/devices"
	for _, page := range []struct{ name, path string }{
		{"Overview", "/"},
		{"Devices", devices},
		{"Connected", devices + "?kind=connected"},
		{"Silent", devices + "?kind=silent"},
		{"Latest", devices + "?sort=event&desc=1"},
		{"Search", devices + "?q=99999"},
		{"Device", devices + "/device000001"},
	} {
		b.Run(page.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				if a := w.get(page.path); a.status != http.StatusOK {
					b.Fatal(a.status, a.text)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
			b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
			b.ReportMetric(ms(took[len(took)-1]), "max-ms") // counts all devices anew
		})
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// What it costs that somebody looks on: of a processor, for each of so many viewers.
func BenchmarkLive(b *testing.B) {
	at := crowded(b)
	for _, c := range []struct {
		path    string
		viewers int
	}{{"/live/overview", 1}, {"/live/overview", 10}, {"/live/registries/plant7/devices/device000001", 10}} {
		b.Run(fmt.Sprintf("%s/%d", filepath.Base(c.path), c.viewers), func(b *testing.B) {
			const span = 20 * time.Second
			idle := burnt(b, span)
			leave := look(b, at, c.path, c.viewers)
			busy := burnt(b, span)
			leave()
			for b.Loop() { // the figure is one of time, not of a number of rounds
			}
			b.ReportMetric(100*(busy-idle).Seconds()/span.Seconds()/float64(c.viewers), "%core/viewer")
		})
	}
}

// burnt is the processor time that this process takes in a while.
func burnt(b *testing.B, span time.Duration) time.Duration {
	b.Helper()
	before := processorTime(b)
	<-time.After(span)
	return processorTime(b) - before
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// look has viewers at a live page, each with its first events, until leave.
func look(b *testing.B, at *bed, path string, viewers int) (leave func()) {
	b.Helper()
	w := at.browse(viewer)
	var here, gone sync.WaitGroup
	var ends []io.Closer
	for range viewers {
		resp, err := w.client.Get(at.url + path)
		if err != nil || resp.StatusCode != http.StatusOK {
			b.Fatal(resp, err)
		}
		ends = append(ends, resp.Body)
		here.Add(1)
		gone.Go(func() {
			lines := bufio.NewScanner(resp.Body)
			first := lines.Scan()
			here.Done()
			for first && lines.Scan() {
			}
		})
	}
	here.Wait()
	return func() {
		for _, e := range ends {
			e.Close()
		}
		gone.Wait()
	}
}
