package provision

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
)

const typeJSON = "application/json"

// credential is what enroll and self answer.
type credential struct {
	RequestID string `json:"requestId"`
	Device    struct {
		Project  string `json:"projectId"`
		Location string `json:"location"`
		Registry string `json:"registryId"`
		Device   string `json:"deviceId"`
		Number   uint64 `json:"numId,string"`
		Name     string `json:"name"`
	} `json:"device"`
	Certificate    string    `json:"certificate"`          // PEM
	CACertificates []string  `json:"caCertificates"`       // PEM: those that devices' certificates are issued by
	PrivateKey     string    `json:"privateKey,omitempty"` // PEM; once, when it was made here
	MQTT           *location `json:"mqtt,omitempty"`
	HTTP           *location `json:"http,omitempty"`
	NotAfter       time.Time `json:"notAfter"`
	RenewAfter     time.Time `json:"renewAfter"` // two thirds of the lifetime
}

func (s *Server) jsonEnroll(c *call) (*answer, error) {
	e, err := readEnrolment(c.body)
	if err != nil {
		return nil, err
	}
	if e.RequestID != "" {
		c.id = e.RequestID
	}
	r := c.request()
	if err := e.request(&r); err != nil {
		return nil, err
	}
	c.serial = r.Unit.Serial
	g, err := s.Desk.Enroll(c.Context(), r)
	if err != nil {
		return nil, err
	}
	defer g.Forget()
	status := http.StatusOK
	if g.Fresh {
		status = http.StatusCreated
	}
	return s.answer(c, status, &g.Claim, g.PrivateKey)
}

func (s *Server) jsonSelf(c *call) (*answer, error) {
	return s.answer(c, http.StatusOK, c.claim, nil)
}

// answer names the device and holds its credential.
func (s *Server) answer(c *call, status int, claim *Claim, private []byte) (*answer, error) {
	leaf, err := x509.ParseCertificate(claim.Certificate)
	if err != nil {
		return nil, fmt.Errorf("the certificate of %s: %w", claim.Device, err)
	}
	out := credential{
		RequestID: c.id, Certificate: armour("CERTIFICATE", leaf.Raw), MQTT: s.MQTT.reached(c.Request), HTTP: s.HTTP.reached(c.Request),
		NotAfter: leaf.NotAfter, RenewAfter: renewAfter(leaf),
	}
	key := claim.Device
	out.Device.Project, out.Device.Location, out.Device.Registry = key.Project, key.Location, key.Registry
	out.Device.Device, out.Device.Number, out.Device.Name = key.Device, claim.Number, key.String()
	for _, authority := range s.Desk.Authority.Current().Certificates() {
		out.CACertificates = append(out.CACertificates, armour("CERTIFICATE", authority.Raw))
	}
	if private != nil {
		out.PrivateKey = armour("PRIVATE KEY", private)
	}
	body, err := json.Marshal(&out)
	if err != nil {
		return nil, err
	}
	return &answer{status, http.Header{"Content-Type": {typeJSON}}, append(body, '\n')}, nil
}

// renewAfter is when two thirds of the lifetime are over. What NotBefore lets slow
// clocks have is none of it.
func renewAfter(leaf *x509.Certificate) time.Time {
	begin := leaf.NotBefore.Add(clockSkew)
	return begin.Add(leaf.NotAfter.Sub(begin) * 2 / 3)
}

func armour(name string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: name, Bytes: der}))
}
