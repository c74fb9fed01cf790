// Package devicemanager serves operators what google.cloud.iot.v1.DeviceManager
// served them, over gRPC and over REST, so that their clients go on working.
//
//	gRPC ──▶ interceptor: who? ─┐
//	                            ├─▶ may they? audit ─▶ the method ─▶ gateway.Admin
//	REST ──▶ Handler: who? ─────┘                            └─────▶ gateway.Bus
//	         route, transcode
//
// REST is not written by hand: routes and messages come from the service's own
// descriptor with its google.api.http rules, and a request becomes the call that it
// would be over gRPC. There is no second way to a method.
//
// Every method has a policy, and a call whose method has none is denied. Who calls
// is told by package operators, never by the request; what is called is the resource
// name in the request's path. Every answer is after the store has made it durable.
//
// What changes something is in the audit log with the change, a command before it is
// sent. What was denied is there too, up to ten at once and then one a minute, each
// operator's and nobody's apart. An address that fails to say who it is 600 times in
// a minute is not heard for as long as that lasts.
//
// A fault of the store is UNAVAILABLE, and nothing of it is told to the caller. What
// the caller did wrong is said in words.
//
// No method of IoT Core ever made a group. A name with groups/G in it, where the HTTP
// rules allow that, means the same as without.
// https://cloud.google.com/iot/docs/reference/cloudiot/rest
package devicemanager
