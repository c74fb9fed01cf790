package console

import (
	"fmt"
	"net/http"
	"net/url"

	"iotbridge/gateway"
)

var devicePages = []page{
	{"GET /registries/{registry}/devices", "ConsoleDevices", (*Console).devices},
}

const devicesOfPage = 50

// deviceList is a page of a registry's devices.
type deviceList struct {
	Registry string
	Tally    gateway.Tally
	Query    gateway.DeviceQuery
	Lines    []gateway.DeviceLine
	Kinds    []choice
	Columns  []column
	Next     string // the path of the next page; "": this is the last
	First    string // the path of the first page; "": this is it
	May      bool   // change something
}

// choice is one of a few ways to see a list.
type choice struct {
	Text, Path string
	Count      int
	Chosen     bool
}

// column is a head that orders by it.
type column struct {
	Text, Path string // Path "": it cannot be ordered by
	Order      string // aria-sort's word: ascending, descending, none
	Number     bool
}

func (c *Console) devices(v *visit) error {
	registry, form := v.PathValue("registry"), v.URL.Query()
	key := c.registryKey(registry)
	q := gateway.DeviceQuery{Text: form.Get("q"), Kind: gateway.DeviceKind(form.Get("kind")), Sort: gateway.DeviceSort(form.Get("sort")), Desc: form.Get("desc") != ""}
	lines, next, err := c.Fleet.Search(v.Context(), key, q, gateway.Page{Size: devicesOfPage, Token: form.Get("token")})
	if err != nil {
		return err
	}
	tallies, err := c.tally(v.Context())
	if err != nil {
		return err
	}
	list := &deviceList{Registry: registry, Tally: tallies[registry], Query: q, Lines: lines, May: v.may(key.String())}
	path := "/registries/" + url.PathEscape(registry) + "/devices"
	if next != "" {
		list.Next = path + asked(q, next)
	}
	if form.Get("token") != "" {
		list.First = path + asked(q, "")
	}
	list.Kinds, list.Columns = kinds(path, q, list.Tally), columns(path, q)
	return v.show(http.StatusOK, "devices", registry, list)
}

// asked is a query as a page's address has it.
func asked(q gateway.DeviceQuery, token string) string {
	values := url.Values{}
	for name, value := range map[string]string{"q": q.Text, "kind": string(q.Kind), "sort": string(q.Sort), "token": token} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Desc {
		values.Set("desc", "1")
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

func kinds(path string, q gateway.DeviceQuery, t gateway.Tally) (list []choice) {
	for _, k := range []struct {
		text  string
		kind  gateway.DeviceKind
		count int
	}{
		{"All", gateway.AllDevices, t.Devices},
		{"Connected", gateway.ConnectedDevices, t.Connected},
		{"Silent", gateway.SilentDevices, t.Silent},
		{"Erroring", gateway.ErroringDevices, t.Erroring},
		{"Blocked", gateway.BlockedDevices, t.Blocked},
	} {
		one := q
		one.Kind = k.kind
		list = append(list, choice{k.text, path + asked(one, ""), k.count, q.Kind == k.kind})
	}
	return list
}

// columns begin with the order that is of use: the latest first.
func columns(path string, q gateway.DeviceQuery) (list []column) {
	for _, c := range []struct {
		text   string
		sort   gateway.DeviceSort
		fixed  bool
		latest bool
	}{
		{"Device", gateway.ByName, false, false},
		{"State", "", true, false},
		{"Last message", gateway.ByLastEvent, false, true},
		{"Last error", gateway.ByLastError, false, true},
		{"Number", gateway.ByNumber, false, false},
	} {
		head := column{Text: c.text, Order: "none", Number: c.sort == gateway.ByNumber}
		if !c.fixed {
			one := q
			one.Sort, one.Desc = c.sort, c.latest
			if q.Sort == c.sort {
				one.Desc = !q.Desc
				head.Order = map[bool]string{false: "ascending", true: "descending"}[q.Desc]
			}
			head.Path = path + asked(one, "")
		}
		list = append(list, head)
	}
	return list
}

// Found says in words what the list is of.
func (l *deviceList) Found() string {
	what := map[gateway.DeviceKind]string{
		gateway.AllDevices: "devices", gateway.ConnectedDevices: "connected devices", gateway.SilentDevices: "devices from which nothing has come for an hour",
		gateway.BlockedDevices: "blocked devices", gateway.ErroringDevices: "devices whose last sign was an error",
	}[l.Query.Kind]
	if l.Query.Text != "" {
		return fmt.Sprintf("%s with %q in the name", what, l.Query.Text)
	}
	return what
}
