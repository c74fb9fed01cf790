package provision

import (
	"encoding/hex"
	"slices"
	"strings"
)

const (
	minSerial = 4
	maxSerial = 64
	maxMACs   = 16
	macBytes  = 6
)

// ParseSerial makes a hardware serial canonical: ASCII letters in upper case, without
// the blanks and the NUL that may end it as /proc/device-tree has it. Every other byte
// counts, leading zeros too. Of any other form it returns a *Refusal.
func ParseSerial(s string) (string, error) {
	s = strings.TrimRight(s, "\x00 \t\r\n")
	if len(s) < minSerial || len(s) > maxSerial {
		return "", refuse(BadIdentifiers, "a serial number of %d bytes: want %d to %d", len(s), minSerial, maxSerial)
	}
	canonical := []byte(s)
	for i, c := range canonical {
		switch {
		case c >= 'a' && c <= 'z':
			canonical[i] = c - 'a' + 'A'
		case c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-':
		default:
			return "", refuse(BadIdentifiers, "the serial number has a byte %#02x: want A-Z 0-9 -", c)
		}
	}
	return string(canonical), nil
}

// ParseMAC makes a MAC address canonical: aa:bb:cc:dd:ee:ff. It may have come as
// AA-BB-CC-DD-EE-FF or aabb.ccdd.eeff. One that no interface has, a group's, all zeros,
// is a *Refusal, as is any other form.
func ParseMAC(s string) (string, error) {
	if !macForm(s) {
		return "", refuse(BadIdentifiers, "a MAC address: want aa:bb:cc:dd:ee:ff, aa-bb-cc-dd-ee-ff or aabb.ccdd.eeff")
	}
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(":-.", r) {
			return -1
		}
		return r
	}, s)
	mac, err := hex.DecodeString(digits)
	switch {
	case err != nil:
		return "", refuse(BadIdentifiers, "a MAC address: want hexadecimal digits")
	case mac[0]&1 != 0:
		return "", refuse(BadIdentifiers, "a MAC address of a group: want that of an interface")
	case !slices.ContainsFunc(mac, func(b byte) bool { return b != 0 }):
		return "", refuse(BadIdentifiers, "a MAC address of zeros: want that of an interface")
	}
	parts := make([]string, macBytes)
	for i := range mac {
		parts[i] = hex.EncodeToString(mac[i : i+1])
	}
	return strings.Join(parts, ":"), nil
}

// macForm says that the separators are where one of the spellings has them; between
// them it leaves twelve bytes.
func macForm(s string) bool {
	every, separator := 3, byte(0)
	switch len(s) {
	case 17:
		separator = s[2]
	case 14:
		every, separator = 5, '.'
	}
	if separator != ':' && separator != '-' && separator != '.' || every == 3 && separator == '.' {
		return false
	}
	for i := range len(s) {
		isSeparator := strings.IndexByte(":-.", s[i]) >= 0
		if isSeparator != (i%every == every-1) || isSeparator && s[i] != separator {
			return false
		}
	}
	return true
}

// ParseUnit makes a serial and MACs canonical. MACs are sorted, each once.
func ParseUnit(serial string, macs []string) (u Unit, err error) {
	if len(macs) > 2*maxMACs {
		return Unit{}, refuse(BadIdentifiers, "%d MAC addresses: want at most %d", len(macs), maxMACs)
	}
	if u.Serial, err = ParseSerial(serial); err != nil {
		return Unit{}, err
	}
	for _, m := range macs {
		mac, err := ParseMAC(m)
		if err != nil {
			return Unit{}, err
		}
		u.MACs = append(u.MACs, mac)
	}
	slices.Sort(u.MACs)
	if u.MACs = slices.Compact(u.MACs); len(u.MACs) > maxMACs {
		return Unit{}, refuse(BadIdentifiers, "%d MAC addresses: want at most %d", len(u.MACs), maxMACs)
	}
	return u, nil
}
