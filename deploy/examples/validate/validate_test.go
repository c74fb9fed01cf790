package validate

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"iotbridge/gateway/provision"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "shared with the gateway"

// ask sends a body as the gateway signs it.
func ask(t *testing.T, by, stamp, body string) (int, string) {
	t.Helper()
	f := &Function{Secret: []byte(secret), Serials: regexp.MustCompile(`^10000000[0-9A-F]{8}$`)}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-Timestamp", stamp)
	r.Header.Set("X-Signature", provision.Sign([]byte(by), stamp, []byte(body)))
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	text, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(text)
}

func TestItsWord(t *testing.T) {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	for body, want := range map[string]string{
		`{"profile":"batch","identifiers":{"serialNumber":"10000000ABCDEF01"},"existing":null}`:                               `{"decision":"ALLOW","metadata":{"product":"batch"}}`,
		`{"profile":"batch","identifiers":{"serialNumber":"10000000ABCDEF0"},"existing":null}`:                                `{"decision":"DENY","reason":"not a serial that was sold"}`,
		`{"profile":"batch","identifiers":{"serialNumber":"10000000ABCDEF01"},"existing":{"deviceId":"x","state":"ACTIVE"}}`:  `{"decision":"PENDING","reason":"it had a credential: is it the same board?"}`,
		`{"profile":"batch","identifiers":{"serialNumber":"10000000ABCDEF01"},"existing":{"deviceId":"x","state":"CLAIMED"}}`: `{"decision":"ALLOW","metadata":{"product":"batch"}}`,
	} {
		if code, got := ask(t, secret, now, body); code != http.StatusOK || strings.TrimSpace(got) != want {
			t.Errorf("%s: %d %s", body, code, got)
		}
	}
	for name, row := range map[string]struct {
		by, stamp, body string
		want            int
	}{
		"another's":  {"guessed", now, `{}`, http.StatusUnauthorized},
		"no secret":  {"", now, `{}`, http.StatusUnauthorized},
		"replayed":   {secret, strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10), `{}`, http.StatusUnauthorized},
		"tomorrow's": {secret, strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10), `{}`, http.StatusUnauthorized},
		"no time":    {secret, "", `{}`, http.StatusUnauthorized},
		"no JSON":    {secret, now, `<html>`, http.StatusBadRequest},
		"too long":   {secret, now, strings.Repeat(" ", maxBody+1), http.StatusBadRequest},
	} {
		if code, got := ask(t, row.by, row.stamp, row.body); code != row.want || strings.Contains(got, "ALLOW") {
			t.Errorf("%s: %d %s", name, code, got)
		}
	}
}
