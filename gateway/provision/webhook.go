package provision

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"iotbridge/schema"
)

const (
	defaultHookTime = 5 * time.Second // with the retry
	maxHookTime     = 30 * time.Second
	hookRetry       = 30 * time.Second // when a device is told to ask again
	maxRetryAfter   = 24 * time.Hour
	hookAttempts    = 2
	maxAnswer       = 64 << 10
	maxReason       = 255
	maxPairs        = 100 // of metadata that an answer may give
)

// decision is a webhook's word.
type decision string

const (
	allow   decision = "ALLOW"
	deny    decision = "DENY"
	pending decision = "PENDING"
)

// verdict is a webhook's answer.
type verdict struct {
	Decision   decision
	Reason     string
	DeviceID   string
	Metadata   map[string]string
	Blocked    bool
	RetryAfter time.Duration
}

// question is a webhook's request.
type question struct {
	Version     int       `json:"version"` // 1
	RequestID   string    `json:"requestId"`
	Attempt     int       `json:"attempt"`
	Profile     string    `json:"profile"`
	Registry    string    `json:"registry"`
	Bootstrap   credited  `json:"bootstrap"`
	Identifiers Unit      `json:"identifiers"`
	CSR         *subject  `json:"csr"` // null when the key is to be made here
	KeyMode     KeyMode   `json:"keyMode"`
	SourceIP    string    `json:"sourceIp"`
	List        listed    `json:"list"`
	Existing    *existing `json:"existing"` // null: the unit has no claim
}

type credited struct {
	SHA256  string `json:"sha256"`
	Subject string `json:"subject"`
}

type subject struct {
	SPKI    string `json:"spkiSha256"`
	Subject string `json:"subject"`
}

type listed struct {
	Allow bool `json:"allow"`
	Deny  bool `json:"deny"`
}

type existing struct {
	DeviceID string     `json:"deviceId"`
	Number   string     `json:"numId"`
	State    ClaimState `json:"state"`
	LastSeen string     `json:"lastSeen"` // RFC 3339; "": never
}

func questionOf(a *asked, k *Known) *question {
	q := &question{
		Version: 1, RequestID: printable(a.ID, maxSubject), Profile: k.Profile.ID, Registry: k.Profile.Registry.String(),
		Bootstrap: credited{a.Bootstrap.SHA256, a.Bootstrap.Subject}, Identifiers: a.Unit, KeyMode: KeyOnServer,
		SourceIP: a.From.Unmap().String(), List: listed{k.Listing.Allowed, k.Listing.Denied},
	}
	if a.PublicKey != nil {
		q.KeyMode, q.CSR = KeyOnDevice, &subject{hex.EncodeToString(a.spki[:]), printable(a.Subject, maxSubject)}
	}
	if c := k.Claim; c != nil {
		q.Existing = &existing{DeviceID: c.Device.Device, State: c.State}
		if c.Number != 0 {
			q.Existing.Number = strconv.FormatUint(c.Number, 10)
		}
		if d := k.Device; d != nil {
			if seen := lastSeen(d); !seen.IsZero() {
				q.Existing.LastSeen = seen.UTC().Format(time.RFC3339)
			}
		}
	}
	return q
}

// consult asks the profile's webhook. What is not a clear answer in time is a *Refusal.
func (d *Desk) consult(ctx context.Context, a *asked, k *Known) (*verdict, error) {
	begin := time.Now()
	v, err := d.Hooks.ask(ctx, k.Profile.Webhook, questionOf(a, k), d.now())
	if err != nil {
		d.Metrics.asked(none, time.Since(begin))
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &Refusal{Code: WebhookUnavailable, Detail: "the webhook gave no answer that counts", RetryAfter: hookRetry, Cause: err}
	}
	d.Metrics.asked(string(v.Decision), time.Since(begin))
	return v, nil
}

// errPassing is trouble that the retry may not meet.
var errPassing = errors.New("may pass")

