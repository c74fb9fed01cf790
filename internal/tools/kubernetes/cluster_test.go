package kubernetes

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// version is go.mod's k8s.io/kubernetes.
const version = "v1.36.3"

const manifests = "../../../deploy/k8s"

// a cluster is an API server with its store, and nothing behind it.
type cluster struct {
	dir string // of this run: programs, keys, the store
	end []func()
}

var shared *cluster

func TestMain(m *testing.M) {
	code, err := within(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func within(run func() int) (code int, err error) {
	if _, err := exec.LookPath("etcd"); err != nil {
		if os.Getenv("IOTBRIDGE_TOOLS") == "required" {
			return 1, errors.New("etcd is not here (Debian: etcd-server)")
		}
		fmt.Println("etcd is not here (Debian: etcd-server): no manifest is looked at")
		return 0, nil
	}
	dir, err := os.MkdirTemp("", "iotbridge-kubernetes-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	c := &cluster{dir: dir}
	defer c.stop()
	if err := c.build(); err != nil {
		return 1, err
	}
	if err := c.start(); err != nil {
		return 1, err
	}
	shared = c
	return run(), nil
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

func (c *cluster) build() error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w -X k8s.io/component-base/version.gitVersion="+version, "-o", c.dir+"/",
		"k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kubectl", "sigs.k8s.io/kustomize/kustomize/v5")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the API server: %w\n%s", err, out)
	}
	return nil
}

// start starts etcd and the API server, on free ports; one that another process has
// taken meanwhile is a reason to try others.
func (c *cluster) start() (err error) {
	if err := c.identity(); err != nil {
		return err
	}
	for try := range 3 {
		if err = c.startAt(c.path(fmt.Sprint("try", try))); err == nil {
			return nil
		}
		c.stop()
	}
	return err
}

func (c *cluster) startAt(dir string) error {
	ports, err := free(3)
	if err != nil {
		return err
	}
	etcd, peer := "http://127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[1]
	// The server waits until it reaches its store.
	if _, err := c.run("etcd", "--data-dir="+dir+"/etcd", "--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer, "--unsafe-no-fsync"); err != nil {
		return err
	}
	gone, err := c.run(c.path("kube-apiserver"), "--etcd-servers="+etcd, "--secure-port="+ports[2], "--bind-address=127.0.0.1", "--cert-dir="+dir+"/cert",
		"--service-cluster-ip-range=10.0.0.0/24", "--authorization-mode=RBAC", "--token-auth-file="+c.path("tokens.csv"),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+c.path("accounts.pem"), "--service-account-signing-key-file="+c.path("accounts.pem"))
	if err != nil {
		return err
	}
	config := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "test",
		"clusters": [{"name": "test", "cluster": {"server": "https://127.0.0.1:%s", "insecure-skip-tls-verify": true}}],
		"users": [{"name": "test", "user": {"token": "test"}}],
		"contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}]}`, ports[2])
	if err := os.WriteFile(c.path("kubeconfig"), []byte(config), 0o600); err != nil {
		return err
	}
	limit := time.After(3 * time.Minute)
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for {
		out, err := c.kubectl("", "get", "--raw=/readyz")
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case err := <-gone:
			return fmt.Errorf("the API server has ended: %w", err)
		case <-limit:
			return fmt.Errorf("the API server is not ready: %w\n%s", err, out)
		}
	}
}

// identity makes the operator, and the key of service accounts' tokens.
func (c *cluster) identity() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return errors.Join(os.WriteFile(c.path("accounts.pem"), text, 0o600),
		os.WriteFile(c.path("tokens.csv"), []byte("test,test,test,system:masters\n"), 0o600))
}

// run starts a program that stop ends. What it says is kept for when it ends by itself.
func (c *cluster) run(program string, args ...string) (gone <-chan error, err error) {
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		stop()
		return nil, err
	}
	ended, done := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		err := cmd.Wait()
		text := out.Bytes()
		ended <- fmt.Errorf("%w\n%s", err, text[max(0, len(text)-4000):])
	}()
	c.end = append(c.end, func() { stop(); <-done })
	return ended, nil
}

// stop ends what was started, the last one first.
func (c *cluster) stop() {
	for i := len(c.end) - 1; i >= 0; i-- {
		c.end[i]()
	}
	c.end = nil
}

// kubectl runs it with a text as its input, and returns all that it says.
func (c *cluster) kubectl(stdin string, args ...string) (string, error) {
	cmd := exec.Command(c.path("kubectl"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.path("kubeconfig"), "HOME="+c.dir)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must is kubectl that has to succeed.
func must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := shared.kubectl(stdin, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// module returns where a module of crds/go.mod lies.
func module(t *testing.T, path string) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", path)
	cmd.Dir = "crds"
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", path, err, out)
	}
	var at struct{ Dir string }
	if err := json.Unmarshal(out, &at); err != nil {
		t.Fatal(err)
	}
	return at.Dir
}

// free returns ports that nobody listens on now.
func free(n int) (ports []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
	}
	return ports, nil
}
