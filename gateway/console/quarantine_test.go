package console_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"iotbridge/gateway/console"
	"iotbridge/schema"
)

var messageLink = regexp.MustCompile(`href="/quarantine/([^"?/]+)"`)

func TestRefusalsAreFoundPageByPage(t *testing.T) {
	c := newCloud(t)
	b := newBed(t, c.wired)
	var list []refused
	at := time.Now()
	for i := range 200 {
		r := refused{id: fmt.Sprint(1000 + i), device: "boiler1", claim: "boiler2", reason: schema.DeviceMismatch, at: at.Add(-time.Duration(i) * time.Second)}
		if i >= 40 && i < 110 { // of one batch, over a page's end and more than a page
			r.at = at.Add(-40 * time.Second)
		}
		if i%50 == 0 {
			r.device, r.claim, r.reason = "boiler3", "", schema.MalformedBody
		}
		list = append(list, r)
	}
	list = append(list, refused{id: "old", device: "boiler1", reason: schema.MissingField, at: at.Add(-48 * time.Hour)})
	c.refuse(list...)
	w := b.browse(viewer)
	pages := func(path string) (seen map[string]int) {
		t.Helper()
		seen = map[string]int{}
		for path != "" {
			a := w.get(path)
			if a.status != http.StatusOK {
				t.Fatal(path, a.status, a.text)
			}
			for _, found := range messageLink.FindAllStringSubmatch(a.text, -1) {
				seen[found[1]]++
			}
			next := regexp.MustCompile(`<a href="(/quarantine\?[^"]+)" rel="next">`).FindStringSubmatch(a.text)
			if path = ""; next != nil {
				path = strings.ReplaceAll(next[1], "&amp;", "&")
			}
		}
		return seen
	}
	for path, want := range map[string]int{
		"/quarantine": 200, "/quarantine?since=720h": 201, "/quarantine?reason=malformed_body": 4, "/quarantine?device=boiler3": 4, "/quarantine?device=boiler2": 196,
		"/quarantine?reason=missing_field": 0, "/quarantine?since=" + at.Add(-72*time.Hour).UTC().Format(time.RFC3339) + "&reason=missing_field": 1,
		"/quarantine?device=" + url.QueryEscape("' OR 1=1 --"): 0,
	} {
		seen := pages(path)
		if len(seen) != want {
			t.Errorf("%s: %d messages on all pages, want %d", path, len(seen), want)
		}
		for id, times := range seen {
			if times != 1 {
				t.Errorf("%s: message %s is there %d times", path, id, times)
			}
		}
	}
	if n := strings.Count(w.get("/quarantine").text, `href="/quarantine/`); n != 40 {
		t.Errorf("%d messages on the first page: want those before the ones that came at the same time", n)
	}
	for _, query := range []string{"reason=x", "since=yesterday", "since=2h", "before=x", "device=" + strings.Repeat("x", 256)} {
		if a := w.get("/quarantine?" + query); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", query, a.status)
		}
	}
	if a := b.browse(bound).get("/quarantine"); a.status != http.StatusForbidden {
		t.Errorf("an operator of one registry sees all: %d", a.status)
	}
}

func TestARefusedMessageIsShownWhole(t *testing.T) {
	c := newCloud(t)
	b := newBed(t, c.wired)
	large := "x" + strings.Repeat("é", 40<<10) // the bound lies within a letter
	c.refuse(
		refused{id: "7", device: "boiler1", claim: "boiler2", body: "first", reason: schema.DeviceMismatch, detail: "device_id is another", at: time.Now().Add(-time.Hour), more: map[string]string{"colour": "red"}},
		refused{id: "7", device: "boiler1", claim: "boiler2", body: "\xff\x00A", reason: schema.DeviceMismatch},
		refused{id: "8", device: "boiler1", claim: "../../logout", body: large, reason: schema.Oversize},
		refused{id: "9", device: "boiler1", body: "{}", reason: schema.MissingField, more: map[string]string{schema.AttrProjectID: "other"}},
	)
	w := b.browse(viewer)
	page := w.get("/quarantine/7").text
	for _, want := range []string{
		`<a href="/registries/plant7/devices/boiler1">boiler1</a>`, `<a href="/registries/plant7/devices/boiler2">boiler2</a>`, "device_id is another", "first", "000000  ff 00 41", "colour", "red",
		"Refused as device_mismatch", "unless the rules have changed",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing:\n%s", want, page)
		}
	}
	if strings.Contains(page, "Judge it again") {
		t.Error("a viewer is offered a replay")
	}
	if page := w.get("/quarantine/7?as=hex").text; !strings.Contains(page, "000000  66 69 72 73 74") {
		t.Error(page)
	}
	if page := w.get("/quarantine/8").text; !strings.Contains(page, "16,386 of 81,921 bytes are not shown") || strings.Contains(page, "No text") || strings.Contains(page, `href="/registries/plant7/devices/.`) {
		t.Error(page[:min(len(page), 4000)])
	}
	if page := w.get("/quarantine/9").text; strings.Contains(page, `href="/registries/`) {
		t.Error("a device of another project has a page here")
	}
	for row, want := range map[string]string{"0": "first", "1": "\xff\x00A"} {
		a := w.get("/quarantine/7/body?row=" + row)
		if a.text != want || a.header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("row %s: %q %v", row, a.text, a.header)
		}
	}
	if a := w.get("/quarantine/8/body?row=0"); a.text != large {
		t.Errorf("%d bytes of %d", len(a.text), len(large))
	}
	for _, path := range []string{"/quarantine/none", "/quarantine/7/body?row=2", "/quarantine/7/body?row=-1", "/quarantine/7/body", "/quarantine/none/body?row=0"} {
		if a := w.get(path); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	for _, path := range []string{"/quarantine/7", "/quarantine/7/body?row=0", "/replay"} {
		if a := b.browse(bound).get(path); a.status != http.StatusForbidden {
			t.Errorf("%s for an operator of one registry: %d", path, a.status)
		}
	}
}