// ask asks once, and once more after what may pass, with the same request's id.
func (h *Hooks) ask(ctx context.Context, hook *Hook, q *question, now time.Time) (v *verdict, err error) {
	if h == nil {
		return nil, errors.New("no webhooks are asked here")
	}
	if err := hook.fault(); err != nil {
		return nil, err
	}
	if hook.Secret == "" {
		return nil, errors.New("the webhook has no secret to sign with: give it one")
	}
	limit := defaultHookTime
	if hook.Timeout > 0 {
		limit = time.Duration(hook.Timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for q.Attempt = 1; q.Attempt <= hookAttempts; q.Attempt++ {
		if v, err = h.post(ctx, hook, q, now); !errors.Is(err, errPassing) || ctx.Err() != nil {
			return v, err
		}
	}
	return nil, err
}

func (h *Hooks) post(ctx context.Context, hook *Hook, q *question, now time.Time) (*verdict, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	stamp := strconv.FormatInt(now.Unix(), 10)
	r.Header = http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/json"}, "User-Agent": {"iotbridge"},
		"X-Request-Id": {q.RequestID}, "X-Timestamp": {stamp}, "X-Signature": {Sign([]byte(hook.Secret), stamp, body)},
	}
	answer, err := h.http().Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPassing, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusInternalServerError {
		return nil, fmt.Errorf("%w: status %d", errPassing, answer.StatusCode)
	}
	if err := plain(answer); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPassing, err)
	}
	return parseAnswer(text)
}

// Sign is the X-Signature of a webhook's request: HMAC-SHA256 of the X-Timestamp, a dot
// and the body, in hex.
func Sign(secret []byte, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// plain says what an answer is, if not 200 and JSON as it stands.
func plain(answer *http.Response) error {
	kind, parameters, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	charset := parameters["charset"]
	switch {
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d: want 200", answer.StatusCode)
	case err != nil || kind != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8"):
		return errors.New("the answer's Content-Type: want application/json")
	case answer.Header.Get("Content-Encoding") != "":
		return errors.New("the answer's Content-Encoding: want none")
	case answer.ContentLength > maxAnswer:
		return errLong
	}
	return nil
}

var errLong = fmt.Errorf("the answer has more than %d bytes", maxAnswer)

// parseAnswer reads an answer strictly: known members once each, as they are spelled,
// and one of the three words.
func parseAnswer(text []byte) (*verdict, error) {
	if len(text) > maxAnswer {
		return nil, errLong
	}
	var said struct {
		Decision   decision          `json:"decision"`
		Reason     string            `json:"reason"`
		DeviceID   string            `json:"deviceId"`
		Metadata   map[string]string `json:"metadata"`
		Blocked    bool              `json:"blocked"`
		RetryAfter int64             `json:"retryAfterSeconds"`
	}
	if err := json.Unmarshal(text, &said, json.RejectUnknownMembers(true)); err != nil {
		return nil, errors.New("the answer is not the JSON that was asked for")
	}
	switch {
	case said.Decision != allow && said.Decision != deny && said.Decision != pending:
		return nil, errors.New("the answer's decision: want ALLOW, DENY or PENDING")
	case said.DeviceID != "" && !schema.ValidID(said.DeviceID):
		return nil, errors.New("the answer's deviceId is not a device id")
	case len(said.Metadata) > maxPairs:
		return nil, fmt.Errorf("the answer's metadata: want at most %d pairs", maxPairs)
	case said.RetryAfter < 0 || said.RetryAfter > int64(maxRetryAfter/time.Second):
		return nil, fmt.Errorf("the answer's retryAfterSeconds: want 0 to %d", int64(maxRetryAfter/time.Second))
	}
	return &verdict{
		said.Decision, printable(said.Reason, maxReason), said.DeviceID, said.Metadata, said.Blocked,
		time.Duration(said.RetryAfter) * time.Second,
	}, nil
}
