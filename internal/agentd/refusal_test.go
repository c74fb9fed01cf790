package agentd

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"iotbridge/device/mqtt"
)

// alone is a device whose gateway is never asked.
func alone(t *testing.T) *pi {
	t.Helper()
	p := &pi{&system{t: t}, "device1", t.TempDir()}
	if _, err := keygen(t, "--key-path="+p.dir); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(p.dir, "roots.pem"), root, 0o644)
	p.configure("PORT = 1", "SIMULATE = yes")
	return p
}

const root = `-----BEGIN CERTIFICATE-----
MIIBfjCCASWgAwIBAgIUZ2PJh9BUZTFmMJ03aMF9hxCANZQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJdGVzdCByb290MCAXDTI2MTEyMzExMjQ1NloYDzIxMjYxMDMw
MTEyNDU2WjAUMRIwEAYDVQQDDAl0ZXN0IHJvb3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATS1InZK/nT3WUntyQ+2yDmVYmoXW2GYHiTIbCzdaMDFv/bnLUpQSpa
JbiBg2S0IwBwOofaGmW65tzOGJB1vjV8o1MwUTAdBgNVHQ4EFgQUG3kZb2wLd38D
7+r8vtNkTsrrtjgwHwYDVR0jBBgwFoAUG3kZb2wLd38D7+r8vtNkTsrrtjgwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiApMbmuRuDex6tMt0771S5t
Sif2Ob2G2tiAretAXnU5fwIgYyZZ0GdCDy61UappxHun5ZxUCA1MQksvydN9XEtL
49Q=
-----END CERTIFICATE-----
`

// D1, D2: the agent does not begin with a key or a spool that others can get at.
func TestD1_D2_NothingBeginsWithWhatOthersCanGetAt(t *testing.T) {
	for _, c := range []struct {
		name   string
		settle func(p *pi, key string) error
		want   string
	}{
		{"a key for the group", func(_ *pi, key string) error { return os.Chmod(key, 0o640) }, "chmod 600"},
		{"a key for all", func(_ *pi, key string) error { return os.Chmod(key, 0o604) }, "chmod 600"},
		{"a linked key", func(_ *pi, key string) error {
			return os.Symlink(key+".real", key)
		}, "symbolic link"},
		{"a pipe for a key", func(_ *pi, key string) error { return syscall.Mkfifo(key, 0o600) }, "no regular file"},
		{"a folder for a key", func(_ *pi, key string) error { return os.Mkdir(key, 0o700) }, "no regular file"},
		{"roots that anybody may change", func(p *pi, _ string) error { return os.Chmod(filepath.Join(p.dir, "roots.pem"), 0o666) }, "anybody may change"},
		{"a spool for the group", func(p *pi, _ string) error { return os.Mkdir(p.spool(), 0o750) }, "open to other users"},
		{"a linked spool", func(p *pi, _ string) error { return os.Symlink(p.t.TempDir(), p.spool()) }, "symbolic link"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := alone(t)
			key := filepath.Join(p.dir, "ec_private.pem")
			if !strings.Contains(c.name, "a key for") && strings.Contains(c.name, "key") { // another thing in its place
				if err := os.Rename(key, key+".real"); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.settle(p, key); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience) // one that begins ends, too
			defer cancel()
			if err := Run(ctx, p.settings(), zap.NewNop(), nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// B19: a key of which power left a part is no key, and keygen leaves no part.
func TestB19_APartOfAKeyIsRefused(t *testing.T) {
	p := alone(t)
	key := filepath.Join(p.dir, "ec_private.pem")
	whole := string(read(t, key))
	for n := range len(strings.TrimRight(whole, "\n")) {
		write(t, key, whole[:n], 0o600)
		if _, err := mqtt.LoadKey(key); err == nil {
			t.Fatalf("%d of %d bytes are taken for a key", n, len(whole))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := Run(ctx, p.settings(), zap.NewNop(), nil); err == nil || !strings.Contains(err.Error(), "ec_private.pem") {
		t.Errorf("got %v", err)
	}
}

// What an earlier keygen left when it was killed is in nobody's way.
func TestB19_KeygenAfterAPowerCut(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".ec_private.pem.ABCDEFGH"), "-----BEGIN PRI", 0o600)
	if _, err := keygen(t, "--key-path="+dir); err != nil {
		t.Fatal(err)
	}
	if _, err := mqtt.LoadKey(filepath.Join(dir, "ec_private.pem")); err != nil {
		t.Error(err)
	}
}

// B17: an agent that has nobody to talk to ends as soon as one that has.
func TestB17_StoppedWithoutAGateway(t *testing.T) {
	p := alone(t)
	p.configure("PORT = 1", "SIMULATE = yes", "INTERVAL = 100ms")
	stop := p.run()
	p.state("keeping", func(s *state) bool { return s.Spool.Records > 3 })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		stop()
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
}
