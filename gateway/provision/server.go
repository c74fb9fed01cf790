package provision

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
)

const (
	maxBody   = 64 << 10 // bytes of a request's body
	roomTime  = 5 * time.Second
	maxDetail = 255 // bytes of a refusal's detail that are logged
)

// Server lets boards ask, over EST and over JSON. It is the http.Handler of a TLS
// listener that requests clients' certificates and sees to it that they have the keys:
// whose certificate opens what is said here, path by path, in one table. Its fields are
// not changed once it serves; it may be used by several goroutines.
type Server struct {
	Desk *Desk
	// Where devices connect that have their credential.
	MQTT, HTTP Endpoint

	Audit   Recorder        // is told of refusals, by Run; nil: nobody is
	Metrics *RequestMetrics // nil counts nothing
	Log     *zap.Logger     // nil discards

	// Who floods it with a leaked bootstrap key does not keep devices from renewing.
	boards, renewals *room
	tallies          tallies
}

// NewServer returns a server that grants what the desk does.
func NewServer(d *Desk) *Server {
	return &Server{Desk: d, Log: zap.NewNop(), boards: newRoom(), renewals: newRoom(), tallies: tallies{wake: make(chan struct{}, 1)}}
}

// call is one request.
type call struct {
	*http.Request
	id      string // as the answer, the log and the audit record name it
	profile string
	serial  string // canonical, of who asks; "": it has not said
	by      Presented
	claim   *Claim // of devices: what names the certificate
	body    []byte
}

func (c *call) from() netip.Addr {
	from, _ := netip.ParseAddrPort(c.RemoteAddr)
	return from.Addr().Unmap()
}

// ServeHTTP serves one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	c := &call{Request: r, id: uuid.NewString()}
	at, err := find(r)
	var a *answer
	if err == nil {
		c.profile = at.profile
		a, err = s.serve(w, c, &at.route)
	}
	code := served
	if err != nil {
		why := asRefusal(err)
		if c.Context().Err() != nil && why.Cause != nil { // not our fault, nor an alarm
			why = refuse(gone, "it has gone before it was answered")
		}
		code = why.Code
		s.note(c, at.operation, why)
		a = tell(why, c.id)
		if why.Code == wrongMethod {
			a.header.Set("Allow", at.method)
		}
	}
	header := w.Header()
	for name, values := range a.header {
		header[name] = values
	}
	header.Set("Cache-Control", "no-store")
	if r.TransferEncoding != nil { // there may have been a length beside it (RFC 9112, section 6.1)
		header.Set("Connection", "close")
	}
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(a.status)
	w.Write(a.body) //nolint:errcheck // whoever asked has gone, and asks again
	clear(a.body)   // it may hold a key that was made here
	s.Metrics.observe(at.operation, code, time.Since(begin))
}

// serve asks who it is before it reads anything of the body.
func (s *Server) serve(w http.ResponseWriter, c *call, at *route) (*answer, error) {
	c.by = Present(c.TLS.PeerCertificates)
	if err := s.admit(c, at.policy); err != nil {
		return nil, err
	}
	if c.claim != nil { // the path of a renewal may name any profile
		c.profile, c.serial = c.claim.Profile, c.claim.Unit.Serial
	}
	if at.body == "" {
		return at.serve(s, c)
	}
	if wait := s.Desk.limits.wrong(c.from(), s.Desk.now()); wait > 0 {
		return nil, &Refusal{Code: TooMany, Detail: "more requests from one address that cannot be read than its rate allows", RetryAfter: wait}
	}
	a, err := s.read(w, c, at)
	if err != nil && statusOf(asRefusal(err).Code) == http.StatusBadRequest {
		s.Desk.limits.takeWrong(c.from(), s.Desk.now())
	}
	return a, err
}

// read reads the body, and serves the request.
func (s *Server) read(w http.ResponseWriter, c *call, at *route) (*answer, error) {
	if err := media(c.Header, at.body); err != nil {
		return nil, err
	}
	if c.ContentLength > maxBody {
		return nil, refuse(tooLarge, "%d bytes", c.ContentLength)
	}
	wait, cancel := context.WithTimeout(c.Context(), roomTime)
	defer cancel()
	room := s.boards
	if at.policy == devices {
		room = s.renewals
	}
	leave, err := room.enter(wait, c.from())
	if err != nil {
		return nil, refuse(crowded, "%d requests are under way, or %d of one network", maxBodies, maxShare)
	}
	defer leave()
	if c.body, err = io.ReadAll(http.MaxBytesReader(w, c.Body, maxBody)); err != nil {
		if errors.As(err, new(*http.MaxBytesError)) {
			return nil, refuse(tooLarge, "more than %d bytes", maxBody)
		}
		return nil, refuse(BadRequest, "the body has not come whole, or not in time")
	}
	return at.serve(s, c)
}

// admit asks whether who calls may ask at all. Whose certificate is not right for the
// path learns no more than who has none: not whether there is such a profile.
func (s *Server) admit(c *call, p policy) error {
	var err error
	switch p {
	case anyones:
		return nil
	case bootstraps:
		err = s.Desk.Asks(c.Context(), c.profile, c.by)
	case devices:
		c.claim, err = s.Desk.Self(c.Context(), c.by)
	default:
		return refuse(notServed, "the route has no policy")
	}
	return err
}

// media refuses a body of another type. One that says none is taken as what it is
// sent for.
func media(h http.Header, want string) error {
	types, encodings := h.Values("Content-Type"), h.Values("Content-Encoding")
	if len(encodings) > 1 || len(encodings) == 1 && encodings[0] != "identity" || len(types) > 1 {
		return refuse(wrongMedia, "compressed, or of two types")
	}
	if len(types) == 0 || types[0] == "" {
		return nil
	}
	if got, _, err := mime.ParseMediaType(types[0]); err != nil || got != want {
		return refuse(wrongMedia, "not %s", want)
	}
	return nil
}

// note counts and logs a refusal. Of a flood the log has some, and the audit log how
// many there were.
func (s *Server) note(c *call, of operation, why *Refusal) {
	profile := c.profile
	switch why.Code {
	case NoCertificate, UnknownProfile, notServed, wrongMethod: // there may be no such profile
		profile = ""
	}
	logged, silent := s.tallies.add(kind{profile, why.Code}, refusalOf(profile, c.serial, c.id, c.from(), why), s.Desk.now())
	if !logged {
		return
	}
	detail := printable(why.Detail, maxDetail)
	fields := []zap.Field{
		zap.String("operation", string(of)), zap.String("code", string(why.Code)), zap.String("detail", detail),
		zap.String("profile", c.profile), zap.String("serial", c.serial), zap.String("requestId", c.id), zap.String("from", c.RemoteAddr),
	}
	if silent > 0 {
		fields = append(fields, zap.Int("unlogged", silent))
	}
	if statusOf(why.Code) >= http.StatusInternalServerError {
		s.Log.Error("a board could not be answered", append(fields, zap.Error(why.Cause))...)
		return
	}
	s.Log.Warn("a board was refused", fields...)
}
