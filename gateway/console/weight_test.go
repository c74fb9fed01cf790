package console_test

import (
	"cmp"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// maxWeight is what a page may weigh with all that it loads, in bytes.
const maxWeight = 250 << 10

func TestAPageIsLight(t *testing.T) {
	b := newBed(t)
	for i := range 60 {
		b.create(fmt.Sprintf("device-of-a-rather-long-name-%03d", i))
	}
	var parts [][]byte
	if err := filepath.WalkDir("static", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		parts = append(parts, text)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	w := b.browse(admin)
	for _, path := range []string{"/", "/registries/plant7/devices", "/registries/plant7/devices/device-of-a-rather-long-name-001"} {
		plain, packed := weigh(t, append(slices.Clip(parts), []byte(w.get(path).text)))
		t.Logf("%s: %d bytes, %d compressed", path, plain, packed)
		if plain > maxWeight {
			t.Errorf("%s weighs %d bytes with what it loads, want %d at most", path, plain, maxWeight)
		}
	}
}

func weigh(t *testing.T, parts [][]byte) (plain, packed int) {
	t.Helper()
	for _, p := range parts {
		var c counter
		z := gzip.NewWriter(&c)
		_, err := z.Write(p)
		if err := cmp.Or(err, z.Close()); err != nil {
			t.Fatal(err)
		}
		plain, packed = plain+len(p), packed+int(c)
	}
	return plain, packed
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
