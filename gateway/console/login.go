package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/gateway/operators"
)

var origins = http.NewCrossOriginProtection()

// who finds out whose request it is, and its session: the cookie's, or the name of the
// operator who needs no cookie. Errors are gRPC's.
func (c *Console) who(r *http.Request, method string) (who operators.Operator, session string, err error) {
	if err := c.vault.open(r.Context(), c.Fleet); err != nil {
		return who, "", status.Error(codes.Unavailable, "the store does not answer")
	}
	authorization := r.Header.Get("Authorization")
	if authorization == "" {
		if cookie, err := r.Cookie(c.vault.cookie(r)); err == nil {
			t, err := c.vault.unseal(forCookie, cookie.Value)
			if err != nil {
				return who, "", status.Error(codes.Unauthenticated, err.Error())
			}
			authorization, session = "Bearer "+t.Token, t.ID
		} else if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			return who, "", status.Error(codes.Unauthenticated, "nobody has signed in")
		}
	}
	who, err = c.Manager.Admit(r.Context(), authorization, r.TLS, method, r.RemoteAddr)
	if session == "" {
		session = "operator " + who.Name
	}
	return who, session, err
}

// loginPage is a form for a token, or takes a link.
func (c *Console) loginPage(w http.ResponseWriter, r *http.Request) {
	if link := r.URL.Query().Get("link"); link != "" {
		c.byLink(w, r, link)
		return
	}
	c.showLogin(w, r, http.StatusOK, loginView{})
}

// byLink takes a link once. Who only looks where it leads does not spend it; and nobody is
// made another operator without a word, by a link that somebody else has put before them.
func (c *Console) byLink(w http.ResponseWriter, r *http.Request, link string) {
	if c.vault.open(r.Context(), c.Fleet) != nil {
		c.showLogin(w, r, http.StatusServiceUnavailable, loginView{Problem: noStore})
		return
	}
	t, err := c.vault.unseal(forLink, link)
	switch {
	case err == nil && r.Method == http.MethodHead:
		c.showLogin(w, r, http.StatusOK, loginView{})
	case err == nil && r.Method == http.MethodGet && c.asks(r, t):
		c.showLogin(w, r, http.StatusOK, loginView{Link: link})
	case err == nil && c.vault.spend(t):
		c.enter(w, r, t.Token)
	default:
		c.showLogin(w, r, http.StatusForbidden, loginView{Problem: "This link was used before, or has come too late. Ask for another: iotbridge console"})
	}
}

// asks says that a link came from a page of another place, or to a browser in which
// another operator has signed in.
func (c *Console) asks(r *http.Request, t ticket) bool {
	if from := r.Header.Get("Sec-Fetch-Site"); from == "cross-site" || from == "same-site" {
		return true
	}
	now, _, err := c.who(r, "ConsoleLogin")
	if err != nil {
		return false
	}
	then, err := c.Manager.Admit(r.Context(), "Bearer "+t.Token, nil, "ConsoleLogin", r.RemoteAddr)
	return err == nil && now.Name != then.Name
}

// login takes the form.
func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLogin)
	if origins.Check(r) != nil {
		c.showLogin(w, r, http.StatusForbidden, loginView{Problem: "The form came from another place than this console."})
		return
	}
	if err := r.ParseForm(); err != nil {
		c.showLogin(w, r, http.StatusBadRequest, loginView{Problem: "The form did not arrive whole."})
		return
	}
	if link := r.PostForm.Get("link"); link != "" {
		c.byLink(w, r, link)
		return
	}
	c.enter(w, r, strings.TrimSpace(r.PostForm.Get("token")))
}

const noStore = "The store does not answer. Try again in a moment."

// enter begins a session for who the token belongs to.
func (c *Console) enter(w http.ResponseWriter, r *http.Request, token string) {
	if err := c.vault.open(r.Context(), c.Fleet); err != nil {
		c.showLogin(w, r, http.StatusServiceUnavailable, loginView{Problem: noStore})
		return
	}
	if _, err := c.Manager.Admit(r.Context(), "Bearer "+token, nil, "ConsoleLogin", r.RemoteAddr); err != nil {
		if status.Code(err) == codes.ResourceExhausted {
			c.showLogin(w, r, http.StatusTooManyRequests, loginView{Problem: "Too many tries came from your address. Wait a minute."})
			return
		}
		c.showLogin(w, r, http.StatusForbidden, loginView{Problem: "This is no token of an operator."})
		return
	}
	sealed, t := c.vault.seal(forCookie, token, sessionLife)
	cookie := c.vault.set(r, sealed, t.Until)
	if len(cookie.Name)+len(cookie.Value) > maxCookie {
		c.showLogin(w, r, http.StatusBadRequest, loginView{Problem: "The token is too long for a browser to keep its session: give the operator one of 2,000 bytes or less."})
		return
	}
	http.SetCookie(w, cookie)
	http.Redirect(w, r, within(r.FormValue("next")), http.StatusSeeOther) //nolint:gosec // within keeps it here
}

func (v *vault) set(r *http.Request, value string, until time.Time) *http.Cookie {
	//nolint:gosec // without TLS it is loopback: a Secure cookie would not come back in every browser
	return &http.Cookie{Name: v.cookie(r), Value: value, Path: "/", Expires: until, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode}
}

// within keeps a way back to this console.
func within(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(next, "\\\r\n") {
		return "/"
	}
	return u.RequestURI()
}

// link gives who calls with a token a link that signs the same operator in.
func (c *Console) link(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	_, _, err := c.who(r, "ConsoleLink")
	if code := statuses[status.Code(err)]; err != nil && code != 0 && code != http.StatusUnauthorized {
		http.Error(w, sentence(status.Convert(err).Message()), code)
		return
	}
	if err != nil || !ok || origins.Check(r) != nil {
		http.Error(w, "a link takes an operator's token: Authorization: Bearer TOKEN", http.StatusUnauthorized)
		return
	}
	life := time.Minute
	if asked, err := time.ParseDuration(r.URL.Query().Get("life")); err == nil {
		life = max(time.Second, min(asked, maxLinkLife))
	}
	sealed, t := c.vault.seal(forLink, strings.TrimSpace(token), life)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"path": "/login?link=" + sealed, "until": t.Until}) // who has gone does not read it
}

// logout ends the session in this browser. The cookie is the session: who has kept a
// copy keeps it for its hours, or until the token is struck from the operators file.
func (c *Console) logout(w http.ResponseWriter, r *http.Request) {
	if origins.Check(r) == nil && c.vault.open(r.Context(), c.Fleet) == nil {
		gone := c.vault.set(r, "", time.Unix(1, 0)) //nolint:gosec // as above
		gone.MaxAge = -1
		http.SetCookie(w, gone)
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
