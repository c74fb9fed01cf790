// Package spool is the agent's queue on an SD card: what Append has returned survives
// a power cut, what was confirmed is forgotten, what was lost is known.
//
//	DIR/                            0700, one agent at a time
//	  lock                          flock; free again when its holder is gone
//	  0000000000000001.seg          oldest records        first ┐
//	  0000000000000f3d.seg          …                           ├─ by name = by number
//	  0000000000010001.seg          being appended to     last ┘
//	  cursor                        confirmed, lost and not yet reported, next number
//	  reserve                       a few KiB, given up to write a cursor on a full disk
//	  segment.tmp cursor.tmp        being made; nothing in them counts
//	  0000000000000001-9f….former   another machine's records, set aside
//
// A segment is a header (stream, machine, first number, the last number before it) and
// records: length, number, CRC32C of the payload, CRC32C of those three. Both sums start
// from the stream, so that no record passes for another spool's. A segment, like the
// cursor, is written to a temporary name, synced, renamed, and the folder synced; only
// then does it count. A segment holds 65,536 numbers at most, and its name keeps all of
// them from being given again: after a crash counting goes on behind them.
//
//	a record   goes on when
//	pending    its sync has returned (Sync: 0 syncs each; else a group, kept in memory too)
//	durable    it is confirmed, dropped or found damaged
//	settled    the cursor that says so is durable; then, with its whole segment, it is unlinked
//
// The segment with the highest name is never unlinked: it is the proof of which numbers
// were used, should the cursor be lost. Acknowledgements are written once a second, every
// 4,096 of them, and at Close; after a crash the last ones come again. Of confirmed
// numbers above the first unconfirmed one 4,096 ranges are remembered; what is forgotten
// comes again too. A record that was confirmed in the second before a crash, and is lost
// in the next one, may be reported as lost.
//
// What may fail, and what then happens:
//
//	sync           the segment is given up at its last good sync; what was not synced is
//	               written again to a new one, and Append returns only when that is durable
//	write          as above; a number whose Append failed is not used again, and its record,
//	               if a crash leaves it whole, may still come
//	disk full      the reserve makes room for the cursor, confirmed segments go, then (drop
//	               oldest) one segment of unsent ones an Append; with block, ErrFull
//	more bytes     than MaxBytes, or older than MaxAge: the oldest segment goes and becomes
//	               a gap. Without a plausible clock nothing is old: late, never early
//	bad bytes      the record they hit is a gap, reading goes on with the next whole one; a
//	               record half written when power went counts as one. Blocks that cannot be
//	               read are bad bytes, unless none can: then it is an error and nothing is lost
//	cursor lost    stream and numbers come from the segments; everything comes again
//	both lost      a new stream: a name is never given twice
//	power cut      with Sync above 0, what was appended since the last sync is gone unreported
//
// A machine is known by its id. Where the one recorded is another one, the folder was
// copied: a new stream begins, and the records that came along are renamed to .former and
// not sent. They have their own machine, which sends them under their own names; should it
// be gone, they are the operator's to keep or delete. Of them, too, MaxBytes are kept.
//
// Every file must be a plain one with a single name, owned by the agent's user and closed
// to all others; anything else is refused, never followed and never repaired.
package spool
