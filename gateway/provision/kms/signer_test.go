package kms

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/kms/apiv1/kmspb"
	"go.uber.org/goleak"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func TestMain(m *testing.M) {
	// The client's telemetry has a goroutine of its own that never ends.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start"))
}

const keyName = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"

// standIn is KMS with one key.
type standIn struct {
	kmspb.UnimplementedKeyManagementServiceServer
	key       crypto.Signer
	algorithm kmspb.CryptoKeyVersion_CryptoKeyVersionAlgorithm
	broken    func(*kmspb.AsymmetricSignResponse)
	damaged   func(*kmspb.PublicKey)
}

func (s *standIn) GetPublicKey(_ context.Context, r *kmspb.GetPublicKeyRequest) (*kmspb.PublicKey, error) {
	if r.Name != keyName {
		return nil, status.Error(codes.NotFound, "no such key version")
	}
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	answer := &kmspb.PublicKey{Name: r.Name, Pem: string(text), PemCrc32C: wrapperspb.Int64(checksum(text)), Algorithm: s.algorithm}
	if s.damaged != nil {
		s.damaged(answer)
	}
	return answer, nil
}

func (s *standIn) AsymmetricSign(_ context.Context, r *kmspb.AsymmetricSignRequest) (*kmspb.AsymmetricSignResponse, error) {
	digest, hash := r.Digest.GetSha256(), crypto.SHA256
	if digest == nil {
		digest, hash = r.Digest.GetSha384(), crypto.SHA384
	}
	signature, err := s.key.Sign(rand.Reader, digest, hash)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	answer := &kmspb.AsymmetricSignResponse{
		Name: r.Name, Signature: signature, SignatureCrc32C: wrapperspb.Int64(checksum(signature)),
		VerifiedDigestCrc32C: r.DigestCrc32C.GetValue() == checksum(digest),
	}
	if s.broken != nil {
		s.broken(answer)
	}
	return answer, nil
}

func (s *standIn) open(t *testing.T, name string) (*Signer, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	kmspb.RegisterKeyManagementServiceServer(server, s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); <-served })
	signer, err := Open(t.Context(), name, option.WithEndpoint(l.Addr().String()), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err == nil {
		t.Cleanup(func() { signer.Close() })
	}
	return signer, err
}

func ec(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func certify(s *Signer) error {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, s.Public(), s)
	if err != nil {
		return err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	return c.CheckSignatureFrom(c)
}

func TestItSignsCertificates(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for algorithm, key := range map[kmspb.CryptoKeyVersion_CryptoKeyVersionAlgorithm]crypto.Signer{
		kmspb.CryptoKeyVersion_EC_SIGN_P256_SHA256:        ec(t, elliptic.P256()),
		kmspb.CryptoKeyVersion_EC_SIGN_P384_SHA384:        ec(t, elliptic.P384()),
		kmspb.CryptoKeyVersion_RSA_SIGN_PKCS1_2048_SHA256: rsaKey,
	} {
		signer, err := (&standIn{key: key, algorithm: algorithm}).open(t, keyName)
		if err != nil {
			t.Fatalf("%s: %v", algorithm, err)
		}
		if err := certify(signer); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		if _, err := signer.Sign(nil, make([]byte, 20), crypto.SHA1); err == nil {
			t.Errorf("%s: SHA-1 is signed", algorithm)
		}
		if _, err := signer.Sign(nil, make([]byte, 32), &rsa.PSSOptions{Hash: crypto.SHA256}); err == nil {
			t.Errorf("%s: PSS is promised", algorithm)
		}
	}
}

func TestWhatCameDamagedIsNotUsed(t *testing.T) {
	key := ec(t, elliptic.P256())
	for name, broken := range map[string]func(*kmspb.AsymmetricSignResponse){
		"another key's":       func(r *kmspb.AsymmetricSignResponse) { r.Name += "0" },
		"digest not verified": func(r *kmspb.AsymmetricSignResponse) { r.VerifiedDigestCrc32C = false },
		"a bit":               func(r *kmspb.AsymmetricSignResponse) { r.Signature[9] ^= 1 },
	} {
		signer, err := (&standIn{key: key, algorithm: kmspb.CryptoKeyVersion_EC_SIGN_P256_SHA256, broken: broken}).open(t, keyName)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signer.Sign(nil, make([]byte, 32), crypto.SHA256); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, damaged := range map[string]func(*kmspb.PublicKey){
		"another key's": func(k *kmspb.PublicKey) { k.Name += "0" },
		"a byte":        func(k *kmspb.PublicKey) { k.Pem += " " },
		"an algorithm":  func(k *kmspb.PublicKey) { k.Algorithm = kmspb.CryptoKeyVersion_RSA_SIGN_PSS_2048_SHA256 },
	} {
		if _, err := (&standIn{key: key, algorithm: kmspb.CryptoKeyVersion_EC_SIGN_P256_SHA256, damaged: damaged}).open(t, keyName); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if _, err := (&standIn{key: key}).open(t, keyName+"0"); err == nil || !strings.Contains(err.Error(), "no such key version") {
		t.Errorf("no such key: %v", err)
	}
}
