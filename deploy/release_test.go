package deploy_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// release runs make release for two kinds of machine, and returns the files by name.
func release(t *testing.T) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("make", "-C", "..", "release", "VERSION=v1.2.3", "DIST="+dir)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000", "AGENTS=armv6", "SERVERS=arm64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files := map[string][]byte{}
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		files[f.Name()] = []byte(read(t, filepath.Join(dir, f.Name())))
	}
	return files
}

func TestAReleaseIsTheSameEachTime(t *testing.T) {
	if os.Getenv("IOTBRIDGE_RELEASE") == "" {
		t.Skip("a release is built where IOTBRIDGE_RELEASE is set: it takes a minute")
	}
	first := release(t)
	sums := map[string]string{}
	for name, text := range first {
		if name != "SHA256SUMS" {
			sums[name] = fmt.Sprintf("%x  %s", sha256.Sum256(text), name)
		}
	}
	lines := strings.Split(strings.TrimSpace(string(first["SHA256SUMS"])), "\n")
	for name, sum := range sums {
		if !slices.Contains(lines, sum) {
			t.Errorf("%s is not in SHA256SUMS as it is", name)
		}
	}
	if len(lines) != len(sums) || len(sums) != 2+4 {
		t.Errorf("%d checksums of %d files, want two tarballs and the SBOMs of four programs:\n%s", len(lines), len(sums), first["SHA256SUMS"])
	}
	second := release(t)
	for name, text := range first {
		if !bytes.Equal(text, second[name]) {
			t.Errorf("%s differs the second time", name)
		}
	}
	agent := unpacked(t, first["iotbridge-agent_v1.2.3_linux_armv6.tar.gz"], "iotbridge-agent_v1.2.3_linux_armv6/")
	servers := unpacked(t, first["iotbridge_v1.2.3_linux_arm64.tar.gz"], "iotbridge_v1.2.3_linux_arm64/")
	for _, c := range []struct {
		files map[string][]byte
		want  []string
	}{
		{agent, []string{"LICENSE", "README.md", "agent.conf", "install-agent.sh", "iotbridge-agent", "iotbridge-agent.service"}},
		{servers, []string{
			"LICENSE", "README.md", "cloud.env", "gateway.yaml", "init.sh", "iotbridge", "iotbridge-cloud.service", "iotbridge-gateway", "iotbridge-gateway.service",
			"iotbridge-ingest", "iotbridge-worker.service", "sysusers.conf", "worker.yaml",
		}},
	} {
		var got []string
		for name := range c.files {
			got = append(got, name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("the tarball (-want +got):\n%s", diff)
		}
	}
	describes(t, first["iotbridge-agent_v1.2.3_linux_armv6.cdx.json"], agent["iotbridge-agent"])
	for _, program := range []string{"iotbridge", "iotbridge-gateway", "iotbridge-ingest"} {
		describes(t, first[program+"_v1.2.3_linux_arm64.cdx.json"], servers[program])
	}
}

// unpacked are a tarball's files; each is root's, of the commit's time and below prefix.
func unpacked(t *testing.T, tarball []byte, prefix string) map[string][]byte {
	t.Helper()
	plain, err := gzip.NewReader(bytes.NewReader(tarball))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for archive := tar.NewReader(plain); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		name, ok := strings.CutPrefix(header.Name, prefix)
		mode := header.FileInfo().Mode().Perm()
		if !ok || header.Uid != 0 || header.Gid != 0 || header.ModTime.Unix() != 1700000000 || mode&0o022 != 0 || mode&0o044 != 0o044 {
			t.Errorf("%+v", header)
		}
		if header.Typeflag == tar.TypeReg {
			if files[name], err = io.ReadAll(archive); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// describes holds an SBOM against what the program says of itself.
func describes(t *testing.T, sbom, program []byte) {
	t.Helper()
	var bom struct {
		BOMFormat   string `json:"bomFormat"`
		SpecVersion string `json:"specVersion"`
		Metadata    struct {
			Component struct{ Name, Version string }
		}
		Components []struct{ Type, Name, Version, PURL string }
	}
	if err := json.Unmarshal(sbom, &bom); err != nil {
		t.Fatal(err)
	}
	about, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	if bom.BOMFormat != "CycloneDX" || bom.SpecVersion != "1.6" || bom.Metadata.Component.Name != "iotbridge" || bom.Metadata.Component.Version != "v1.2.3" {
		t.Errorf("%s: it is about %+v, in %s %s", about.Path, bom.Metadata, bom.BOMFormat, bom.SpecVersion)
	}
	want := []string{"std " + about.GoVersion}
	for _, m := range about.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		want = append(want, m.Path+" "+m.Version)
	}
	var got []string
	for _, c := range bom.Components {
		if c.Type != "library" || !strings.HasPrefix(c.PURL, "pkg:golang/") {
			t.Errorf("%s: %+v", about.Path, c)
		}
		got = append(got, c.Name+" "+c.Version)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: what it is made of (-program +SBOM):\n%s", about.Path, diff)
	}
}
