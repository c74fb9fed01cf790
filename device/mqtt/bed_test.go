package mqtt

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const host = "gateway.test"

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func sign(template, parent *x509.Certificate, public, by any) *x509.Certificate {
	template.SerialNumber = big.NewInt(1)
	if template.NotBefore.IsZero() {
		template.NotBefore, template.NotAfter = time.Unix(0, 0), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return cert
}

func newAuthority(name string) *authority {
	key := newKey()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	return &authority{sign(template, template, key.Public(), key), key}
}

// issue signs what a server shows; nil is a good certificate.
func (a *authority) issue(change func(*x509.Certificate)) tls.Certificate {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if change != nil {
		change(template)
	}
	key := newKey()
	cert := sign(template, a.cert, key.Public(), a.key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// The keys are made once: making them takes longer than most tests.
var (
	ourCA   = newAuthority("CA 1")
	ourCert = ourCA.issue(nil)
	ecKey   = newKey()
	rsaKey  = sync.OnceValue(func() *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return key
	})
)

func writeFile(t testing.TB, name string, mode os.FileMode, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func bundle(t testing.TB, authorities ...*authority) string {
	t.Helper()
	var text []byte
	for _, a := range authorities {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})...)
	}
	return writeFile(t, "roots.pem", 0o644, text)
}

func keyFile(t testing.TB, key crypto.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "private.pem", 0o600, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// uplinkTo has device1 speak with a gateway that is what serve does with each connection,
// over a pipe: all of it runs in a bubble, too.
func uplinkTo(t testing.TB, serve func(p *peer)) *Uplink {
	t.Helper()
	key, err := LoadKey(keyFile(t, ecKey))
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	t.Cleanup(func() {
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return &Uplink{
		Address: host + ":8883", Project: "project-1", Region: "us-central1", Registry: "RaspberryPiDevices", Device: "device1",
		Key: key, Roots: bundle(t, ourCA), Now: time.Now,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			mu.Lock()
			open = append(open, theirs)
			mu.Unlock()
			running.Go(func() {
				defer theirs.Close()
				if p := accept(t, theirs, serverTLS(ourCert)); p != nil {
					serve(p)
				}
			})
			return ours, nil
		},
	}
}

func serverTLS(cert tls.Certificate) *tls.Config {
	// Without tickets: a pipe holds nothing, and both would write at a time.
	return &tls.Config{Certificates: []tls.Certificate{cert}, SessionTicketsDisabled: true}
}

// peer is the gateway's end of a connection.
type peer struct {
	t    testing.TB
	raw  net.Conn
	conn *tls.Conn
	in   *bufio.Reader
}

// accept returns nil when the device does not come through TLS.
func accept(t testing.TB, raw net.Conn, config *tls.Config) *peer {
	conn := tls.Server(raw, config)
	if conn.HandshakeContext(context.Background()) != nil {
		return nil
	}
	return &peer{t, raw, conn, bufio.NewReader(conn)}
}

// read returns the next packet, as another codec than the device's understands it;
// its type is 0 when the device has gone.
func (p *peer) read() packets.Packet {
	first, err := p.in.ReadByte()
	if err != nil {
		return packets.Packet{}
	}
	size, err := binary.ReadUvarint(p.in)
	if err != nil {
		return packets.Packet{}
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(p.in, body); err != nil {
		return packets.Packet{}
	}
	pk := packets.Packet{ProtocolVersion: 4}
	err = pk.FixedHeader.Decode(first)
	pk.FixedHeader.Remaining = len(body)
	if err == nil {
		switch pk.FixedHeader.Type {
		case packets.Connect:
			err = pk.ConnectDecode(body)
		case packets.Subscribe:
			err = pk.SubscribeDecode(body)
		case packets.Publish:
			err = pk.PublishDecode(body)
		case packets.Puback:
			err = pk.PubackDecode(body)
		}
	}
	if err != nil {
		p.t.Errorf("the device sent %x %.100x: %v", first, body, err)
	}
	return pk
}

func (p *peer) send(b ...[]byte) {
	p.conn.Write(bytes.Join(b, nil))
}

// want reads a packet of a type; false when the device goes or has gone.
func (p *peer) want(kind byte) (packets.Packet, bool) {
	pk := p.read()
	switch pk.FixedHeader.Type {
	case kind:
		return pk, true
	case packets.Disconnect, 0:
	default:
		p.t.Errorf("the device sent a packet of type %d, want %d", pk.FixedHeader.Type, kind)
	}
	return pk, false
}

// welcome lets the device in and grants what it subscribes to.
func (p *peer) welcome() (connect packets.Packet, ok bool) {
	connect, ok = p.want(packets.Connect)
	if !ok {
		return connect, false
	}
	p.send(ackConnect(0))
	sub, ok := p.want(packets.Subscribe)
	if ok {
		p.grant(sub)
	}
	return connect, ok
}

func (p *peer) grant(sub packets.Packet) {
	answer := number(sub.PacketID)
	for _, f := range sub.Filters {
		answer = append(answer, f.Qos)
	}
	p.send(pack(0x90, answer))
}

// confirm acknowledges all that comes, until the device goes.
func (p *peer) confirm() {
	for {
		switch pk := p.read(); pk.FixedHeader.Type {
		case packets.Publish:
			p.send(ackPublish(pk.PacketID))
		case packets.Pingreq:
			p.send(pack(0xd0))
		case packets.Disconnect, 0:
			return
		}
	}
}

// drain reads on until the device goes.
func (p *peer) drain() {
	io.Copy(io.Discard, p.conn)
}

func good(p *peer) {
	if _, ok := p.welcome(); ok {
		p.confirm()
	}
}

func number(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }

func text(s string) []byte { return append(number(uint16(len(s))), s...) }

// pack makes a packet of a first byte and the parts of its body.
func pack(first byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append(binary.AppendUvarint([]byte{first}, uint64(len(body))), body...)
}

func ackConnect(code byte) []byte             { return pack(0x20, []byte{0, code}) }
func ackPublish(id uint16) []byte             { return pack(0x40, number(id)) }
func fromUs(topic string, data []byte) []byte { return pack(0x30, text(topic), data) }
func fromUs1(topic string, id uint16, data []byte) []byte {
	return pack(0x32, text(topic), number(id), data)
}

// letters is an inbox that can be read.
type letters chan string

func (l letters) Config(data []byte) { l <- "config " + string(data) }
func (l letters) Command(subfolder string, data []byte) {
	l <- "command " + subfolder + " " + string(data)
}

// connected is u's session, which ends with the test.
func connected(t testing.TB, u *Uplink) *session {
	t.Helper()
	s, err := u.open(t.Context(), make(letters, 1000))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// sent publishes and returns where the answer will be; one that comes twice is a mistake.
func sent(t testing.TB, s *session, topic, data string) <-chan error {
	answer := make(chan error, 1)
	s.Publish(topic, []byte(data), func(err error) {
		select {
		case answer <- err:
		default:
			t.Errorf("%s %q: a second answer, %v", topic, data, err)
		}
	})
	return answer
}

var errNoAnswer = errors.New("no answer")

// within waits for what must come.
func within[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(5 * time.Minute):
		t.Fatalf("%s: %v", what, errNoAnswer)
		panic("unreachable")
	}
}
