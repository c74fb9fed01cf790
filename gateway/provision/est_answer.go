package provision

import (
	"bytes"
	"encoding/asn1"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"sync"

	"github.com/smallstep/pkcs7"
)

// The content types of RFC 7030.
const (
	typeRequest    = "application/pkcs10"
	typeCerts      = "application/pkcs7-mime; smime-type=certs-only"
	typePrivateKey = "application/pkcs8"
	typeAttributes = "application/csrattrs"
)

// csrAttributes asks for a signature with SHA-256, a key on P-256 and the unit's
// serial: CsrAttrs of RFC 7030, section 4.5.2, in DER.
var csrAttributes = sync.OnceValue(func() []byte {
	type attribute struct {
		Type   asn1.ObjectIdentifier
		Values []asn1.ObjectIdentifier `asn1:"set"`
	}
	der, err := asn1.Marshal(struct {
		Signature asn1.ObjectIdentifier
		Key       attribute
		Serial    asn1.ObjectIdentifier
	}{
		asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, // ecdsa-with-SHA256
		attribute{
			asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1},        // id-ecPublicKey
			[]asn1.ObjectIdentifier{{1, 2, 840, 10045, 3, 1, 7}}, // on P-256
		},
		asn1.ObjectIdentifier{2, 5, 4, 5}, // serialNumber
	})
	if err != nil {
		panic(err) // constants
	}
	return der
})

// certsOnly is a degenerate PKCS #7 of the certificates, each in DER.
func certsOnly(certificates ...[]byte) ([]byte, error) {
	der, err := pkcs7.DegenerateCertificate(bytes.Join(certificates, nil))
	if err != nil {
		return nil, fmt.Errorf("PKCS #7: %w", err)
	}
	return der, nil
}

// answer is what a request is told.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// inBase64 is an answer of one of EST's types.
func inBase64(contentType string, der []byte) *answer {
	return &answer{http.StatusOK, http.Header{
		"Content-Type":              {contentType},
		"Content-Transfer-Encoding": {"base64"},
	}, encodeBase64(der)}
}

// keyAndCertificate is serverkeygen's answer (RFC 7030, section 4.4.2).
func keyAndCertificate(pkcs8, certs []byte) (*answer, error) {
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	for _, one := range []struct {
		contentType string
		der         []byte
	}{{typePrivateKey, pkcs8}, {typeCerts, certs}} {
		w, err := parts.CreatePart(textproto.MIMEHeader{
			"Content-Type":              {one.contentType},
			"Content-Transfer-Encoding": {"base64"},
		})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(encodeBase64(one.der)); err != nil {
			return nil, err
		}
	}
	if err := parts.Close(); err != nil {
		return nil, err
	}
	contentType := "multipart/mixed; boundary=" + parts.Boundary()
	return &answer{http.StatusOK, http.Header{"Content-Type": {contentType}}, body.Bytes()}, nil
}

// inCerts is an answer of certificates, each in DER.
func inCerts(certificates ...[]byte) (*answer, error) {
	der, err := certsOnly(certificates...)
	if err != nil {
		return nil, err
	}
	return inBase64(typeCerts, der), nil
}
