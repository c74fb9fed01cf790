package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/pubsub/v2"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/api/iterator"

	"iotbridge/internal/demo"
	"iotbridge/internal/site"
	"iotbridge/schema"
)

// TestMain lets scripts, and tests, run this program as a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"iotbridge": main})
}

func TestTheExitCodeSaysWhoseFaultItIs(t *testing.T) {
	dir := t.TempDir()
	for want, lines := range map[int][]string{
		0: {"--version", "schema show temperature"},
		1: {"devices list --local " + dir, "registries list --api http://127.0.0.1:1 --project p --region l", "quarantine list --local " + dir},
		2: {"devices", "devices list --nobody", "devices list --api http://127.0.0.1:1 --project p", "devices delete d --local " + dir, "devices config d --after 3 --local " + dir},
	} {
		for _, line := range lines {
			if got := command(strings.Fields(line)); got != want {
				t.Errorf("iotbridge %s: exit code %d, want %d", line, got, want)
			}
		}
	}
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"await":   await,
			"books":   books,
			"publish": publish,
			"query":   query,
			"busy":    busy,
			"site":    siteField,
			"quiet":   quiet,
			"lively":  lively,
			"keygen":  keygen,
			"send":    send,
			"open":    open,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// await waits until a local system serves from the directory, and with mqtt until a
// gateway does: await DIR [mqtt].
func await(ts *testscript.TestScript, _ bool, args []string) {
	if _, err := awaitSite(ts.MkAbs(args[0]), len(args) > 1); err != nil {
		ts.Fatalf("%v", err)
	}
}

func awaitSite(dir string, gateway bool) (*site.Site, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(2 * time.Minute)
	for {
		s, err := site.Read(dir)
		if err == nil && (s.MQTT != "" || !gateway) {
			return s, nil
		}
		select {
		case <-tick.C:
		case <-late:
			return nil, err
		}
	}
}

// books checks a summary: books FILE.
func books(ts *testscript.TestScript, _ bool, args []string) {
	var a demo.Account
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &a); err != nil {
		ts.Fatalf("%s: %v", args[0], err)
	}
	mismatch, malformed := a.Quarantined[string(schema.DeviceMismatch)], a.Quarantined[string(schema.MalformedBody)]
	switch {
	case a.Lost != 0 || a.Misplaced != 0 || a.Duplicates != 0:
		ts.Fatalf("lost, misplaced or doubled: %+v", a)
	case a.Spoofed == 0 || mismatch != a.Spoofed:
		ts.Fatalf("%d spoofed, %d as device_mismatch", a.Spoofed, mismatch)
	case a.Malformed == 0 || malformed != a.Malformed:
		ts.Fatalf("%d malformed, %d as malformed_body", a.Malformed, malformed)
	case len(a.Quarantined) != 2 || a.Stored != a.Published-mismatch-malformed:
		ts.Fatalf("a good message in quarantine: %+v", a)
	}
}

// publish sends a body, which may be quoted as in Go, as device1's gateway would:
// publish DIR TOPIC BODY. The message's id is then $ID.
func publish(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	s, err := site.Read(dir)
	ts.Check(err)
	body := []byte(args[2])
	if text, err := strconv.Unquote(args[2]); err == nil {
		body = []byte(text)
	}
	keys, _, err := site.Keyring(dir)
	ts.Check(err)
	attributes := map[string]string{
		schema.AttrDeviceID: "device1", schema.AttrDeviceNumID: "2500000000000001", schema.AttrRegistryID: s.Registry,
		schema.AttrRegistryLocation: s.Location, schema.AttrProjectID: s.Project, schema.AttrSubFolder: args[1],
	}
	message := schema.Message{Data: body}
	for key, value := range attributes {
		message.Attributes = append(message.Attributes, schema.Attribute{Key: []byte(key), Value: []byte(value)})
	}
	attributes[schema.AttrAttestation] = keys.Sign(&message)
	ctx := context.Background()
	client, err := s.OpenPubSub(ctx)
	ts.Check(err)
	defer client.Close()
	topic := client.Publisher(args[1])
	defer topic.Stop()
	id, err := topic.Publish(ctx, &pubsub.Message{Attributes: attributes, Data: body}).Get(ctx)
	ts.Check(err)
	ts.Setenv("ID", id)
}

