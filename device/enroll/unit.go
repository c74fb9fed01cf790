package enroll

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Unit is what the hardware says of itself.
type Unit struct {
	Serial string   `json:"serialNumber"`
	MACs   []string `json:"macAddresses,omitempty"`
}

// maxMACs is what the gateway takes.
const maxMACs = 16

// Board reads the unit that this program runs on. Serial overrides the hardware's, for
// boards that have none.
type Board struct {
	Serial string
	Root   string // of the file system; "" is the real one
}

// Unit reads it anew.
func (b Board) Unit() (Unit, error) {
	u := Unit{Serial: b.Serial}
	if u.Serial == "" {
		text, err := os.ReadFile(filepath.Join("/", b.Root, "proc/device-tree/serial-number"))
		if err != nil {
			return u, fmt.Errorf("this board's serial number: %w: set SERIAL on a board whose device tree has none", err)
		}
		u.Serial = string(bytes.TrimRight(text[:min(len(text), maxFile)], "\x00 \t\r\n"))
	}
	if err := CheckSerial(u.Serial); err != nil {
		return u, err
	}
	u.MACs = b.macs()
	return u, nil
}

// CheckSerial says what is wrong with a serial number.
func CheckSerial(s string) error {
	if len(s) < 4 || len(s) > 64 || strings.ContainsFunc(s, func(c rune) bool {
		return c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}) {
		return fmt.Errorf("the serial number is %.70q: want 4 to 64 of A-Z a-z 0-9 and -", s)
	}
	return nil
}

// macs are those of network interfaces that are hardware: bridges, tunnels and
// containers have no device behind them. Read from sysfs and not from netlink, which
// the service's sandbox forbids.
func (b Board) macs() (all []string) {
	dir := filepath.Join("/", b.Root, "sys/class/net")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if _, err := os.Stat(filepath.Join(name, "device")); err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join(name, "address"))
		if err != nil {
			continue
		}
		mac, err := net.ParseMAC(strings.TrimSpace(string(text)))
		if err != nil || len(mac) != 6 || mac[0]&1 != 0 || bytes.Equal(mac, make([]byte, 6)) {
			continue
		}
		all = append(all, mac.String())
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), maxMACs)]
}
