package rig

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"iotbridge/internal/loadtest"
)

// bothEnrol runs a test on the signer and on the gateway: 20 boards, and what they show.
func bothEnrol(t *testing.T, test func(t *testing.T, load *loadtest.Enrolments)) {
	bootstrap, err := newBootstrap()
	if err != nil {
		t.Fatal(err)
	}
	boards, err := loadtest.NewBoards(20)
	if err != nil {
		t.Fatal(err)
	}
	task := Task{Registry: Registry, Bootstrap: bootstrap.Certificate[0], AtOnce: 8}
	for _, b := range boards {
		task.Boards = append(task.Boards, b.Serial)
	}
	run := func(t *testing.T) {
		at, _ := serve(t, task)
		load := &loadtest.Enrolments{Boards: boards, AtOnce: task.AtOnce, TLS: boardTLS(bootstrap)}
		load.Address, load.Path = at.Address, "/v1/provisioning/"+Profile+":enroll"
		load.TLS.ServerName, load.TLS.RootCAs = at.TLS.ServerName, at.TLS.RootCAs
		test(t, load)
	}
	t.Run("bare", func(t *testing.T) {
		task.Part = Signer
		run(t)
	})
	t.Run("gateway", func(t *testing.T) {
		answers, _ := serve(t, Task{Part: PubSub})
		task.Part, task.PubSub = Provision, answers.Address
		run(t)
	})
}

func TestEveryBoardIsGranted(t *testing.T) {
	bothEnrol(t, func(t *testing.T, load *loadtest.Enrolments) {
		got, err := load.Run(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		if got.Boards != 20 || got.Rate <= 0 || got.P50 <= 0 || got.P99 < got.P50 {
			t.Errorf("%+v", got)
		}
	})
}

// What is measured is a handshake with the boards' own certificate, and no other's.
func TestWhoShowsAnotherCertificateIsNotGranted(t *testing.T) {
	bothEnrol(t, func(t *testing.T, load *loadtest.Enrolments) {
		other, err := newBootstrap()
		if err != nil {
			t.Fatal(err)
		}
		for what, shown := range map[string][]tls.Certificate{"another": {other}, "none": nil} {
			load.TLS.Certificates = shown
			if got, err := load.Run(t.Context(), "x"); err == nil {
				t.Errorf("%s: %+v", what, got)
			}
		}
	})
}

func TestABoardThatIsNotOnTheListIsAnError(t *testing.T) {
	bothEnrol(t, func(t *testing.T, load *loadtest.Enrolments) {
		more, err := loadtest.NewBoards(21)
		if err != nil {
			t.Fatal(err)
		}
		load.Boards = more[20:]
		_, err = load.Run(t.Context(), "x")
		if gateway := strings.HasSuffix(t.Name(), "gateway"); gateway != (err != nil) || gateway && !strings.Contains(err.Error(), "403") {
			t.Errorf("got %v", err)
		}
	})
}

// The signer signs what the device's certificate is in the gateway: for the key that was
// asked for, by an authority of its own.
func TestTheAuthorityIsOneOfDevices(t *testing.T) {
	authority, files, err := newAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(files.File, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	if pair.Leaf.PublicKeyAlgorithm != x509.ECDSA || !pair.Leaf.IsCA || !pair.Leaf.Equal(authority.Certificate) {
		t.Errorf("%s", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Leaf.Raw}))
	}
	if err := authority.Fault(pair.Leaf.NotBefore); err != nil {
		t.Error(err)
	}
}
