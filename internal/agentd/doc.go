// Package agentd is the program on the device: it turns the tutorial's
// gcp_iot_config.txt, variables and flags into a device.Agent with its edges, and runs
// it; beside that it makes the device's key, or asks for a credential, and tells what is
// wrong.
//
//	gcp_iot_config.txt ─▶ AGENT_… ─▶ flags ─▶ Settings ─┬─ run     enroll ─▶ sensors ─▶ Agent ─▶ keys ─▶ uplink
//	                                                    │                      spool ◀───┘└──▶ status.json
//	                                                    ├─ doctor     looks at each of these alone
//	                                                    ├─ status     reads status.json
//	                                                    ├─ provision  asks for a credential, as run does
//	                                                    └─ keygen     makes the key pair
//
// The file is read strictly: what nobody will look at is an error with file and line.
//
// What may fail, and what then happens:
//
//	a setting             run says which, and ends with 2
//	key, certificates     others may read the key, a certificate is no certificate: ends with 1
//	no credential yet     run asks for it, measures nothing before it has it, and status says why
//	spool in use          a second agent ends with 1, and the first goes on
//	whatever comes later  the agent goes on, and status says why it does not send
//	SIGTERM               what is under way is given up or confirmed; at an end in 5 s
//	power cut in keygen   no key, or a whole one
package agentd
