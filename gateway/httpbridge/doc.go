// Package httpbridge lets devices speak HTTPS, as IoT Core's HTTP bridge did:
//
//	POST /v1/{device}:publishEvent               {"binaryData": base64, "subFolder": "…"}   →  {}
//	POST /v1/{device}:setState                   {"state": {"binaryData": base64}}          →  {}
//	GET  /v1/{device}/config?local_version=N                         →  {"version": "2", "binaryData": base64}
//
// {device} is projects/P/locations/R/registries/G/devices/D, where D is a name or a
// number. Every request carries the device's token, Authorization: Bearer JWT; nothing
// is remembered from one to the next.
//
//	connection ─room?─▶ TLS ─▶ head ─▶ admission ─▶ body ─▶ Bridge ─confirmed─▶ {}
//	             10 s in all ┘   401 alike ┘   400 ┘      └ 400, 429, 503
//
// Nothing of a body is read before the token has proved whose it is. An event is
// answered with 200 when Pub/Sub has confirmed it; any other answer, or none, means
// that the device sends it again, and that it may then be published twice.
//
//	401 UNAUTHENTICATED      the device is unknown, blocked or another's, or the token
//	                         is bad: alike
//	400 INVALID_ARGUMENT, OUT_OF_RANGE, FAILED_PRECONDITION
//	                         the request would never be taken
//	429 RESOURCE_EXHAUSTED   the device is over its rate
//	503 UNAVAILABLE          ours: the store or Pub/Sub, or too much at once
//
// A gateway speaks for a device that is bound to it with its own path and token, and
// names it in gatewayInfo.delegatedDeviceId; a device that speaks through a gateway
// names that in gatewayInfo.gatewayId. Of a config these are parameters.
//
// Beside these, /.well-known/est/ and /v1/provisioning/ are another's, when there is
// provisioning: connections, limits and times are shared, what proves a board is not. A
// client's certificate means nothing here.
//
// Bodies are JSON as protobuf reads it: members in camelCase or snake_case, unknown
// ones ignored, base64 of either alphabet, with or without padding.
// https://cloud.google.com/iot/docs/how-tos/http-bridge
package httpbridge
