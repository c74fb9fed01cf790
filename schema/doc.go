// Package schema is the contract that device, gateway and worker share: names of
// attributes, grammar of ids and topics, the tables as data, and the verdict on a
// message.
//
//	table.yaml ──Load──▶ Table ──Compile──▶ Plan ──NewEncoder──▶ Encoder
//	                       │                 │                      │ Append
//	                       ▼                 ▼                      ▼
//	            DDL, BigQuery's JSON,     ClaimOf,        a row in protobuf's wire
//	            Terraform             AppendRejected      form, or a *Rejection
//
// Who sent a message comes from its attributes, which the gateway alone sets. What
// its body claims is compared with them, byte for byte, and never stored. A body is
// looked at in this order, and the first fault names the reason:
//
//	deviceId     there, and a device's name               missing_identity
//	size         262,144 bytes; attributes as Pub/Sub's   oversize
//	text         one JSON object, strict, in UTF-8, at    malformed_body
//	             most 16 deep; no member that a column
//	             takes there twice, or in another case
//	claim        one at the most, in any case             ambiguous_identity
//	             a string or an integer                   wrong_type
//	             there, where it is asked for             missing_field
//	             the device's name or number              device_mismatch
//	columns      in the table's order: there where        missing_field
//	             required, of its type, in its range      wrong_type, value_out_of_range,
//	                                                      timestamp_out_of_range
//
// Between identity and size stand the deny list and the attestation, which are the
// worker's to ask for. A rejection is the message's own fault, and the same on each
// delivery; nothing here fails for any other cause.
package schema
