// Package validate is an example of a validation function: before a board of a profile
// is granted its credential, the gateway asks it ALLOW, DENY or PENDING.
//
// It is a net/http handler, and so a Cloud Function, a Cloud Run service or a program of
// your own. This one allows the serials of one product's range; put your own question,
// to the orders' database, say, in its place.
//
// What it must keep: who cannot sign is answered nothing; a request that is older than
// a few minutes is not answered either, so that nobody replays it; the same requestId
// may come twice, and gets the same answer; and it answers in less than 5 s.
package validate

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

const (
	maxBody = 64 << 10
	maxAge  = 5 * time.Minute
)

// Function answers for the profile whose webhook has the secret.
type Function struct {
	Secret  []byte
	Serials *regexp.Regexp // those that were sold; anchor it
}

// request is what it looks at of what it is told; there is more.
type request struct {
	Profile     string `json:"profile"`
	Identifiers struct {
		Serial string   `json:"serialNumber"`
		MACs   []string `json:"macAddresses"`
	} `json:"identifiers"`
	Existing *struct {
		DeviceID string `json:"deviceId"`
		State    string `json:"state"`
	} `json:"existing"`
}

type answer struct {
	Decision string            `json:"decision"`
	Reason   string            `json:"reason,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// ServeHTTP answers one request.
func (f *Function) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil || r.Method != http.MethodPost {
		http.Error(w, "want a POST of at most 64 KiB", http.StatusBadRequest)
		return
	}
	if !f.signed(r.Header, body, time.Now()) {
		http.Error(w, "want X-Signature of X-Timestamp and the body, not older than 5 minutes", http.StatusUnauthorized)
		return
	}
	var asked request
	if err := json.Unmarshal(body, &asked); err != nil {
		http.Error(w, "want JSON", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(f.decide(&asked)) //nolint:errcheck // who went away asks again
}

// signed says that the gateway has sent it, lately. Without a secret nothing is signed.
func (f *Function) signed(h http.Header, body []byte, now time.Time) bool {
	stamp := h.Get("X-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if age := now.Sub(time.Unix(seconds, 0)); err != nil || len(f.Secret) == 0 || age > maxAge || age < -maxAge {
		return false
	}
	mac := hmac.New(sha256.New, f.Secret)
	io.WriteString(mac, stamp+".") //nolint:errcheck // a hash takes all
	mac.Write(body)
	got, err := hex.DecodeString(h.Get("X-Signature"))
	return err == nil && hmac.Equal(got, mac.Sum(nil))
}

// decide is yours to write.
func (f *Function) decide(asked *request) answer {
	switch {
	case !f.Serials.MatchString(asked.Identifiers.Serial):
		return answer{Decision: "DENY", Reason: "not a serial that was sold"}
	case asked.Existing != nil && asked.Existing.State == "ACTIVE":
		return answer{Decision: "PENDING", Reason: "it had a credential: is it the same board?"}
	}
	return answer{Decision: "ALLOW", Metadata: map[string]string{"product": asked.Profile}}
}
