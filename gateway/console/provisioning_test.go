package console_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
)

const (
	sum1 = "1111111111111111111111111111111111111111111111111111111111111111"
	sum2 = "2222222222222222222222222222222222222222222222222222222222222222"
	sum3 = "3333333333333333333333333333333333333333333333333333333333333333"
)

// profile makes one, with two bootstrap certificates.
func (b *bed) profile(id string, registry gateway.RegistryKey) {
	b.t.Helper()
	if _, err := b.store.Provisioning().PutProfile(b.t.Context(), "test", &provision.Profile{
		ID: id, Registry: registry, Bootstrap: []provision.Bootstrap{{Name: "batch 1", SHA256: sum1}, {Name: "batch 2", SHA256: sum2, Revoked: true}},
		Lists: true, Approval: true, MaxDevices: 5000, DeviceID: "d-{serial}", Webhook: &provision.Hook{URL: "https://hooks.example/x", Secret: "the secret of the hook"},
	}); err != nil {
		b.t.Fatal(err)
	}
}

// claim is one in batch7, asked for with a certificate.
func (b *bed) claim(serial string, state provision.ClaimState, bootstrap string) {
	b.t.Helper()
	key := sha256.Sum256([]byte(serial))
	change := &provision.Change{Claim: provision.Claim{Unit: provision.Unit{Serial: serial, MACs: []string{"02:00:00:00:00:01"}}, State: state, SPKI: key, Bootstrap: bootstrap}, Action: "provision_pending"}
	if _, err := b.store.Provisioning().Settle(b.t.Context(), "batch7", change.Claim.Unit, key, func(provision.Known) (*provision.Change, error) { return change, nil }); err != nil {
		b.t.Fatal(err)
	}
}

// books is all that provisioning has of batch7.
func (b *bed) books() string {
	b.t.Helper()
	ctx, office, all := b.t.Context(), b.store.Provisioning(), gateway.Page{Size: 500}
	p, err := office.Profile(ctx, "batch7")
	if err != nil {
		b.t.Fatal(err)
	}
	text := fmt.Sprintln(p.Disabled, p.Bootstrap, p.Webhook.Secret)
	claims, _, err := office.Claims(ctx, "batch7", "", all)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range claims {
		text += fmt.Sprintln(c.Unit.Serial, c.State, c.Reason)
	}
	for _, list := range []provision.List{provision.Allow, provision.Deny} {
		entries, _, err := office.Entries(ctx, "batch7", list, all)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, e := range entries {
			text += fmt.Sprintln(list, e.Serial, e.MAC, e.Secured)
		}
	}
	return text
}

func newOffice(t testing.TB) *bed {
	b := newBed(t)
	b.profile("batch7", key("plant7"))
	for i, state := range []provision.ClaimState{provision.Pending, provision.Pending, provision.Denied} {
		b.claim(fmt.Sprintf("SERIAL-%d", i), state, []string{sum1, sum1, sum3}[i])
	}
	return b
}

// provisioningForms are one of each, in an order in which each does something.
var provisioningForms = []struct {
	path   string
	fields url.Values
	back   string
	has    string // the books, afterwards
}{
	{"/claims/SERIAL-0/approve", url.Values{}, "", "SERIAL-0 APPROVED"},
	{"/claims/SERIAL-1/deny", url.Values{"reason": {"stolen & sold"}}, "", "SERIAL-1 DENIED stolen & sold"},
	{"/claims/SERIAL-2/reset", url.Values{"sure": {"SERIAL-2"}}, "", "SERIAL-1 DENIED stolen & sold\n"},
	{"/disable", url.Values{}, "", "true "},
	{"/enable", url.Values{}, "", "false "},
	{"/restore", url.Values{"sha256": {sum2}}, "", "{batch 2 " + sum2 + "  false"},
	{"/revoke", url.Values{"sha256": {strings.ToUpper(sum2)}}, "", "{batch 2 " + sum2 + "  true"},
	{"/revoke", url.Values{"sha256": {sum3}}, "", "{revoked " + sum3 + "  true"},
	{"/lists/allow", url.Values{"entries": {"serial,mac\r\nab-12,\r\n,02-00-00-00-00-02\r\n"}}, "/lists/allow", "allow  02:00:00:00:00:02 false\nallow AB-12  false\n"},
	{"/lists/deny", url.Values{"entries": {"AB-13"}}, "/lists/deny", "deny AB-13  false\n"},
	{"/lists/allow/remove", url.Values{"entry": {" ab-12 "}}, "/lists/allow", "02 false\ndeny"},
}

