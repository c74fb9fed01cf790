package k8s_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"iotbridge/internal/deploycheck"
)

// The programs of the overlay local, as the manifests have them but for addresses and
// folders, find each other and get ready.
func TestTheLocalSystemGetsReady(t *testing.T) {
	random := make([]byte, 3)
	rand.Read(random)
	// An address of its own: nobody takes a port there before its program does.
	n := node{t: t, dir: t.TempDir(), ip: net.IPv4(127, 1+random[0]%254, random[1], 1+random[2]%254), ports: map[string]string{}}
	n.mount()
	k := overlay(t, "local")
	names := []string{"iotbridge-cloud", "iotbridge-gateway", "iotbridge-ingest"}
	for _, name := range names { // builds them, which may take its time
		deploycheck.Flags(t, deployment(t, name).Containers[0].Image)
	}
	for _, name := range names {
		n.start(deployment(t, name).Containers[0], k)
	}
	for _, port := range []string{"9101", "9102"} {
		n.ready("http://" + n.at(port) + "/readyz")
	}
}

// node stands in for the one that would run the pods.
type node struct {
	t     *testing.T
	dir   string
	ip    net.IP
	ports map[string]string // the manifests' to those here
}

// at is where a port of the manifests is here.
func (n *node) at(port string) string {
	for n.ports[port] == "" {
		l, err := new(net.ListenConfig).Listen(n.t.Context(), "tcp", net.JoinHostPort(n.ip.String(), "0"))
		if err != nil {
			n.t.Fatal(err)
		}
		if free := l.Addr().String(); !slices.Contains(slices.Collect(maps.Values(n.ports)), free) {
			n.ports[port] = free
		}
		l.Close()
	}
	return n.ports[port]
}

func (n *node) path(p string) string { return filepath.Join(n.dir, p) }

// mount makes what the volumes have.
func (n *node) mount() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		n.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		n.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		n.t.Fatal(err)
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	files := map[string]string{
		"/etc/iotbridge/attestation/keys":        "key1 " + base64.StdEncoding.EncodeToString(secret) + "\n",
		"/etc/iotbridge/operators/operators.txt": "me admin " + strings.Repeat("ab", 32) + "\n",
	}
	for _, dir := range []string{"tls", "api-tls"} {
		files["/etc/iotbridge/"+dir+"/tls.crt"] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))
		files["/etc/iotbridge/"+dir+"/tls.key"] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(n.path(name)), 0o700); err != nil {
			n.t.Fatal(err)
		}
		if err := os.WriteFile(n.path(name), []byte(text), 0o440); err != nil {
			n.t.Fatal(err)
		}
	}
	if err := os.MkdirAll(n.path("/var/lib/iotbridge"), 0o700); err != nil {
		n.t.Fatal(err)
	}
}

// here puts this machine's folders and addresses in the place of the pods'.
func (n *node) here(text string) string {
	if m := listens.FindStringSubmatch(text); m != nil {
		return strings.TrimSuffix(text, ":"+m[1]) + n.at(m[1])
	}
	if host, port, err := net.SplitHostPort(text); err == nil && host == "iotbridge-cloud" {
		return n.at(port)
	}
	for _, dir := range []string{"/etc/iotbridge", "/var/lib/iotbridge"} {
		text = strings.Replace(text, dir, n.path(dir), 1)
	}
	return text
}

// start runs a container's program until the test ends, which it then does in order.
func (n *node) start(c container, k kustomization) {
	n.t.Helper()
	args := []string{"run", "-ldflags=-s -w", "iotbridge/cmd/" + c.Image}
	for _, arg := range c.Args {
		args = append(args, n.here(arg))
	}
	store := ""
	for _, s := range k.SecretGenerator {
		if s.Name == "gateway-store" {
			store = strings.TrimPrefix(s.Literals[0], "url=")
		}
	}
	env := append(os.Environ(), "CGO_ENABLED=0")
	for name, value := range environment(c, k, map[string]string{"GATEWAY_STORE": store}) {
		env = append(env, name+"="+n.here(value))
	}
	// Not until its end: the go command would be killed, and the program live on.
	cmd := exec.CommandContext(context.Background(), "go", args...)
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		cmd.Wait()
		if n.t.Failed() {
			n.t.Logf("%s:\n%s", c.Name, out.String())
		} else if c.Name != "cloud" && !strings.Contains(out.String(), "ended in order") {
			n.t.Errorf("%s did not end in order:\n%s", c.Name, out.String())
		}
	})
}

// ready waits for it.
func (n *node) ready(url string) {
	n.t.Helper()
	limit, again := time.After(5*time.Minute), time.NewTicker(100*time.Millisecond)
	defer again.Stop()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	for {
		var last string
		req, err := http.NewRequestWithContext(n.t.Context(), http.MethodGet, url, nil)
		if err != nil {
			n.t.Fatal(err)
		}
		switch resp, err := client.Do(req); {
		case err != nil:
			last = err.Error()
		default:
			var body bytes.Buffer
			body.ReadFrom(resp.Body)
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
			last = fmt.Sprint(resp.StatusCode, " ", body.String())
		}
		select {
		case <-again.C:
		case <-limit:
			n.t.Fatalf("%s: %s", url, last)
		}
	}
}
