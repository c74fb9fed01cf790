package provision

import (
	"fmt"
	"net/http"
)

// shown is what a device is told in place of the codes that tell who is on a list.
const shown Code = "DENIED"

// statuses are the codes, with the HTTP status of each.
var statuses = map[Code]int{
	BadRequest: http.StatusBadRequest, BadCSR: http.StatusBadRequest, BadIdentifiers: http.StatusBadRequest,
	KeyNotAllowed: http.StatusBadRequest, ProofFailed: http.StatusBadRequest,
	NoCertificate: http.StatusUnauthorized, UnknownBootstrap: http.StatusUnauthorized, UnknownProfile: http.StatusUnauthorized,
	ProfileDisabled: http.StatusForbidden, BootstrapRevoked: http.StatusForbidden, DeniedByList: http.StatusForbidden,
	NotInAllowList: http.StatusForbidden, WrongClaimSecret: http.StatusForbidden, DeniedByWebhook: http.StatusForbidden,
	DeniedByOperator: http.StatusForbidden, DeviceBlocked: http.StatusForbidden,
	AlreadyProvisioned: http.StatusConflict,
	PendingApproval:    http.StatusAccepted,
	TooMany:            http.StatusTooManyRequests, ProfileFull: http.StatusTooManyRequests,
	WebhookUnavailable: http.StatusServiceUnavailable, StoreUnavailable: http.StatusServiceUnavailable,
}

// Status is the HTTP status that goes with the code.
func (c Code) Status() int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// Shown is the code as the device sees it: all that is 401 looks alike, and all that
// is 403.
func (c Code) Shown() Code {
	switch c.Status() {
	case http.StatusUnauthorized:
		return NoCertificate
	case http.StatusForbidden:
		return shown
	}
	return c
}

func refuse(code Code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}
