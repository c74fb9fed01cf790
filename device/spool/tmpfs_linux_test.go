package spool

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func init() { children["tmpfs"] = onTmpfs }

// A real file system of 256 KiB: full, read-only, and well again.
func TestB8_B9_ARealDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := child(t, "tmpfs", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.ENOSPC) || strings.Contains(out.String(), "mount tmpfs") {
		t.Skipf("no file system can be mounted here: %v %s", err, out.String())
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Log(strings.TrimSpace(out.String()))
}

func onTmpfs(dir string) error {
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=256k,mode=0700"); err != nil {
		return fmt.Errorf("mount tmpfs: %w", err)
	}
	path := filepath.Join(dir, "spool")
	opt := Options{MaxBytes: 1 << 20, SegmentBytes: 16 << 10}
	s, err := Open(path, opt)
	if err != nil {
		return err
	}
	// Drop oldest: each record is taken, the first ones go and are named.
	const n = 5000
	for i := range n {
		if _, err := s.Append(reading(i)); err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
	}
	gaps := s.Gaps()
	if len(gaps) != 1 || gaps[0].First != 1 || gaps[0].Last == n || gaps[0].Why != words[full] {
		return fmt.Errorf("gaps %+v", gaps)
	}
	dropped := gaps[0].Last
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = Open(path, opt); err != nil {
		return err
	}
	for want := dropped + 1; want <= n; want++ {
		seq, b, err := s.Next(0)
		if err != nil || seq != want || !bytes.Equal(b, reading(int(seq)-1)) {
			return fmt.Errorf("record %d, want %d: %q, %w", seq, want, b, err)
		}
		if err := s.Ack(seq); err != nil {
			return err
		}
	}
	if err := s.Close(); err != nil {
		return err
	}

	// Block: full, with not a byte left; confirming makes room.
	opt.Block = true
	if s, err = Open(path, opt); err != nil {
		return err
	}
	taken := 0
	for ; ; taken++ {
		if _, err = s.Append(reading(taken)); err != nil {
			break
		}
	}
	filler, ferr := os.Create(filepath.Join(dir, "filler"))
	if ferr != nil {
		return ferr
	}
	for _, ferr = filler.Write(make([]byte, 4096)); ferr == nil; _, ferr = filler.Write(make([]byte, 4096)) {
	}
	if !errors.Is(err, syscall.ENOSPC) || !errors.Is(ferr, syscall.ENOSPC) || taken == 0 {
		return fmt.Errorf("%d records on a full disk: %w, %w", taken, err, ferr)
	}
	for range taken {
		seq, _, err := s.Next(0)
		if err != nil {
			return err
		}
		if err := s.Ack(seq); err != nil {
			return err
		}
	}
	if err := s.flush(); err != nil {
		return fmt.Errorf("flush on a full disk: %w", err)
	}
	if _, err := s.Append([]byte("room again")); err != nil {
		return fmt.Errorf("after confirming: %w", err)
	}

	// Read-only: what is there can be read, and nothing added; then well again.
	s.seal()
	s.release()
	filler.Close()
	if err := syscall.Mount("none", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount read-only: %w", err)
	}
	if s, err = Open(path, opt); err != nil {
		return fmt.Errorf("open, read-only: %w", err)
	}
	if _, err := s.Append([]byte("x")); !errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("append, read-only: %w", err)
	}
	if _, b, err := s.Next(0); err != nil || string(b) != "room again" {
		return fmt.Errorf("next, read-only: %q %w", b, err)
	}
	if err := syscall.Mount("none", dir, "", syscall.MS_REMOUNT, ""); err != nil {
		return fmt.Errorf("mount writable: %w", err)
	}
	if _, err := s.Append([]byte("healed")); err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%d of %d records dropped; %d taken by the full disk\n", dropped, n, taken)
	return s.Close()
}
