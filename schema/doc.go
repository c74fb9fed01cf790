// Package schema is the contract that device, gateway and worker share: names of
// attributes, grammar of ids and topics, the tables as data, and the verdict on a
// message.
package schema
