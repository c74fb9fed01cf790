package registry

import (
	"encoding/json"
	"time"

	"iotbridge/gateway"
)

// micros is how times are kept; no time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// moment is a column with a time.
type moment struct{ t *time.Time }

// Scan is sql.Scanner's.
func (m moment) Scan(v any) error {
	n, _ := v.(int64)
	*m.t = fromMicros(n)
	return nil
}

// document is a column with JSON.
type document struct{ to any }

// Scan is sql.Scanner's.
func (d document) Scan(v any) error {
	switch v := v.(type) {
	case string:
		return json.Unmarshal([]byte(v), d.to)
	case []byte:
		return json.Unmarshal(v, d.to)
	}
	return nil
}

// encode is for what always can be: strings, numbers, lists and maps of them.
func encode(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// blob is data as a column takes it that is never NULL.
func blob(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// The columns' own types: what is kept does not change with a field's name in Go.
type (
	credential struct {
		Format  int    `json:"format"`
		PEM     string `json:"pem"`
		Expires int64  `json:"expires,omitempty"`
	}
	route struct {
		SubFolder string `json:"subfolder,omitempty"`
		Topic     string `json:"topic"`
	}
)

func encodeCredentials(list []gateway.Credential) string {
	kept := make([]credential, len(list))
	for i, c := range list {
		kept[i] = credential{int(c.Format), c.PEM, micros(c.Expires)}
	}
	return encode(kept)
}

func decodeCredentials(kept []credential) []gateway.Credential {
	var list []gateway.Credential
	for _, c := range kept {
		list = append(list, gateway.Credential{Format: gateway.KeyFormat(c.Format), PEM: c.PEM, Expires: fromMicros(c.Expires)})
	}
	return list
}

func encodeRoutes(list []gateway.Route) string {
	kept := make([]route, len(list))
	for i, r := range list {
		kept[i] = route(r)
	}
	return encode(kept)
}

func decodeRoutes(kept []route) []gateway.Route {
	var list []gateway.Route
	for _, r := range kept {
		list = append(list, gateway.Route(r))
	}
	return list
}

// octets is a column with bytes; none, and a missing row's NULL, are nil.
type octets struct{ b *[]byte }

// Scan is sql.Scanner's.
func (o octets) Scan(v any) error {
	raw, _ := v.([]byte)
	*o.b = append([]byte(nil), raw...)
	return nil
}
