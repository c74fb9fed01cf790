package agentd

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// examined are the findings by check, and all of them for an error's text.
func (p *pi) examined(change ...string) (map[string]Finding, string) {
	p.t.Helper()
	if len(change) > 0 {
		p.configure(change...)
	}
	var out bytes.Buffer
	d := Doctor{Settings: p.settings(), JSON: true}
	err := d.Run(p.t.Context(), &ConfigFile{Config: p.file()}, &out)
	text := out.String()
	found := map[string]Finding{}
	faults := false
	for line := range strings.Lines(text) {
		var f Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			p.t.Fatalf("%s: %v", line, err)
		}
		if found[f.Check] = f; f.Detail == "" {
			p.t.Errorf("%s says nothing", f.Check)
		}
		faults = faults || f.Result == ill
	}
	if faults != (err != nil) || len(found) != 10 {
		p.t.Errorf("%d findings, error %v:\n%s", len(found), err, text)
	}
	return found, text
}

func TestDoctorFindsNothingWhereAllIsWell(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.device("device1", "SIMULATE = yes")
	found, text := p.examined()
	for name, f := range found {
		if f.Result != well {
			t.Errorf("%s: %s", name, text)
		}
	}
	if _, err := os.Stat(p.spool()); err == nil {
		t.Error("it has made the spool")
	}
	stop := p.run()
	p.state("sending", func(s *state) bool { return s.Link == "sending" })
	if found, text := p.examined(); found["token"].Detail != "the agent that runs is connected" {
		t.Error(text)
	}
	stop()
}

// Each fault shows as one, with its cure, and what does not hang on it is looked at
// all the same.
func TestDoctorNamesTheFaultAndItsCure(t *testing.T) {
	t.Parallel()
	s := start(t)
	port := "PORT = " + strings.TrimPrefix(strings.Split(string(read(t, s.device("any").file())), "PORT = ")[1], "")
	for _, c := range []struct {
		name    string
		settle  func(*pi)
		change  []string
		check   string
		want    string
		still   string // well in spite of it
		skipped string
	}{
		{name: "no host", change: []string{"SIMULATE = yes", "INTERVAL = 1ms"}, check: "configuration", want: "INTERVAL", still: "sensor", skipped: "dns"},
		{name: "a key that others may read", settle: func(p *pi) { chmod(t, p, "ec_private.pem", 0o644) }, check: "key", want: "chmod 600", still: "roots", skipped: "token"},
		{name: "no key", settle: func(p *pi) { os.Remove(filepath.Join(p.dir, "ec_private.pem")) }, check: "key", want: "keygen", still: "spool"},
		{name: "no roots", settle: func(p *pi) { write(t, filepath.Join(p.dir, "roots.pem"), "", 0o644) }, check: "roots", want: "no certificate", still: "connection", skipped: "tls"},
		{name: "another's key", settle: func(p *pi) {
			other := t.TempDir()
			if _, err := keygen(t, "--key-path="+other); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(p.dir, "ec_private.pem"), string(read(t, filepath.Join(other, "ec_private.pem"))), 0o600)
		}, check: "token", want: "CONNACK 5", still: "tls"},
		{name: "blocked", settle: func(p *pi) {
			if _, err := s.admin.UpdateDevice(t.Context(), &iotpb.UpdateDeviceRequest{
				Device: &iotpb.Device{Name: registry + "/devices/" + p.id, Blocked: true}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"blocked"}},
			}); err != nil {
				t.Fatal(err)
			}
		}, check: "token", want: "blocked", still: "tls"},
		{name: "nobody there", change: []string{"SIMULATE = yes", "PORT = 1"}, check: "connection", want: "refused", still: "dns", skipped: "tls"},
		{name: "no probe", change: []string{port, "ONE_WIRE = " + t.TempDir()}, check: "sensor", want: "28-", still: "token"},
		{name: "a spool that is open to others", settle: func(p *pi) {
			if err := os.Mkdir(p.spool(), 0o755); err != nil {
				t.Fatal(err)
			}
		}, check: "spool", want: "chmod 700", still: "token"},
		{name: "a file in the spool's place", settle: func(p *pi) { write(t, p.spool(), "", 0o600) }, check: "spool", want: "is no directory", still: "token"},
		{name: "no place for the spool", change: []string{port, "SIMULATE = yes", "SPOOL_DIR = /dev/null/spool"}, check: "spool", want: "set SPOOL_DIR", still: "token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := s.device("d-"+strings.ReplaceAll(strings.ReplaceAll(c.name, " ", "-"), "'", ""), "SIMULATE = yes")
			if c.settle != nil {
				c.settle(p)
			}
			found, text := p.examined(c.change...)
			if f := found[c.check]; f.Result != ill || !strings.Contains(f.Detail, c.want) {
				t.Errorf("%s: %+v, want %q\n%s", c.check, f, c.want, text)
			}
			if found[c.still].Result != well {
				t.Errorf("%s is %+v\n%s", c.still, found[c.still], text)
			}
			if c.skipped != "" && found[c.skipped].Result != skipped {
				t.Errorf("%s is %+v\n%s", c.skipped, found[c.skipped], text)
			}
		})
	}
}

// run makes the folders above the spool too, so their absence is no fault.
func TestDoctorTakesASpoolThatCanBeMade(t *testing.T) {
	d := Doctor{}
	d.SpoolDir = filepath.Join(t.TempDir(), "not", "yet", "there")
	if _, err := d.lookAtSpool(newClock()); err != nil {
		t.Error(err)
	}
}

func chmod(t *testing.T, p *pi, name string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(filepath.Join(p.dir, name), mode); err != nil {
		t.Fatal(err)
	}
}

// B14: a clock that cannot be right is named before the gateway refuses the token.
func TestB14_DoctorNamesAClockThatCannotBe(t *testing.T) {
	if _, err := lookAtClock(unset{}); err == nil || !strings.Contains(err.Error(), "timedatectl set-ntp true") || !strings.Contains(err.Error(), "1970") {
		t.Errorf("got %v", err)
	}
	if _, err := lookAtClock(newClock()); err != nil {
		t.Error(err)
	}
}

// unset is a clock without a battery.
type unset struct{ bubble }

func (unset) Now() time.Time  { return time.Unix(5, 0) }
func (unset) Plausible() bool { return false }

func TestDoctorForAPerson(t *testing.T) {
	t.Parallel()
	d := Doctor{}
	var out bytes.Buffer
	if err := d.Run(t.Context(), &ConfigFile{}, &out); err == nil || !strings.Contains(err.Error(), "faults") {
		t.Errorf("got %v", err)
	}
	if text := out.String(); !strings.HasPrefix(text, "FAIL  configuration  no configuration:") || strings.Count(text, "\n") != 10 {
		t.Error(text)
	}
}
