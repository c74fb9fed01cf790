package mqtt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/golang-jwt/jwt/v5"
)

// What the gateway takes of RSA.
const (
	minRSABits = 2048
	maxRSABits = 8192
	minRSAExp  = 65537
)

// Key is a device's private key. However it is printed, it shows its path and nothing of itself.
type Key struct {
	private crypto.Signer
	method  jwt.SigningMethod
	path    string
}

// Algorithm is what the key signs with: ES256 or RS256.
func (k *Key) Algorithm() string { return k.method.Alg() }

// Public is the key that the gateway must know.
func (k *Key) Public() crypto.PublicKey { return k.private.Public() }

func (k Key) String() string { return fmt.Sprintf("%s key of %s", k.method.Alg(), k.path) }

// Format serves all verbs, %#v and %x too.
func (k Key) Format(s fmt.State, _ rune) { io.WriteString(s, k.String()) } //nolint:errcheck // as fmt does

// LoadKey reads a private key in PEM: PKCS #8, SEC 1 (EC) or PKCS #1 (RSA), on P-256 or
// of 2048 bits and more. The file must be a regular one that is nobody else's and that
// nobody else can read: a key that others had may be used by others.
func LoadKey(path string) (*Key, error) {
	text, err := readSecret(path)
	if err != nil {
		return nil, fmt.Errorf("private key %s: %w", path, err)
	}
	defer clear(text)
	private, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("private key %s: %w", path, err)
	}
	return admitted(private, path)
}

// admitted takes a key that the gateway takes, too.
func admitted(private crypto.Signer, path string) (*Key, error) {
	k := &Key{private: private, path: path, method: jwt.SigningMethodES256}
	switch p := private.(type) {
	case *ecdsa.PrivateKey:
		if p.Curve != elliptic.P256() {
			return nil, fmt.Errorf("private key %s: its curve is %s: want P-256 (make one with keygen)", path, p.Curve.Params().Name)
		}
	case *rsa.PrivateKey:
		if n := p.N.BitLen(); n < minRSABits || n > maxRSABits {
			return nil, fmt.Errorf("private key %s: RSA of %d bits: want %d to %d, or better P-256 (make one with keygen)", path, n, minRSABits, maxRSABits)
		}
		if p.E < minRSAExp {
			return nil, fmt.Errorf("private key %s: RSA with the exponent %d: want %d or more (make one with keygen)", path, p.E, minRSAExp)
		}
		k.method = jwt.SigningMethodRS256
	default:
		return nil, fmt.Errorf("private key %s: %T: want P-256 or RSA (make one with keygen)", path, private)
	}
	return k, nil
}

// readSecret opens without following a link and without waiting for a pipe's other end,
// and judges what it has opened, not what stood there before.
func readSecret(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, syscall.ELOOP):
		return nil, errors.New("it is a symbolic link: name the file itself")
	case errors.Is(err, os.ErrPermission):
		return nil, errors.New("this user may not read it: run as the key's owner, or give it to this user with chown")
	case errors.Is(err, os.ErrNotExist):
		return nil, errors.New("there is no such file: make one with keygen, or correct the path")
	case err != nil:
		return nil, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !stat.Mode().IsRegular() {
		return nil, fmt.Errorf("it is no regular file (%s)", stat.Mode().Type())
	}
	if perm := stat.Mode().Perm(); perm&0o077 != 0 {
		return nil, fmt.Errorf("others may read or change it (%04o): chmod 600, and make a new key if others were on this machine", perm)
	}
	if owner, ok := stat.Sys().(*syscall.Stat_t); ok && !trusted(owner.Uid) {
		return nil, fmt.Errorf("it belongs to user %d, who may change it at any time, and this is user %d: run as its owner, or chown it", owner.Uid, os.Geteuid())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxPEM {
		return nil, fmt.Errorf("more than %d bytes: this is no key", maxPEM)
	}
	return text, nil
}

// trusted says whose files are taken: our own, and root's.
func trusted(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }

// parseKey's errors do not quote what stands there.
func parseKey(text []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Headers["DEK-Info"] != "" {
			return nil, errEncrypted
		}
		switch block.Type {
		case "EC PARAMETERS": // openssl ecparam writes them first
			continue
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, errDamaged
			}
			if signer, ok := key.(crypto.Signer); ok {
				return signer, nil
			}
			return nil, fmt.Errorf("%T: want P-256 or RSA (make one with keygen)", key)
		case "EC PRIVATE KEY":
			if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
				return key, nil
			}
			return nil, errDamaged
		case "RSA PRIVATE KEY":
			if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
				return key, nil
			}
			return nil, errDamaged
		case "ENCRYPTED PRIVATE KEY":
			return nil, errEncrypted
		case "PUBLIC KEY", "CERTIFICATE":
			return nil, fmt.Errorf("it holds a %s: want the private key", block.Type)
		}
	}
	return nil, errors.New("no private key in PEM in it: want -----BEGIN PRIVATE KEY-----")
}

var (
	errEncrypted = errors.New("it is protected by a pass phrase, which nobody types on a device: write it without (openssl pkcs8 -topk8 -nocrypt), mode 600")
	errDamaged   = errors.New("its PEM holds no key that can be read: it is damaged, or of another kind")
)
