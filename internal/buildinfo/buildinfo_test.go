package buildinfo

import (
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

func TestWhereTheVersionComesFrom(t *testing.T) {
	vcs := []debug.BuildSetting{{Key: "vcs.revision", Value: "abc123"}, {Key: "vcs.modified", Value: "true"}, {Key: "vcs.time", Value: "2026-11-23T10:00:00Z"}}
	for _, c := range []struct {
		name string
		flag string
		info debug.BuildInfo
		want Build
	}{
		{"a plain build", "", debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, Build{Version: "devel"}},
		{"without module version", "", debug.BuildInfo{}, Build{Version: "devel"}},
		{"go install at a version", "", debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, Build{Version: "v1.2.3"}},
		{"a release's -X wins", "v2.0.0", debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, Build{Version: "v2.0.0"}},
		{"a dirty tree shows", "v2.0.0", debug.BuildInfo{Settings: vcs}, Build{Version: "v2.0.0", Revision: "abc123-dirty", Time: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}},
		{"a clean tree too", "", debug.BuildInfo{Settings: vcs[:1]}, Build{Version: "devel", Revision: "abc123"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := (Build{Version: c.flag}).with(&c.info); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestTheTextNamesVersionRevisionAndToolchain(t *testing.T) {
	got := Build{Version: "v1.2.3", Revision: "abc123", Go: "go1.26"}.String()
	if !strings.HasPrefix(got, "v1.2.3 (abc123, go1.26, ") {
		t.Errorf("got %q", got)
	}
	if Current().Go == "" || Current().Version == "" {
		t.Errorf("the running build does not know itself: %+v", Current())
	}
}
