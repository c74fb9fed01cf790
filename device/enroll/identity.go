package enroll

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Identity is what the gateway has made of the device.
type Identity struct {
	Project  string `json:"projectId"`
	Location string `json:"location"`
	Registry string `json:"registryId"`
	Device   string `json:"deviceId"`
	Number   string `json:"numId,omitempty"`

	Host string `json:"host,omitempty"` // where it connects; "": the gateway did not say
	Port int    `json:"port,omitempty"`

	Serial     string    `json:"serialNumber"` // of the board that asked
	RenewAfter time.Time `json:"renewAfter"`

	Certificate *x509.Certificate `json:"-"`
	Authorities [][]byte          `json:"-"` // DER
}

// Name is the device's in the whole world.
func (i *Identity) Name() string {
	return fmt.Sprintf("projects/%s/locations/%s/registries/%s/devices/%s", i.Project, i.Location, i.Registry, i.Device)
}

// The kinds of PEM blocks.
const (
	blockKey         = "PRIVATE KEY"
	blockRequest     = "CERTIFICATE REQUEST"
	blockCertificate = "CERTIFICATE"
	blockIdentity    = "IOTBRIDGE IDENTITY" // JSON
)

// enrolled is the content of the key's file.
type enrolled struct {
	key      *ecdsa.PrivateKey
	identity *Identity
}

// Load returns who the device is, by the file of its key; nil when the key is one that
// the device did not get by enrolling, and an error that is fs.ErrNotExist when there
// is none.
func Load(key string) (*Identity, error) {
	text, err := readFile(key)
	if err != nil {
		return nil, fmt.Errorf("private key %s: %w", key, err)
	}
	defer clear(text)
	if !bytes.Contains(text, []byte("-----BEGIN "+blockIdentity+"-----")) {
		return nil, nil
	}
	e, err := parseEnrolled(text)
	if err != nil {
		return nil, fmt.Errorf("private key %s: %w", key, err)
	}
	return e.identity, nil
}

// ErrDamaged says that a file does not hold what was written there.
var ErrDamaged = errors.New("damaged")

// parseEnrolled believes nothing that does not fit together.
func parseEnrolled(text []byte) (*enrolled, error) {
	e := new(enrolled)
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var err error
		switch {
		case block.Type == blockKey && e.key == nil:
			e.key, err = parseKey(block.Bytes)
		case block.Type == blockIdentity && e.identity == nil:
			e.identity = new(Identity)
			err = json.Unmarshal(block.Bytes, e.identity)
		case block.Type == blockCertificate && e.identity != nil && e.identity.Certificate == nil:
			e.identity.Certificate, err = x509.ParseCertificate(block.Bytes)
		case block.Type == blockCertificate && e.identity != nil:
			e.identity.Authorities = append(e.identity.Authorities, block.Bytes)
		default:
			err = errors.New("a block that is out of place")
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, block.Type, err)
		}
	}
	switch {
	case e.key == nil || e.identity == nil || e.identity.Certificate == nil:
		return nil, fmt.Errorf("%w: key, identity and certificate are not all there", ErrDamaged)
	case !e.key.PublicKey.Equal(e.identity.Certificate.PublicKey):
		return nil, fmt.Errorf("%w: the certificate is another key's", ErrDamaged)
	}
	return e, nil
}

func parseKey(der []byte) (*ecdsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("not readable") // the reason could quote it
	}
	if key, ok := key.(*ecdsa.PrivateKey); ok {
		return key, nil
	}
	return nil, fmt.Errorf("a %T", key)
}

// encode is what parseEnrolled reads. Its first line is for people: readers of PEM
// skip it.
func (e *enrolled) encode() ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(e.key)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	identity, err := json.Marshal(e.identity)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "# %s, until %s\n", e.identity.Name(), e.identity.Certificate.NotAfter.UTC().Format(time.RFC3339))
	for _, block := range append([]*pem.Block{
		{Type: blockKey, Bytes: key},
		{Type: blockIdentity, Bytes: identity},
		{Type: blockCertificate, Bytes: e.identity.Certificate.Raw},
	}, certificates(e.identity.Authorities)...) {
		if err := pem.Encode(&text, block); err != nil {
			return nil, err
		}
	}
	if text.Len() > maxFile {
		return nil, fmt.Errorf("the gateway's certificates take %d bytes: want %d at the most", text.Len(), maxFile)
	}
	return text.Bytes(), nil
}

func certificates(all [][]byte) (blocks []*pem.Block) {
	for _, der := range all {
		blocks = append(blocks, &pem.Block{Type: blockCertificate, Bytes: der})
	}
	return blocks
}

// readEnrolled is nil when the file is not there.
func readEnrolled(d files, name string) (*enrolled, error) {
	text, err := d.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer clear(text)
	e, err := parseEnrolled(text)
	if err != nil {
		return nil, fmt.Errorf("private key %s: %w", name, err)
	}
	return e, nil
}
