package registry_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"iotbridge/gateway"
)

// Who asked first writes first: nobody waits for all who came after him.
func TestWritersTakeTurns(t *testing.T) {
	file := "sqlite:" + filepath.Join(t.TempDir(), "registry.db")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, openAt(t, file), nil)
		d := w.create(t, "device1")
		var order []int
		first := make(chan struct{})
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				_, err := w.UpdateDevice(t.Context(), "tester", d.Key, func(*gateway.Device) error {
					if i == 0 {
						<-first
					}
					order = append(order, i)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		close(first)
		all.Wait()
		if !slices.IsSorted(order) {
			t.Errorf("they wrote in the order %v", order)
		}
	})
}

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
