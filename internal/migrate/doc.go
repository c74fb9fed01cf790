// Package migrate brings devices over from another registry: from what Google Cloud
// IoT Core listed while it ran, from another gateway's list, or from what EMQX keeps of them.
//
//	files ──▶ Read ──▶ Plan ──┬─ create  ──▶ Apply ──▶ Device Manager
//	          registry as it ─┘├ present      already there, with these keys
//	          is now           ├ collides     the id is another device's, here or in the files
//	                           └ refused      an id or a key that no registry takes
//
// Nothing is changed before Apply, and Apply changes nothing that is there. It may be
// run again after it was cut off: what is present by then is passed over.
//
// A key whose certificate has ended goes over as a bare key: IoT Core looked at a
// certificate's end when the device was registered and never again, so such devices
// still connect.
package migrate
