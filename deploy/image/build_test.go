package image_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

const version = "v0.0.0-test"

var scratch string // of this run, where images and their storage lie

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "iotbridge-images-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	scratch = dir
	code := m.Run()
	os.RemoveAll(dir)
	if err := goleak.Find(goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start")); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// built returns the archive of a program's image, which make images has made of the
// Dockerfile as it is.
func built(t *testing.T, program string) string {
	t.Helper()
	if os.Getenv("IOTBRIDGE_IMAGES") == "" {
		t.Skip("images are built where IOTBRIDGE_IMAGES is set: it takes a minute, buildah and runc")
	}
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(scratch, "dist", program+".oci.tar")
}

var build = sync.OnceValue(func() error {
	dockerfile, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		return err
	}
	base := regexp.MustCompile(`(?m)^FROM .*\b(golang:\S+) AS build$`).FindSubmatch(dockerfile)
	if base == nil {
		return fmt.Errorf("the Dockerfile's base image is not found")
	}
	storage := fmt.Sprintf("[storage]\ndriver = \"vfs\"\ngraphroot = %q\nrunroot = %q\n", scratch+"/graph", scratch+"/run")
	if err := os.WriteFile(scratch+"/storage.conf", []byte(storage), 0o600); err != nil {
		return err
	}
	env := append(os.Environ(), "CONTAINERS_STORAGE_CONF="+scratch+"/storage.conf", "BUILDAH_ISOLATION=chroot", "SOURCE_DATE_EPOCH=1700000000")
	run := func(name string, args ...string) error {
		cmd := exec.Command(name, args...)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
		}
		return nil
	}
	if err := run("./standin.sh", "docker.io/library/"+string(base[1])); err != nil {
		return err
	}
	// All that go.mod names is in the cache, also what no package here imports.
	if err := run("go", "mod", "download"); err != nil {
		return err
	}
	out, err := exec.Command("go", "env", "GOROOT", "GOMODCACHE", "GOCACHE").Output()
	if err != nil {
		return err
	}
	mounts := strings.Fields(string(out))
	return run("make", "-C", "../..", "images", "DIST="+scratch+"/dist", "VERSION="+version, fmt.Sprintf(
		"BUILDAH_FLAGS=--pull-never --volume %s:/usr/local/go:ro --volume %s:/go/pkg/mod:ro --volume %s:/root/.cache/go-build", mounts[0], mounts[1], mounts[2]))
})
