package auth_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
)

func TestJ1_AlgNone(t *testing.T) {
	key := ecDevice().Credential
	for _, alg := range []string{"none", "None", "nOnE", "NONE", "", " none", "none\u0000"} {
		signed := b64(fmt.Sprintf(`{"alg":%q,"typ":"JWT"}`, alg)) + "." + b64(good)
		if alg == "none\u0000" {
			signed = b64(`{"alg":"none\u0000"}`) + "." + b64(good)
		}
		refuses(t, alg+" without a signature", gateway.TokenAlgorithm, signed+".", key)
		refuses(t, alg+" with one", gateway.TokenAlgorithm, ecDevice().signOver(signed), key)
	}
	refuses(t, "no alg", gateway.TokenAlgorithm, ecDevice().sign(`{"typ":"JWT"}`, good), key)
	whole := ecDevice().token()
	unsigned := whole[:strings.LastIndexByte(whole, '.')]
	refuses(t, "an empty signature", gateway.BadSignature, unsigned+".", key)
	refuses(t, "two segments", gateway.TokenMalformed, unsigned, key)
}

func TestJ2_PublicKeyAsSecret(t *testing.T) {
	for _, d := range []*device{ecDevice(), rsaDevice()} {
		der := strings.Join(strings.Split(strings.TrimSpace(d.PEM), "\n")[1:], "\n")
		for name, secret := range map[string]string{"PEM": d.PEM, "PEM without its line end": strings.TrimSpace(d.PEM), "DER": string(derOf(d.PEM)), "base64": der, "empty": ""} {
			for _, alg := range []string{"HS256", d.method.Alg()} {
				signed := b64(fmt.Sprintf(`{"alg":%q}`, alg)) + "." + b64(good)
				mac, err := jwt.SigningMethodHS256.Sign(signed, []byte(secret))
				if err != nil {
					t.Fatal(err)
				}
				want := gateway.TokenAlgorithm
				if alg != "HS256" {
					want = gateway.BadSignature
				}
				refuses(t, alg+", secret "+name, want, signed+"."+b64(string(mac)), d.Credential)
			}
		}
	}
}

func TestJ3_AlgorithmOfAnotherKey(t *testing.T) {
	for _, d := range []*device{ecDevice(), rsaDevice()} {
		for _, alg := range []string{"HS256", "HS384", "HS512", "RS384", "RS512", "PS256", "PS384", "PS512", "ES384", "ES512", "ES256K", "EdDSA", "es256", "rs256", "RS256 ", "ES-256"} {
			refuses(t, alg, gateway.TokenAlgorithm, d.sign(fmt.Sprintf(`{"alg":%q}`, alg), good), d.Credential)
		}
	}
	refuses(t, "RS256 for an ES256 key", gateway.TokenAlgorithm, rsaDevice().token(), ecDevice().Credential)
	refuses(t, "ES256 for an RSA key", gateway.TokenAlgorithm, ecDevice().token(), rsaDevice().Credential)
	pss, err := jwt.SigningMethodPS256.Sign(b64(rsaDevice().header())+"."+b64(good), rsaDevice().private)
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, "PSS said to be RS256", gateway.BadSignature, b64(rsaDevice().header())+"."+b64(good)+"."+b64(string(pss)), rsaDevice().Credential)
}

