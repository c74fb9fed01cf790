package auth_test

import (
	"testing"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
)

// BenchmarkVerify is a token a time, with parsed keys.
func BenchmarkVerify(b *testing.B) {
	for name, tt := range map[string]struct {
		token string
		keys  []gateway.Credential
	}{
		"ES256":         {ecDevice().token(), []gateway.Credential{ecDevice().Credential}},
		"RS256":         {rsaDevice().token(), []gateway.Credential{rsaDevice().Credential}},
		"UnknownDevice": {ecDevice().token(), nil},
		"Expired":       {ecDevice().sign(ecDevice().header(), claims(now.AddDate(0, 0, -2), now.AddDate(0, 0, -1))), nil},
	} {
		b.Run(name, func(b *testing.B) {
			v, text := new(auth.Verifier), []byte(tt.token)
			b.ReportAllocs()
			for b.Loop() {
				v.Verify(text, project, tt.keys, now)
			}
		})
	}
}

func BenchmarkRegister(b *testing.B) {
	for name, d := range map[string]*device{"ES256": ecDevice(), "RS256": rsaDevice()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := auth.Register(d.Credential, nil, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
