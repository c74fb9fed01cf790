package schema

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Reason says what a message did wrong. The set is closed: it is a metric label.
type Reason string

// The reasons, in the order in which faults are looked for: the first one found
// names the verdict. The last is BigQuery's own.
const (
	MissingIdentity     Reason = "missing_identity"
	DeviceBlocked       Reason = "device_blocked"
	AttestationMissing  Reason = "attestation_missing"
	AttestationInvalid  Reason = "attestation_invalid"
	Oversize            Reason = "oversize"
	MalformedBody       Reason = "malformed_body"
	AmbiguousIdentity   Reason = "ambiguous_identity"
	DeviceMismatch      Reason = "device_mismatch"
	MissingField        Reason = "missing_field"
	WrongType           Reason = "wrong_type"
	ValueOutOfRange     Reason = "value_out_of_range"
	TimestampOutOfRange Reason = "timestamp_out_of_range"
	RejectedByBigQuery  Reason = "rejected_by_bigquery"
)

// Reasons is the closed set.
var Reasons = []Reason{
	MissingIdentity, DeviceBlocked, AttestationMissing, AttestationInvalid, Oversize, MalformedBody, AmbiguousIdentity,
	DeviceMismatch, MissingField, WrongType, ValueOutOfRange, TimestampOutOfRange, RejectedByBigQuery,
}

// maxDetail bounds what a rejection says, in bytes.
const maxDetail = 256

// Rejection is the verdict on a message that is itself at fault.
type Rejection struct {
	Reason Reason
	Detail string // names the thing; at most 256 printable bytes, never the payload
}

// NewRejection returns a rejection. The detail is cut to 256 bytes, and what does
// not print in one line becomes a question mark.
func NewRejection(reason Reason, detail string) *Rejection {
	return &Rejection{reason, printable(detail)}
}

func (r *Rejection) Error() string { return string(r.Reason) + ": " + r.Detail }

func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, s[:min(len(s), 4*maxDetail)])
	for len(s) > maxDetail {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}