func TestJ5_Audience(t *testing.T) {
	aud := fmt.Sprintf("%q", project)
	for replacement, want := range map[string]gateway.Reason{
		`"other-project"`:           gateway.TokenAudience,
		`""`:                        gateway.TokenAudience,
		`"My-project"`:              gateway.TokenAudience,
		`"my-project."`:             gateway.TokenAudience,
		`"my-project "`:             gateway.TokenAudience,
		`"my-project\u0000"`:        gateway.TokenAudience,
		`"my-pro"`:                  gateway.TokenAudience,
		`"ｍy-project"`:              gateway.TokenAudience,
		`["my-project"]`:            gateway.TokenClaims,
		`["my-project","other"]`:    gateway.TokenClaims,
		`[]`:                        gateway.TokenClaims,
		`null`:                      gateway.TokenClaims,
		`1`:                         gateway.TokenClaims,
		`true`:                      gateway.TokenClaims,
		`{"my-project":1}`:          gateway.TokenClaims,
		`"my-project\ud800"`:        gateway.TokenMalformed,
		`my-project`:                gateway.TokenMalformed,
		"\"my-project\xff\"":        gateway.TokenMalformed,
		"\"my\x00project\"":         gateway.TokenMalformed,
		`"my-project","iss":"x" "a`: gateway.TokenMalformed,
	} {
		refuses(t, replacement, want, ecDevice().sign(ecDevice().header(), edit(aud, replacement)), ecDevice().Credential)
	}
	accepts(t, "escaped", ecDevice().sign(ecDevice().header(), edit(aud, `"\u006dy-project"`)), ecDevice().Credential)
	refuses(t, "no aud", gateway.TokenClaims, ecDevice().sign(ecDevice().header(), edit(`"aud":`+aud+`,`, "")), ecDevice().Credential)
}

func TestJ6_Expiry(t *testing.T) {
	exp, iat := fmt.Sprintf(`"exp":%d`, now.Unix()+3600), fmt.Sprintf(`"iat":%d`, now.Unix())
	for _, name := range []string{exp, iat} {
		for _, value := range []string{"null", `"1700000000"`, "-1", "1e18", "1e308", "1e999", "-1e999", "true", "[]", "{}", "[1700000000]", "253402300800"} {
			refuses(t, name[:6]+value, gateway.TokenClaims, ecDevice().sign(ecDevice().header(), edit(name, name[:6]+value)), ecDevice().Credential)
		}
		for _, value := range []string{"", "NaN", "Infinity", "01700000000", "+1700000000", "0x6553f100", "1700000000.", ".5", "1_700_000_000"} {
			refuses(t, name[:6]+value, gateway.TokenMalformed, ecDevice().sign(ecDevice().header(), edit(name, name[:6]+value)), ecDevice().Credential)
		}
		for _, value := range []string{"1700000000.25", "1700000000.0", "1.7e9", "17E8", "1.700000000123456789e9"} {
			accepts(t, name[:6]+value, ecDevice().sign(ecDevice().header(), edit(name, name[:6]+value)), ecDevice().Credential)
		}
	}
	refuses(t, "no exp", gateway.TokenClaims, ecDevice().sign(ecDevice().header(), edit(","+exp, "")), ecDevice().Credential)
	refuses(t, "exp of 1970", gateway.TokenExpired, ecDevice().sign(ecDevice().header(), edit(exp, `"exp":0`)), ecDevice().Credential)
}

func TestJ7_Times(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name     string
		iat, exp time.Duration // from now
		want     gateway.Reason
	}{
		{"a day", 0, day, ""},
		{"a day and the skew", 0, day + auth.Skew, ""},
		{"a second more", 0, day + auth.Skew + time.Second, gateway.TokenLifetime},
		{"ten years", 0, 3650 * day, gateway.TokenLifetime},
		{"ten years that are over", -3651 * day, -day, gateway.TokenLifetime},
		{"issued ahead", auth.Skew, day, ""},
		{"issued too far ahead", auth.Skew + time.Second, day, gateway.TokenFuture},
		{"expired within the skew", -time.Hour, -auth.Skew, ""},
		{"expired", -time.Hour, -auth.Skew - time.Second, gateway.TokenExpired},
		{"exp equal to iat, as Google's Go sample has it", 0, 0, ""},
		{"exp equal to iat, at its end", -auth.Skew, -auth.Skew, ""},
		{"exp equal to iat, over", -auth.Skew - time.Second, -auth.Skew - time.Second, gateway.TokenExpired},
	} {
		token := ecDevice().sign(ecDevice().header(), claims(now.Add(tt.iat), now.Add(tt.exp)))
		if tt.want == "" {
			accepts(t, tt.name, token, ecDevice().Credential)
		} else {
			refuses(t, tt.name, tt.want, token, ecDevice().Credential)
		}
	}
	refuses(t, "no iat", gateway.TokenClaims, ecDevice().sign(ecDevice().header(), edit(fmt.Sprintf(`"iat":%d,`, now.Unix()), "")), ecDevice().Credential)
}

