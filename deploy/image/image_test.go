package image_test

import (
	"debug/buildinfo"
	"debug/elf"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var programs = map[string]struct {
	largest int64 // what the image's files may take, in MiB
	ports   []string
	env     []string
}{
	"iotbridge-ingest":  {28, []string{"9102/tcp"}, []string{"INGEST_OPS=:9102"}},
	"iotbridge-gateway": {46, []string{"8080/tcp", "8081/tcp", "8443/tcp", "8883/tcp", "9101/tcp"}, []string{"GATEWAY_OPS=:9101"}},
	"iotbridge-agent":   {11, nil, nil},
	"iotbridge":         {48, nil, nil},
}

func TestAnImageIsAProgramAndWhomItTrusts(t *testing.T) {
	for program, want := range programs {
		images := open(t, built(t, program))
		if len(images) != 2 {
			t.Errorf("%s: %d platforms", program, len(images))
		}
		for _, platform := range []string{"linux/amd64", "linux/arm64"} {
			i := images[platform]
			if i == nil {
				t.Errorf("%s: not for %s", program, platform)
				continue
			}
			t.Logf("%s %s: %.1f MiB", program, platform, float64(i.bytes)/(1<<20))
			if i.bytes > want.largest<<20 {
				t.Errorf("%s %s takes %d bytes, %d MiB at the most", program, platform, i.bytes, want.largest)
			}
			files := []string{"/etc/ssl/certs/ca-certificates.crt", "/" + program}
			if diff := cmp.Diff(files, i.regular()); diff != "" {
				t.Errorf("%s %s: the files (-want +got):\n%s", program, platform, diff)
			}
			if data := i.files["/data"]; data == nil || data.Uid != 65532 || data.Gid != 65532 {
				t.Errorf("%s %s: /data is %+v, not of 65532", program, platform, data)
			}
			c := i.config.Config
			if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/" + program}) {
				t.Errorf("%s %s: user %q, entry point %q", program, platform, c.User, c.Entrypoint)
			}
			var ports []string
			for port := range c.ExposedPorts {
				ports = append(ports, port)
			}
			if slices.Sort(ports); !slices.Equal(ports, want.ports) {
				t.Errorf("%s %s: ports %q", program, platform, ports)
			}
			for _, variable := range want.env {
				if !slices.Contains(c.Env, variable) {
					t.Errorf("%s %s: %s is missing in %q", program, platform, variable, c.Env)
				}
			}
			if c.Labels["org.opencontainers.image.title"] != program || c.Labels["org.opencontainers.image.version"] != version || c.Labels["org.opencontainers.image.revision"] == "" {
				t.Errorf("%s %s: labels %q", program, platform, c.Labels)
			}
			isStatic(t, filepath.Join(i.root, program), platform)
		}
	}
}

// isStatic reports a program that needs a loader, is for another machine or was not
// built for release.
func isStatic(t *testing.T, name, platform string) {
	t.Helper()
	f, err := elf.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if machine := map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64}[platform]; f.Machine != machine {
		t.Errorf("%s is for %s", name, f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Errorf("%s wants a loader", name)
		}
	}
	about, err := buildinfo.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var settings []string
	for _, s := range about.Settings {
		settings = append(settings, s.Key+"="+s.Value)
	}
	for _, want := range []string{"-trimpath=true", "CGO_ENABLED=0"} {
		if !slices.Contains(settings, want) {
			t.Errorf("%s was built with %q", name, settings)
		}
	}
}
