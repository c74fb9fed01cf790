package enroll

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// ParseURL reads where a device asks: https://HOST:PORT and nothing else. There is no
// way to say that it is to be asked without TLS.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || len(text) > 300:
		return nil, errors.New("want https://HOST:PORT")
	case u.Scheme != "https":
		return nil, errors.New("want https://HOST:PORT: a credential is asked for over TLS only")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#") || u.Opaque != "" || strings.Trim(u.Path, "/") != "":
		return nil, errors.New("want https://HOST:PORT and nothing more")
	case u.Hostname() == "" || net.ParseIP(u.Hostname()) == nil && strings.ContainsFunc(u.Hostname(), notOfAHost):
		return nil, errors.New("want https://HOST:PORT with a host's name or address")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("want https://HOST:PORT with a port of 1 to 65535")
		}
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func notOfAHost(c rune) bool {
	return c != '-' && c != '.' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z')
}

// ValidProfile says whether s may name a profile: 3 to 255 of A-Z a-z 0-9 - . _ ~ % +, a
// letter first.
func ValidProfile(s string) bool {
	return len(s) >= 3 && len(s) <= 255 && s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z' &&
		!strings.ContainsFunc(s, func(c rune) bool { return notOfAHost(c) && !strings.ContainsRune("~%+", c) })
}
