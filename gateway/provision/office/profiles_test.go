package office_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"iotbridge/gateway/provision"
	"iotbridge/gateway/provision/office"
)

func TestAProfileIsCompletedAndKept(t *testing.T) {
	b := newBed(t)
	p := b.profile("batch7")
	if p.Revision != 1 || p.ID != "batch7" || p.Registry != location+"/registries/plant7" || p.KeyMode != "csr" || p.DeviceID != "d-{serial}" ||
		p.Again != "refuse" || p.Lifetime != provision.Duration(8760*time.Hour) || p.Updated.IsZero() {
		t.Errorf("%+v", p)
	}
	var got office.Profile
	b.ask(&got, http.MethodGet, "profiles/batch7", "")
	if got.Revision != 1 || got.Bootstrap[0].SHA256 != sum1 || !got.Lists {
		t.Errorf("%+v", got)
	}
	if code, text := b.do(admin, http.MethodPut, "profiles/batch7", `{"registry":"plant7","bootstrap":[{"name":"b","sha256":"`+sum1+`"}]}`); code != http.StatusConflict {
		t.Errorf("made twice: %d %s", code, text)
	}
	if code, text := b.do(admin, http.MethodPut, "profiles/batch7", `{"revision":9,"registry":"plant7","bootstrap":[{"name":"b","sha256":"`+sum1+`"}]}`); code != 400 || !strings.Contains(text, "FAILED_PRECONDITION") {
		t.Errorf("changed by who has not seen it: %d %s", code, text)
	}
	b.ask(nil, http.MethodDelete, "profiles/batch7", "")
	if code, _ := b.do(admin, http.MethodGet, "profiles/batch7", ""); code != http.StatusNotFound {
		t.Error(code)
	}
}

func TestAWrongProfileIsRefusedAndSaysWhy(t *testing.T) {
	b := newBed(t)
	const good = `"registry":"plant7","bootstrap":[{"name":"b","sha256":"` + sum1 + `"}]`
	for body, want := range map[string]string{
		`{`:                     "body",
		`{}`:                    "registry",
		`{"registry":"plant7"}`: "bootstrap",
		`{"registry":"nowhere","bootstrap":[{"name":"b","sha256":"` + sum1 + `"}]}`:                                     "create it first",
		`{"registry":"a/b","bootstrap":[]}`:                                                                             "registry",
		`{` + good + `,"disable":true}`:                                                                                 "disable",
		`{` + good + `,"lists":true,"lists":false}`:                                                                     "duplicate",
		`{` + good + `,"Lists":true}`:                                                                                   "Lists",
		`{` + good + `} {}`:                                                                                             "body",
		`{` + good + `,"id":"another"}`:                                                                                 "the path's",
		`{` + good + `,"keyMode":"device"}`:                                                                             "keyMode",
		`{` + good + `,"reprovision":"always"}`:                                                                         "reprovision",
		`{` + good + `,"lifetime":"1s"}`:                                                                                "lifetime",
		`{` + good + `,"lifetime":"999999h"}`:                                                                           "lifetime",
		`{` + good + `,"secrets":true}`:                                                                                 "lists",
		`{` + good + `,"maxDevices":-1}`:                                                                                "maxDevices",
		`{` + good + `,"rates":{"address":-1}}`:                                                                         "rates",
		`{` + good + `,"deviceId":"device1"}`:                                                                           "{serial}",
		`{` + good + `,"deviceId":"9{serial}"}`:                                                                         "deviceId",
		`{` + good + `,"deviceId":"d-{serial}-{serial}"}`:                                                               "deviceId",
		`{` + good + `,"deviceId":"d-{serial}` + strings.Repeat("x", 200) + `"}`:                                        "deviceId",
		`{` + good + `,"webhook":{"url":"http://x.example/","secret":"0123456789abcdef"}}`:                              "https",
		`{` + good + `,"webhook":{"url":"https://u:p@x.example/","secret":"0123456789abcdef"}}`:                         "no user",
		`{` + good + `,"webhook":{"url":"https://x.example/"}}`:                                                         "secret is missing",
		`{` + good + `,"webhook":{"url":"https://x.example/","secret":"short"}}`:                                        "16 bytes",
		`{` + good + `,"webhook":{"url":"https://x.example/","secret":"0123456789abcdef","timeout":"31s"}}`:             "timeout",
		`{"registry":"plant7","bootstrap":[{"name":"b"}]}`:                                                              "one of them",
		`{"registry":"plant7","bootstrap":[{"name":"b","sha256":"11"}]}`:                                                "64 hexadecimal",
		`{"registry":"plant7","bootstrap":[{"name":"b","sha256":"` + sum1 + `"},{"name":"c","sha256":"` + sum1 + `"}]}`: "twice",
		`{"registry":"plant7","bootstrap":[{"name":"b","authority":"PEM"}]}`:                                            "PEM",
		`{"metadata":"` + strings.Repeat("x", 1<<20) + `"}`:                                                             "MiB",
	} {
		code, text := b.do(admin, http.MethodPut, "profiles/batch7", body)
		if code != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("%.150s: %d %s, want 400 and %q", body, code, text, want)
		}
	}
	if code, text := b.do(admin, http.MethodGet, "profiles/batch7", ""); code != http.StatusNotFound {
		t.Errorf("something of it was kept: %d %s", code, text)
	}
}