func TestJ8_OtherClaims(t *testing.T) {
	for _, extra := range []string{
		`"nbf":9999999999`, `"nbf":null`, `"nbf":"tomorrow"`, `"iss":"x"`, `"sub":"device2"`, `"deviceId":"device2"`, `"jti":"größe"`,
		`"a":{"b":[1,2,{"c":null}]}`, `"":1`, `"a":1e999`, `"audience":"other"`,
	} {
		accepts(t, extra, ecDevice().sign(ecDevice().header(), edit(`{`, `{`+extra+`,`)), ecDevice().Credential)
	}
}

func TestJ9_AmbiguousMembers(t *testing.T) {
	aud, exp := fmt.Sprintf(`"aud":%q`, project), `"exp":1700003600`
	for _, extra := range []string{
		aud, exp, `"AUD":"other"`, `"Exp":9999999999`, `"IAT":1`, `"\u0061ud":"my-project"`, `"\u0041UD":"x"`, `"iss":"a","ISS":"b"`,
		`"nbf":1,"nbf":1`, `"a":{"b":1,"b":1}`, `"a":{"b":1,"B":2}`, `"a":[{"x":1,"X":1}]`, `"audﬀ":1`, `"ａud":"x"`, `"iſs":"x"`, `"a":{"\u212a":1}`,
	} {
		refuses(t, "before: "+extra, gateway.TokenMalformed, ecDevice().sign(ecDevice().header(), edit(`{`, `{`+extra+`,`)), ecDevice().Credential)
		refuses(t, "after: "+extra, gateway.TokenMalformed, ecDevice().sign(ecDevice().header(), edit(`}`, `,`+extra+`}`)), ecDevice().Credential)
	}
	refuses(t, "AUD alone", gateway.TokenClaims, ecDevice().sign(ecDevice().header(), edit(`"aud"`, `"AUD"`)), ecDevice().Credential)
	refuses(t, "audﬀ alone", gateway.TokenMalformed, ecDevice().sign(ecDevice().header(), edit(`"aud"`, `"audﬀ"`)), ecDevice().Credential)
	for _, header := range []string{
		`{"alg":"ES256","alg":"ES256"}`, `{"alg":"none","alg":"ES256"}`, `{"alg":"ES256","\u0061lg":"none"}`, `{"alg":"ES256","ALG":"none"}`,
		`{"alg":"ES256","kid":"1","Kid":"2"}`, `{"alg":"ES256","typ":"JWT","typ":"JWT"}`, `{"alg":"ES256","\u212aid":"1"}`,
	} {
		refuses(t, header, gateway.TokenMalformed, ecDevice().sign(header, good), ecDevice().Credential)
	}
	refuses(t, "ALG alone", gateway.TokenHeader, ecDevice().sign(`{"ALG":"ES256"}`, good), ecDevice().Credential)
}

func TestJ10_OtherHeaders(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	for _, extra := range []string{
		`"crit":["exp"]`, `"crit":[]`, `"b64":false`, `"zip":"DEF"`, `"jwk":{"kty":"EC"}`, `"jku":"` + server.URL + `"`, `"x5u":"` + server.URL + `"`,
		`"x5c":["MII"]`, `"x5t":"a"`, `"cty":"JWT"`, `"enc":"A256GCM"`, `"epk":{}`, `"":""`, `"typ":"at+jwt"`, `"typ":"JOSE"`, `"typ":null`, `"typ":1`, `"kid":1`, `"kid":null`, `"kid":["1"]`,
		`"kid":{}`, `"kid":true`,
	} {
		refuses(t, extra, gateway.TokenHeader, ecDevice().sign(`{"alg":"ES256",`+extra+`}`, good), ecDevice().Credential)
		refuses(t, extra, gateway.TokenHeader, ecDevice().sign(`{`+extra+`,"alg":"ES256"}`, good), ecDevice().Credential)
	}
	for _, header := range []string{`{"alg":"ES256"}`, `{"typ":"JWT","alg":"ES256"}`, `{"alg":"ES256","typ":"jwt"}`, " {\"alg\" : \"ES256\"}\n"} {
		accepts(t, header, ecDevice().sign(header, good), ecDevice().Credential)
	}
	for _, header := range []string{``, `null`, `[]`, `"ES256"`, `{}{}`, `{"alg":"ES256"}x`, `{"alg":"ES256",}`, `{"alg":"ES256"`, "\ufeff{\"alg\":\"ES256\"}"} {
		refuses(t, header, gateway.TokenMalformed, ecDevice().sign(header, good), ecDevice().Credential)
	}
	if asked.Load() != 0 {
		t.Errorf("%d requests for what headers point to", asked.Load())
	}
}

