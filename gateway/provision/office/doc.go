// Package office serves operators what they do about provisioning, over REST below
// /v1/provisioning/.
//
//	GET                 profiles                              who may ask, and what is granted
//	GET PUT DELETE      profiles/ID
//	POST                profiles/ID:enable :disable           the switches: a change of the
//	POST                profiles/ID/bootstrap/SHA256:revoke   profile throws none of them back
//	                                                :restore
//	GET POST            profiles/ID/lists/allow, …/deny       POST adds a list as CSV,
//	POST                profiles/ID/lists/allow:remove        :remove takes one away
//	DELETE              profiles/ID/lists/allow/SERIAL
//	GET                 profiles/ID/claims[?state=PENDING]    who has asked
//	GET                 profiles/ID/claims/SERIAL
//	POST                profiles/ID/claims/SERIAL:approve :deny :reset
//
// One table has the routes and what each takes: viewers see, admins change. Who calls
// is found out around it, as for Device Manager.
//
// A list is read as it comes and kept in transactions of thousands, so its size is
// bounded by nothing but a limit. At its first mistake it ends: what stood before that
// is there, nothing behind it is, and the answer says the line. To send it again is
// safe. A list whose end did not arrive is a mistake in the line that was cut off.
//
// Claim secrets are not taken here, only their SHA-256, and these are not told again.
package office
