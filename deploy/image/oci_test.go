package image_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// image is one that was built for one architecture.
type image struct {
	config config
	files  map[string]*tar.Header
	bytes  int64  // of its files
	root   string // where they lie
}

// config is what is looked at of an OCI image's configuration.
type config struct {
	Architecture string
	Config       struct {
		User         string
		Env          []string
		Entrypoint   []string
		ExposedPorts map[string]struct{}
		Labels       map[string]string
	}
}

type descriptor struct {
	MediaType string
	Digest    string
	Platform  struct{ OS, Architecture string }
}

func (d descriptor) in(layout string) string {
	return filepath.Join(layout, "blobs", strings.Replace(d.Digest, ":", "/", 1))
}

// open unpacks an OCI archive, and each of its images; by platform.
func open(t *testing.T, archive string) map[string]*image {
	t.Helper()
	layout := t.TempDir()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unpack(t, f, layout)
	var index struct{ Manifests []descriptor }
	decode(t, filepath.Join(layout, "index.json"), &index)
	if len(index.Manifests) != 1 || !strings.HasSuffix(index.Manifests[0].MediaType, "index.v1+json") {
		t.Fatalf("%s holds %+v, not one image for several platforms", archive, index.Manifests)
	}
	decode(t, index.Manifests[0].in(layout), &index)
	out := map[string]*image{}
	for _, m := range index.Manifests {
		var manifest struct {
			Config descriptor
			Layers []descriptor
		}
		decode(t, m.in(layout), &manifest)
		i := &image{root: t.TempDir(), files: map[string]*tar.Header{}}
		decode(t, manifest.Config.in(layout), &i.config)
		for _, layer := range manifest.Layers {
			i.add(t, layer.in(layout))
		}
		out[m.Platform.OS+"/"+m.Platform.Architecture] = i
	}
	return out
}

func (i *image) add(t *testing.T, layer string) {
	t.Helper()
	f, err := os.Open(layer)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	plain, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range unpack(t, plain, i.root) {
		i.files["/"+strings.Trim(header.Name, "./")] = header
		i.bytes += header.Size
	}
}

// unpack writes files and folders below dir; there may be nothing else.
func unpack(t *testing.T, from io.Reader, dir string) (headers []*tar.Header) {
	t.Helper()
	for archive := tar.NewReader(from); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return headers
		}
		if err != nil {
			t.Fatal(err)
		}
		headers = append(headers, header)
		name := filepath.Join(dir, filepath.FromSlash(header.Name))
		switch header.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(name, 0o755)
		case tar.TypeReg:
			var text []byte
			if text, err = io.ReadAll(archive); err == nil {
				err = errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, text, header.FileInfo().Mode().Perm()))
			}
		default:
			t.Fatalf("%s is neither a file nor a folder", header.Name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func decode(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// regular are the names of the files that are none of the folders.
func (i *image) regular() (names []string) {
	for name, header := range i.files {
		if header.Typeflag == tar.TypeReg {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
