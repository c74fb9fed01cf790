package console

import (
	"bytes"
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/gateway/operators"
	"iotbridge/schema"
)

// visit is one request of an operator.
type visit struct {
	*http.Request
	w       http.ResponseWriter
	who     operators.Operator
	call    operators.Call
	word    string // that the session's forms carry
	console *Console
	began   bool // the answer
}

// problem is an answer that is no page: what to tell, in a sentence.
type problem struct {
	status int
	text   string
}

func (p *problem) Error() string { return p.text }

// GRPCStatus keeps it what it is on its way through Device Manager's guard.
func (p *problem) GRPCStatus() *status.Status {
	code := codes.InvalidArgument
	switch p.status {
	case http.StatusNotFound:
		code = codes.NotFound
	case http.StatusForbidden:
		code = codes.PermissionDenied
	case http.StatusServiceUnavailable:
		code = codes.Unavailable
	}
	return status.New(code, p.text)
}

// fail ends a visit with a sentence.
func (v *visit) fail(httpStatus int, text string) error { return &problem{httpStatus, text} }

// form is what was sent; empty when it was not a form.
func (v *visit) form() url.Values { return v.PostForm }

// may says whether the operator may change the registry; what pages show goes by it,
// what is allowed does not.
func (v *visit) may(resource string) bool { return v.who.May(operators.Admin, resource) }

// admitted is a page for who may see it.
func (c *Console) admitted(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, session, err := c.who(r, p.name)
		v := &visit{Request: r, w: w, who: who, console: c}
		if err == nil {
			v.word = c.vault.word(session)
			if own := c.only(who); own != "" && r.Method == http.MethodGet && (r.URL.Path == "/" || r.URL.Path == "/devices") {
				http.Redirect(w, r, "/registries/"+url.PathEscape(own)+"/devices", http.StatusSeeOther)
				return
			}
			err = c.allowed(p, v)
		}
		if err != nil && !v.began {
			c.tell(v, err)
		}
	})
}

// only is the one registry that the operator may see; "" when there are more.
func (c *Console) only(who operators.Operator) string {
	registry, _ := strings.CutPrefix(who.Within, c.parent()+"/registries/")
	if registry == who.Within {
		return ""
	}
	return registry
}

// allowed answers who may. What is denied, also as it came from another place, is in the
// audit log.
func (c *Console) allowed(p page, v *visit) error {
	v.call = c.call(p, v.Request)
	return c.Manager.Do(operators.With(v.Context(), v.who), v.call, func(ctx context.Context) error {
		if v.Method != http.MethodGet && v.Method != http.MethodHead {
			if err := v.sent(); err != nil {
				return err
			}
		}
		if registry := v.PathValue("registry"); registry != "" && !schema.ValidID(registry) {
			return v.fail(http.StatusNotFound, "There is no such registry.")
		}
		v.Request = v.Request.WithContext(ctx)
		return p.answer(c, v)
	})
}

// aside is a part of a page that is made beside others: what it stumbles over does not
// take the devices' sessions with it.
func (c *Console) aside(do func() error) func() error {
	return func() (err error) {
		defer func() {
			if r := recover(); r != nil {
				c.log().Error("a part of a page panicked", zap.Any("panic", r), zap.Stack("stack"))
				err = status.Error(codes.Internal, "a fault of the gateway: its log says more")
			}
		}()
		return do()
	}
}

// sent reads a form, and refuses one that did not come from a page of this session.
func (v *visit) sent() error {
	if origins.Check(v.Request) != nil {
		return v.fail(http.StatusForbidden, "The form came from another place than this console.")
	}
	if err := v.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return v.fail(http.StatusRequestEntityTooLarge, "The form is too large.")
		}
		return v.fail(http.StatusBadRequest, "The form did not arrive whole.")
	}
	if subtle.ConstantTimeCompare([]byte(v.PostForm.Get("word")), []byte(v.word)) != 1 {
		return v.fail(http.StatusForbidden, "The form was made for another session. Go back, load the page again, and send it from there.")
	}
	return nil
}