func TestEachReasonSaysWhatAReplayCanDo(t *testing.T) {
	c := newCloud(t)
	b := newBed(t, c.wired)
	var list []refused
	for _, reason := range schema.Reasons {
		list = append(list, refused{id: string(reason), device: "boiler1", reason: reason})
	}
	c.refuse(list...)
	w := b.browse(admin)
	for _, reason := range schema.Reasons {
		page := w.get("/quarantine/" + string(reason)).text
		never := reason == schema.MissingIdentity || reason == schema.DeviceBlocked
		if strings.Contains(page, "It is judged by today&#39;s rules.") || strings.Contains(page, "Judge it again") == never {
			t.Errorf("%s: %s", reason, page)
		}
		if !never {
			continue
		}
		if a := w.post("/quarantine/"+string(reason)+"/replay", nil); a.status != http.StatusConflict {
			t.Errorf("%s: %d %s", reason, a.status, a.text)
		}
		if a := w.post("/replay", url.Values{"reason": {string(reason)}, "since": {"2026-01-02T15:04:05Z"}}); a.status != http.StatusConflict {
			t.Errorf("%s by its filter: %d %s", reason, a.status, a.text)
		}
	}
}

func TestAReplayStoresWhatIsGoodToday(t *testing.T) {
	c := newCloud(t)
	b := newBed(t, c.wired)
	good := fmt.Sprintf(`{"timestamp":%d,"temperature":20}`, time.Now().Unix())
	c.refuse(
		refused{id: "1", device: "boiler1", body: good, reason: schema.ValueOutOfRange}, refused{id: "2", device: "boiler1", body: good, reason: schema.ValueOutOfRange},
		refused{id: "3", device: "boiler2", body: good, reason: schema.ValueOutOfRange}, refused{id: "4", device: "boiler1", body: "{", reason: schema.MalformedBody},
	)
	w := b.browse(admin)
	stored := func() string {
		return strings.Join(c.ask("SELECT message_id FROM `my-project.iot.temperature` ORDER BY message_id"), " ")
	}
	if a := w.post("/quarantine/1/replay", nil); a.status != http.StatusOK || !strings.Contains(a.text, `<th scope="row">stored</th><td>stored now</td><td class="number">1</td>`) || stored() != "1" {
		t.Fatalf("%d %s, stored: %s", a.status, a.text, stored())
	}
	if a := w.post("/quarantine/1/replay", nil); !strings.Contains(a.text, "already_stored") || stored() != "1" {
		t.Errorf("again: %d %s", a.status, a.text)
	}
	ask := w.get("/replay?reason=value_out_of_range&device=boiler1&since=24h")
	since := regexp.MustCompile(`name="since" value="([^"]+)"`).FindStringSubmatch(ask.text)
	if since == nil || !strings.Contains(ask.text, "<strong>2 messages</strong>") {
		t.Fatal(ask.text)
	}
	fields := url.Values{"reason": {"value_out_of_range"}, "device": {"boiler1"}, "since": {since[1]}}
	if a := w.post("/replay", fields); a.status != http.StatusOK || !strings.Contains(a.text, "stored now") || stored() != "1 2" {
		t.Errorf("%d %s, stored: %s", a.status, a.text, stored())
	}
	if a := w.post("/replay", url.Values{"since": {since[1]}}); !strings.Contains(a.text, `<th scope="row">malformed_body</th><td>refused again</td>`) || stored() != "1 2 3" {
		t.Errorf("all: %d %s, stored: %s", a.status, a.text, stored())
	}
	for _, fields := range []url.Values{{}, {"since": {"24h"}}, {"since": {since[1]}, "reason": {"x"}}} {
		if a := w.post("/replay", fields); a.status != http.StatusBadRequest {
			t.Errorf("%v: %d", fields, a.status)
		}
	}
	if a := w.post("/quarantine/none/replay", nil); a.status != http.StatusNotFound {
		t.Errorf("%d", a.status)
	}
	for _, by := range c.ask("SELECT replayed_by FROM `my-project.iot.quarantine_replays`") {
		if by != "ada" {
			t.Errorf("replayed by %q", by)
		}
	}
}

