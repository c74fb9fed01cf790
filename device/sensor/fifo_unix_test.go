//go:build unix

package sensor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A named pipe that nobody writes to hangs in open, as a bus that is shorted hangs
// in read: in the kernel, where no goroutine can be called back from.
func TestB4_APipeThatIsNeverWritten(t *testing.T) {
	tree := newTree(t)
	tree.write(probeA, "name", probeA)
	pipe := filepath.Join(tree.dir(probeA), "w1_slave")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	opened := make(chan struct{}, 1)
	o := &OneWire{Root: tree.root, read: func(path string, buf []byte) (int, error) {
		if path == filepath.Join(tree.root, probeA, "w1_slave") {
			opened <- struct{}{} // a second one would hang here, and be seen by goleak
			cancel()
		}
		return readAttribute(path, buf)
	}}
	for asked := 0; asked < 3; asked += len(opened) {
		samples, err := o.Sample(ctx)
		expect(t, samples, err, nil, []string{probeA + " timeout"})
	}
	// Opening waits for the reader, and so finds it however late it comes.
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	writer.Close()
}

func TestAnInterruptedConversionIsAskedForAgain(t *testing.T) {
	tree := newTree(t)
	tree.write(probeA, "w1_slave", slaveText(21000))
	reads := 0
	o := &OneWire{Root: tree.root, read: func(path string, buf []byte) (int, error) {
		if filepath.Base(path) == "w1_slave" {
			if reads++; reads < 3 {
				return 0, &os.PathError{Op: "read", Path: path, Err: syscall.EINTR}
			}
		}
		return readAttribute(path, buf)
	}}
	samples, err := o.Sample(t.Context())
	expect(t, samples, err, []string{probeA + " 21"}, nil)
}

// A driver that answers EAGAIN must give a fault, and not a wait without end.
func TestADriverThatIsNotReadyIsAFault(t *testing.T) {
	tree := newTree(t)
	tree.write(probeA, "w1_slave", "")
	o := &OneWire{Root: tree.root, read: func(path string, _ []byte) (int, error) {
		return 0, &os.PathError{Op: "read", Path: path, Err: syscall.EAGAIN}
	}}
	samples, err := o.Sample(t.Context())
	expect(t, samples, err, nil, []string{probeA + " io"})
	if !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("%v hides its cause", err)
	}
}
