package enroll

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
)

var errPower = errors.New("no power")

// disk is a folder whose power goes at a step. What was not synced by then is lost or
// not, as restart is told.
type disk struct {
	now, safe map[string]*node // as seen, and as of the last sync
	steps     int
	cutAt     int // the step that is not taken any more; -1: none
	off       func()
}

type node struct{ text, safe []byte }

func newDisk() *disk {
	return &disk{now: map[string]*node{}, safe: map[string]*node{}, cutAt: -1}
}

func (d *disk) step() error {
	if d.cutAt >= 0 && d.steps >= d.cutAt {
		if d.off != nil {
			d.off()
		}
		return errPower
	}
	d.steps++
	return nil
}

// What the power takes along.
type loss int

const (
	nothingUnsynced loss = iota // not synced is not there
	everyName                   // names are there, content that was not synced is torn
	torn                        // names are as synced, content is torn
	losses
)

// restart turns the power on again.
func (d *disk) restart(l loss) {
	names := d.now
	if l != everyName {
		names = d.safe
	}
	after := map[string]*node{}
	for name, n := range names {
		text := n.safe
		if l != nothingUnsynced && !bytes.Equal(n.text, n.safe) {
			text = n.text[:len(n.text)/2]
		}
		after[name] = &node{text, text}
	}
	d.now, d.safe = after, maps.Clone(after)
	d.steps, d.cutAt = 0, -1
}

func (d *disk) Read(name string) ([]byte, error) {
	if d.cutAt >= 0 && d.steps >= d.cutAt {
		return nil, d.step()
	}
	n := d.now[name]
	if n == nil {
		return nil, fs.ErrNotExist
	}
	return bytes.Clone(n.text), nil
}

func (d *disk) Create(name string) (file, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	if d.now[name] != nil {
		return nil, fs.ErrExist
	}
	d.now[name] = new(node)
	return &handle{d, d.now[name]}, nil
}

func (d *disk) Rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	if d.now[from] == nil {
		return fs.ErrNotExist
	}
	d.now[to] = d.now[from]
	delete(d.now, from)
	return nil
}

func (d *disk) Remove(name string) error {
	if err := d.step(); err != nil {
		return err
	}
	if d.now[name] == nil {
		return fs.ErrNotExist
	}
	delete(d.now, name)
	return nil
}

func (d *disk) Sync() error {
	if err := d.step(); err != nil {
		return err
	}
	d.safe = maps.Clone(d.now)
	return nil
}

type handle struct {
	d *disk
	n *node
}

func (h *handle) Write(p []byte) (int, error) {
	if err := h.d.step(); err != nil {
		return 0, err
	}
	h.n.text = append(h.n.text, p...)
	return len(p), nil
}

func (h *handle) Sync() error {
	if err := h.d.step(); err != nil {
		return err
	}
	h.n.safe = bytes.Clone(h.n.text)
	return nil
}

func (h *handle) Close() error { return nil }
