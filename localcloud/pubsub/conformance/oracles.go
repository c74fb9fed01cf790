package conformance

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Plaintext reaches a stand-in at host:port, without credentials.
func Plaintext(addr string) []option.ClientOption {
	return []option.ClientOption{
		option.WithEndpoint(addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		option.WithTelemetryDisabled(),
	}
}

// The variables that name the oracles.
const (
	EmulatorVar = "IOTBRIDGE_TEST_PUBSUB_EMULATOR" // host:port of a running emulator
	ProjectVar  = "IOTBRIDGE_TEST_GCP_PROJECT"     // a Google Cloud project that tests may use
)

// FindEmulator gives Google's emulator: the one that is named, or one of its own if
// gcloud's component and Java are installed. It skips the test, aloud, if there is
// none.
func FindEmulator(t *testing.T) Harness {
	h := Harness{Oracle: Emulator, Project: "conformance"}
	if addr := os.Getenv(EmulatorVar); addr != "" {
		h.Options = Plaintext(addr)
		return h
	}
	program := emulatorProgram()
	if program == "" {
		t.Logf("neither %s is set nor is gcloud's pubsub-emulator installed with Java", EmulatorVar)
		t.Skip("oracle absent: " + string(Emulator))
	}
	h.Options = Plaintext(startEmulator(t, program))
	return h
}

// FindGoogle gives Google Cloud, if a project is named; else it skips, aloud.
func FindGoogle(t *testing.T) Harness {
	p := os.Getenv(ProjectVar)
	if p == "" {
		t.Logf("%s names no project", ProjectVar)
		t.Skip("oracle absent: " + string(Google))
	}
	return Harness{Oracle: Google, Project: p}
}

func emulatorProgram() string {
	gcloud, err := exec.LookPath("gcloud")
	if err != nil {
		return ""
	}
	if gcloud, err = filepath.EvalSymlinks(gcloud); err != nil {
		return ""
	}
	program := filepath.Join(filepath.Dir(filepath.Dir(gcloud)), "platform", "pubsub-emulator", "bin", "cloud-pubsub-emulator")
	if _, err := os.Stat(program); err != nil {
		return ""
	}
	if _, err := exec.LookPath("java"); err != nil {
		return ""
	}
	return program
}

// startEmulator runs the program until the test ends.
func startEmulator(t *testing.T, program string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free now
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	cmd := exec.Command(program, "--host=127.0.0.1", "--port="+addr[strings.LastIndexByte(addr, ':')+1:])
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan bool, 1)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), "Server started") {
				ready <- true
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-drained
		_ = cmd.Wait()
	})
	select {
	case <-ready:
	case <-drained:
		t.Fatal("the emulator ended at once")
	case <-time.After(patience):
		t.Fatal("the emulator does not start")
	}
	return addr
}
