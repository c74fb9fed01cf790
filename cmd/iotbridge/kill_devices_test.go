package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"iotbridge/device"
	"iotbridge/device/spool"
	"iotbridge/internal/demo"
)

// The whole system is killed, its devices too, at a random moment after something is in
// the table. What the killed devices' spools hold is sent by the next run, under the
// names that it had; what the gateway had confirmed just before may come a second time,
// and is one row of the dedup view.
func TestKill9_DevicesGoOnWithTheirSpools(t *testing.T) {
	kills, random := killing(t)
	dir, since := t.TempDir(), time.Now()
	fleet, books := &demo.Fleet{Devices: 3, Spoofers: 1}, &demo.Books{}
	flags := []string{"--devices", strconv.Itoa(fleet.Devices), "--spoofers", strconv.Itoa(fleet.Spoofers), "--interval", "20ms"}
	for range max(1, kills/2) {
		process, ended := startLocal(t, dir, flags)
		awaitRows(t, dir)
		<-time.After(time.Duration(random.Int64N(int64(500 * time.Millisecond))))
		if err := process.Signal(syscall.SIGKILL); err != nil {
			t.Fatalf("a run ended by itself: %v, %v", err, <-ended)
		}
		<-ended
		enterHeld(t, dir, fleet, books)
	}
	t.Logf("%d readings were held at a kill", books.Published())
	if books.Published() == 0 {
		t.Error("nothing was held: nothing is proven")
	}

	process, ended := startLocal(t, dir, flags)
	s, err := awaitSite(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := openTables(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Client.Close()
	settleKilled(t, books, tables, since)
	const twice = "SELECT COUNT(*) - COUNT(DISTINCT reading_id) FROM `demo.iot.temperature"
	physically, err := rowsOf(tables.Client, twice+"`")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s rows are a second copy", physically)
	if got, err := rowsOf(tables.Client, twice+"_dedup`"); err != nil || got != "0" {
		t.Errorf("the dedup view shows %s readings twice, %v", got, err)
	}
	interrupt(t, process, ended)
}

// awaitRows waits until the system in the directory has stored something since it began.
func awaitRows(t *testing.T, dir string) {
	t.Helper()
	since := time.Now().UTC().Format("2006-01-02 15:04:05.000000+00")
	s, err := awaitSite(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	client, err := s.OpenBigQuery(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(firstConfirmation)
	for {
		got, err := rowsOf(client, "SELECT COUNT(*) > 0 FROM `demo.iot.temperature` WHERE publish_time >= TIMESTAMP \""+since+"\"")
		if err == nil && got == "true" {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("nothing was stored in %v: %v", firstConfirmation, err)
		}
	}
}

// enterHeld enters what the devices' spools hold. It looks at copies: the next run shall
// find what the killed one has left.
func enterHeld(t *testing.T, dir string, fleet *demo.Fleet, books *demo.Books) {
	t.Helper()
	for i := range fleet.Size() {
		copied := filepath.Join(t.TempDir(), "spool")
		if err := copyPrivate(copied, filepath.Join(dir, "devices", fleet.Name(i), "spool")); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		held, err := spool.Open(copied, spool.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for from := uint64(0); ; {
			number, _, err := held.Next(from)
			if errors.Is(err, device.ErrEmpty) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			from = number + 1
			m, ok := fleet.Message(i, fmt.Appendf(nil, "%s-%d", held.Stream(), number))
			if !ok {
				t.Fatalf("%s-%d is no reading's id", held.Stream(), number)
			}
			books.Enter(&m)
		}
		if err := held.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// copyPrivate copies a spool's folder, closed to others as it must be.
func copyPrivate(to, from string) error {
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, f.Name()), b, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