// query asks until the answer is the one that is wanted: query DIR SQL WANT. A row is
// its values with commas, and rows are parted by semicolons.
func query(ts *testscript.TestScript, _ bool, args []string) {
	s, err := site.Read(ts.MkAbs(args[0]))
	ts.Check(err)
	client, err := s.OpenBigQuery(context.Background())
	ts.Check(err)
	defer client.Close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(2 * time.Minute)
	for {
		got, err := rowsOf(client, args[1])
		if err == nil && got == args[2] {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("%s: got %q, %v, want %q", args[1], got, err, args[2])
		}
	}
}

func rowsOf(client *bigquery.Client, sql string) (string, error) {
	it, err := client.Query(sql).Read(context.Background())
	if err != nil {
		return "", err
	}
	var rows []string
	for {
		var row []bigquery.Value
		err := it.Next(&row)
		if err == iterator.Done {
			return strings.Join(rows, ";"), nil
		}
		if err != nil {
			return "", err
		}
		rows = append(rows, strings.ReplaceAll(strings.Trim(fmt.Sprint(row), "[]"), " ", ","))
	}
}

// busy sets $ADDR to an address that the system in the directory listens on: busy DIR.
func busy(ts *testscript.TestScript, _ bool, args []string) {
	s, err := site.Read(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Setenv("ADDR", s.PubSub)
}

// siteField sets a variable to a field of a site: site DIR FIELD VARIABLE.
func siteField(ts *testscript.TestScript, _ bool, args []string) {
	var fields map[string]any
	if err := json.Unmarshal([]byte(ts.ReadFile(filepath.Join(args[0], site.FileName))), &fields); err != nil {
		ts.Fatalf("%v", err)
	}
	ts.Setenv(args[2], fmt.Sprint(fields[args[1]]))
}

// quiet waits until a device's messages have ceased: of those that Pub/Sub took after a
// moment there is none, though twenty of other devices are there. $QUIET is then the time:
// quiet DIR DEVICE. How soon a blocked device is heard no more is said in gateway/mqtt.
func quiet(ts *testscript.TestScript, _ bool, args []string) {
	const layout = "2006-01-02 15:04:05.000000+00"
	s, err := site.Read(ts.MkAbs(args[0]))
	ts.Check(err)
	client, err := s.OpenBigQuery(context.Background())
	ts.Check(err)
	defer client.Close()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		after := " FROM `demo.iot.temperature` WHERE publish_time > TIMESTAMP \"" + time.Now().UTC().Format(layout) + "\""
		query(ts, false, []string{args[0], "SELECT COUNT(*) > 20" + after + " AND device_id != \"" + args[1] + "\"", "true"})
		got, err := rowsOf(client, "SELECT COUNT(*)"+after+" AND device_id = \""+args[1]+"\"")
		ts.Check(err)
		if got == "0" {
			ts.Setenv("QUIET", time.Now().UTC().Format(layout))
			return
		}
	}
	ts.Fatalf("%s is still heard", args[1])
}

// lively waits until messages that Pub/Sub took after it began are where they belong, of
// each kind that books wants: lively DIR.
func lively(ts *testscript.TestScript, _ bool, args []string) {
	after := " WHERE publish_time > TIMESTAMP \"" + time.Now().UTC().Format("2006-01-02 15:04:05.000000+00") + "\""
	for _, kind := range []string{
		"temperature`" + after,
		"quarantine`" + after + " AND reason = \"malformed_body\"",
		"quarantine`" + after + " AND reason = \"device_mismatch\"",
	} {
		query(ts, false, []string{args[0], "SELECT COUNT(*) > 0 FROM `demo.iot." + kind, "true"})
	}
}

// open opens the link in a file, and checks the answer's status: open FILE STATUS.
func open(ts *testscript.TestScript, _ bool, args []string) {
	var l link
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &l))
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	answer, err := client.Get(l.URL)
	ts.Check(err)
	answer.Body.Close()
	if got := strconv.Itoa(answer.StatusCode); got != args[1] {
		ts.Fatalf("%s answered %s, want %s", args[0], got, args[1])
	}
}

// program is the path of this program.
func program(t *testing.T) string {
	t.Helper()
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		name := filepath.Join(dir, "iotbridge")
		if _, err := os.Stat(name); err == nil {
			return name
		}
	}
	t.Fatal("the test's own program is not in PATH")
	return ""
}
