package gateway

// Why a token is refused.
const (
	TokenMissing   Reason = "token_missing"
	TokenTooLong   Reason = "token_too_long"
	TokenMalformed Reason = "token_malformed" // its segments, their base64url, or their JSON
	TokenHeader    Reason = "token_header"    // a member other than alg, typ and kid, or a wrong type
	TokenAlgorithm Reason = "token_algorithm" //nolint:gosec // neither ES256 nor RS256, or no live key of the device is for it
	TokenClaims    Reason = "token_claims"    // aud, exp or iat absent, or of the wrong type
	TokenAudience  Reason = "token_audience"  // another project
	TokenExpired   Reason = "token_expired"
	TokenFuture    Reason = "token_future"   // issued ahead of our clock
	TokenLifetime  Reason = "token_lifetime" // longer than a day
	BadSignature   Reason = "signature"
	NoKey          Reason = "no_key"
	KeyExpired     Reason = "key_expired" // all keys of the device
)

// Why a device is refused, whatever its token.
const (
	UnknownDevice Reason = "unknown_device"
	Blocked       Reason = "blocked"
	Throttled     Reason = "throttled" // too many refusals before

	BadName          Reason = "bad_name" // outside the grammar
	UnknownRegistry  Reason = "unknown_registry"
	ProtocolDisabled Reason = "protocol_disabled" // by the registry
	CredentialGone   Reason = "credential_gone"   //nolint:gosec // the one that the session began with
	NotAGateway      Reason = "not_a_gateway"
	NotAttachable    Reason = "not_attachable" // not bound to the gateway, or a gateway itself
	StoreFault       Reason = "store_fault"
	OverRate         Reason = "over_rate"
)

// Reasons is the closed set.
var Reasons = []Reason{
	TokenMissing, TokenTooLong, TokenMalformed, TokenHeader, TokenAlgorithm, TokenClaims, TokenAudience, TokenExpired,
	TokenFuture, TokenLifetime, BadSignature, NoKey, KeyExpired,
	UnknownDevice, Blocked, Throttled,
	BadName, UnknownRegistry, ProtocolDisabled, CredentialGone, NotAGateway, NotAttachable, StoreFault, OverRate,
}
