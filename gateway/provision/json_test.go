package provision_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
)

// problem checks an answer that grants nothing.
func problem(t testing.TB, what string, got reply, status int, code string) {
	t.Helper()
	var p struct {
		Type, Title, Detail, Code string
		Status                    int
		RequestID                 string `json:"requestId"`
	}
	if got.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s: %d is a %s", what, got.code, got.header.Get("Content-Type"))
	}
	if err := json.Unmarshal([]byte(got.body), &p); err != nil || p.Type != "about:blank" || p.Title == "" || p.Detail == "" || uuid.Validate(p.RequestID) != nil || p.Status != got.code {
		t.Errorf("%s: %d %q is no problem", what, got.code, got.body)
	}
	if got.code != status || p.Code != code {
		t.Errorf("%s: %d %s, want %d %s", what, got.code, p.Code, status, code)
	}
	if got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: may be stored", what)
	}
}

// credential is what enroll and self answer.
type credential struct {
	RequestID string
	Device    struct {
		ProjectID, Location, RegistryID, DeviceID, NumID, Name string
	}
	Certificate    string
	CACertificates []string
	PrivateKey     string
	MQTT, HTTP     struct {
		Host string
		Port int
	}
	NotAfter, RenewAfter time.Time
}

func (r reply) credential(t testing.TB, status int) (c credential, leaf *x509.Certificate) {
	t.Helper()
	if r.code != status || r.header.Get("Content-Type") != "application/json" || r.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s %s, want %d", r.code, r.header.Get("Content-Type"), r.body, status)
	}
	d := json.NewDecoder(strings.NewReader(r.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode([]byte(c.Certificate))
	if block == nil || len(rest) > 0 {
		t.Fatalf("no certificate: %s", r.body)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c, leaf
}

func body(members map[string]any) []byte {
	text, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return text
}

func identifiers(serial string, macs ...string) map[string]any {
	all := map[string]any{"serialNumber": serial}
	if macs != nil {
		all["macAddresses"] = macs
	}
	return all
}

func armoured(name string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: name, Bytes: der}))
}

func (b *board) enroll(members map[string]any) reply {
	b.t.Helper()
	return b.call(b.Client, "POST", "/v1/provisioning/batch:enroll", body(members), "Content-Type", "application/json")
}

// enrolled makes a device of the serial, and returns its certificate with its key.
func (s *site) enrolled(serial string) *tls.Certificate {
	s.t.Helper()
	key := newKey(s.t)
	got := s.board(serial).enroll(map[string]any{"identifiers": identifiers(serial), "csr": armoured("CERTIFICATE REQUEST", csr(s.t, key, serial))})
	_, leaf := got.credential(s.t, http.StatusCreated)
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
}

func TestEnrollAndSelf(t *testing.T) {
	s := open(t, nil)
	key := newKey(t)
	members := map[string]any{
		"requestId":   "8a6e0804-2bd0-4672-b79d-d97027f9071a",
		"identifiers": identifiers("10000000abcdef01", "B8-27-EB-00-00-01"),
		"csr":         armoured("CERTIFICATE REQUEST", csr(t, key, "10000000abcdef01")),
	}
	first := s.board("10000000abcdef01").enroll(members)
	c, leaf := first.credential(t, http.StatusCreated)
	if c.RequestID != members["requestId"] || c.PrivateKey != "" {
		t.Errorf("%+v", c)
	}
	name := "projects/project-1/locations/us-central1/registries/RaspberryPiDevices/devices/d-10000000ABCDEF01"
	if d := c.Device; d.ProjectID != fleet.Project || d.Location != fleet.Location || d.RegistryID != fleet.Registry || d.DeviceID != "d-10000000ABCDEF01" || d.Name != name || len(d.NumID) != 16 {
		t.Errorf("%+v", d)
	}
	if c.MQTT.Host != "mqtt.example.com" || c.MQTT.Port != 8883 || c.HTTP.Host != "gateway.test" || c.HTTP.Port != 8443 {
		t.Errorf("%+v %+v", c.MQTT, c.HTTP)
	}
	if !leaf.PublicKey.(*ecdsa.PublicKey).Equal(key.Public()) || !leaf.NotAfter.Equal(c.NotAfter) {
		t.Error("the certificate is another's")
	}
	if len(c.CACertificates) != 1 || c.CACertificates[0] != armoured("CERTIFICATE", s.devices.Certificate.Raw) {
		t.Errorf("authorities: %s", c.CACertificates)
	}
	left := time.Until(c.RenewAfter).Hours() / time.Until(c.NotAfter).Hours()
	if left < 0.63 || left > 0.70 {
		t.Errorf("renewed after %s, ends %s", c.RenewAfter, c.NotAfter)
	}

	// B69: a lost answer is asked for again, and is the same.
	again := s.board("10000000ABCDEF01").enroll(members)
	again.credential(t, http.StatusOK)
	if again.body != first.body {
		t.Errorf("again:\n%s\nfirst:\n%s", again.body, first.body)
	}
	// The device itself is told the same.
	self := s.call(s.client(&tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}), "GET", "/v1/provisioning/self", nil)
	self.credential(t, http.StatusOK)
	if requestID.ReplaceAllString(self.body, "") != requestID.ReplaceAllString(first.body, "") {
		t.Errorf("self:\n%s\nfirst:\n%s", self.body, first.body)
	}
	// P2: another key has come too late.
	members["csr"] = armoured("CERTIFICATE REQUEST", csr(t, newKey(t), "10000000abcdef01"))
	problem(t, "another key", s.board("").enroll(members), http.StatusConflict, "ALREADY_PROVISIONED")
	if got := s.claims("batch"); len(got) != 1 {
		t.Errorf("%d claims", len(got))
	}
}

