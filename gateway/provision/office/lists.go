package office

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"
)

func (a *API) listEntries(w http.ResponseWriter, r *http.Request, args []string) error {
	p, _, err := page(r)
	if err != nil {
		return err
	}
	entries, next, err := a.Entries(r.Context(), args[0], args[1], p)
	if err != nil {
		return err
	}
	answer := Entries{Entries: make([]Entry, 0, len(entries)), Next: next}
	for _, e := range entries {
		answer.Entries = append(answer.Entries, Entry{e.Serial, e.MAC, e.Secured})
	}
	return reply(w, answer)
}

func (a *API) addEntries(w http.ResponseWriter, r *http.Request, args []string) error {
	return upload(w, r, args, a.Enlist)
}

func (a *API) removeEntries(w http.ResponseWriter, r *http.Request, args []string) error {
	return upload(w, r, args, a.Delist)
}

func upload(w http.ResponseWriter, r *http.Request, args []string, do func(ctx context.Context, actor, profile, list string, text io.Reader) (Imported, error)) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "text/csv" {
		return wrong("body", "want a list as Content-Type: text/csv")
	}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(uploadTime + idleTime)) // where there are no deadlines, none is in the way
	taken, err := do(r.Context(), actor(r), args[0], args[1], http.MaxBytesReader(w, slow{r.Body, control}, maxUpload))
	if fault, ok := errors.AsType[*LineError](err); ok {
		return replyFault(w, fault, taken, err)
	}
	if err != nil {
		return err
	}
	return reply(w, taken)
}

// slow lets an upload take as long as it needs while it comes at all.
type slow struct {
	io.ReadCloser
	control *http.ResponseController
}

func (s slow) Read(p []byte) (int, error) {
	_ = s.control.SetReadDeadline(time.Now().Add(idleTime))
	return s.ReadCloser.Read(p)
}

func (a *API) removeEntry(w http.ResponseWriter, r *http.Request, args []string) error {
	if err := a.Strike(r.Context(), actor(r), args[0], args[1], args[2]); err != nil {
		return err
	}
	return reply(w, Imported{1, 1})
}
