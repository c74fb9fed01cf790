package agentd

import (
	"bufio"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// The agent outlives whoever reads its log.
func TestALogThatNobodyReadsEndsNothing(t *testing.T) {
	p := alone(t)
	p.configure("PORT = 1", "SIMULATE = yes")
	log, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), asAgent+"=run\n-c\n"+p.file())
	child.Stderr = end
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Process.Kill()
	end.Close()
	if line, err := bufio.NewReader(log).ReadString('\n'); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	log.Close()
	child.Process.Signal(syscall.SIGTERM) // it says that it ends
	if err := child.Wait(); err != nil {
		t.Errorf("it has ended with %v", err)
	}
}
