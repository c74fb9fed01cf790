//go:build unix

package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"iotbridge/device"
)

func TestB12_SecondAgentIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "in use by another agent") || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v, want one that names the folder and the other agent", err)
	}
	mustAppend(t, s, "x")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	expect(t, s, map[uint64]string{1: "x"})
}

// One goroutine appends, one sends, one flushes.
func TestAppendAndSendAtOnce(t *testing.T) {
	for _, sync := range []time.Duration{0, time.Millisecond} {
		s, err := Open(filepath.Join(t.TempDir(), "spool"), Options{Sync: sync, SegmentBytes: leastSegment})
		if err != nil {
			t.Fatal(err)
		}
		const n = 600
		ctx, stop := context.WithCancel(t.Context())
		var g errgroup.Group
		fresh := make(chan struct{}, n)
		g.Go(func() error { return s.Run(ctx) })
		g.Go(func() error {
			for i := range n {
				if seq, err := s.Append(fmt.Append(nil, i)); err != nil || seq != uint64(i+1) {
					return fmt.Errorf("number %d for record %d: %w", seq, i, err)
				}
				fresh <- struct{}{}
			}
			return nil
		})
		g.Go(func() error {
			defer stop()
			for i := range n {
				<-fresh
				seq, b, err := s.Next(0)
				if err != nil || seq != uint64(i+1) || string(b) != fmt.Sprint(i) {
					return fmt.Errorf("record %d %q: %w", seq, b, err)
				}
				if err := errors.Join(s.Ack(seq), s.Flush()); err != nil {
					return err
				}
				s.Depth()
				s.Gaps()
			}
			return nil
		})
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
		if _, _, err := s.Next(0); !errors.Is(err, device.ErrEmpty) {
			t.Errorf("error %v, want ErrEmpty", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// filled is a folder with every file that a spool has.
func filled(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "spool")
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, "x")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

var everyFile = []string{lockName, cursorName, reserveName, "0000000000000001.seg"}

func TestD1_ModesAndOwners(t *testing.T) {
	dir := filled(t)
	for _, name := range append(everyFile, ".") {
		is, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := is.Mode().Perm(); got&0o077 != 0 {
			t.Errorf("%s has mode %04o", name, got)
		}
	}
	for _, name := range append(everyFile, ".") {
		for _, mode := range []os.FileMode{0o777, 0o770, 0o666, 0o640, 0o604, 0o601} {
			dir := filled(t)
			path := filepath.Join(dir, name)
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			refused(t, dir, path, "chmod go=")
		}
		if os.Geteuid() != 0 {
			t.Logf("%s of another user: not tried, only root can make one", name)
			continue
		}
		dir := filled(t)
		path := filepath.Join(dir, name)
		if err := os.Chown(path, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, path, "belongs to user 12345")
	}
}

// Whatever lies where a file of ours should be is neither followed, nor waited for,
// nor removed.
func TestD2_WhatIsNoPlainFile(t *testing.T) {
	for _, name := range append(everyFile, cursorTmp, segmentTmp) {
		for kind, plant := range map[string]func(path, target string) error{
			"symbolic link": func(path, target string) error { return os.Symlink(target, path) },
			"hard link":     func(path, target string) error { return os.Link(target, path) },
			"pipe":          func(path, _ string) error { return syscall.Mkfifo(path, 0o600) },
			"folder":        func(path, _ string) error { return os.Mkdir(path, 0o700) },
		} {
			dir := filled(t)
			path, target := filepath.Join(dir, name), filepath.Join(t.TempDir(), "target")
			os.Remove(path)
			if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := plant(path, target); err != nil {
				t.Fatal(err)
			}
			refused(t, dir, path, kind)
			if b, err := os.ReadFile(target); err != nil || string(b) != "precious" {
				t.Errorf("%s as %s: the target is %q, %v", name, kind, b, err)
			}
			if _, err := os.Lstat(path); err != nil {
				t.Errorf("%s as %s: %v", name, kind, err)
			}
		}
	}
	// The folder itself.
	dir := filled(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	refused(t, link, link, "symbolic link")
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, plain, plain, "")
}

// A link planted while the spool runs is not written through.
func TestD2_LinksPlantedLater(t *testing.T) {
	dir := filled(t)
	s, err := Open(dir, Options{SegmentBytes: leastSegment})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	target := filepath.Join(t.TempDir(), "target")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{cursorTmp, segmentTmp} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, s, "y")
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	segment := filepath.Join(dir, "0000000000000001.seg")
	os.Remove(segment)
	if err := os.Symlink(target, segment); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Next(0); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("error %v, want one about the link", err)
	}
	if b, err := os.ReadFile(target); err != nil || string(b) != "precious" {
		t.Errorf("the target is %q, %v", b, err)
	}
}

func refused(t *testing.T, dir, path, why string) {
	t.Helper()
	s, err := Open(dir, Options{})
	if err == nil {
		s.Close()
		t.Errorf("%s: taken, want it refused: %s", path, why)
		return
	}
	if !strings.Contains(err.Error(), filepath.Clean(path)) || !strings.Contains(err.Error(), why) {
		t.Errorf("error %q, want one that names %s and %q", err, path, why)
	}
}
