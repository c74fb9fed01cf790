package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

const (
	barWidth = 30
	barFirst = 500 * time.Millisecond // what is over sooner needs no bar
	barEvery = 100 * time.Millisecond
	logEvery = 2 * time.Second // where nobody watches
)

// progressBar tells how far a long import is: on a terminal as a bar, elsewhere a line
// now and then.
type progressBar struct {
	out          *os.File
	living, open bool
	total        int
	began, next  time.Time
}

func newProgressBar(out *os.File, total int) *progressBar {
	b := &progressBar{out: out, living: term.IsTerminal(int(out.Fd())), total: total, began: time.Now()}
	b.next = b.began.Add(logEvery)
	if b.living {
		b.next = b.began.Add(barFirst)
	}
	return b
}

func (b *progressBar) show(done int) {
	now := time.Now()
	if now.Before(b.next) && (done < b.total || !b.open) {
		return
	}
	if !b.living {
		b.next = now.Add(logEvery)
		fmt.Fprintf(b.out, "iotbridge: %d of %d entries\n", done, b.total)
		return
	}
	b.next, b.open = now.Add(barEvery), true
	fmt.Fprint(b.out, "\r\x1b[K"+barText(done, b.total, now.Sub(b.began)))
}

// end leaves the terminal at the beginning of a line.
func (b *progressBar) end() {
	if b.open {
		fmt.Fprintln(b.out)
		b.open = false
	}
}

func barText(done, total int, took time.Duration) string {
	full := barWidth * done / max(total, 1)
	text := fmt.Sprintf("[%s%s] %d of %d, %d %%", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), done, total, 100*done/max(total, 1))
	if done > 0 && done < total {
		left := time.Duration(float64(took) / float64(done) * float64(total-done))
		text += ", " + left.Round(time.Second).String() + " left"
	}
	return text
}
