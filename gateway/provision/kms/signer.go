package kms

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	kms "cloud.google.com/go/kms/apiv1"
	"cloud.google.com/go/kms/apiv1/kmspb"
	"google.golang.org/api/option"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// signTime is what one signature may take, with the client's own retries.
const signTime = 5 * time.Second

// hashes are the algorithms that can be used, with the hash of each.
var hashes = map[kmspb.CryptoKeyVersion_CryptoKeyVersionAlgorithm]crypto.Hash{
	kmspb.CryptoKeyVersion_EC_SIGN_P256_SHA256:        crypto.SHA256,
	kmspb.CryptoKeyVersion_EC_SIGN_P384_SHA384:        crypto.SHA384,
	kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_2048_SHA256: crypto.SHA256,
	kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_3072_SHA256: crypto.SHA256,
	kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_4096_SHA256: crypto.SHA256,
}

// Signer is a crypto.Signer. Close it when nothing is signed any more.
type Signer struct {
	client *kms.KeyManagementClient
	name   string
	public crypto.PublicKey
	hash   crypto.Hash
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(data []byte) int64 { return int64(crc32.Checksum(data, castagnoli)) }

// Open finds a key version, projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/V.
func Open(ctx context.Context, name string, options ...option.ClientOption) (*Signer, error) {
	client, err := kms.NewKeyManagementClient(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("KMS: %w", err)
	}
	s := &Signer{client: client, name: name}
	if err := s.ask(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("KMS key %s: %w", name, err), client.Close())
	}
	return s, nil
}

func (s *Signer) ask(ctx context.Context) error {
	answer, err := s.client.GetPublicKey(ctx, &kmspb.GetPublicKeyRequest{Name: s.name})
	if err != nil {
		return err
	}
	if answer.Name != s.name || answer.PemCrc32C.GetValue() != checksum([]byte(answer.Pem)) {
		return errors.New("the public key came damaged, or is another's")
	}
	var known bool
	if s.hash, known = hashes[answer.Algorithm]; !known {
		return fmt.Errorf("it is of the algorithm %s: want EC_SIGN_P256_SHA256, EC_SIGN_P384_SHA384 or RSA_SIGN_PKCS1_*_SHA256", answer.Algorithm)
	}
	block, _ := pem.Decode([]byte(answer.Pem))
	if block == nil {
		return errors.New("the public key is not PEM")
	}
	s.public, err = x509.ParsePKIXPublicKey(block.Bytes)
	return err
}

// Public is the key's public half.
func (s *Signer) Public() crypto.PublicKey { return s.public }

// Sign has a digest signed, by ECDSA or with the padding of PKCS #1.
func (s *Signer) Sign(_ io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if _, pss := o.(*rsa.PSSOptions); pss || o.HashFunc() != s.hash || len(digest) != s.hash.Size() {
		return nil, fmt.Errorf("KMS key %s signs %s alone, and not with PSS", s.name, s.hash)
	}
	request := &kmspb.AsymmetricSignRequest{
		Name: s.name, Digest: &kmspb.Digest{Digest: &kmspb.Digest_Sha256{Sha256: digest}},
		DigestCrc32C: wrapperspb.Int64(checksum(digest)),
	}
	if s.hash == crypto.SHA384 {
		request.Digest.Digest = &kmspb.Digest_Sha384{Sha384: digest}
	}
	// crypto.Signer has no context.
	ctx, cancel := context.WithTimeout(context.Background(), signTime)
	defer cancel()
	answer, err := s.client.AsymmetricSign(ctx, request)
	switch {
	case err != nil:
		return nil, fmt.Errorf("KMS key %s: %w", s.name, err)
	case answer.Name != s.name || !answer.VerifiedDigestCrc32C || answer.SignatureCrc32C.GetValue() != checksum(answer.Signature):
		return nil, fmt.Errorf("KMS key %s: the digest or the signature came damaged", s.name)
	}
	return answer.Signature, nil
}

// Close ends the connection.
func (s *Signer) Close() error { return s.client.Close() }
