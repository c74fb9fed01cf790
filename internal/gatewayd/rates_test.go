package gatewayd

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestRatesReachTheLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Rates{DeviceMessagesPerSecond: 2, DeviceBytesPerSecond: 1024}.limiter()
		const device, other = 1, 2
		for range 2 {
			l.Event(device, 0)
		}
		if wait := l.Event(device, 0); wait != time.Second/2 {
			t.Errorf("a third message after %v", wait)
		}
		l.Event(other, 1024)
		if wait := l.Event(other, 1024); wait != time.Second {
			t.Errorf("the next KiB after %v", wait)
		}
	})
}
