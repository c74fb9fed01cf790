package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"iotbridge/internal/agentd"
)

const unit = "iotbridge-agent.service"

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestD10_TheSandboxIsTight(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not here (package systemd): how tight the unit's sandbox is stays unknown")
	}
	// The threshold counts in tenths: 2.0 at most.
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", "./"+unit).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "Overall exposure level for "+unit) {
		t.Errorf("systemd-analyze answers otherwise than it used to:\n%s", out)
	}
}

// What systemd-analyze weighs lightly, and what other lines would take back.
func TestD10_WhatTheSandboxRestsOn(t *testing.T) {
	text := read(t, unit)
	for _, line := range []string{
		"User=iotbridge", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict", "ProtectHome=yes", "PrivateDevices=yes", "PrivateUsers=yes",
		"SystemCallFilter=@system-service", "RestrictAddressFamilies=AF_INET AF_INET6", "MemoryDenyWriteExecute=yes", "ReadOnlyPaths=/etc/iotbridge",
		"Restart=always", "StartLimitIntervalSec=0", "StateDirectoryMode=0700", "LimitCORE=0",
	} {
		key, _, _ := strings.Cut(line, "=")
		if found := regexp.MustCompile(`(?m)^`+key+`=.*$`).FindAllString(text, -1); len(found) == 0 || found[0] != line || len(found) > 1 && key != "SystemCallFilter" {
			t.Errorf("%s: the unit has %q", line, found)
		}
	}
}

func TestSystemdReadsTheUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not here (package systemd): the unit is not read")
	}
	// A program that is there stands in for the agent.
	text := strings.Replace(read(t, unit), "/usr/local/bin/iotbridge-agent", "/bin/true", 1)
	name := filepath.Join(t.TempDir(), unit)
	write(t, name, text, 0o644)
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", name).CombinedOutput()
	if err != nil || strings.Contains(string(out), unit) {
		t.Errorf("%v\n%s", err, out)
	}
}

// The agent takes the unit's command line, and the configuration once it is filled in.
func TestTheAgentTakesUnitAndConfiguration(t *testing.T) {
	command := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/iotbridge-agent (.*)$`).FindStringSubmatch(read(t, unit))
	if command == nil {
		t.Fatal("the unit starts no agent")
	}
	conf := read(t, "agent.conf")
	for placeholder, value := range map[string]string{
		"<GATEWAY>": "gateway.example.com", "<PROJECT_ID>": "my-project", "<REGISTRY_ID>": "RaspberryPiDevices", "<DEVICE_ID>": "device1",
	} {
		conf = strings.Replace(conf, placeholder, value, 1)
	}
	dir := t.TempDir()
	args := func(text string) []string {
		name := write(t, filepath.Join(dir, "agent.conf"), text, 0o600)
		line := strings.NewReplacer("/etc/iotbridge/agent.conf", name, "%S", dir).Replace(command[1])
		return strings.Fields(line)
	}
	if _, err := agentd.Parse(args(conf)); err != nil {
		t.Errorf("filled in: %v", err)
	}
	if _, err := agentd.Parse(args(read(t, "agent.conf"))); err == nil || !strings.Contains(err.Error(), "placeholder") {
		t.Errorf("as installed: %v", err)
	}
}

// The crontab line is the tutorial's, with the agent in the script's place.
func TestTheCrontabLine(t *testing.T) {
	line := regexp.MustCompile(`(?m)^@reboot sleep 30 && /usr/local/bin/iotbridge-agent (run -c /home/pi/GCP/gcp_iot_config\.txt) >> \S+ 2>&1$`)
	if !line.MatchString(read(t, "README.md")) {
		t.Error("README.md has no crontab line that starts the agent at boot")
	}
}
