package auth

import (
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"iotbridge/gateway"
)

// What IoT Core allowed.
const (
	Skew        = 10 * time.Minute // between a device's clock and ours, either way
	MaxLifetime = 24 * time.Hour   // from iat to exp, and the skew
)

// claims are those that count; a token's others are read for their form alone.
type claims struct {
	audience        string
	issued, expires time.Time
}

// read takes aud, a single string, and the numbers exp and iat.
func (c *claims) read(text []byte) error {
	var aud, exp, iat bool
	err := document(text, func(d *jsontext.Decoder, name string) (err error) {
		var ok bool
		switch name {
		case "aud":
			c.audience, ok, err = readString(d)
			aud = true
		case "exp":
			c.expires, ok, err = readDate(d)
			exp = true
		case "iat":
			c.issued, ok, err = readDate(d)
			iat = true
		default:
			return skip(d, 1)
		}
		if err == nil && !ok {
			return refuse(gateway.TokenClaims)
		}
		return err
	})
	if err == nil && !(aud && exp && iat) {
		return refuse(gateway.TokenClaims)
	}
	return err
}

func (c *claims) check(project string, now time.Time) error {
	switch {
	case c.audience != project:
		return refuse(gateway.TokenAudience)
	case c.issued.After(now.Add(Skew)):
		return refuse(gateway.TokenFuture)
	case c.expires.Sub(c.issued) > MaxLifetime+Skew:
		return refuse(gateway.TokenLifetime)
	case now.After(c.expires.Add(Skew)):
		return refuse(gateway.TokenExpired)
	}
	return nil
}

// maxDate is the end of the year 9999.
const maxDate = 253402300800

// readDate reads a NumericDate: seconds since 1970, with a fraction or without.
func readDate(d *jsontext.Decoder) (at time.Time, ok bool, err error) {
	value, err := d.ReadValue()
	if err != nil || value.Kind() != '0' {
		return time.Time{}, false, err
	}
	seconds, err := strconv.ParseFloat(string(value), 64)
	if err != nil || seconds < 0 || seconds >= maxDate {
		return time.Time{}, false, nil //nolint:nilerr // a number, but no date
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), true, nil
}
