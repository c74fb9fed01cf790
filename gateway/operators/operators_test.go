package operators

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"iotbridge/internal/watched"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, content string) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "operators")
	write(t, path, content)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// verified is a connection whose client has shown a certificate.
func verified(name string) *tls.ConnectionState {
	return &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{Subject: pkix.Name{CommonName: name}}}}}
}

var (
	ada  = Operator{Name: "ada", Role: Admin}
	vera = Operator{Name: "vera", Role: Viewer, Within: "projects/p"}
)

func TestAdmit(t *testing.T) {
	long := strings.Repeat("x", maxToken+1)
	f := open(t, Operator{Name: "lola", Role: Admin}.Line(long)+"# operators\n\n"+ada.Line("secret")+vera.Line("other secret")+"  prober\tviewer  certificate \r\n")
	claimed := verified("prober")
	claimed.PeerCertificates, claimed.VerifiedChains = claimed.VerifiedChains[0], nil
	for name, c := range map[string]struct {
		authorization string
		state         *tls.ConnectionState
		want          string // a name
	}{
		"a token":                       {"Bearer secret", nil, "ada"},
		"another's":                     {"bearer other secret", nil, "vera"},
		"a certificate":                 {"", verified("prober"), "prober"},
		"a token beside it":             {"Bearer secret", verified("prober"), "ada"},
		"nothing":                       {"", nil, ""},
		"TLS without a certificate":     {"", &tls.ConnectionState{}, ""},
		"one that TLS did not verify":   {"", claimed, ""},
		"a certificate of nobody":       {"", verified("nobody"), ""},
		"no name":                       {"", verified(""), ""},
		"the name in capitals":          {"", verified("Prober"), ""},
		"the name of a token's":         {"", verified("ada"), ""},
		"a wrong token beside it":       {"Bearer wrong", verified("prober"), ""},
		"another scheme":                {"Basic secret", nil, ""},
		"no scheme":                     {"secret", nil, ""},
		"no token":                      {"Bearer ", nil, ""},
		"two":                           {"Bearer secret secret", nil, ""},
		"a space more":                  {"Bearer  secret", nil, ""},
		"its beginning":                 {"Bearer secre", nil, ""},
		"the hash":                      {"Bearer " + hash("secret"), nil, ""},
		"what hashes to a cert's proof": {"Bearer \x00", nil, ""},
		"long":                          {"Bearer " + long, nil, ""},
	} {
		got, err := f.Admit(c.authorization, c.state)
		if got.Name != c.want || (err == nil) != (c.want != "") || err != nil && !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %+v, %v, want %q", name, got, err, c.want)
		}
	}
}

func TestMay(t *testing.T) {
	within := func(w string) Operator { return Operator{Name: "x", Role: Admin, Within: w} }
	for _, c := range []struct {
		o        Operator
		role     Role
		resource string
		want     bool
	}{
		{ada, Admin, "projects/q", true},
		{ada, Viewer, "", true},
		{ada, 0, "projects/q", false},
		{vera, Viewer, "projects/p", true},
		{vera, Viewer, "projects/p/locations/l", true},
		{vera, Admin, "projects/p", false},
		{vera, Viewer, "projects/pp", false},
		{vera, Viewer, "projects", false},
		{vera, Viewer, "", false},
		{vera, Viewer, "projects/P", false},
		{Operator{}, Viewer, "", false},
		{Operator{}, 0, "", false},
		{Operator{Name: "x"}, Viewer, "projects/p", false},
		{within("projects/p/locations/l/registries/r"), Admin, "projects/p/locations/l/registries/r/devices/d", true},
		{within("projects/p/locations/l/registries/r"), Admin, "projects/p/locations/l/registries/r2/devices/d", false},
		{within("projects/p/locations/l/registries/r"), Viewer, "projects/p/locations/l", false},
	} {
		if got := c.o.May(c.role, c.resource); got != c.want {
			t.Errorf("%+v %s %q: %t", c.o, c.role, c.resource, got)
		}
	}
	if got := From(context.Background()); got.May(Viewer, "") {
		t.Errorf("nobody may: %+v", got)
	}
	if got := From(With(context.Background(), vera)); got != vera {
		t.Errorf("%+v, want %+v", got, vera)
	}
}

func TestParse(t *testing.T) {
	token := hash("t")
	for name, c := range map[string]struct{ content, want string }{
		"nobody":            {"# nobody yet\n", ""},
		"hash in capitals":  {"ada admin " + strings.ToUpper(token), ""},
		"one word":          {"ada", "line 1: 1 words"},
		"two words":         {"\nada admin", "line 2: 2 words"},
		"five words":        {"ada admin " + token + " projects/p more", "line 1: 5 words"},
		"a role":            {"ada owner " + token, "line 1: the role of ada"},
		"a role in capital": {"ada Admin " + token, "line 1: the role of ada"},
		"the token itself":  {"ada admin hunter2", "line 1: the proof of ada"},
		"a short hash":      {"ada admin " + token[:62], "line 1: the proof of ada"},
		"a name":            {"a/b admin " + token, "line 1: the name"},
		"a long name":       {strings.Repeat("a", 65) + " admin " + token, "line 1: the name"},
		"a bound":           {"ada admin " + token + " projects/p/registries/r", "line 1: the bound of ada"},
		"an open bound":     {"ada admin " + token + " projects/p/", "line 1: the bound of ada"},
		"twice":             {"ada admin " + token + "\nada viewer certificate", "line 2: a second ada"},
		"a shared token":    {"ada admin " + token + "\nbob viewer " + token, "line 2: bob has the token of ada"},
		"two certificates":  {"ada admin certificate\nbob viewer certificate", ""},
		"a long line":       {"ada admin " + strings.Repeat("0", 1<<17), "too long"},
	} {
		_, err := parse([]byte(c.content))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), token)) {
			t.Errorf("%s: the error quotes the proof: %v", name, err)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was opened")
	}
}

func TestWhoIsNotInTheFileAnyMoreIsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "operators")
		write(t, path, ada.Line("a")+vera.Line("v"))
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { f.Watch(ctx, zap.NewNop()); close(done) }()
		admitted := func() (names string) {
			for _, token := range []string{"a", "v"} {
				if o, err := f.Admit("Bearer "+token, nil); err == nil {
					names += o.Name + " " + o.Role.String() + " "
				}
			}
			return names
		}
		for _, step := range []struct{ content, want string }{
			{vera.Line("v"), "vera viewer "},
			{"a mistake\n", "vera viewer "},
			{Operator{Name: "vera", Role: Admin}.Line("v"), "vera admin "},
			{"", ""},
			{ada.Line("v"), "ada admin "},
		} {
			write(t, path, step.content)
			<-time.After(watched.Every + time.Millisecond)
			synctest.Wait()
			if got := admitted(); got != step.want {
				t.Errorf("after %q: %q, want %q", step.content, got, step.want)
			}
		}
		stop()
		<-done
	})
}

func FuzzParse(f *testing.F) {
	f.Add(ada.Line("secret") + "x viewer certificate projects/p\n# end")
	f.Add("a admin certificate\r\n\x00")
	f.Fuzz(func(t *testing.T, content string) {
		entries, err := parse([]byte(content))
		if err != nil && entries != nil {
			t.Fatal("operators of a file with a mistake")
		}
		names := map[string]bool{}
		for _, e := range entries {
			if e.Role != Admin && e.Role != Viewer || names[e.Name] || !nameForm.MatchString(e.Name) || e.cert && e.token != [32]byte{} {
				t.Fatalf("%+v", e)
			}
			names[e.Name] = true
		}
	})
}
