package registry_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"iotbridge/gateway"
)

// 50 write while others list from end to end: nobody is told that it is busy.
func manyWriters(t *testing.T, w *world) {
	ctx := t.Context()
	const writers, each = 50, 3
	for i := range 300 {
		w.create(t, fmt.Sprintf("before%03d", i))
	}
	writing := make(chan struct{})
	var lists, all sync.WaitGroup
	for range 2 {
		lists.Go(func() {
			for {
				seen := 0
				for page := (gateway.Page{Size: 50}); ; {
					list, next, err := w.Devices(ctx, w.key, gateway.DeviceFilter{}, page)
					if err != nil {
						t.Error(err)
						return
					}
					seen += len(list)
					if page.Token = next; next == "" {
						break
					}
				}
				if seen < 300 {
					t.Errorf("a list of %d devices, want 300 and more", seen)
				}
				select {
				case <-writing:
					return
				default:
				}
			}
		})
	}
	for i := range writers {
		all.Go(func() {
			for j := range each {
				d, err := w.CreateDevice(ctx, "tester", &gateway.Device{Key: w.device(fmt.Sprintf("writer%d-%d", i, j))})
				if err != nil {
					t.Error(err)
					return
				}
				_, err = w.SetConfig(ctx, "tester", d.Key, 1, []byte("x"))
				if err = errors.Join(err, w.SetState(ctx, d.Number, []byte("x"), time.Now()), w.Note(ctx, []gateway.Sign{{Device: d.Number, Event: time.Now()}})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	close(writing)
	lists.Wait()
}
