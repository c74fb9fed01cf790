package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/zap"

	"iotbridge/internal/watched"
	"iotbridge/schema"
)

const aKey = "k1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"

func verdict(t *testing.T, g *Gate, m schema.Message) schema.Reason {
	t.Helper()
	_, err := g.judge().append(nil, &m, 0)
	var why *schema.Rejection
	if errors.As(err, &why) {
		return why.Reason
	}
	if err != nil {
		t.Fatal(err)
	}
	return ""
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The first fault in the order of the contract names the reason.
func TestWhoSpeaksIsJudgedBeforeWhatIsSaid(t *testing.T) {
	table, err := schema.Builtin("temperature")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := table.Compile()
	if err != nil {
		t.Fatal(err)
	}
	denied, err := OpenDenyList(file(t, "# thieves\nreg/thief\nreg/2577321808646966 # by number\n\n"))
	if err != nil {
		t.Fatal(err)
	}
	attestor, err := OpenAttestor(file(t, aKey), true)
	if err != nil {
		t.Fatal(err)
	}
	lenient, err := OpenAttestor(file(t, aKey), false)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := schema.ParseKeyring([]byte(aKey))
	if err != nil {
		t.Fatal(err)
	}
	const good, malformed = `{"timestamp":1,"temperature":1}`, `{`
	from := func(registry, number, device, body string) schema.Message {
		m := message("1", device, body)
		m.Attributes[0].Value, m.Attributes[1].Value = []byte(registry), []byte(number)
		return m
	}
	signed := func(m schema.Message) schema.Message {
		m.Attributes = append(m.Attributes, schema.Attribute{Key: []byte(schema.AttrAttestation), Value: []byte(keys.Sign(&m))})
		return m
	}
	forged := signed(from("reg", "1", "device1", good))
	forged.Attributes[2].Value = []byte("device2")
	for _, c := range []struct {
		name string
		gate Gate
		m    schema.Message
		want schema.Reason
	}{
		{"honest", Gate{Denied: denied}, from("reg", "1000000000000000", "device1", good), ""},
		{"denied by name", Gate{Denied: denied}, from("reg", "1000000000000000", "thief", malformed), schema.DeviceBlocked},
		{"denied by number", Gate{Denied: denied}, from("reg", "2577321808646966", "device1", malformed), schema.DeviceBlocked},
		{"of another registry", Gate{Denied: denied}, from("other", "1000000000000000", "thief", good), ""},
		{"nobody", Gate{Denied: denied, Attestation: attestor}, from("reg", "1000000000000000", "", good), schema.MissingIdentity},
		{"no id", Gate{Denied: denied, Attestation: attestor}, from("reg", "1000000000000000", "../x", good), schema.MissingIdentity},
		{"signed", Gate{Attestation: attestor}, signed(from("reg", "1", "device1", good)), ""},
		{"unsigned", Gate{Attestation: attestor}, from("reg", "1", "device1", malformed), schema.AttestationMissing},
		{"unsigned, where that may be", Gate{Attestation: lenient}, from("reg", "1", "device1", good), ""},
		{"G1 forged", Gate{Attestation: attestor}, forged, schema.AttestationInvalid},
		{"G1 forged, where unsigned may be", Gate{Attestation: lenient}, forged, schema.AttestationInvalid},
		{"denied before unsigned", Gate{Denied: denied, Attestation: attestor}, from("reg", "1000000000000000", "thief", malformed), schema.DeviceBlocked},
		{"claim required", Gate{RequireClaim: true}, from("reg", "1", "device1", good), schema.MissingField},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.gate.Plan = plan
			if got := verdict(t, &c.gate, c.m); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestFilesThatCannotBeReadAreNamed(t *testing.T) {
	open := file(t, aKey)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"no list", second(OpenDenyList("nowhere")), "nowhere"},
		{"no line", second(OpenDenyList(file(t, "reg/device1\ndevice1\n"))), "line 2 is not registry/device"},
		{"no id", second(OpenDenyList(file(t, "reg/+\n"))), "line 1"},
		{"no keys", second(OpenAttestor("nowhere", true)), "nowhere"},
		{"keys for everyone", second(OpenAttestor(open, true)), "chmod 600"},
		{"bad keys", second(OpenAttestor(file(t, "k1 short\n"), true)), "attestation keys"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", c.name, c.err, c.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// B73's rule, for this list too: what is half-written changes nothing.
func TestAChangedFileTakesEffectAndABrokenOneDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := file(t, "reg/thief\n")
		list, err := OpenDenyList(path)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			list.Watch(ctx, zap.NewNop())
			close(done)
		}()
		for _, step := range []struct{ content, want string }{
			{"reg/other\n", "map[reg/other:true]"},
			{"reg/oth", "map[reg/oth:true]"},
			{"nothing good", "map[reg/oth:true]"},
			{"", "map[]"},
		} {
			if err := os.WriteFile(path, []byte(step.content), 0o600); err != nil {
				t.Fatal(err)
			}
			pass(2 * watched.Every)
			if got := fmt.Sprint(list.list.Current()); got != step.want {
				t.Errorf("after %q: %s, want %s", step.content, got, step.want)
			}
		}
		cancel()
		<-done
	})
}
