package pubsub

import "sync"

// recycled holds the bytes of frames that are settled to the last message. Without
// it they are nearly all that the worker allocates, and a third of the CPU of a
// pull goes into collecting them. A frame's accessors panic once its bytes are
// gone.
var recycled sync.Pool // of *[]byte

// worthIt is the size in bytes below which a frame's bytes are left to the
// collector: such frames come when there is little to do.
const worthIt = 32 << 10

// borrow returns n bytes with any content; not twice as many are held for them.
func borrow(n int) []byte {
	if n < worthIt {
		return make([]byte, n)
	}
	if b, ok := recycled.Get().(*[]byte); ok && cap(*b) >= n && cap(*b) < 2*n {
		return (*b)[:n]
	}
	return make([]byte, n)
}

// giveBack takes bytes that nobody looks at any more.
func giveBack(b []byte) {
	if cap(b) >= worthIt {
		recycled.Put(&b)
	}
}
