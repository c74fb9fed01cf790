package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// files is the folder as the spool uses it; its tests cut its power. All names are
// plain ones.
type files interface {
	List() ([]entry, error)
	// Open is for reading; Create makes a file that was not there.
	Open(name string) (file, error)
	Create(name string) (file, error)
	Rename(from, to string) error
	Remove(name string) error
	// Sync makes what was created, renamed and removed durable.
	Sync() error
}

type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Sync() error
}

type entry struct {
	name string
	size int64
}

// folder is the real one.
type folder struct {
	root *os.Root
	dir  *os.File
	lock *os.File
	path string
}

const lockName = "lock"

// openFolder takes the folder for this process, and makes it when it is not there.
func openFolder(path string) (*folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil { //nolint:gosec // the operator names it
		return nil, fmt.Errorf("spool %s: %w: name a folder that the agent may make", path, err)
	}
	seen, err := os.Lstat(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, fmt.Errorf("spool %s: %w", path, err)
	}
	if err := private(path, seen, true); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("spool %s: %w", path, err)
	}
	f := &folder{root: root, path: path}
	if err := f.take(seen); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *folder) take(seen fs.FileInfo) (err error) {
	if f.dir, err = f.root.Open("."); err != nil {
		return fmt.Errorf("spool %s: %w", f.path, err)
	}
	if now, err := f.dir.Stat(); err != nil || !os.SameFile(seen, now) {
		return fmt.Errorf("spool %s was exchanged while it was opened: %w", f.path, errors.Join(err, fs.ErrInvalid))
	}
	f.lock, err = f.open(lockName, os.O_RDWR|os.O_CREATE)
	if errors.Is(err, syscall.EROFS) {
		f.lock, err = f.open(lockName, os.O_RDONLY)
	}
	if err != nil {
		return err
	}
	if err := flock(f.lock); err != nil {
		return fmt.Errorf("spool %s is in use by another agent: stop that one, or give this one a folder of its own: %w", f.path, err)
	}
	return nil
}

// open opens a plain file of ours, and nothing that only looks like one.
func (f *folder) open(name string, flag int) (*os.File, error) {
	path := filepath.Join(f.path, name)
	seen, err := f.root.Lstat(name)
	if err == nil {
		err = private(path, seen, false)
	}
	if err != nil && (!errors.Is(err, fs.ErrNotExist) || flag&os.O_CREATE == 0) {
		return nil, err
	}
	if err != nil {
		flag |= os.O_EXCL // nobody puts one there meanwhile
	}
	opened, err := f.root.OpenFile(name, flag|openFlags, 0o600)
	if err != nil {
		return nil, err
	}
	now, err := opened.Stat()
	if err == nil {
		err = private(path, now, false)
	}
	if err == nil && seen != nil && !os.SameFile(seen, now) {
		err = fmt.Errorf("%s was exchanged while it was opened: %w", path, fs.ErrInvalid)
	}
	if err != nil {
		opened.Close()
		return nil, err
	}
	return opened, nil
}

// private refuses what is not a plain file or folder that nobody else can get at.
func private(path string, is fs.FileInfo, dir bool) error {
	want := "plain file"
	if dir {
		want = "folder"
	}
	if dir && !is.IsDir() || !dir && !is.Mode().IsRegular() {
		return fmt.Errorf("%s is no %s but %s: remove it", path, want, kind(is.Mode()))
	}
	owner, names, known := owned(is)
	if known && owner != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, the agent runs as %d: run `chown %d %s`, or remove it", path, owner, os.Geteuid(), os.Geteuid(), path)
	}
	if known && !dir && names != 1 {
		return fmt.Errorf("%s has %d names (hard links): remove it, or the others", path, names)
	}
	if is.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is open to other users (mode %04o): run `chmod go= %s`", path, is.Mode().Perm(), path)
	}
	return nil
}

func kind(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeDevice != 0:
		return "a device"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "something else"
}

// List returns the spool's own files. What else lies there is nobody's business.
func (f *folder) List() ([]entry, error) {
	d, err := f.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	all, err := d.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	var out []entry
	for _, e := range all {
		if !ours(e.Name()) {
			continue
		}
		is, err := f.root.Lstat(e.Name())
		if err != nil {
			return nil, err
		}
		if err := private(filepath.Join(f.path, e.Name()), is, false); err != nil {
			return nil, err
		}
		out = append(out, entry{e.Name(), is.Size()})
	}
	return out, nil
}

func (f *folder) Open(name string) (file, error) { return f.open(name, os.O_RDONLY) }

func (f *folder) Create(name string) (file, error) {
	return f.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|openFlags, 0o600)
}

func (f *folder) Rename(from, to string) error { return f.root.Rename(from, to) }
func (f *folder) Remove(name string) error     { return f.root.Remove(name) }
func (f *folder) Sync() error                  { return f.dir.Sync() }

// Close gives the folder up.
func (f *folder) Close() {
	for _, open := range []*os.File{f.dir, f.lock} {
		if open != nil {
			open.Close()
		}
	}
	f.root.Close()
}
