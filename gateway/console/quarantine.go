package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"iotbridge/schema"
)

var quarantinePages = []page{
	{"GET /quarantine", "ConsoleQuarantine", (*Console).quarantine},
	{"GET /quarantine/{message}", "ConsoleRefusal", (*Console).refusal},
	{"GET /quarantine/{message}/body", "ConsoleRefusalBody", (*Console).refusalBody},
}

const (
	refusalsOfPage = 50
	refusalsAtOnce = 3200 // that a page may have when they came in the same microsecond
	shownName      = 255  // bytes of a name in a table
	warehouseTime  = 30 * time.Second
)

// spans are how far back one looks, in the words of an address.
var spans = []struct{ Word, Text string }{{"1h", "an hour"}, {"24h", "a day"}, {"168h", "a week"}, {"720h", "30 days"}}

const usualSpan = "24h"

// quarantineView is a page of refusals.
type quarantineView struct {
	Query   RefusalQuery
	Span    string // of spans; "": since a moment
	Lines   []Refusal
	Missing string // why there are none
	Next    string // the path of the next page; "": this is the last
	First   string // the path of the first page; "": this is it
	Replay  string // the path that asks whether these are to be replayed
	May     bool
}

// Reasons are the closed set.
func (*quarantineView) Reasons() []schema.Reason { return schema.Reasons }

// Spans are the choices.
func (*quarantineView) Spans() any { return spans }

// quarantine lists what was refused, newest first.
func (c *Console) quarantine(v *visit) error {
	q, span, err := refusalQuery(v.URL.Query())
	if err != nil {
		return err
	}
	view := &quarantineView{Query: q, Span: span, May: v.may(c.parent()), Replay: "/replay?" + filtered(q, q.Since.UTC().Format(time.RFC3339)).Encode()}
	words := filtered(q, v.URL.Query().Get("since"))
	if !q.Before.IsZero() {
		view.First = "/quarantine?" + words.Encode()
	}
	lines, next, missing := c.refusals(v.Context(), q)
	view.Lines, view.Missing = lines, missing
	if !next.IsZero() {
		words.Set("before", next.UTC().Format(time.RFC3339Nano))
		view.Next = "/quarantine?" + words.Encode()
	}
	return v.show(http.StatusOK, "quarantine", "Quarantine", view)
}

// refusals is a page of them, and before which time the next begins. What came in the
// same microsecond is on one page, as a page's end is a time.
func (c *Console) refusals(ctx context.Context, q RefusalQuery) (list []Refusal, next time.Time, missing string) {
	if c.Warehouse == nil {
		return nil, next, sentence(errNoWarehouse.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, warehouseTime)
	defer cancel()
	for most := refusalsOfPage; ; most *= 8 {
		q.Most = most + 1
		list, err := c.Warehouse.Refusals(ctx, q)
		if err != nil {
			return nil, next, c.unanswered(err)
		}
		if len(list) <= most {
			return list, next, ""
		}
		after := list[most].Quarantined
		if cut := slices.IndexFunc(list, func(r Refusal) bool { return r.Quarantined.Equal(after) }); cut > 0 {
			return list[:cut], after.Add(time.Microsecond), ""
		}
		if most >= refusalsAtOnce {
			return list[:most], after, ""
		}
	}
}

// refusalQuery reads a filter. span is the word that said since when; "" for a moment.
func refusalQuery(form url.Values) (q RefusalQuery, span string, err error) {
	q.Reason, q.Device = form.Get("reason"), form.Get("device")
	if q.Reason != "" && !slices.Contains(schema.Reasons, schema.Reason(q.Reason)) {
		return q, "", &problem{http.StatusBadRequest, "There is no such reason."}
	}
	if len(q.Device) > 255 {
		return q, "", &problem{http.StatusBadRequest, "No device has so long a name."}
	}
	if q.Since, span, err = since(form.Get("since")); err != nil {
		return q, "", err
	}
	if before := form.Get("before"); before != "" {
		if q.Before, err = time.Parse(time.RFC3339Nano, before); err != nil {
			return q, "", &problem{http.StatusBadRequest, "The page's address does not say before when."}
		}
	}
	return q, span, nil
}

// since takes one of the spans, or a moment.
func since(text string) (at time.Time, span string, err error) {
	if text == "" {
		text = usualSpan
	}
	for _, s := range spans {
		if s.Word == text {
			d, err := time.ParseDuration(text)
			return time.Now().Add(-d), text, err
		}
	}
	if at, err = time.Parse(time.RFC3339, text); err != nil {
		err = &problem{http.StatusBadRequest, fmt.Sprintf("Since: want 1h, 24h, 168h, 720h, or a time as %s.", "2026-01-02T15:04:05Z")}
	}
	return at, "", err
}

// filtered is a filter as an address has it.
func filtered(q RefusalQuery, since string) url.Values {
	words := url.Values{}
	for name, value := range map[string]string{"reason": q.Reason, "device": q.Device, "since": since} {
		if value != "" {
			words.Set(name, value)
		}
	}
	return words
}