func proof(t testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	text, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// P10: a public key without a request is granted only with its own signature over this
// request.
func TestP10_AProofIsOfTheKeyAndTheRequest(t *testing.T) {
	s := open(t, nil)
	key := newKey(t)
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public, id := armoured("PUBLIC KEY", der), uuid.NewString()
	claims := func(changes ...string) jwt.MapClaims {
		m := jwt.MapClaims{"profile": "batch", "requestId": id, "serialNumber": "SN-0001"}
		for i := 0; i+1 < len(changes); i += 2 {
			m[changes[i]] = changes[i+1]
		}
		return m
	}
	good := proof(t, jwt.SigningMethodES256, key, claims())
	b := s.board("SN-0001")
	ask := func(proof string) reply {
		return b.enroll(map[string]any{"requestId": id, "identifiers": identifiers("SN-0001"), "publicKey": public, "proof": proof})
	}
	for what, text := range map[string]string{
		"none":                  "",
		"not a JWS":             "x.y.z",
		"by another key":        proof(t, jwt.SigningMethodES256, newKey(t), claims()),
		"unsigned":              proof(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims()),
		"a MAC with the key":    proof(t, jwt.SigningMethodHS256, []byte(public), claims()),
		"for another request":   proof(t, jwt.SigningMethodES256, key, claims("requestId", uuid.NewString())),
		"for another serial":    proof(t, jwt.SigningMethodES256, key, claims("serialNumber", "SN-0002")),
		"for another profile":   proof(t, jwt.SigningMethodES256, key, claims("profile", "other")),
		"cut":                   good[:len(good)-4],
		"for no request at all": proof(t, jwt.SigningMethodES256, key, jwt.MapClaims{}),
	} {
		problem(t, what, ask(text), http.StatusBadRequest, "POP_FAILED")
	}
	if len(s.claims("batch")) != 0 {
		t.Error("something was written")
	}
	_, leaf := ask(good).credential(t, http.StatusCreated)
	if !leaf.PublicKey.(*ecdsa.PublicKey).Equal(key.Public()) {
		t.Error("another key was certified")
	}
}

// What is not exactly a request is refused, and nothing is written.
func TestJSONIsReadStrictly(t *testing.T) {
	s := open(t, nil)
	b := s.board("SN-0001")
	request, err := json.Marshal(armoured("CERTIFICATE REQUEST", csr(t, newKey(t), "SN-0001")))
	if err != nil {
		t.Fatal(err)
	}
	good := `{"identifiers":{"serialNumber":"SN-0001"},"csr":` + string(request) + `}`
	for what, text := range map[string]string{
		"nothing":                     "",
		"a list":                      "[" + good + "]",
		"a string":                    `"x"`,
		"two values":                  good + good,
		"something after it":          good + "x",
		"an unknown member":           strings.Replace(good, "{", `{"allow":true,`, 1),
		"an unknown identifier":       strings.Replace(good, `{"serial`, `{"imei":"1","serial`, 1),
		"a member twice":              strings.Replace(good, "{", `{"csr":"x",`, 1),
		"an identifier twice":         strings.Replace(good, `{"serial`, `{"serialNumber":"SN-0002","serial`, 1),
		"an escaped twin":             strings.Replace(good, "{", `{"\u0063sr":"x",`, 1),
		"another case":                strings.Replace(good, `"csr"`, `"CSR"`, 1),
		"a case twin":                 strings.Replace(good, "{", `{"CSR":"x",`, 1),
		"a number for a serial":       strings.Replace(good, `"SN-0001"`, `10000001`, 1),
		"a list for a serial":         strings.Replace(good, `"SN-0001"`, `["SN-0001"]`, 1),
		"a MAC for MACs":              strings.Replace(good, `"SN-0001"`, `"SN-0001","macAddresses":"b8:27:eb:00:00:01"`, 1),
		"no UTF-8":                    strings.Replace(good, "SN-0001", "SN-0001\xff", 1),
		"half a surrogate":            strings.Replace(good, "SN-0001", `SN-\ud800`, 1),
		"cut":                         good[:len(good)-1],
		"a comment":                   "// x\n" + good,
		"a byte order mark":           "\ufeff" + good,
		"a thousand deep":             strings.Repeat(`{"identifiers":`, 1000) + "1" + strings.Repeat("}", 1000),
		"a request id that is none":   strings.Replace(good, "{", `{"requestId":"1",`, 1),
		"a request id with line ends": strings.Replace(good, "{", `{"requestId":"8a6e0804-2bd0-4672-b79d-d97027f9071\n",`, 1),
		"a key beside the request":    strings.Replace(good, "{", `{"publicKey":"x",`, 1),
		"a proof without its key":     `{"identifiers":{"serialNumber":"SN-0001"},"proof":"x"}`,
		"a proof of any request":      `{"identifiers":{"serialNumber":"SN-0001"},"publicKey":"x","proof":"x"}`,
		"a claim proof that is short": strings.Replace(good, "{", `{"claimProof":"AAAA",`, 1),
	} {
		problem(t, what, b.call(b.Client, "POST", "/v1/provisioning/batch:enroll", []byte(text)), http.StatusBadRequest, "BAD_REQUEST")
	}
	for what, change := range map[string]func(map[string]any){
		"no identifiers":       func(m map[string]any) { delete(m, "identifiers") },
		"an empty serial":      func(m map[string]any) { m["identifiers"] = identifiers("") },
		"a serial of another":  func(m map[string]any) { m["identifiers"] = identifiers("SN-0002") },
		"a serial (P5), NUL":   func(m map[string]any) { m["identifiers"] = identifiers("SN\x000001") },
		"a serial (P5), 10 KB": func(m map[string]any) { m["identifiers"] = identifiers(strings.Repeat("S", 10_000)) },
		"a serial (P5), sharp": func(m map[string]any) { m["identifiers"] = identifiers("SN-ſ001") },
		"a MAC that is none":   func(m map[string]any) { m["identifiers"] = identifiers("SN-0001", "00") },
	} {
		m := map[string]any{"identifiers": identifiers("SN-0001"), "csr": armoured("CERTIFICATE REQUEST", csr(t, newKey(t), "SN-0001"))}
		change(m)
		problem(t, what, b.enroll(m), http.StatusBadRequest, "BAD_IDENTIFIERS")
	}
	if len(s.claims("batch")) != 0 {
		t.Error("something was written")
	}
	if got := b.call(b.Client, "POST", "/v1/provisioning/batch:enroll", []byte(good)); got.code != http.StatusCreated {
		t.Errorf("the good one: %d %s", got.code, got.body)
	}
}

// P3: of a 403 the board learns nothing but that it is one, over JSON and over EST.
func TestP3_DeniedLooksAlike(t *testing.T) {
	s := open(t, func(p *provision.Profile) { p.Lists = true })
	list := func(list provision.List, serial string) {
		t.Helper()
		entries := func(yield func(provision.Entry, error) bool) { yield(provision.Entry{Serial: serial}, nil) }
		if _, err := s.office.Enlist(t.Context(), "test", "batch", list, entries); err != nil {
			t.Fatal(err)
		}
	}
	list(provision.Allow, "SN-DENIED")
	list(provision.Deny, "SN-DENIED")
	list(provision.Allow, "SN-0001")
	own := s.enrolled("SN-0001").PrivateKey.(*ecdsa.PrivateKey)
	key := gateway.DeviceKey{RegistryKey: fleet, Device: "d-SN-0001"}
	if _, err := s.store.UpdateDevice(t.Context(), "test", key, func(d *gateway.Device) error { d.Blocked = true; return nil }); err != nil {
		t.Fatal(err)
	}
	var answers []string
	for _, serial := range []string{"SN-DENIED", "SN-UNKNOWN", "SN-0001"} {
		b := s.board(serial)
		request := csr(t, newKey(t), serial)
		if serial == "SN-0001" { // another key would meet a claim
			request = csr(t, own, serial)
		}
		got := b.enroll(map[string]any{"identifiers": identifiers(serial), "csr": armoured("CERTIFICATE REQUEST", request)})
		problem(t, serial, got, http.StatusForbidden, "DENIED")
		answers = append(answers, requestID.ReplaceAllString(got.body, ""))
		got = b.est("simpleenroll", request)
		problem(t, serial+" over EST", got, http.StatusForbidden, "DENIED")
		answers = append(answers, requestID.ReplaceAllString(got.body, ""))
	}
	if len(slices.Compact(answers)) != 1 {
		t.Errorf("they differ: %q", answers)
	}
}

func TestWhoMustWaitIsToldHowLong(t *testing.T) {
	s := open(t, func(p *provision.Profile) { p.Approval = true })
	b := s.board("SN-0001")
	request := csr(t, newKey(t), "SN-0001")
	members := map[string]any{"identifiers": identifiers("SN-0001"), "csr": armoured("CERTIFICATE REQUEST", request)}
	for what, got := range map[string]reply{"JSON": b.enroll(members), "EST": b.est("simpleenroll", request)} {
		problem(t, what, got, http.StatusAccepted, "PENDING_APPROVAL")
		if got.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", what)
		}
	}
	if _, err := s.office.Approve(t.Context(), "test", "batch", "SN-0001"); err != nil {
		t.Fatal(err)
	}
	b.enroll(members).credential(t, http.StatusCreated)

	// What is our fault is not the board's.
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	for what, got := range map[string]reply{"JSON": b.enroll(members), "EST": b.est("simpleenroll", request)} {
		problem(t, what, got, http.StatusServiceUnavailable, "STORE_UNAVAILABLE")
		if got.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", what)
		}
	}
}

