package spool

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"syscall"
)

// disk is a file system whose power can be cut. What was written, created, renamed or
// removed is seen at once, and is there after the cut when it was synced; of the rest
// the cut's mode decides.
type disk struct {
	names, kept map[string]*inode // now; after a cut
	moves       []move            // since the folder was synced
	room        int64             // bytes it holds at most; 0: any number
	ops         int
	// before is called ahead of each change. An error is the call's answer.
	before func(op, name string) error
}

type inode struct {
	data, kept []byte
	writes     []write // since it was synced
	forgot     bool    // some that could not be
}

type write struct {
	off  int
	data []byte
}

// move is a change of the folder: name is now of, or removed.
type move struct {
	from, to string
	of       *inode
}

func newDisk() *disk { return &disk{names: map[string]*inode{}, kept: map[string]*inode{}} }

type cut int

const (
	dropUnsynced cut = iota // the power went, and nothing was written out early
	keepUnsynced            // kill -9
	tearUnsynced            // the power went in the midst of writing out, in any order
)

// cut returns the disk as it is found afterwards.
func (d *disk) cut(how cut, seed uint64) *disk {
	rnd := rand.New(rand.NewPCG(seed, 1))
	after := newDisk()
	names := maps.Clone(d.kept)
	switch how {
	case keepUnsynced:
		names = d.names
	case tearUnsynced:
		for _, m := range d.moves {
			if rnd.IntN(2) == 0 {
				apply(names, m)
			}
		}
	}
	for name, old := range names {
		data := old.kept
		switch how {
		case keepUnsynced:
			data = old.data
		case tearUnsynced:
			data = old.torn(rnd)
		}
		data = data[:len(data):len(data)]
		after.names[name] = &inode{data: data, kept: data}
	}
	after.kept = maps.Clone(after.names)
	return after
}

func apply(names map[string]*inode, m move) {
	delete(names, m.from)
	if m.of != nil {
		names[m.to] = m.of
	}
}

func (i *inode) torn(rnd *rand.Rand) []byte {
	data := slices.Clone(i.kept)
	for _, w := range i.writes {
		if rnd.IntN(3) == 0 {
			continue
		}
		if grow := w.off + len(w.data) - len(data); grow > 0 {
			data = append(data, make([]byte, grow)...)
		}
		from, to := 0, len(w.data)
		if rnd.IntN(2) == 0 {
			from, to = rnd.IntN(len(w.data)+1), rnd.IntN(len(w.data)+1)
		}
		if from < to {
			copy(data[w.off+from:], w.data[from:to])
		}
	}
	return data
}

func (d *disk) step(op, name string) error {
	d.ops++
	if d.before == nil {
		return nil
	}
	return d.before(op, name)
}

func (d *disk) List() ([]entry, error) {
	var out []entry
	for name, i := range d.names {
		if ours(name) {
			out = append(out, entry{name, int64(len(i.data))})
		}
	}
	return out, nil
}

func (d *disk) Open(name string) (file, error) {
	i, ok := d.names[name]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	return &handle{d, i, name}, nil
}

func (d *disk) Create(name string) (file, error) {
	if err := d.step("create", name); err != nil {
		return nil, err
	}
	if d.names[name] != nil {
		return nil, fmt.Errorf("create %s: %w", name, fs.ErrExist)
	}
	i := &inode{}
	d.names[name] = i
	d.moves = append(d.moves, move{to: name, of: i})
	return &handle{d, i, name}, nil
}

func (d *disk) Rename(from, to string) error {
	if err := d.step("rename", to); err != nil {
		return err
	}
	i := d.names[from]
	if i == nil {
		return fmt.Errorf("rename %s: %w", from, fs.ErrNotExist)
	}
	m := move{from, to, i}
	apply(d.names, m)
	d.moves = append(d.moves, m)
	return nil
}

func (d *disk) Remove(name string) error {
	if err := d.step("remove", name); err != nil {
		return err
	}
	if d.names[name] == nil {
		return fmt.Errorf("remove %s: %w", name, fs.ErrNotExist)
	}
	m := move{from: name}
	apply(d.names, m)
	d.moves = append(d.moves, m)
	return nil
}

func (d *disk) Sync() error {
	if err := d.step("syncdir", ""); err != nil {
		return err
	}
	d.kept, d.moves = maps.Clone(d.names), nil
	return nil
}

type handle struct {
	disk *disk
	of   *inode
	name string
}

func (h *handle) ReadAt(b []byte, off int64) (int, error) {
	if off >= int64(len(h.of.data)) {
		return 0, io.EOF
	}
	n := copy(b, h.of.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt writes half of b before it fails, as a full disk does.
func (h *handle) WriteAt(b []byte, off int64) (int, error) {
	err := h.disk.step("write", h.name)
	if err == nil && h.disk.room > 0 && h.disk.used()+int64(len(b)) > h.disk.room {
		err = syscall.ENOSPC
	}
	if err != nil {
		b = b[:len(b)/2]
		if h.disk.room > 0 {
			b = nil
		}
	}
	i := h.of
	end := int(off) + len(b)
	switch {
	case int(off) == len(i.data):
		i.data = append(i.data, b...) // a cut shares what is before
	default:
		i.data = slices.Clone(i.data)
		if end > len(i.data) {
			i.data = append(i.data, make([]byte, end-len(i.data))...)
		}
		copy(i.data[off:], b)
	}
	i.writes = append(i.writes, write{int(off), slices.Clone(b)})
	return len(b), err
}

// Sync that fails forgets what it could not write: so does Linux, and a second one
// succeeds.
func (h *handle) Sync() error {
	i := h.of
	err := h.disk.step("sync", h.name)
	switch {
	case err != nil:
		i.forgot = true
	case !i.forgot:
		i.kept = i.data[:len(i.data):len(i.data)]
	default:
		i.kept = slices.Clone(i.kept)
		for _, w := range i.writes {
			if grow := w.off + len(w.data) - len(i.kept); grow > 0 {
				i.kept = append(i.kept, make([]byte, grow)...)
			}
			copy(i.kept[w.off:], w.data)
		}
	}
	i.writes = nil
	return err
}

func (h *handle) Close() error { return nil }

func (d *disk) used() (n int64) {
	for _, i := range d.names {
		n += int64(len(i.data))
	}
	return n
}
