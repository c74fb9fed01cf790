package office_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"iotbridge/gateway"
	"iotbridge/gateway/devicemanager"
	"iotbridge/gateway/operators"
	"iotbridge/gateway/provision/office"
	"iotbridge/gateway/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const location = "projects/my-project/locations/us-central1"

// The operators' tokens.
const (
	admin  = "the token of the admin"
	viewer = "the token of the viewer"
	bound  = "the token of the admin of one registry"
	other  = "the token of the admin of another location"
)

// bed is the API behind Device Manager's guard, over a store of its own.
type bed struct {
	t      testing.TB
	store  *registry.Store
	office *office.API
	url    string
	client *http.Client
}

func newBed(t testing.TB) *bed {
	t.Helper()
	b := &bed{t: t, store: openStore(t)}
	for _, key := range []gateway.RegistryKey{{Project: "my-project", Location: "us-central1", Registry: "plant7"}, {Project: "my-project", Location: "asia-east1", Registry: "plant8"}} {
		if _, err := b.store.CreateRegistry(t.Context(), "test", &gateway.Registry{Key: key, MQTT: true}); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "operators")
	lines := operators.Operator{Name: "ada", Role: operators.Admin}.Line(admin) +
		operators.Operator{Name: "vera", Role: operators.Viewer, Within: location}.Line(viewer) +
		operators.Operator{Name: "pia", Role: operators.Admin, Within: location + "/registries/plant7"}.Line(bound) +
		operators.Operator{Name: "olga", Role: operators.Admin, Within: "projects/my-project/locations/asia-east1"}.Line(other)
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := operators.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	b.office = &office.API{Place: office.Place{Books: b.store.Provisioning(), Location: location}}
	manager := &devicemanager.Server{Admin: b.store, Bus: b.store, Operators: list}
	server := httptest.NewServer(manager.Guard(b.office.Call, b.office.Answer))
	t.Cleanup(server.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	b.url, b.client = server.URL, &http.Client{Transport: transport}
	return b
}

func openStore(t testing.TB) *registry.Store {
	t.Helper()
	store, err := registry.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "registry.db"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// send sends a request below /v1/provisioning/. A body that begins with { is JSON, any
// other a list.
func (b *bed) send(token, method, path string, body io.Reader, media string) (int, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+"/v1/provisioning/"+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (b *bed) do(token, method, path, body string) (int, string) {
	b.t.Helper()
	media := "text/csv"
	if strings.HasPrefix(body, "{") {
		media = "application/json"
	}
	return b.send(token, method, path, strings.NewReader(body), media)
}

// ask is the admin's, and must go well; the answer is decoded into into.
func (b *bed) ask(into any, method, path, body string) {
	b.t.Helper()
	code, text := b.do(admin, method, path, body)
	if code != http.StatusOK {
		b.t.Fatalf("%s %s: %d %s", method, path, code, text)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		b.t.Fatal(err, text)
	}
}

const (
	sum1 = "1111111111111111111111111111111111111111111111111111111111111111"
	sum2 = "2222222222222222222222222222222222222222222222222222222222222222"
)

// profile makes one, with lists.
func (b *bed) profile(id string) (p office.Profile) {
	b.t.Helper()
	b.ask(&p, http.MethodPut, "profiles/"+id, `{"registry":"plant7","bootstrap":[{"name":"batch 1","sha256":"`+sum1+`"}],"lists":true}`)
	return p
}

// list is what a list holds, in one string.
func (b *bed) list(profile, list string) string {
	b.t.Helper()
	var all []string
	for token := ""; ; {
		var page office.Entries
		b.ask(&page, http.MethodGet, "profiles/"+profile+"/lists/"+list+"?pageSize=2&pageToken="+token, "")
		for _, e := range page.Entries {
			mark := ""
			if e.Secured {
				mark = "*"
			}
			all = append(all, e.Serial+e.MAC+mark)
		}
		if token = page.Next; token == "" {
			return strings.Join(all, " ")
		}
	}
}
