// Package buildinfo says which build is running.
package buildinfo

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

// version is set by a release build: -ldflags "-X iotbridge/internal/buildinfo.version=v1.2.3".
var version string

// Build names one build.
type Build struct {
	Version  string    // a release, a module version, or "devel"
	Revision string    // the commit, "-dirty" after it when the tree was; "" when unknown
	Go       string    // the toolchain
	Time     time.Time // of the commit; zero when unknown
}

// Current is the build of this process.
func Current() Build {
	b := Build{Version: version, Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		b.Version = orDevel(b.Version)
		return b
	}
	return b.with(info)
}

func (b Build) with(info *debug.BuildInfo) Build {
	if b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	b.Version = orDevel(b.Version)
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			b.Revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		case s.Key == "vcs.time":
			b.Time, _ = time.Parse(time.RFC3339, s.Value) // zero when it is none
		}
	}
	if b.Revision != "" {
		b.Revision += dirty
	}
	return b
}

// String is what --version prints after the program's name.
func (b Build) String() string {
	where := fmt.Sprintf("%s, %s/%s", b.Go, runtime.GOOS, runtime.GOARCH)
	if b.Revision != "" {
		where = b.Revision + ", " + where
	}
	return fmt.Sprintf("%s (%s)", b.Version, where)
}

func orDevel(v string) string {
	if v == "" {
		return "devel"
	}
	return v
}