func TestProvisioningIsLookedAfter(t *testing.T) {
	b := newOffice(t)
	w := b.browse(admin)
	page := w.get("/provisioning").text
	for _, want := range []string{`href="/provisioning/batch7"`, "5,000", "SERIAL-0", "SERIAL-1", "allow list, approval, webhook"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing:\n%s", want, page)
		}
	}
	if strings.Contains(page, "SERIAL-2") {
		t.Error("a claim that was decided on waits")
	}
	page = w.get("/provisioning/batch7").text
	for _, want := range []string{
		`aria-current="true">PENDING <span class="count">2</span>`, `DENIED <span class="count">1</span>`, "SERIAL-1", "https://hooks.example/x", "All others",
		`aria-label="Revoke batch 1">Revoke</button></form></td>` + "\n      " + `<td class="number">2</td><td class="number">0</td>`, `aria-label="Restore batch 2"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing:\n%s", want, page)
		}
	}
	if strings.Contains(page, "secret of the hook") || strings.Contains(page, "SERIAL-2") {
		t.Error(page)
	}
	if page := w.get("/provisioning/batch7?state=").text; !strings.Contains(page, "SERIAL-2") {
		t.Error(page)
	}
	if page := w.get("/provisioning/batch7/claims/serial-0").text; !strings.Contains(page, "02:00:00:00:00:01") || !strings.Contains(page, sum1) {
		t.Error(page)
	}
	for _, f := range provisioningForms {
		a := w.post("/provisioning/batch7"+f.path, f.fields)
		if a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), "/provisioning/batch7"+f.back+"?done=") || !strings.Contains(b.books(), f.has) {
			t.Fatalf("%s: %d %s\n%s", f.path, a.status, a.text, b.books())
		}
		if page := w.get(a.header.Get("Location")); page.status != http.StatusOK || !strings.Contains(page.text, `class="done"`) {
			t.Errorf("%s: %d", f.path, page.status)
		}
	}
	if text := b.books(); strings.Contains(text, "SERIAL-2") || !strings.Contains(text, "the secret of the hook") {
		t.Error(text)
	}
	entries, _, err := b.store.Audit(t.Context(), gateway.Page{Size: len(provisioningForms)})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Actor != "ada" {
			t.Errorf("%+v", e)
		}
	}
}

func TestProvisioningFormsThatAreWrong(t *testing.T) {
	b := newOffice(t)
	w := b.browse(admin)
	before := b.books()
	for name, c := range map[string]struct {
		path   string
		fields url.Values
		want   int
		says   string
	}{
		"another's serial":     {"batch7/claims/SERIAL-0/reset", url.Values{"sure": {"SERIAL-1"}}, 400, "is not the unit"},
		"no such claim":        {"batch7/claims/SERIAL-9/approve", nil, 404, ""},
		"no serial":            {"batch7/claims/%3Cscript%3E/approve", nil, 404, ""},
		"a reason of lines":    {"batch7/claims/SERIAL-0/deny", url.Values{"reason": {"a\nb"}}, 400, "printable"},
		"a reason too long":    {"batch7/claims/SERIAL-0/deny", url.Values{"reason": {strings.Repeat("x", 257)}}, 400, "256"},
		"no certificate":       {"batch7/revoke", url.Values{"sha256": {"xyz"}}, 400, "64 hexadecimal"},
		"not named":            {"batch7/restore", url.Values{"sha256": {sum3}}, 404, ""},
		"no such profile":      {"batch8/enable", nil, 404, ""},
		"no such list":         {"batch7/lists/gone", url.Values{"entries": {"AB-12"}}, 404, ""},
		"no entry":             {"batch7/lists/allow", url.Values{"entries": {"\n# nothing\n"}}, 400, "no entry"},
		"no serial in line 1":  {"batch7/lists/allow", url.Values{"entries": {"<script>alert(1)</script>\nAB-12"}}, 400, "Line 1: "},
		"a secret as it is":    {"batch7/lists/allow", url.Values{"entries": {"serial,claim_secret\nAB-12,0123456789abcdef"}}, 400, "claim_secret_sha256"},
		"too large":            {"batch7/lists/allow", url.Values{"entries": {strings.Repeat("AB-12\n", 200_000)}}, 413, "too large"},
		"not on the list":      {"batch7/lists/allow/remove", url.Values{"entry": {"AB-99"}}, 404, ""},
		"no entry to take off": {"batch7/lists/allow/remove", url.Values{"entry": {"<b>"}}, 400, ""},
	} {
		if a := w.post("/provisioning/"+c.path, c.fields); a.status != c.want || !strings.Contains(a.text, c.says) || strings.Contains(a.text, "<script>alert") {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
	if after := b.books(); after != before {
		t.Errorf("%s\nwas %s", after, before)
	}
	if a := w.post("/provisioning/batch7/lists/allow", url.Values{"entries": {"AB-12\nAB-13\n!\nAB-14"}}); a.status != http.StatusBadRequest || !strings.Contains(a.text, "Line 3: ") || !strings.Contains(a.text, "The 2 entries before it are on the list") || strings.Contains(b.books(), "AB-14") || !strings.Contains(b.books(), "AB-13") {
		t.Errorf("%d %s", a.status, a.text)
	}
}

// Each form, from who may not send it, and from where it may not come.
func TestR4_ProvisioningIsChangedByItsAdminsAlone(t *testing.T) {
	b := newOffice(t)
	b.post(t, "AB-12")
	before := b.books()
	looks, one, changes := b.browse(viewer), b.browse(bound), b.browse(admin)
	for _, f := range provisioningForms {
		path := "/provisioning/batch7" + f.path
		fields := func(word string) url.Values {
			sent := url.Values{"word": {word}}
			for name, values := range f.fields {
				sent[name] = values
			}
			return sent
		}
		for name, a := range map[string]answer{
			"a viewer": looks.post(path, fields(looks.word)), "of one registry": one.post(path, fields(one.word)),
			"without the word": changes.send(http.MethodPost, path, f.fields), "with another's word": changes.post(path, fields(looks.word)),
			"from another site": changes.send(http.MethodPost, path, fields(changes.word), "Sec-Fetch-Site", "cross-site"),
		} {
			if a.status != http.StatusForbidden {
				t.Errorf("%s: %s: %d", path, name, a.status)
			}
		}
		if after := b.books(); after != before {
			t.Fatalf("%s changed\n%s\nto\n%s", path, before, after)
		}
	}
	for _, path := range []string{"", "/batch7", "/batch7/claims/SERIAL-0", "/batch7/lists/allow"} {
		if a := looks.get("/provisioning" + path); a.status != http.StatusOK || strings.Contains(strings.ReplaceAll(a.text, `<form class="who" method="post"`, ""), `method="post"`) {
			t.Errorf("%s: %d, or a viewer is shown a form", path, a.status)
		}
		if a := one.get("/provisioning" + path); a.status != http.StatusForbidden {
			t.Errorf("%s for an operator of one registry: %d", path, a.status)
		}
	}
}

// post puts an entry on the allow list.
func (b *bed) post(t testing.TB, serial string) {
	t.Helper()
	if _, err := b.store.Provisioning().Enlist(t.Context(), "test", "batch7", provision.Allow, func(yield func(provision.Entry, error) bool) {
		yield(provision.Entry{Serial: serial}, nil)
	}); err != nil {
		t.Fatal(err)
	}
}

func TestAProfileOfAnotherLocationIsNotHere(t *testing.T) {
	b := newBed(t)
	far := gateway.RegistryKey{Project: "my-project", Location: "asia-east1", Registry: "plant9"}
	if _, err := b.store.CreateRegistry(t.Context(), "test", &gateway.Registry{Key: far, MQTT: true}); err != nil {
		t.Fatal(err)
	}
	b.profile("batch7", far)
	b.claim("SERIAL-0", provision.Pending, sum1)
	before := b.books()
	w := b.browse(admin)
	if page := w.get("/provisioning").text; strings.Contains(page, "batch7") || strings.Contains(page, "SERIAL-0") {
		t.Error(page)
	}
	for _, path := range []string{"", "/claims/SERIAL-0", "/lists/allow"} {
		if a := w.get("/provisioning/batch7" + path); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	for _, f := range provisioningForms {
		path := strings.ReplaceAll(f.path, "SERIAL-2", "SERIAL-0")
		if a := w.post("/provisioning/batch7"+path, url.Values{"sure": {"SERIAL-0"}, "sha256": f.fields["sha256"], "entries": f.fields["entries"], "entry": f.fields["entry"]}); a.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, a.status, a.text)
		}
	}
	if after := b.books(); after != before {
		t.Errorf("%s\nwas %s", after, before)
	}
	without := newBed(t)
	without.console.Office = nil
	if a := without.browse(admin).get("/provisioning"); a.status != http.StatusNotFound || !strings.Contains(a.text, "--provision-ca") {
		t.Errorf("%d %s", a.status, a.text)
	}
}

func TestClaimsAndEntriesHavePages(t *testing.T) {
	b := newBed(t)
	b.profile("batch7", key("plant7"))
	for i := range 60 {
		b.claim(fmt.Sprintf("UNIT-%03d", i), provision.Pending, sum1)
		b.post(t, fmt.Sprintf("UNIT-%03d", i))
	}
	w := b.browse(viewer)
	for path, item := range map[string]string{"/provisioning/batch7": `/claims/UNIT-`, "/provisioning/batch7/lists/allow": "<code>UNIT-"} {
		seen := 0
		for next := path; next != ""; {
			a := w.get(next)
			if a.status != http.StatusOK {
				t.Fatal(next, a.status, a.text)
			}
			seen += strings.Count(a.text, item)
			before, _, more := strings.Cut(a.text, `" rel="next">`)
			if next = ""; more {
				next = strings.ReplaceAll(before[strings.LastIndex(before, `href="`)+len(`href="`):], "&amp;", "&")
			}
		}
		if seen != 60 {
			t.Errorf("%s: %d on all pages, want 60", path, seen)
		}
	}
	if page := w.get("/provisioning").text; strings.Count(page, "/claims/UNIT-") != 10 || !strings.Contains(page, "All that wait in batch7") {
		t.Error(page)
	}
	for _, path := range []string{"/provisioning?token=x", "/provisioning/batch7?token=x", "/provisioning/batch7?state=x", "/provisioning/batch7/lists/allow?token=x"} {
		if a := w.get(path); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

// R3: names, reasons and what stands in an address are text.
func TestR3_ProvisioningIsText(t *testing.T) {
	b := newBed(t)
	b.profile("batch7", key("plant7"))
	b.claim("SERIAL-0", provision.Pending, sum1)
	office := b.store.Provisioning()
	w := b.browse(admin)
	for _, evil := range append(hostile, strings.Repeat("x", 100_000)) {
		p, err := office.Profile(t.Context(), "batch7")
		if err != nil {
			t.Fatal(err)
		}
		p.Bootstrap = []provision.Bootstrap{{Name: evil, SHA256: sum1}, {Name: evil, SHA256: evil}}
		p.Webhook.URL, p.Again = evil, provision.Again(evil)
		if _, err := office.PutProfile(t.Context(), "test", p); err != nil {
			t.Fatal(err)
		}
		if _, err := office.Deny(t.Context(), "test", "batch7", "SERIAL-0", evil); err != nil {
			t.Fatal(err)
		}
		b.claim("SERIAL-1", provision.Pending, evil)
		for _, path := range []string{
			"", "/batch7", "/batch7?state=", "/batch7/claims/SERIAL-0", "/batch7/claims/SERIAL-1", "/batch7/lists/allow", "/" + url.PathEscape(evil[:min(len(evil), 1000)]),
			"/batch7/claims/" + url.PathEscape(evil[:min(len(evil), 1000)]), "/batch7/lists/" + url.PathEscape(evil[:min(len(evil), 1000)]), "/batch7?state=" + url.QueryEscape(evil[:min(len(evil), 1000)]),
		} {
			a := w.get("/provisioning" + path)
			for _, bad := range bads {
				if strings.Contains(a.text, bad) {
					t.Errorf("%s with %.50q: %s", path, evil, bad)
				}
			}
			if len(a.text) > 250_000 || a.status >= 500 {
				t.Errorf("%s with %.50q: %d, %d bytes", path, evil, a.status, len(a.text))
			}
		}
		if err := office.Reset(t.Context(), "test", "batch7", "SERIAL-1"); err != nil {
			t.Fatal(err)
		}
	}
}
