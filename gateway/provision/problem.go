package provision

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

// What is refused before anything is decided.
const (
	notServed   Code = "NOT_FOUND"
	wrongMethod Code = "METHOD_NOT_ALLOWED"
	tooLarge    Code = "BODY_TOO_LARGE"
	wrongMedia  Code = "UNSUPPORTED_MEDIA_TYPE"
	crowded     Code = "TOO_MUCH_AT_ONCE"
	gone        Code = "CLIENT_GONE" // and nobody is told
)

// statusOf is the HTTP status of any code.
func statusOf(c Code) int {
	switch c {
	case notServed:
		return http.StatusNotFound
	case wrongMethod:
		return http.StatusMethodNotAllowed
	case tooLarge:
		return http.StatusRequestEntityTooLarge
	case wrongMedia:
		return http.StatusUnsupportedMediaType
	case gone:
		return http.StatusRequestTimeout
	case crowded:
		return http.StatusServiceUnavailable
	}
	return c.Status()
}

// texts are for whoever programs devices. They say what was wanted, never what the
// lists, the claims or another device hold.
var texts = map[Code]string{
	notServed:          "nothing is served here: want /.well-known/est/{profile}/ with cacerts, csrattrs, simpleenroll, simplereenroll or serverkeygen, /v1/provisioning/{profile}:enroll or /v1/provisioning/self",
	wrongMethod:        "another method is served here: see Allow",
	tooLarge:           "the body is larger than 64 KiB",
	wrongMedia:         "the Content-Type or Content-Encoding is none that is read here: want application/pkcs10 for EST, application/json otherwise, not compressed",
	crowded:            "too many requests at once: try again",
	gone:               "the request was given up",
	shown:              "refused; the operator finds the reason under requestId in the gateway's log",
	BadRequest:         "the request cannot be read: see the documentation of this path",
	BadCSR:             "want one PKCS #10 request, in DER, base64 or PEM, that its own key has signed",
	BadIdentifiers:     "want a serial number of 4 to 64 of A-Z, 0-9 and '-', and MAC addresses of 48 bits",
	KeyNotAllowed:      "this key, or a key made here, is not taken: want P-256, or RSA of 2048 bits, made where the profile says",
	ProofFailed:        "possession of the key is not proved",
	NoCertificate:      "want a client certificate that may ask this here: the profile's bootstrap certificate to enrol, the device's own to renew",
	AlreadyProvisioned: "this unit has another key already, or this key another unit: an operator can reset the claim",
	PendingApproval:    "waits for an operator: ask again after Retry-After",
	TooMany:            "too many requests: try again after Retry-After",
	ProfileFull:        "the profile has as many devices as it may have: ask its operator",
	WebhookUnavailable: "the validation cannot be asked now: try again after Retry-After",
	StoreUnavailable:   "the gateway cannot answer now: try again after Retry-After",
}

// problem is an answer that grants nothing (RFC 9457).
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      Code   `json:"code"`
	RequestID string `json:"requestId"`
}

// asRefusal is our own fault when it is no refusal.
func asRefusal(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return &Refusal{Code: StoreUnavailable, Detail: "the desk's own fault", Cause: err}
}

// How long a device is to wait when nothing else is said.
const (
	waitApproval = time.Minute
	waitRate     = 10 * time.Second
	waitFault    = 5 * time.Second
)

// retryAfter is in whole seconds, rounded up; "" when the same would be refused again.
func retryAfter(status int, said time.Duration) string {
	if said <= 0 {
		switch status {
		case http.StatusAccepted:
			said = waitApproval
		case http.StatusTooManyRequests:
			said = waitRate
		case http.StatusServiceUnavailable:
			said = waitFault
		default:
			return ""
		}
	}
	return strconv.FormatInt(int64((said+time.Second-1)/time.Second), 10)
}

// tell is the answer to a request that is refused.
func tell(r *Refusal, request string) *answer {
	code, status := r.Code.Shown(), statusOf(r.Code)
	body, err := json.Marshal(problem{"about:blank", http.StatusText(status), status, texts[code], code, request})
	if err != nil {
		panic(err) // strings and a number
	}
	header := http.Header{"Content-Type": {"application/problem+json"}}
	if after := retryAfter(status, r.RetryAfter); after != "" && status != http.StatusForbidden {
		header.Set("Retry-After", after)
	}
	return &answer{status, header, append(body, '\n')}
}
