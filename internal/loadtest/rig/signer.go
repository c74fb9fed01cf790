package rig

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"iotbridge/gateway/provision"
	"iotbridge/internal/loadtest"
	"iotbridge/internal/site"
)

// signer is as little as can be done for an enrolment: a full handshake with the client's
// certificate, the check of one request's signature, and one certificate signed. It asks
// nobody and keeps nothing. It is a yardstick: it trusts what only our load sends it.
type signer struct {
	tls       *tls.Config
	authority *provision.Authority
	bootstrap [sha256.Size]byte // of the certificate that may ask
}

const signerRequest = 16 << 10 // bytes of a request

func serveSigner(ctx context.Context, l net.Listener, dir string, c site.Certificate, t Task, ready func() error) error {
	pair, err := tls.LoadX509KeyPair(c.File, c.Key)
	if err != nil {
		return err
	}
	s := &signer{
		tls:       &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert},
		bootstrap: sha256.Sum256(t.Bootstrap),
	}
	if s.authority, _, err = newAuthority(dir); err != nil {
		return err
	}
	if err := ready(); err != nil {
		return err
	}
	var serving sync.WaitGroup
	defer serving.Wait()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		serving.Go(func() {
			defer conn.Close()
			if conn.SetDeadline(time.Now().Add(greeting)) == nil {
				_ = s.serve(tls.Server(conn, s.tls)) // the load says what it has not got
			}
		})
	}
}

func (s *signer) serve(conn *tls.Conn) error {
	request, err := http.ReadRequest(bufio.NewReader(io.LimitReader(conn, signerRequest)))
	if err != nil {
		return err
	}
	if sha256.Sum256(conn.ConnectionState().PeerCertificates[0].Raw) != s.bootstrap {
		return errBare
	}
	var asked loadtest.Enrolment
	if err := json.NewDecoder(request.Body).Decode(&asked); err != nil {
		return err
	}
	block, _ := pem.Decode([]byte(asked.CSR))
	if block == nil {
		return errBare
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return err
	}
	if err := csr.CheckSignature(); err != nil {
		return err
	}
	serial := asked.Identifiers.SerialNumber
	der, err := s.authority.Issue(provision.Leaf{CommonName: "d-" + serial, Serial: serial, PublicKey: csr.RawSubjectPublicKeyInfo, Lifetime: boardLife}, time.Now())
	if err != nil {
		return err
	}
	text, err := json.Marshal(map[string]string{"certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))})
	if err != nil {
		return err
	}
	answer := fmt.Appendf(nil, "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", len(text))
	if _, err := conn.Write(append(answer, text...)); err != nil {
		return err
	}
	return conn.Close()
}
