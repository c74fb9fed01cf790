package site_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/iot/apiv1/iotpb"

	"iotbridge/internal/site"
)

// get asks for a registry, and returns the error.
func get(t *testing.T, s *site.Site) error {
	t.Helper()
	client, err := s.OpenDeviceManager(t.Context())
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.GetDeviceRegistry(t.Context(), &iotpb.GetDeviceRegistryRequest{Name: "projects/demo/locations/l/registries/R"})
	return err
}

func token(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestTheTokenIsShownToItsHostAlone(t *testing.T) {
	var shown, elsewhere []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		elsewhere = append(elsewhere, r.Header.Get("Authorization"))
	}))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown = append(shown, r.Header.Get("Authorization"))
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	if err := get(t, &site.Site{API: server.URL, AdminToken: token(t, "secret\n")}); err == nil {
		t.Error("a redirect is an answer")
	}
	if len(shown) != 1 || shown[0] != "Bearer secret" || len(elsewhere) != 0 {
		t.Errorf("shown %q, and elsewhere %q", shown, elsewhere)
	}
}

func TestTheGatewayIsTheOneThatWasMeant(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	defer server.Close()
	dir := t.TempDir()
	local, err := site.ServerCertificate(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := get(t, &site.Site{API: server.URL, CA: local.CA}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error %v, want one about the certificate", err)
	}
}

func TestWhatCannotBeAskedIsSaid(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct {
		site site.Site
		want string
	}{
		"no address":      {site.Site{}, site.ErrNoGateway.Error()},
		"no URL":          {site.Site{API: "localhost:8080"}, "want http://HOST:PORT"},
		"in the clear":    {site.Site{API: "http://gateway.example:8080", AdminToken: token(t, "secret")}, "unencrypted: use https"},
		"no token file":   {site.Site{API: "http://127.0.0.1:1", AdminToken: filepath.Join(dir, "none")}, "operator's token"},
		"two tokens":      {site.Site{API: "http://127.0.0.1:1", AdminToken: token(t, "one\ntwo")}, "want one word"},
		"an empty token":  {site.Site{API: "http://127.0.0.1:1", AdminToken: token(t, "\n")}, "want one word"},
		"no certificates": {site.Site{API: "https://127.0.0.1:1", CA: token(t, "x")}, "no certificate in PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := get(t, &test.site); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
	if err := get(t, &site.Site{}); !errors.Is(err, site.ErrNoGateway) {
		t.Errorf("error %v, want ErrNoGateway", err)
	}
}
