package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"iotbridge/internal/deploycheck"
)

var servers = []string{"iotbridge-cloud", "iotbridge-gateway", "iotbridge-worker"}

func TestTheServersSandboxesAreTight(t *testing.T) {
	wantsSystemd(t)
	for _, name := range servers {
		// The threshold counts in tenths: 1.5 at most.
		out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=15", "./servers/"+name+".service").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Overall exposure level for "+name) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestSystemdReadsTheServersUnits(t *testing.T) {
	wantsSystemd(t)
	dir := t.TempDir()
	for _, name := range servers {
		// A program that is there stands in for each.
		text := regexp.MustCompile(`/usr/local/bin/[a-z-]+`).ReplaceAllString(read(t, "servers/"+name+".service"), "/bin/true")
		file := write(t, filepath.Join(dir, name+".service"), text, 0o644)
		out, err := exec.Command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", file).CombinedOutput()
		if err != nil || strings.Contains(string(out), name) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func wantsSystemd(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("IOTBRIDGE_TOOLS") == "required" {
			t.Fatal("systemd-analyze is not here")
		}
		t.Skip("systemd-analyze is not here (package systemd): the units are not looked at")
	}
}

// What the units rest on, and that each user is made.
func TestTheServersUnitsHoldTogether(t *testing.T) {
	users := read(t, "servers/sysusers.conf")
	for _, name := range servers {
		text := read(t, "servers/"+name+".service")
		for _, line := range []string{
			"User=" + name, "NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict", "ProtectHome=yes", "PrivateDevices=yes", "PrivateUsers=yes",
			"RestrictAddressFamilies=AF_INET AF_INET6", "MemoryDenyWriteExecute=yes", "Restart=always", "StartLimitIntervalSec=0", "UMask=0077", "LimitCORE=0",
		} {
			key, _, _ := strings.Cut(line, "=")
			if found := regexp.MustCompile(`(?m)^`+key+`=.*$`).FindAllString(text, -1); len(found) != 1 || found[0] != line {
				t.Errorf("%s: %s: the unit has %q", name, line, found)
			}
		}
		if !regexp.MustCompile(`(?m)^u ` + name + ` `).MatchString(users) {
			t.Errorf("%s: sysusers.conf makes no such user", name)
		}
	}
}

func TestTheServersTakeUnitsAndConfiguration(t *testing.T) {
	for unit, program := range map[string]string{"iotbridge-cloud": "iotbridge", "iotbridge-gateway": "iotbridge-gateway", "iotbridge-worker": "iotbridge-ingest"} {
		command := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/(\S+) (.*)$`).FindStringSubmatch(read(t, "servers/"+unit+".service"))
		if command == nil || command[1] != program {
			t.Errorf("%s starts %q", unit, command)
			continue
		}
		if file, ok := strings.CutPrefix(command[2], "--config /etc/"+unit+"/"); ok {
			deploycheck.ConfigFile(t, program, "servers/"+file)
			continue
		}
		deploycheck.CommandLine(t, program, strings.Fields(command[2]), nil)
	}
	env := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^([A-Z_]+)=(\S+)$`).FindAllStringSubmatch(read(t, "servers/cloud.env"), -1) {
		env[m[1]] = m[2]
	}
	local := deploycheck.Flags(t, "iotbridge", "local")
	for variable, flag := range map[string]string{
		"PUBSUB_EMULATOR_HOST": "--pubsub", "BIGQUERY_EMULATOR_HOST": "--bigquery", "BIGQUERY_STORAGE_EMULATOR_HOST": "--bigquery-storage",
	} {
		if env[variable] == "" || env[variable] != local[flag].Default {
			t.Errorf("%s is %q, the cloud listens on %q", variable, env[variable], local[flag].Default)
		}
	}
}

// The files that the configurations name are among those that README.md installs.
func TestTheServersReadmeInstallsWhatIsRead(t *testing.T) {
	readme := read(t, "servers/README.md")
	install := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^sudo install -m \d+ .*$`).FindAllString(readme, -1) {
		words := strings.Fields(m)
		install[words[len(words)-1]] = words[4 : len(words)-1]
	}
	for unit, file := range map[string]string{"iotbridge-gateway": "gateway.yaml", "iotbridge-worker": "worker.yaml"} {
		installed := install["/etc/"+unit+"/"]
		named := regexp.MustCompile(`/etc/`+unit+`/(\S+)`).FindAllStringSubmatch(strings.ReplaceAll(read(t, "servers/"+file), ".yaml:", ".yaml"), -1)
		for _, m := range named {
			if !slices.Contains(installed, m[1]) && !slices.Contains(installed, "secrets/"+m[1]) {
				t.Errorf("%s wants %s, and %q is installed", file, m[1], installed)
			}
		}
		if len(named) < 2 || !slices.Contains(installed, "cloud.env") {
			t.Errorf("%s: %q is named, %q installed", file, named, installed)
		}
	}
	for _, line := range regexp.MustCompile(`(?m)^iotbridge .*$`).FindAllString(readme, -1) {
		deploycheck.CommandLine(t, "iotbridge", strings.Fields(line)[1:], nil)
	}
}