var statuses = map[codes.Code]int{
	codes.InvalidArgument: http.StatusBadRequest, codes.FailedPrecondition: http.StatusConflict, codes.OutOfRange: http.StatusBadRequest,
	codes.Unauthenticated: http.StatusUnauthorized, codes.PermissionDenied: http.StatusForbidden, codes.NotFound: http.StatusNotFound,
	codes.AlreadyExists: http.StatusConflict, codes.Aborted: http.StatusConflict, codes.ResourceExhausted: http.StatusTooManyRequests,
	codes.Unavailable: http.StatusServiceUnavailable, codes.DeadlineExceeded: http.StatusGatewayTimeout, codes.Unimplemented: http.StatusNotImplemented,
}

// tell answers with what went wrong.
func (c *Console) tell(v *visit, err error) {
	var p *problem
	if !errors.As(err, &p) {
		s := status.Convert(err)
		p = &problem{statuses[s.Code()], sentence(s.Message())}
		if p.status == 0 {
			p.status = http.StatusInternalServerError
		}
	}
	switch {
	case p.status == http.StatusUnauthorized && v.Method == http.MethodGet && !isLive(v.Request):
		http.Redirect(v.w, v.Request, "/login?next="+url.QueryEscape(v.URL.RequestURI()), http.StatusSeeOther)
	case p.status == http.StatusUnauthorized && v.Method == http.MethodPost:
		c.showLogin(v.w, v.Request, p.status, loginView{Problem: "Your session has ended: what you sent was not done. Sign in, and send it again.", Next: cmp.Or(v.before(), "/")})
	case v.who.Name == "" || isLive(v.Request):
		http.Error(v.w, p.text, p.status)
	default:
		page := problemView{Text: p.text, Back: v.before()}
		for _, field := range []string{"config", "command"} {
			if text := v.form().Get(field); text != "" {
				page.Sent = shown([]byte(text))
			}
		}
		if err := v.show(p.status, "problem", cmp.Or(titles[p.status], "Not done"), page); err != nil {
			http.Error(v.w, p.text, p.status)
		}
	}
}

// titles are those of problems that are of no form.
var titles = map[int]string{http.StatusNotFound: "Not there", http.StatusForbidden: "Not allowed", http.StatusServiceUnavailable: "Not now", http.StatusGatewayTimeout: "Not now"}

// problemView is what went wrong, and the way back to it.
type problemView struct {
	Text, Back string
	Sent       body // a long text that would be lost
}

// before is the page from which the request came; "" when that is not known.
func (v *visit) before() string {
	from, err := url.Parse(v.Referer())
	if err != nil || from.Host != v.Host {
		return ""
	}
	return within(from.RequestURI())
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	if s == "" {
		return "A fault of the gateway: its log says more."
	}
	if first, _, _ := strings.Cut(s, " "); !strings.Contains(first, "_") && s[0] < utf8.RuneSelf { // a field's name stays as it is
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	if !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s
}

// back answers a form that was carried out: the browser loads the page to, which tells
// what was done.
func (v *visit) back(to, done string) error {
	u, err := url.Parse(to)
	if err != nil {
		return err
	}
	q := u.Query()
	q.Set("done", done)
	u.RawQuery = q.Encode()
	v.began = true
	http.Redirect(v.w, v.Request, u.String(), http.StatusSeeOther)
	return nil
}

// show writes a page whole, or nothing of it. data is the template's own.
func (v *visit) show(httpStatus int, name, title string, data any) error {
	var page bytes.Buffer
	err := templates[name].Execute(&page, view{
		Title: title, Page: name, Operator: v.who, Word: v.word, Path: v.URL.Path, Done: v.done(), Provisioning: v.console.Office != nil, Body: data,
		Admin: v.may(v.console.parent()), Whole: v.who.Reaches(v.console.parent()),
	})
	if err != nil {
		v.console.log().Error("a page cannot be made", zap.String("page", name), zap.Error(err))
		return status.Error(codes.Internal, "a fault of the gateway: its log says more")
	}
	v.began = true
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(httpStatus)
	_, _ = v.w.Write(page.Bytes()) // who has gone does not read it
	return nil
}

// done is what the form before this page did: a word of a closed list, as anybody can
// make a link.
func (v *visit) done() string { return deeds[v.URL.Query().Get("done")] }
