package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"iotbridge/gateway/provision"
	"iotbridge/internal/site"
)

func TestProvisionScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/provision",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"await":  await,
			"site":   siteField,
			"mode":   modeOf,
			"chain":  chain,
			"sum":    sumOf,
			"enroll": enrollAs,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// modeOf checks that files have a mode: mode 600 FILE…
func modeOf(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args[1:] {
		at, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if got := at.Mode().Perm().String(); got != map[string]string{"600": "-rw-------"}[args[0]] {
			ts.Fatalf("%s has the mode %s", name, got)
		}
	}
}

func certificateOf(ts *testscript.TestScript, name string) *x509.Certificate {
	block, _ := pem.Decode([]byte(ts.ReadFile(name)))
	if block == nil {
		ts.Fatalf("%s is not PEM", name)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	ts.Check(err)
	return c
}

// chain checks that an authority has issued a certificate for clients: chain CA FILE.
func chain(ts *testscript.TestScript, neg bool, args []string) {
	roots := x509.NewCertPool()
	roots.AddCert(certificateOf(ts, args[0]))
	_, err := certificateOf(ts, args[1]).Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if (err != nil) != neg {
		ts.Fatalf("%s by %s: %v", args[1], args[0], err)
	}
}

// sumOf sets a variable to the SHA-256 of a certificate: sum FILE VARIABLE.
func sumOf(ts *testscript.TestScript, _ bool, args []string) {
	sum := sha256.Sum256(certificateOf(ts, args[0]).Raw)
	ts.Setenv(args[1], hex.EncodeToString(sum[:]))
}

// enrollAs asks the gateway as a board does, with the key in a file, which is made if it is
// not there: enroll DIR PROFILE SERIAL KEY STATUS.
func enrollAs(ts *testscript.TestScript, _ bool, args []string) {
	s, err := site.Read(ts.MkAbs(args[0]))
	ts.Check(err)
	var signer crypto.Signer
	if path := ts.MkAbs(args[3]); fileIsThere(path) {
		signer, err = provision.OpenSigner(path)
	} else {
		signer, err = provision.NewSigner(path)
	}
	ts.Check(err)
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, signer)
	ts.Check(err)
	body, err := json.Marshal(map[string]any{
		"identifiers": map[string]any{"serialNumber": args[2]},
		"csr":         string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request})),
	})
	ts.Check(err)
	own, err := tls.LoadX509KeyPair(s.BootstrapCert, s.BootstrapKey)
	ts.Check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ts.ReadFile(s.CA)))
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{own}, RootCAs: roots}}}
	answer, err := client.Post("https://"+s.DeviceHTTPS+"/v1/provisioning/"+args[1]+":enroll", "application/json", bytes.NewReader(body))
	ts.Check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if strconv.Itoa(answer.StatusCode) != args[4] {
		ts.Fatalf("%s is answered %s %s, want %s", args[2], answer.Status, text, args[4])
	}
}

func fileIsThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestTheBarTellsHowLong(t *testing.T) {
	for want, c := range map[string]struct {
		done, total int
		took        time.Duration
	}{
		"[..............................] 0 of 10, 0 %":               {0, 10, 0},
		"[###############...............] 500 of 1000, 50 %, 5s left": {500, 1000, 5 * time.Second},
		"[##############################] 1000 of 1000, 100 %":        {1000, 1000, 5 * time.Second},
		"[..............................] 0 of 0, 0 %":                {0, 0, time.Second},
	} {
		if got := barText(c.done, c.total, c.took); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTheDocumentsProfileIsRead(t *testing.T) {
	text, err := os.ReadFile("../../docs/provisioning.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "```yaml\n")
	block, _, closed := strings.Cut(after, "```")
	if !ok || !closed {
		t.Fatal("the page has lost its profile")
	}
	var f profileFile
	if err := decodeProfile([]byte(block), &f); err != nil {
		t.Fatal(err)
	}
	if f.ID != "batch7" || !f.Lists || f.MaxDevices == 0 || f.Rates.Prefix == 0 || f.Lifetime == 0 || f.Bootstrap[0].CertificateFile == "" || f.Bootstrap[0].NotAfter.IsZero() {
		t.Errorf("%+v", f)
	}
}
