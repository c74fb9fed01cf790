package console_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"iotbridge/gateway"
	"iotbridge/gateway/console"
	"iotbridge/gateway/devicemanager"
	"iotbridge/gateway/operators"
	"iotbridge/gateway/registry"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The stock clients start these: one for ever, one for twenty minutes a stream.
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
		goleak.IgnoreAnyFunction("cloud.google.com/go/bigquery/storage/managedwriter.(*connection).getStream.func1"))
}

const (
	location = "projects/my-project/locations/us-central1"
	plant7   = location + "/registries/plant7"
)

// The operators' tokens.
const (
	admin  = "the token of the admin"
	viewer = "the token of the viewer"
	bound  = "the token of the admin of plant7 alone"
)

// bed is a console over a store of its own, with the registries plant7 and plant8.
type bed struct {
	t       testing.TB
	store   *registry.Store
	console *console.Console
	file    string // of operators
	url     string
}

// newBed serves a console; with may change it before.
func newBed(t testing.TB, with ...func(*console.Console)) *bed {
	t.Helper()
	b := &bed{t: t, store: openStore(t, filepath.Join(t.TempDir(), "registry.db")), file: filepath.Join(t.TempDir(), "operators")}
	for _, name := range []string{"plant7", "plant8"} {
		if _, err := b.store.CreateRegistry(t.Context(), "test", &gateway.Registry{Key: key(name), MQTT: true, HTTP: true}); err != nil {
			t.Fatal(err)
		}
	}
	lines := operators.Operator{Name: "ada", Role: operators.Admin}.Line(admin) + operators.Operator{Name: "vera", Role: operators.Viewer}.Line(viewer) +
		operators.Operator{Name: "pia", Role: operators.Admin, Within: plant7}.Line(bound)
	if err := os.WriteFile(b.file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := operators.Open(b.file)
	if err != nil {
		t.Fatal(err)
	}
	b.console = &console.Console{
		Manager: &devicemanager.Server{Admin: b.store, Bus: b.store, Operators: list}, Fleet: b.store.Fleet(),
		Project: "my-project", Location: "us-central1", Office: b.store.Provisioning(),
	}
	for _, change := range with {
		change(b.console)
	}
	server := httptest.NewServer(b.console.Handler())
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.console.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		server.Close()
	})
	b.url = server.URL
	return b
}

func key(name string) gateway.RegistryKey {
	return gateway.RegistryKey{Project: "my-project", Location: "us-central1", Registry: name}
}

func openStore(t testing.TB, file string) *registry.Store {
	t.Helper()
	store, err := registry.Open(t.Context(), "sqlite:"+file, registry.Options{})
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

// create makes a device in plant7.
func (b *bed) create(name string) *gateway.Device {
	b.t.Helper()
	d, err := b.store.CreateDevice(b.t.Context(), "test", &gateway.Device{Key: gateway.DeviceKey{RegistryKey: key("plant7"), Device: name}})
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

// browser is one that somebody has signed in with; it follows no redirect.
type browser struct {
	*bed
	client *http.Client
	word   string // of its session's forms
}

var wordField = regexp.MustCompile(`name="word" value="([^"]+)"`)

// browse signs in with a token; "" is nobody.
func (b *bed) browse(token string) *browser {
	b.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	transport := &http.Transport{}
	b.t.Cleanup(transport.CloseIdleConnections)
	w := &browser{bed: b, client: &http.Client{Transport: transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if token == "" {
		return w
	}
	if a := w.send(http.MethodPost, "/login", url.Values{"token": {token}}); a.status != http.StatusSeeOther {
		b.t.Fatalf("signing in: %d %s", a.status, a.text)
	}
	home := w.get("/")
	if home.status == http.StatusSeeOther { // who may see one registry alone
		home = w.get(home.header.Get("Location"))
	}
	w.word = wordField.FindStringSubmatch(home.text)[1]
	return w
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	text   string
}

func (w *browser) get(path string) answer { return w.send(http.MethodGet, path, nil) }

// post sends a form as a page of the session does.
func (w *browser) post(path string, fields url.Values) answer {
	all := url.Values{"word": {w.word}}
	maps.Copy(all, fields) // which others post too
	return w.send(http.MethodPost, path, all)
}

// send sends fields as a form; header are pairs.
func (w *browser) send(method, path string, fields url.Values, header ...string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(fields.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// operators adds lines to the operators' file, and takes it anew.
func (b *bed) operators(lines string) {
	b.t.Helper()
	before, err := os.ReadFile(b.file)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(b.file, append(before, lines...), 0o600); err != nil {
		b.t.Fatal(err)
	}
	if b.console.Manager.Operators, err = operators.Open(b.file); err != nil {
		b.t.Fatal(err)
	}
}
