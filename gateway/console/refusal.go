package console

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"iotbridge/gateway"
	"iotbridge/schema"
)

const (
	shownWords      = 1024 // bytes of a text that somebody else wrote
	shownAttributes = 100  // as many as a message may have
)

// refusalView is one message: mostly one row, more when it was delivered again.
type refusalView struct {
	MessageID string
	Rows      []refusalRow
	Hope      hope // of the newest row
	Hex       bool // was asked for
	May       bool
}

// refusalRow is one refusal, as a page shows it.
type refusalRow struct {
	Refusal
	Index           int
	Body            body
	Attributes      [][2]string
	More            int    // attributes that are not shown
	Sender, Claimed string // their pages; "": not known where they are
}

// refusal shows all that is known of one message.
func (c *Console) refusal(v *visit) error {
	rows, err := c.rows(v.Context(), v)
	if err != nil {
		return err
	}
	view := &refusalView{MessageID: v.PathValue("message"), Hope: hopes[schema.Reason(rows[len(rows)-1].Reason)], Hex: v.URL.Query().Get("as") == "hex", May: v.may(c.parent())}
	for i, r := range rows {
		row := refusalRow{Refusal: r, Index: i, Body: shown(r.Data), Sender: c.pageOf(r.Attributes, r.DeviceID), Claimed: c.pageOf(r.Attributes, r.ClaimedID)}
		if view.Hex {
			row.Body.Text, row.Body.Hex = hexed(r.Data[:len(r.Data)-row.Body.Cut]), true
		}
		row.Attributes, row.More = attributes(r.Attributes)
		view.Rows = append(view.Rows, row)
	}
	slices.Reverse(view.Rows) // newest first
	return v.show(http.StatusOK, "refusal", "Refused message", view)
}

// refusalBody is the bytes as they came, to be kept and never to be shown by a browser.
func (c *Console) refusalBody(v *visit) error {
	rows, err := c.rows(v.Context(), v)
	if err != nil {
		return err
	}
	at, err := strconv.Atoi(v.URL.Query().Get("row"))
	if err != nil || at < 0 || at >= len(rows) {
		return v.fail(http.StatusNotFound, "The message has no such row.")
	}
	v.began = true
	h := v.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="message.bin"`)
	h.Set("Content-Length", strconv.Itoa(len(rows[at].Data)))
	_, _ = v.w.Write(rows[at].Data) // who has gone does not read it
	return nil
}

// rows is all of the path's message, oldest first.
func (c *Console) rows(ctx context.Context, v *visit) ([]Refusal, error) {
	if c.Warehouse == nil {
		return nil, v.fail(http.StatusServiceUnavailable, sentence(errNoWarehouse.Error()))
	}
	ctx, cancel := context.WithTimeout(ctx, warehouseTime)
	defer cancel()
	rows, err := c.Warehouse.Refusal(ctx, v.PathValue("message"))
	switch {
	case err != nil:
		return nil, v.fail(http.StatusServiceUnavailable, c.unanswered(err))
	case len(rows) == 0:
		return nil, v.fail(http.StatusNotFound, "No message of this id is in quarantine.")
	}
	return rows, nil
}

// pageOf is the page of the device of that name, in the registry that the message says;
// "" where that is none of ours.
func (c *Console) pageOf(attributes map[string]string, device string) string {
	key := gateway.DeviceKey{RegistryKey: c.registryKey(attributes[schema.AttrRegistryID]), Device: device}
	if !key.RegistryKey.Valid() || !schema.ValidID(device) || attributes[schema.AttrProjectID] != key.Project || attributes[schema.AttrRegistryLocation] != key.Location {
		return ""
	}
	return pathOf(key)
}

// attributes are in order, so many of them, and so much of each.
func attributes(all map[string]string) (list [][2]string, more int) {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if len(list) == shownAttributes {
			break
		}
		list = append(list, [2]string{clip(key, shownWords), clip(all[key], shownWords)})
	}
	return list, len(all) - len(list)
}

// Differ says that the body claims another sender than the gateway found.
func (r refusalRow) Differ() bool { return r.ClaimedID != "" && r.ClaimedID != r.DeviceID }

// Path is the message's page.
func (r *refusalView) Path() string { return "/quarantine/" + url.PathEscape(r.MessageID) }
