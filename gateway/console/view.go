package console

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"iotbridge/gateway/operators"
)

// view is what a page's template gets.
type view struct {
	Title, Page  string
	Operator     operators.Operator // the zero one: nobody has signed in
	Admin        bool               // of everything here
	Whole        bool               // may see everything here, and not one registry alone
	Word         string             // for forms
	Path         string
	Done         string // what the form before this page did
	Provisioning bool
	Body         any
}

// deeds is what forms tell that they have done.
var deeds = merged(registryDeeds, deviceDeeds, provisioningDeeds)

func merged(lists ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, list := range lists {
		maps.Copy(all, list)
	}
	return all
}

//go:embed templates
var sources embed.FS

// templates has one a page, by its file's name, each with the layout and the fragments
// around it; a fragment is a template that streams of events send alone.
var templates = parse()

func parse() map[string]*template.Template {
	base := template.Must(template.New("layout.html").Funcs(functions).ParseFS(sources, "templates/layout.html", "templates/fragments/*.html"))
	names, err := fs.Glob(sources, "templates/*.html")
	if err != nil {
		panic(err) // the pattern stands above
	}
	all := map[string]*template.Template{"": base}
	for _, name := range names {
		if page := strings.TrimSuffix(path.Base(name), ".html"); page != "layout" {
			all[page] = template.Must(template.Must(base.Clone()).ParseFS(sources, name))
		}
	}
	return all
}

var functions = template.FuncMap{
	"ago": ago, "moment": moment, "stamp": stamp, "duration": rounded, "count": count, "text": printable, "seg": url.PathEscape, "clip": name,
	"claims": claimsOf,
}

// stamp is for a datetime attribute.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// moment is a time as people read it.
func moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// ago is how long it has been.
func ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := time.Since(t)
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}} {
		if d >= unit.of {
			return fmt.Sprintf("%d %s ago", d/unit.of, unit.name)
		}
	}
	return fmt.Sprintf("%d s ago", max(0, d/time.Second))
}

func rounded(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// count writes 12345 as 12,345.
func count(n any) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// printable is bytes as a person may read them: text that is text, else hex.
func printable(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return hexed(b)
}

func hexed(b []byte) string {
	var out strings.Builder
	for at := 0; at < len(b); at += 16 {
		fmt.Fprintf(&out, "%06x  % x\n", at, b[at:min(at+16, len(b))])
	}
	return out.String()
}

// name is a name in a table, which somebody else may have given.
func name(s string) string { return clip(s, shownName) }

// clip is the beginning of a text that somebody else wrote.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// loginView is what the page says before it asks for a token, or the link that it was
// opened by.
type loginView struct{ Problem, Link, Next string }

// showLogin is the page for who is nobody yet.
func (c *Console) showLogin(w http.ResponseWriter, r *http.Request, httpStatus int, l loginView) {
	if l.Next == "" {
		l.Next = within(r.FormValue("next"))
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(httpStatus)
	_ = templates["login"].Execute(w, view{Title: "Sign in", Page: "login", Body: l}) // who has gone does not read it
}
