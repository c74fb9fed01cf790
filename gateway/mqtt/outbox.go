package mqtt

import (
	"errors"
	"os"
	"sync"
	"time"

	"iotbridge/gateway"
)

// buffers hold what is queued: at rest a session has none.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

const keptBuffer = 64 << 10 // larger ones are not pooled

// send queues bytes for the device.
func (c *session) send(b ...byte) gateway.Reason {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queue(b...)
}

// queue is send under mu.
func (c *session) queue(b ...byte) gateway.Reason {
	if c.failed {
		return ""
	}
	if len(c.out)+len(b) > maxQueue {
		return slow
	}
	if c.out == nil {
		c.out = *buffers.Get().(*[]byte)
	}
	c.out = append(c.out, b...)
	if !c.writing {
		c.writing = true
		c.server.writers.write(c)
	}
	return ""
}

// flush writes what is queued, and what is queued meanwhile.
func (c *session) flush() {
	for {
		c.mu.Lock()
		b := c.out
		c.out = nil
		if len(b) == 0 {
			c.writing = false
			if c.closing {
				c.room.Broadcast()
			}
			c.mu.Unlock()
			return
		}
		var err error
		if !c.closing { // else close has set its own
			err = c.conn.SetWriteDeadline(time.Now().Add(writeTime))
		}
		c.mu.Unlock()
		if err == nil {
			_, err = c.conn.Write(b)
		}
		if cap(b) <= keptBuffer {
			b = b[:0]
			buffers.Put(&b)
		}
		if err != nil {
			c.cannotWrite(err)
		}
	}
}

func (c *session) cannotWrite(err error) {
	c.mu.Lock()
	c.failed, c.out = true, nil
	c.mu.Unlock()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.end(slow)
	}
	c.end(lost)
}