// Guideline 2: the key is made here, when neither request nor key has come.
func TestAKeyMadeHere(t *testing.T) {
	s := open(t, func(p *provision.Profile) { p.KeyMode = provision.KeyOnServer })
	c, leaf := s.board("SN-0001").enroll(map[string]any{"identifiers": identifiers("SN-0001")}).credential(t, http.StatusCreated)
	block, rest := pem.Decode([]byte(c.PrivateKey))
	if block == nil || block.Type != "PRIVATE KEY" || len(rest) > 0 {
		t.Fatal("no key")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !key.(*ecdsa.PrivateKey).PublicKey.Equal(leaf.PublicKey) {
		t.Error("the key is not the certificate's")
	}
	self := s.call(s.client(&tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}), "GET", "/v1/provisioning/self", nil)
	if again, _ := self.credential(t, http.StatusOK); again.PrivateKey != "" {
		t.Error("the key is told twice")
	}
	got := s.board("").enroll(map[string]any{"identifiers": identifiers("SN-0002"), "csr": armoured("CERTIFICATE REQUEST", csr(t, newKey(t), "SN-0002"))})
	problem(t, "a key made elsewhere", got, http.StatusBadRequest, "KEY_NOT_ALLOWED")
}

// P20: bodies are bounded, of the right type and not compressed, and are not read of
// those who may not ask.
func TestP20_BodiesAreBounded(t *testing.T) {
	s := open(t, nil)
	b := s.board("SN-0001")
	long := bytes.Repeat([]byte(" "), 64<<10+1)
	for _, at := range []string{"/v1/provisioning/batch:enroll", "/.well-known/est/batch/simpleenroll", "/.well-known/est/batch/serverkeygen"} {
		problem(t, at+", too long", b.call(b.Client, "POST", at, long), http.StatusRequestEntityTooLarge, "BODY_TOO_LARGE")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.address+at, struct{ *bytes.Reader }{bytes.NewReader(long)})
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = -1
		problem(t, at+", too long in chunks", s.do(b.Client, r), http.StatusRequestEntityTooLarge, "BODY_TOO_LARGE")
		for _, headers := range [][]string{
			{"Content-Encoding", "gzip"},
			{"Content-Encoding", "identity", "Content-Encoding", "gzip"},
			{"Content-Type", "text/plain"},
			{"Content-Type", "application/x-www-form-urlencoded"},
			{"Content-Type", "application/json", "Content-Type", "application/pkcs10"},
			{"Content-Type", "/"},
		} {
			problem(t, at, b.call(b.Client, "POST", at, []byte("x"), headers...), http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE")
		}
		problem(t, at+", a stranger", b.call(s.client(nil), "POST", at, long), http.StatusUnauthorized, "NO_CLIENT_CERTIFICATE")
	}
}
