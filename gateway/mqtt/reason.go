package mqtt

import "iotbridge/gateway"

// Why a session ended. The set is closed: it is the label of
// gateway_disconnects_total.
const (
	clientLeft  gateway.Reason = "client"      // DISCONNECT
	lost        gateway.Reason = "lost"        // the connection broke, or was closed without DISCONNECT
	silent      gateway.Reason = "keepalive"   // no packet for 1.5 times the keepalive
	idle        gateway.Reason = "idle"        // no packet for 20 minutes
	expired     gateway.Reason = "expired"     // the token, 10 minutes ago
	takenOver   gateway.Reason = "takeover"    // the device has a newer session
	revoked     gateway.Reason = "revoked"     // it would not be admitted any more
	stopping    gateway.Reason = "shutdown"    // of this gateway
	malformed   gateway.Reason = "protocol"    // a packet that is none, or that is not allowed
	badTopic    gateway.Reason = "topic"       // published where it may not
	tooLarge    gateway.Reason = "size"        // more payload than is allowed
	noRoute     gateway.Reason = "no_route"    // no topic takes the subfolder
	overRate    gateway.Reason = "rate"        // more than is allowed
	unpublished gateway.Reason = "unpublished" // Pub/Sub did not take a message
	storeFault  gateway.Reason = "store"       // the store did not answer
	slow        gateway.Reason = "slow"        // the device does not read what it is sent
)

var reasons = []gateway.Reason{
	clientLeft, lost, silent, idle, expired, takenOver, revoked, stopping, malformed,
	badTopic, tooLarge, noRoute, overRate, unpublished, storeFault, slow,
}

// statuses are what a device's lastErrorStatus says. The first five texts are IoT
// Core's; a reason that is no error has none, nor has noRoute, which the bridge books.
var statuses = map[gateway.Reason]gateway.Status{
	takenOver: {Code: 6, Message: "SERVER: The connection was closed because there is another active connection with the same device ID."},
	expired:   {Code: 16, Message: "SERVER: The authorization token expired."},
	silent:    {Code: 4, Message: "SERVER: The connection was closed because MQTT keep-alive check failed."},
	stopping:  {Code: 14, Message: "SERVER: The connection is closed because the server is shutting down."},
	lost:      {Code: 9, Message: "The connection broke or was closed by the client."},

	idle:        {Code: 4, Message: "SERVER: The connection was closed because nothing was sent for 20 minutes."},
	revoked:     {Code: 7, Message: "SERVER: The connection was closed because the device was blocked or deleted, or its credential removed."},
	malformed:   {Code: 3, Message: "SERVER: The connection was closed because of a packet that is malformed or not supported."},
	badTopic:    {Code: 7, Message: "SERVER: The connection was closed because of a topic that the device may not publish to."},
	tooLarge:    {Code: 3, Message: "SERVER: The connection was closed because a payload was too large."},
	overRate:    {Code: 8, Message: "SERVER: The connection was closed because too much was published."},
	unpublished: {Code: 14, Message: "SERVER: The connection was closed because a message could not be published."},
	storeFault:  {Code: 14, Message: "SERVER: The connection was closed because the registry did not answer."},
	slow:        {Code: 8, Message: "SERVER: The connection was closed because the device does not read."},
}

// status is what is kept of a reason; nil when it is no error.
func status(r gateway.Reason) *gateway.Status {
	st, ok := statuses[r]
	if !ok {
		return nil
	}
	st.Message = "mqtt: " + st.Message
	return &st
}
