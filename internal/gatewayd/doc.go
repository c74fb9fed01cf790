// Package gatewayd puts the gateway together: it turns settings into listeners, the
// bridge behind them and the store, and runs them beside the operations listener.
// iotbridge-gateway is it, and iotbridge local runs it against the cloud on this
// machine.
//
//	tier 1   MQTT listeners   device HTTPS   operators' REST and gRPC
//	            │ end when what is under way is answered
//	tier 2   publisher   bridge   files that are read again
//	            │ end when everything is published, or given up, and booked
//	tier 3   store   operations listener   readiness   what is counted in the store
//
// When the gateway stops, or a part fails, a tier is told only when the one above has
// ended: a PUBACK needs the publisher, and a session that ends the store.
//
// What a service refuses holds, and /readyz says so: a topic that cannot be published
// to, a store that does not answer. Nothing of it ends the gateway once it has begun.
package gatewayd
