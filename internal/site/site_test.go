package site_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iotbridge/internal/site"
	"iotbridge/schema"
)

func TestASiteIsReadAsItWasWritten(t *testing.T) {
	dir := t.TempDir()
	want := &site.Site{
		Project: "demo", Location: "us-central1", Registry: "R", Subscription: "projects/demo/subscriptions/s",
		Table: "demo.iot.temperature", QuarantineTable: "demo.iot.quarantine", PubSub: "127.0.0.1:1", BigQuery: "127.0.0.1:2", BigQueryStorage: "127.0.0.1:3", Ops: "127.0.0.1:4",
		AttestationKeys: "/data/keys", Routes: []site.Route{{Subscription: "projects/demo/subscriptions/s", Schema: "temperature", Table: "demo.iot.temperature"}},
	}
	for range 2 { // the second one replaces the first
		if err := want.Write(dir); err != nil {
			t.Fatal(err)
		}
	}
	got, err := site.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files in the directory, want the one", len(files))
	}
}

func TestASiteThatIsGoneIsNotRunning(t *testing.T) {
	dir := t.TempDir()
	if err := (&site.Site{}).Write(dir); err != nil {
		t.Fatal(err)
	}
	for range 2 { // also when there is nothing to remove
		if err := site.Remove(dir); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := site.Read(dir); !errors.Is(err, site.ErrNotRunning) || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v, want ErrNotRunning and the directory", err)
	}
}

func TestATornFileIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, site.FileName), []byte(`{"project":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Read(dir); err == nil || !strings.Contains(err.Error(), site.FileName) {
		t.Errorf("error %v, want the file's name", err)
	}
}

func TestKeysAreMadeOnceAndPrivate(t *testing.T) {
	dir := t.TempDir()
	first, file, err := site.Keyring(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := site.Keyring(dir)
	if err != nil {
		t.Fatal(err)
	}
	m := &schema.Message{Data: []byte("x")}
	m.Attributes = []schema.Attribute{{Key: []byte(schema.AttrAttestation), Value: []byte(first.Sign(m))}}
	if why := second.Verify(m); why != nil {
		t.Error(why)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v, want mode 0600", info.Mode(), err)
	}
}