func TestJ11_Kid(t *testing.T) {
	for _, kid := range []string{"", "1", "../../etc/passwd", "' OR 1=1 --", `\u0000`, `\n`, "ключ", "https://example.com/key", strings.Repeat("k", 2000)} {
		header := `{"alg":"ES256","kid":"` + kid + `"}`
		accepts(t, kid, ecDevice().sign(header, good), ecOther().Credential, ecDevice().Credential)
		refuses(t, kid, gateway.BadSignature, ecDevice().sign(header, good), ecOther().Credential)
	}
	refuses(t, "1 MB", gateway.TokenTooLong, ecDevice().sign(`{"alg":"ES256","kid":"`+strings.Repeat("k", 1<<20)+`"}`, good), ecDevice().Credential)
}

func TestJ16_SizeAndDepth(t *testing.T) {
	key := ecDevice().Credential
	accepts(t, "4096 bytes", ecDevice().tokenOf(auth.MaxToken), key)
	refuses(t, "4097 bytes", gateway.TokenTooLong, ecDevice().tokenOf(auth.MaxToken+1), key)
	for name, token := range map[string]string{
		"10 MB":           strings.Repeat("A", 10<<20),
		"10 MB, two dots": strings.Repeat("A", 5<<20) + ".A." + strings.Repeat("A", 5<<20),
		"a million dots":  strings.Repeat(".", 1_000_000),
	} {
		refuses(t, name, gateway.TokenTooLong, token, key)
		cheap(t, name, token, 2)
	}
	refuses(t, "4096 dots", gateway.TokenMalformed, strings.Repeat(".", auth.MaxToken), key)
	cheap(t, "4096 dots", strings.Repeat(".", auth.MaxToken), 2)
	refuses(t, "empty", gateway.TokenMissing, "", key)
	refuses(t, "two dots", gateway.TokenMalformed, "..", key)
	for _, open := range []string{`[`, `{"a":`} {
		deep := strings.Repeat(open, 400)
		refuses(t, "header of "+open, gateway.TokenHeader, ecDevice().sign(`{"alg":`+deep, good), key)
		refuses(t, "claims of "+open, gateway.TokenMalformed, ecDevice().sign(ecDevice().header(), `{"a":`+deep), key)
	}
	for _, pair := range [][2]string{{"[", "]"}, {`{"b":`, "}"}} {
		nested := func(n int) string {
			return `{"a":` + strings.Repeat(pair[0], n) + "0" + strings.Repeat(pair[1], n) + ","
		}
		accepts(t, "depth 16 of "+pair[0], ecDevice().sign(ecDevice().header(), edit("{", nested(15))), key)
		refuses(t, "depth 17 of "+pair[0], gateway.TokenMalformed, ecDevice().sign(ecDevice().header(), edit("{", nested(16))), key)
	}
}

// cheap fails the test if refusing the token takes more than so many allocations.
func cheap(t *testing.T, name, token string, most float64) {
	t.Helper()
	v, text := new(auth.Verifier), []byte(token)
	if n := testing.AllocsPerRun(10, func() { v.Verify(text, project, nil, now) }); n > most {
		t.Errorf("%s: %v allocations", name, n)
	}
}

func reasonOf(err error) gateway.Reason {
	var refusal *gateway.Refusal
	if errors.As(err, &refusal) {
		return refusal.Reason
	}
	return ""
}
