package watched

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

func parse(raw []byte) (string, error) {
	if bytes.Contains(raw, []byte("broken")) {
		return "", errors.New("not sound")
	}
	return string(raw), nil
}

func TestWhatIsNotSoundChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		if f, err := Open(path, parse); err == nil {
			t.Errorf("a file that is not there says %q", f.Current())
		}
		write(t, path, "first")
		f, err := Open(path, parse)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			f.Watch(ctx, zap.NewNop())
			close(done)
		}()
		for _, step := range []struct{ content, want string }{
			{"second", "second"}, {"broken", "second"}, {"", ""}, {"third", "third"},
		} {
			write(t, path, step.content)
			<-time.After(Every + time.Millisecond)
			synctest.Wait()
			if got := f.Current(); got != step.want {
				t.Errorf("after %q: %q, want %q", step.content, got, step.want)
			}
		}
		// An editor empties a file before it writes: what stands there only for a
		// moment is not in force.
		for range 20 {
			write(t, path, "")
			<-time.After(Every / 10)
			synctest.Wait()
			if got := f.Current(); got != "third" {
				t.Fatalf("half written: %q", got)
			}
			write(t, path, "third")
			<-time.After(Every)
		}
		cancel()
		<-done
	})
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
