// Package migrate brings devices over from another registry: from what Google Cloud
// IoT Core listed while it ran, from another gateway's list, or from what EMQX keeps of them.
//
//	files ──▶ Read ──▶ Plan ──┬─ create  ──▶ Apply ──▶ Device Manager
//	          registry as it ─┘├ present      already there, with these keys
//	          is now           ├ collides     the id or number is another device's
//	                           └ refused      an id or a key that no registry takes
//
// Nothing is changed before Apply, and Apply changes nothing that is there. It may be
// run again after it was cut off: what is present by then is passed over.
//
// A device keeps its number, by which devices of IoT Core connect: client id and topics
// stay as they were when project, region and registry have their old names. A number
// that a device of the gateway has, or ever had, is not given again: that device
// collides, unless it is to get a new one.
//
// A key whose certificate has ended goes over as a bare key: IoT Core looked at a
// certificate's end when the device was registered and never again, so such devices
// still connect.
package migrate