func TestTheWebhooksSecretIsNeverShown(t *testing.T) {
	b := newBed(t)
	p := b.profile("batch7")
	const secret = "a secret of the webhook"
	hook := func(with string) string {
		return `{"revision":REV,"registry":"plant7","bootstrap":[{"name":"b","sha256":"` + sum1 + `"}],"webhook":{"url":"https://x.example/"` + with + `}}`
	}
	for i, body := range []string{hook(`,"secret":"` + secret + `"`), hook("")} {
		revision := string(rune('0' + p.Revision))
		code, text := b.do(admin, http.MethodPut, "profiles/batch7", strings.ReplaceAll(body, "REV", revision))
		if code != 200 || strings.Contains(text, secret) {
			t.Errorf("%d: %d %s", i, code, text)
		}
		p.Revision++
	}
	for _, path := range []string{"profiles", "profiles/batch7"} {
		if code, text := b.do(admin, http.MethodGet, path, ""); code != 200 || strings.Contains(text, secret) || !strings.Contains(text, "https://x.example/") {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	b.ask(nil, http.MethodPost, "profiles/batch7:disable", "")
	kept, err := b.store.Provisioning().Profile(t.Context(), "batch7")
	if err != nil || kept.Webhook.Secret != secret {
		t.Errorf("the secret was lost: %v, %v", kept, err)
	}
}

// A file that is applied again does not undo what was done at night.
func TestP1_AnAppliedFileThrowsNoSwitchBack(t *testing.T) {
	b := newBed(t)
	p := b.profile("batch7")
	apply := func() {
		t.Helper()
		b.ask(&p, http.MethodGet, "profiles/batch7", "")
		b.ask(&p, http.MethodPut, "profiles/batch7", `{"revision":`+string(rune('0'+p.Revision))+`,"registry":"plant7","bootstrap":[{"name":"batch 1","sha256":"`+sum1+`"}]}`)
	}
	b.ask(nil, http.MethodPost, "profiles/batch7:disable", "")
	b.ask(nil, http.MethodPost, "profiles/batch7/bootstrap/"+strings.ToUpper(sum1)+":revoke", "")
	b.ask(nil, http.MethodPost, "profiles/batch7/bootstrap/"+sum2+":revoke", "")
	apply()
	if !p.Disabled || len(p.Bootstrap) != 2 || !p.Bootstrap[0].Revoked || !p.Bootstrap[1].Revoked || p.Bootstrap[1].SHA256 != sum2 {
		t.Errorf("%+v", p)
	}
	b.ask(nil, http.MethodPost, "profiles/batch7:enable", "")
	b.ask(nil, http.MethodPost, "profiles/batch7/bootstrap/"+sum1+":restore", "")
	p = office.Profile{}
	b.ask(&p, http.MethodGet, "profiles/batch7", "")
	if p.Disabled || p.Bootstrap[0].Revoked || !p.Bootstrap[1].Revoked {
		t.Errorf("%+v", p)
	}
	before := p.Revision
	b.ask(&p, http.MethodPost, "profiles/batch7:enable", "")
	if p.Revision != before {
		t.Error("a switch that stands already was written")
	}
	for path, code := range map[string]int{"bootstrap/" + strings.Repeat("3", 64) + ":restore": 404, "bootstrap/33:revoke": 400} {
		if got, text := b.do(admin, http.MethodPost, "profiles/batch7/"+path, ""); got != code {
			t.Errorf("%s: %d %s", path, got, text)
		}
	}
}

// Somebody else's change at the same moment does not keep a switch from being thrown.
func TestP1_ASwitchIsThrownWhoeverElseChanges(t *testing.T) {
	b := newBed(t)
	b.profile("batch7")
	books := &busy{Books: b.office.Books, times: 3}
	books.t = t
	b.office.Books = books
	var p office.Profile
	b.ask(&p, http.MethodPost, "profiles/batch7:disable", "")
	if !p.Disabled || p.MaxDevices != 3 || books.times != 0 {
		t.Errorf("%+v", p)
	}
}

// busy is books where another changes a profile whenever it was read.
type busy struct {
	office.Books
	t     *testing.T
	times int
}

func (b *busy) Profile(ctx context.Context, id string) (*provision.Profile, error) {
	p, err := b.Books.Profile(ctx, id)
	if err == nil && b.times > 0 {
		b.times--
		other := *p
		other.MaxDevices++
		if _, err := b.PutProfile(ctx, "another", &other); err != nil {
			b.t.Error(err)
		}
	}
	return p, err
}

// An authority goes by its own SHA-256: what is shown can be sent back, and revoked.
func TestAnAuthorityIsRevokedByItsFingerprint(t *testing.T) {
	b := newBed(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := provision.NewRoot(provision.ForBootstrap, "boards", key, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(der)
	sum, text := hex.EncodeToString(digest[:]), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	put := func(revision int64, sum string) (int, string) {
		body, err := json.Marshal(map[string]any{"revision": revision, "registry": "plant7", "bootstrap": []map[string]string{{"name": "a", "authority": text, "sha256": sum}}})
		if err != nil {
			t.Fatal(err)
		}
		return b.do(admin, http.MethodPut, "profiles/batch7", string(body))
	}
	if code, answer := put(0, sum1); code != http.StatusBadRequest || !strings.Contains(answer, sum) {
		t.Errorf("another's: %d %s", code, answer)
	}
	if code, answer := put(0, ""); code != http.StatusOK || !strings.Contains(answer, sum) {
		t.Fatalf("%d %s", code, answer)
	}
	b.ask(nil, http.MethodPost, "profiles/batch7/bootstrap/"+sum+":revoke", "")
	if code, answer := put(2, sum); code != http.StatusOK {
		t.Fatalf("%d %s", code, answer)
	}
	kept, err := b.store.Provisioning().Profile(t.Context(), "batch7")
	if err != nil || len(kept.Bootstrap) != 1 || !kept.Bootstrap[0].Revoked || kept.Bootstrap[0].SHA256 != "" {
		t.Errorf("%+v, %v", kept, err)
	}
}
