// Package bigquery makes rows durable in BigQuery: an ingest.Sink over the Storage
// Write API, and over REST what comes before it, tables and views.
//
// A Sink appends to one table's default stream over a few connections, each with a
// client of its own, so that a broken one takes nothing else along:
//
//	        no connection
//	              │ an append needs one
//	              ▼
//	          opening ──fails──▶ gone   the appends that wait are held: nothing was sent
//	              │ the table is there and contains our columns
//	              ▼
//	            open ◀──────────┐
//	  ended by  │ │ │           │ accepted, row errors, refused, quota
//	the service │ │ └───────────┘
//	            │ └──no answer in time──▶ cut: all that is in flight on it is unknown
//	            ▼                          │
//	         retired ◀─────────────────────┘
//	              │ takes no more appends; the last one in flight ends
//	              ▼
//	            gone    closed in the background; the next append opens another
//
// managedwriter is used for the protocol alone. Its retries are off, because every
// retry of an append may double rows and only the worker knows what still has a
// lease. Its four weaknesses are met here: a writer that failed to open stays dead
// (we never reopen, we replace), credit that failed appends do not give back (no
// limit of it is ever reached), an answer that never comes (the cut), and a Close
// that does not drain (we close only what has nothing in flight).
//
// An append returns only after the library has let go of its rows, so their memory
// may be used again. The exception is the watchdog: if even the cut does not free an
// append it returns all the same.
package bigquery
