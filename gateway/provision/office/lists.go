package office

import (
	"errors"
	"io"
	"iter"
	"mime"
	"net/http"
	"strings"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
)

func listOf(name string) (provision.List, error) {
	if l := provision.List(name); l == provision.Allow || l == provision.Deny {
		return l, nil
	}
	return "", gateway.ErrNotFound
}

func (a *API) listEntries(w http.ResponseWriter, r *http.Request, args []string) error {
	list, err := a.listIn(r, args)
	if err != nil {
		return err
	}
	p, _, err := page(r)
	if err != nil {
		return err
	}
	entries, next, err := a.Books.Entries(r.Context(), args[0], list, p)
	if err != nil {
		return err
	}
	answer := Entries{Entries: make([]Entry, 0, len(entries)), Next: next}
	for _, e := range entries {
		answer.Entries = append(answer.Entries, Entry{e.Serial, e.MAC, e.Secured})
	}
	return reply(w, answer)
}

// listIn is the list that the path names, of a profile that is there.
func (a *API) listIn(r *http.Request, args []string) (provision.List, error) {
	list, err := listOf(args[1])
	if err == nil {
		_, err = a.profile(r.Context(), args[0])
	}
	return list, err
}

func (a *API) addEntries(w http.ResponseWriter, r *http.Request, args []string) error {
	return a.upload(w, r, args, func(list provision.List, entries iter.Seq2[provision.Entry, error]) (int, error) {
		return a.Books.Enlist(r.Context(), actor(r), args[0], list, entries)
	})
}

func (a *API) removeEntries(w http.ResponseWriter, r *http.Request, args []string) error {
	return a.upload(w, r, args, func(list provision.List, entries iter.Seq2[provision.Entry, error]) (int, error) {
		return a.Books.Delist(r.Context(), actor(r), args[0], list, entries)
	})
}

func (a *API) upload(w http.ResponseWriter, r *http.Request, args []string, do func(provision.List, iter.Seq2[provision.Entry, error]) (int, error)) error {
	list, err := a.listIn(r, args)
	if err != nil {
		return err
	}
	if _, err := parameters(r); err != nil {
		return err
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "text/csv" {
		return wrong("body", "want a list as Content-Type: text/csv")
	}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(uploadTime + idleTime)) // where there are no deadlines, none is in the way
	body := http.MaxBytesReader(w, slow{r.Body, control}, maxUpload)
	read := 0
	changed, err := do(list, func(yield func(provision.Entry, error) bool) {
		for e, err := range (Syntax{List: list}).Read(body) {
			if err == nil {
				read++
			}
			if !yield(e, err) {
				return
			}
		}
	})
	if fault, ok := errors.AsType[*LineError](err); ok {
		return replyFault(w, fault, Imported{read, changed}, err)
	}
	if err != nil {
		return err
	}
	return reply(w, Imported{read, changed})
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
	list, err := a.listIn(r, args)
	if err != nil {
		return err
	}
	e, err := one(args[2])
	if err != nil {
		return wrong("entry", "%s", printed(err.Error()))
	}
	removed, err := a.Books.Delist(r.Context(), actor(r), args[0], list, func(yield func(provision.Entry, error) bool) { yield(e, nil) })
	switch {
	case err != nil:
		return err
	case removed == 0:
		return gateway.ErrNotFound
	}
	return reply(w, Imported{1, removed})
}

// one is what a list without a heading would take a line for. In no serial is a colon
// or a dot.
func one(text string) (e provision.Entry, err error) {
	if strings.ContainsAny(text, ":.") {
		e.MAC, err = parsed(provision.ParseMAC(text))
	} else {
		e.Serial, err = parsed(provision.ParseSerial(text))
	}
	return e, err
}

// parsed says what is wrong as an operator wants to read it.
func parsed(canonical string, err error) (string, error) {
	if refusal, ok := errors.AsType[*provision.Refusal](err); ok {
		err = errors.New(refusal.Detail)
	}
	return canonical, err
}
