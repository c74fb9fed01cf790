package provision

import (
	"crypto/x509"
	"net/netip"
	"time"

	"iotbridge/gateway"
)

// Unit names a board by what its hardware says. Both are canonical: see ParseSerial
// and ParseMAC.
type Unit struct {
	Serial string   `json:"serialNumber"`
	MACs   []string `json:"macAddresses,omitempty"`
}

// Request asks for a credential.
type Request struct {
	ID         string // of the request, the device's own; the webhook sees it
	Profile    string
	Unit       Unit
	PublicKey  []byte // SubjectPublicKeyInfo in DER, possession proved; nil: make one here
	ClaimProof []byte // HMAC-SHA256 with SHA-256(claim secret) as key over PublicKey; nil: none
	Subject    string // of the CSR, for the webhook alone; "": none
	Bootstrap  Presented
	From       netip.Addr
}

// Presented is the client certificate that TLS has verified possession of, and nothing
// else of it. The zero value is none.
type Presented struct {
	SHA256  string // of its DER, in lower-case hex
	Subject string // ≤ 255 printable bytes
	Chain   []*x509.Certificate
}

// Claim is what is known of a unit in a profile.
type Claim struct {
	Profile     string
	Unit        Unit
	State       ClaimState
	Device      gateway.DeviceKey // of claimed and active
	Number      uint64
	SPKI        [32]byte // SHA-256 of the public key that has it
	Certificate []byte   // DER, the newest; none while pending
	Previous    []byte   // DER: overlaps until the newest is used
	NotAfter    time.Time
	Bootstrap   string // SHA-256 of who asked
	Reason      string // of pending and denied
	Created     time.Time
	Updated     time.Time
}

// ClaimState says how far a unit is.
type ClaimState string

// The states.
const (
	Pending  ClaimState = "PENDING"
	Approved ClaimState = "APPROVED" // by an operator; the unit has not asked since
	Claimed  ClaimState = "CLAIMED"
	Active   ClaimState = "ACTIVE"
	Denied   ClaimState = "DENIED"
)

// Grant is the answer to a request.
type Grant struct {
	Claim      Claim
	Fresh      bool   // granted now, and not an answer again
	PrivateKey []byte // PKCS #8 in DER; only of a key made here, and only once
}

// Forget overwrites the private key: call it when the answer is written.
func (g *Grant) Forget() { clear(g.PrivateKey) }

// Refusal is a no. The device sees Code, the status and its request's id; Detail is
// for the audit log.
type Refusal struct {
	Code       Code
	Detail     string
	RetryAfter time.Duration // 0: none said
	Cause      error         // of our own trouble, for the log; nil: none

	sharedKey bool // of AlreadyProvisioned: the key is another's
}

func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Detail }

func (r *Refusal) Unwrap() error { return r.Cause }

// Code names a refusal: a closed set, and a metric's label.
type Code string

// The codes, and the HTTP status of each.
const (
	BadRequest         Code = "BAD_REQUEST"           // 400
	BadCSR             Code = "BAD_CSR"               // 400
	BadIdentifiers     Code = "BAD_IDENTIFIERS"       // 400
	KeyNotAllowed      Code = "KEY_NOT_ALLOWED"       // 400
	ProofFailed        Code = "POP_FAILED"            // 400
	NoCertificate      Code = "NO_CLIENT_CERTIFICATE" // 401, as the next two are shown
	UnknownBootstrap   Code = "UNKNOWN_BOOTSTRAP"     // a certificate that the profile does not name, or not now
	UnknownProfile     Code = "UNKNOWN_PROFILE"
	ProfileDisabled    Code = "PROFILE_DISABLED" // 403, as all that follow are shown: DENIED
	BootstrapRevoked   Code = "BOOTSTRAP_REVOKED"
	DeniedByList       Code = "DENIED_DENYLIST"
	NotInAllowList     Code = "NOT_IN_ALLOWLIST"
	WrongClaimSecret   Code = "WRONG_CLAIM_SECRET" //nolint:gosec // G101: a refusal's name, not a secret
	DeniedByWebhook    Code = "DENIED_BY_WEBHOOK"
	DeniedByOperator   Code = "DENIED_BY_OPERATOR"
	DeviceBlocked      Code = "DEVICE_BLOCKED"      // 403, the last of them
	AlreadyProvisioned Code = "ALREADY_PROVISIONED" // 409: another key has this serial, or this key another serial
	PendingApproval    Code = "PENDING_APPROVAL"    // 202
	TooMany            Code = "TOO_MANY_REQUESTS"   // 429: a rate
	ProfileFull        Code = "PROFILE_FULL"        // 429: MaxDevices
	WebhookUnavailable Code = "WEBHOOK_UNAVAILABLE" // 503
	StoreUnavailable   Code = "STORE_UNAVAILABLE"   // 503
)