func TestAViewerReplaysNothing(t *testing.T) {
	c := newCloud(t)
	b := newBed(t, c.wired)
	c.refuse(refused{id: "1", device: "boiler1", body: `{"timestamp":1700000000,"temperature":20}`, reason: schema.ValueOutOfRange})
	looks, changes := b.browse(viewer), b.browse(admin)
	if a := looks.get("/replay"); a.status != http.StatusOK || strings.Contains(a.text, "Judge them again") {
		t.Error(a.text)
	}
	for path, fields := range map[string]url.Values{"/quarantine/1/replay": {}, "/replay": {"since": {"2026-01-02T15:04:05Z"}}} {
		for name, a := range map[string]answer{
			"a viewer": looks.post(path, fields), "of one registry": b.browse(bound).post(path, url.Values{"since": fields["since"]}),
			"without the word":  changes.send(http.MethodPost, path, url.Values{"since": fields["since"]}),
			"from another site": changes.send(http.MethodPost, path, url.Values{"since": fields["since"], "word": {changes.word}}, "Sec-Fetch-Site", "cross-site"),
		} {
			if a.status != http.StatusForbidden {
				t.Errorf("%s: %s: %d", path, name, a.status)
			}
		}
	}
	if list := c.ask("SELECT message_id FROM `my-project.iot.temperature`"); len(list) != 0 {
		t.Errorf("stored: %v", list)
	}
}

// broken is a warehouse that does not answer.
type broken struct{ console.Warehouse }

var errBroken = errors.New("table my-project.iot.quarantine: <script>alert(1)</script> no route")

func (broken) Refusals(context.Context, console.RefusalQuery) ([]console.Refusal, error) {
	return nil, errBroken
}

func (broken) Flow(context.Context, time.Time) ([]console.Minute, error) { return nil, errBroken }

func (broken) Refusal(context.Context, string) ([]console.Refusal, error) { return nil, errBroken }

func (broken) Replay(context.Context, string, console.RefusalQuery) (map[string]int, error) {
	return map[string]int{"stored": 3}, errBroken
}

func TestWithoutAWarehouseThePagesSayHowToConnectOne(t *testing.T) {
	for name, b := range map[string]*bed{"--console-quarantine-table": newBed(t), "BigQuery does not answer": newBed(t, func(c *console.Console) { c.Warehouse = broken{} })} {
		w := b.browse(admin)
		for path, want := range map[string]int{"/quarantine": 200, "/replay": 200, "/quarantine/7": 503, "/quarantine/7/body?row=0": 503} {
			if a := w.get(path); a.status != want || !strings.Contains(a.text, name) || strings.Contains(a.text, "no route") || strings.Contains(a.text, "<script>alert") {
				t.Errorf("%s: %d %s", path, a.status, a.text)
			}
		}
		a := w.post("/replay", url.Values{"since": {"2026-01-02T15:04:05Z"}})
		if name != "BigQuery does not answer" && !strings.Contains(a.text, name) || name == "BigQuery does not answer" && !strings.Contains(a.text, `<td class="number">3</td>`) {
			t.Errorf("%d %s", a.status, a.text)
		}
	}
}

// R3: what a refused message has in it is text.
func TestR3_RefusedMessagesAreText(t *testing.T) {
	c := newCloud(t)
	b := newBed(t, c.wired)
	for i, evil := range append(hostile, strings.Repeat("x", 100_000)) {
		c.refuse(refused{id: fmt.Sprint("m", i, evil[:min(len(evil), 200)]), device: evil, claim: evil, body: evil, reason: schema.Reason(evil), detail: evil, more: map[string]string{evil: evil, schema.AttrRegistryID: evil}})
	}
	w := b.browse(admin)
	list := w.get("/quarantine").text
	links := messageLink.FindAllStringSubmatch(list, -1)
	if len(links) != len(hostile)+1 || len(list) > 100_000 {
		t.Fatalf("%d messages, %d bytes", len(links), len(list))
	}
	texts := map[string]string{"/quarantine": list}
	for _, link := range links {
		path := "/quarantine/" + link[1]
		a := w.get(path)
		if a.status != http.StatusOK || len(a.text) > 250_000 {
			t.Errorf("%s: %d, %d bytes", path, a.status, len(a.text))
		}
		texts[path] = a.text
	}
	for _, evil := range hostile {
		for _, path := range []string{"/quarantine?reason=", "/quarantine?since=", "/quarantine?device=", "/quarantine/", "/replay?device="} {
			path += url.QueryEscape(evil)
			texts[path] = w.get(path).text
		}
	}
	for path, text := range texts {
		for _, bad := range bads {
			if strings.Contains(text, bad) {
				t.Errorf("%s: %s", path, bad)
			}
		}
	}
}
