package console

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"iotbridge/schema"
)

var replayPages = []page{
	{"POST /quarantine/{message}/replay", "ConsoleReplayOne", (*Console).replayOne},
	{"GET /replay", "ConsoleReplayAsk", (*Console).replayAsk},
	{"POST /replay", "ConsoleReplay", (*Console).replay},
}

// hope is what a replay can do about a reason.
type hope struct {
	None bool // it is refused for ever: there is no replay
	Text string
}

// hopes are of each reason.
var hopes = map[schema.Reason]hope{
	schema.MissingIdentity:     {true, "It came without the identity that a gateway gives, and never has one: it cannot be replayed."},
	schema.DeviceBlocked:       {true, "It is judged again only with the deny list, which the console does not know: iotbridge quarantine replay --deny-devices does it."},
	schema.AttestationMissing:  {false, "It is judged again only where the gateway was told the keys of the signature; else it stays."},
	schema.AttestationInvalid:  {false, "It is judged again only where the gateway was told the keys of the signature; else it stays."},
	schema.Oversize:            {false, "A replay stores it only when the limit has grown since."},
	schema.MalformedBody:       {false, "A replay stores it only when today's program can read what it could not read then."},
	schema.AmbiguousIdentity:   {false, "Its body names several devices: a replay stores it only when the rules have changed since."},
	schema.DeviceMismatch:      {false, "Its body names another device than the one that sent it: a replay refuses it again, unless the rules have changed since."},
	schema.MissingField:        {false, "A replay stores it when the table's schema wants the field no more."},
	schema.WrongType:           {false, "A replay stores it when the table's schema takes such a value today."},
	schema.ValueOutOfRange:     {false, "A replay stores it when the table's schema takes such a value today."},
	schema.TimestampOutOfRange: {false, "A replay stores it when the table's schema takes such a time today."},
	schema.RejectedByBigQuery:  {false, "A replay stores it when BigQuery takes it today, as after a change of the table."},
}

// replayView asks whether the messages of a filter are to be replayed.
type replayView struct {
	Query   RefusalQuery
	Since   string
	Found   int // messages
	Least   bool
	Hope    hope
	Missing string
	May     bool
}

// replayed is what came of it.
type replayed struct {
	Outcomes []outcome
	Ended    string // why it ended before its end; "": it did not
	Back     string
}

type outcome struct {
	Word, Text string
	Count      int
}

// countedMost is how many messages are counted before one is asked.
const countedMost = 1000

// replayOne judges one message again.
func (c *Console) replayOne(v *visit) error {
	rows, err := c.rows(v.Context(), v)
	if err != nil {
		return err
	}
	possible := slices.ContainsFunc(rows, func(r Refusal) bool { return !hopes[schema.Reason(r.Reason)].None })
	if !possible {
		return v.fail(http.StatusConflict, hopes[schema.Reason(rows[0].Reason)].Text)
	}
	page := refusalView{MessageID: v.PathValue("message")}
	return c.replays(v, RefusalQuery{MessageID: page.MessageID}, page.Path())
}

// replayAsk shows what would be replayed.
func (c *Console) replayAsk(v *visit) error {
	q, _, err := refusalQuery(v.URL.Query())
	if err != nil {
		return err
	}
	view := &replayView{Query: q, Since: q.Since.UTC().Format(time.RFC3339), Hope: hopes[schema.Reason(q.Reason)], May: v.may(c.parent())}
	if c.Warehouse == nil {
		view.Missing = sentence(errNoWarehouse.Error())
		return v.show(http.StatusOK, "replay", "Replay", view)
	}
	q.Before, q.Most = time.Time{}, countedMost+1 // a replay has no end
	list, err := c.Warehouse.Refusals(v.Context(), q)
	if err != nil {
		view.Missing = c.unanswered(err)
	}
	messages := map[string]bool{}
	for _, r := range list[:min(len(list), countedMost)] {
		messages[r.MessageID] = true
	}
	view.Found, view.Least = len(messages), len(list) > countedMost
	return v.show(http.StatusOK, "replay", "Replay", view)
}

// replay judges the messages of a filter again.
func (c *Console) replay(v *visit) error {
	q, span, err := refusalQuery(v.form())
	switch {
	case err != nil:
		return err
	case span != "": // no moment: it was not the page that asks
		return v.fail(http.StatusBadRequest, "The form does not say since which moment. Ask from the quarantine's page.")
	case hopes[schema.Reason(q.Reason)].None:
		return v.fail(http.StatusConflict, hopes[schema.Reason(q.Reason)].Text)
	}
	q.Before = time.Time{}
	return c.replays(v, q, "/quarantine?"+filtered(q, q.Since.UTC().Format(time.RFC3339)).Encode())
}

// replays answers the form itself: who sends it twice replays twice, which changes
// nothing.
func (c *Console) replays(v *visit, q RefusalQuery, back string) error {
	if c.Warehouse == nil {
		return v.fail(http.StatusServiceUnavailable, sentence(errNoWarehouse.Error()))
	}
	counts, err := c.Warehouse.Replay(v.Context(), v.who.Name, q)
	if err != nil && len(counts) == 0 {
		return v.fail(http.StatusServiceUnavailable, sentence(clip(err.Error(), shownWords)))
	}
	done := &replayed{Back: back}
	for _, word := range slices.Sorted(maps.Keys(counts)) {
		done.Outcomes = append(done.Outcomes, outcome{word, outcomeText(word), counts[word]})
	}
	if err != nil {
		done.Ended = sentence(clip(err.Error(), shownWords))
	}
	return v.show(http.StatusOK, "replayed", "Replayed", done)
}

func outcomeText(word string) string {
	switch word {
	case "stored":
		return "stored now"
	case "already_stored":
		return "were stored before"
	}
	return "refused again"
}
