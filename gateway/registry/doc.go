// Package registry keeps registries, devices and what is known of them, in one SQLite
// file or in a PostgreSQL that several gateways share.
//
//	Admin ────┐                       ┌─ registries ◀─ devices ◀─ life, configs, states, bindings
//	Mailbox ──┼─▶ one transaction ────┼─ audit
//	          │                       └─ changes ──commit──▶ NOTIFY ──▶ ear ──▶ Watch
//	Bus ──────┘  (SQLite: changes go straight to Watch)        (and every 3 s)
//
// What was answered is on the disk. A change, its entry in the audit log and its
// notice to the other gateways are one transaction. With SQLite one connection
// writes, and syncs each commit; who reads sees what was committed and waits for
// nobody. PostgreSQL locks the rows that are changed, and what meets another
// transaction is done again.
//
// A device has one session in the fleet:
//
//	        Claim                     Claim elsewhere (a higher epoch)
//	free ──────────▶ held by a run ─────────────────────────────────▶ held by another
//	  ▲                    │
//	  └── Release, or the run ended, or has not beaten for 20 s ◀────┘
//
// A run is one Open: a gateway that starts again does not hold what the one before it
// held. Release names its epoch, so one that comes late ends nothing. With SQLite all
// of this is in memory, and ends with the process as its sessions do.
//
// Commands travel through the database: Send lays one down for the holder's run, and
// takes it away again when its context ends, so that nothing is carried out that its
// sender has given up, unless it was fetched before.
//
// Provisioning decides on a unit in one transaction with its device, its credentials
// and the entry in the audit log. Meanwhile the unit is held, with a row or without,
// and so are its key, its device, and the profile with its lists:
//
//	Settle ─▶ hold ─▶ Known ─▶ decide ─▶ claim + device + keys + audit ─▶ commit
//	                              └─ no: nothing is written
//
// So is the MAC that lets a unit in: an entry of the allow list is one unit's until its
// claim is reset.
//
// A public key is one unit's or device's. Its hash is noted wherever credentials are
// written; a gateway of a version that did not note it, and runs beside, is not seen.
//
// What may fail, and what then happens:
//
//   - kill −9, power cut: what was answered is there, all of it; the rest not at all.
//   - Full disk, lost server: calls fail with one sentence, and go on by themselves. A
//     connection that breaks in a commit leaves unknown whether it happened.
//   - A lost notification: the change comes with the next look, at most 5 s late. A lost
//     connection: Resync, and what was said meanwhile. A watcher that is too slow: Resync,
//     and a command that it missed is not delivered.
//   - A file that is damaged, cut short, another program's, newer than this program, or
//     whose tables are not those of its version: Open refuses. It reads every page, about
//     0.4 s for 100,000 devices. Damage inside a value that is still one cannot be seen.
//   - A gateway that dies: its claims lapse after 20 s.
//   - PostgreSQL cannot be reached: a device is claimed where it was claimed last, under
//     the same epoch, and nowhere else. A gateway that reaches it takes the device over
//     all the same, so for as long as one does not, there may be two sessions; the later
//     one stays. What was done meanwhile is set right within 5 s.
//
// Names order lists by their bytes. Page tokens are signed for their list with a key
// of the store; a page goes on after the last name of the one before, whatever came
// and went meanwhile.
package registry
