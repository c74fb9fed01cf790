package main

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// step is a moment that comes again when the same is done again. arm has hit called at
// it, and returns what ends the watch; what hit returns says whether what was under
// way is cut off there.
type step struct {
	name    string
	instant *instant // nil: it is none of a connection
	arm     func(b *enrolBed, dir string, hit func() (cut bool)) (disarm func())
}

// trigger goes off once, and not any more when it is closed.
type trigger struct {
	mu          sync.Mutex
	hit, closed bool
}

func (t *trigger) goesOff(do func() (cut bool)) func() bool {
	return func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.hit || t.closed {
			return false
		}
		t.hit = true
		return do()
	}
}

// close says whether it has gone off; what it did is done then.
func (t *trigger) close() (hit bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	return t.hit
}

// steps are those of what do does: each record of each connection, before it and half of
// it, and each change of a file in dir.
func (b *enrolBed) steps(dir string, do func()) (all []step) {
	b.t.Helper()
	var mu sync.Mutex
	var instants []instant
	var changes []change
	b.watch(func(m instant) bool {
		mu.Lock()
		defer mu.Unlock()
		instants = append(instants, m)
		return false
	})
	stop := b.changes(dir, func(c change) {
		mu.Lock()
		defer mu.Unlock()
		changes = append(changes, c)
	})
	do()
	stop()
	b.watch(nil)
	for _, m := range instants {
		all = append(all, atInstant(m))
	}
	seen := map[change]int{}
	for _, c := range changes {
		seen[c]++
		all = append(all, atChange(c, seen[c]))
	}
	return all
}

func atInstant(m instant) step {
	return step{fmt.Sprintf("%+v", m), &m, func(b *enrolBed, _ string, hit func() bool) func() {
		b.watch(func(now instant) bool { return now == m && hit() })
		return func() { b.watch(nil) }
	}}
}

// atChange is the nth of such a change.
func atChange(c change, nth int) step {
	return step{fmt.Sprintf("%s %s, %d", c.kind, c.name, nth), nil, func(b *enrolBed, dir string, hit func() bool) func() {
		n := 0
		return b.changes(dir, func(now change) {
			if now == c {
				if n++; n == nth {
					hit()
				}
			}
		})
	}}
}

// afterRequest is a random moment after the moment: while the gateway decides, signs and
// writes.
func afterRequest(m instant, wait func() time.Duration) step {
	return step{fmt.Sprintf("after %+v", m), nil, func(b *enrolBed, _ string, hit func() bool) func() {
		var late sync.WaitGroup
		var once sync.Once
		b.watch(func(now instant) bool {
			if now == m {
				once.Do(func() {
					late.Go(func() {
						<-time.After(wait())
						hit()
					})
				})
			}
			return false
		})
		return func() {
			b.watch(nil)
			late.Wait()
		}
	}}
}

// atRandom is within a time of what is done.
func atRandom(within time.Duration) step {
	return step{"at random", nil, func(_ *enrolBed, _ string, hit func() bool) func() {
		var late sync.WaitGroup
		late.Go(func() {
			<-time.After(rand.N(within))
			hit()
		})
		return late.Wait
	}}
}

// atWrite is the nth write to the store's log after the moment: within its transaction.
func atWrite(m instant, nth int) step {
	return step{fmt.Sprintf("write %d to the store, after %+v", nth, m), nil, func(b *enrolBed, _ string, hit func() bool) func() {
		var mu sync.Mutex
		asked, n := false, 0
		b.watch(func(now instant) bool {
			mu.Lock()
			defer mu.Unlock()
			asked = asked || now == m
			return false
		})
		stop := b.changes(b.dir, func(c change) {
			mu.Lock()
			if asked && c == (change{"registry.db-wal", "modified"}) {
				n++
			}
			due := n == nth
			mu.Unlock()
			if due {
				hit()
			}
		})
		return func() {
			stop()
			b.watch(nil)
		}
	}}
}

// whileHeld is when the gateway has signed and cannot write: another has the store.
func whileHeld(m instant) step {
	return step{fmt.Sprintf("signed and not written, after %+v", m), nil, func(b *enrolBed, _ string, hit func() bool) func() {
		db, err := sql.Open("sqlite", "file:"+b.store()+"?_pragma=busy_timeout(30000)&_txlock=immediate")
		if err != nil {
			b.t.Fatal(err)
		}
		held, err := db.Begin()
		if err != nil {
			b.t.Fatal(err)
		}
		const signing = 30 * time.Millisecond // ten times as long as it takes
		after := afterRequest(m, func() time.Duration { return signing })
		disarm := after.arm(b, "", func() bool { defer held.Rollback(); return hit() })
		return func() {
			disarm()
			held.Rollback()
			db.Close()
		}
	}}
}

// change is one of a folder's file.
type change struct{ name, kind string }

var changeKinds = map[uint32]string{
	unix.IN_CREATE: "created", unix.IN_MODIFY: "modified", unix.IN_CLOSE_WRITE: "closed", unix.IN_MOVED_FROM: "moved from", unix.IN_MOVED_TO: "moved to", unix.IN_DELETE: "deleted",
}

// changes tells of each change in a folder until it is stopped.
func (b *enrolBed) changes(dir string, tell func(change)) (stop func()) {
	b.t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		b.t.Fatal(err)
	}
	mask := uint32(0)
	for kind := range changeKinds {
		mask |= kind
	}
	if _, err := unix.InotifyAddWatch(fd, dir, mask); err != nil {
		b.t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "inotify")
	var reading sync.WaitGroup
	reading.Go(func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := f.Read(buffer)
			if err != nil {
				return
			}
			for at := buffer[:n]; len(at) >= unix.SizeofInotifyEvent; {
				size := binary.NativeEndian.Uint32(at[12:])
				name := bytes.TrimRight(at[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+size], "\x00")
				tell(change{string(name), changeKinds[binary.NativeEndian.Uint32(at[4:])]})
				at = at[unix.SizeofInotifyEvent+size:]
			}
		}
	})
	return func() {
		f.Close()
		reading.Wait()
	}
}
