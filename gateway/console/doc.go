// Package console is the fleet in a browser: pages on the operators' listener, for the
// same operators with the same roles.
//
//	browser ──page, form──▶ Console ──▶ Manager (Device Manager's methods, in this process)
//	   ▲                      │  ├────▶ Office (provisioning)
//	   │                      │  ├────▶ Fleet (sessions, histories, counters of all gateways)
//	   │                      │  ├────▶ Warehouse (rows and quarantine, from BigQuery)
//	   └──server-sent events──┘  └────▶ Mail (subscriptions, looked at and handed back)
//
// Nothing is kept twice: a page asks the part that knows. What changes something is a
// form, and goes through the same policies, audit log and throttle as a call of the API;
// a viewer's is denied there, whatever the page shows.
//
// Who comes with a token signs in once: the browser then holds the token sealed in a
// cookie that no script reads, for twelve hours, and each request is admitted by the
// operators file anew, so that who is struck from it is out within seconds. A client
// certificate needs no cookie. A link of `iotbridge console` is such a token too, sealed
// for a minute and good once a gateway; one that came from another site's page, or to a
// browser in which another operator has signed in, asks first. Browsers give a host's
// cookies to all its ports: other programs on 127.0.0.1 that it opens see this one.
//
//	nobody ── token, link ──▶ signed in ── twelve hours, sign out, struck from the file ──▶ nobody
//
// Everything that a device can influence is escaped by html/template; scripts, styles
// and pictures come from this program alone, and a page that another shows in a frame
// is empty. A form of another origin, or without the session's own word, is refused.
//
// Live pages are one stream of events each; what they show is made once for all who
// look, and not at all while nobody does. A stream that is too slow is
// ended, and begins anew with the latest; it ends with the session, too.
//
// What may fail, and what then happens: a part that does not answer leaves its place on
// the page saying so, in its own words; the rest of the page is there. Without a
// warehouse the pages that need it say how to name one.
package console
