package enroll

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxFile bounds what is read of any file here, in bytes.
const maxFile = 64 << 10

// files is the key's folder; tests cut its power. All names are plain ones.
type files interface {
	// Read is of a file that nobody else can read or change.
	Read(name string) ([]byte, error)
	// Create makes a file that was not there, for its owner alone.
	Create(name string) (file, error)
	Rename(from, to string) error
	Remove(name string) error
	// Sync makes what was created, renamed and removed durable.
	Sync() error
}

type file interface {
	io.WriteCloser
	Sync() error
}

// folder is the real one, taken for this process.
type folder struct {
	root *os.Root
	dir  *os.File
}

func openFolder(path string) (*folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("the keys' folder: %w: make it, and give it to the agent's user", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("the keys' folder: %w", err)
	}
	f := &folder{root: root}
	if f.dir, err = root.Open("."); err == nil {
		err = syscall.Flock(int(f.dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("the keys' folder %s: is another agent enrolling with it? %w", path, err)
	}
	return f, nil
}

// Close gives the folder up.
func (f *folder) Close() {
	if f.dir != nil {
		f.dir.Close()
	}
	f.root.Close()
}

func (f *folder) Read(name string) ([]byte, error) {
	opened, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	return readSecret(opened)
}

func (f *folder) Create(name string) (file, error) {
	return f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
}

func (f *folder) Rename(from, to string) error { return f.root.Rename(from, to) }
func (f *folder) Remove(name string) error     { return f.root.Remove(name) }
func (f *folder) Sync() error                  { return f.dir.Sync() }

// replace makes a file whole and durable under its name, or leaves what is there.
func replace(d files, name string, text []byte) error {
	tmp := "." + name + ".tmp"
	if err := d.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one who lost his power
		return err
	}
	f, err := d.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, d.Remove(tmp))
	}
	if err := d.Rename(tmp, name); err != nil {
		return err
	}
	return d.Sync()
}

// remove takes a file away for good; that it was not there is as well.
func remove(d files, name string) error {
	if err := d.Remove(name); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return d.Sync()
}

// readFile reads a secret by its path.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readSecret(f)
}

// readSecret judges what was opened, not what stood there before.
func readSecret(f *os.File) ([]byte, error) {
	is, err := f.Stat()
	if err != nil {
		return nil, err
	}
	name := filepath.Base(f.Name())
	owner, known := is.Sys().(*syscall.Stat_t)
	switch {
	case !is.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", name)
	case is.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("others may read or change %s (%04o): chmod 600", name, is.Mode().Perm())
	case known && owner.Uid != 0 && int(owner.Uid) != os.Geteuid():
		return nil, fmt.Errorf("%s belongs to user %d, and this is user %d: chown it", name, owner.Uid, os.Geteuid())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", name, maxFile)
	}
	return text, err
}
