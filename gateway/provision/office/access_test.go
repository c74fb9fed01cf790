package office_test

import (
	"net/http"
	"strings"
	"testing"

	"iotbridge/gateway"
)

// requests has one of every route.
var requests = []struct{ method, path, body string }{
	{"GET", "profiles", ""},
	{"GET", "profiles/batch7", ""},
	{"PUT", "profiles/batch7", `{"registry":"plant7","revision":1,"bootstrap":[{"name":"b","sha256":"` + sum1 + `"}]}`},
	{"POST", "profiles/batch7:disable", ""},
	{"POST", "profiles/batch7:enable", ""},
	{"POST", "profiles/batch7/bootstrap/" + sum1 + ":revoke", ""},
	{"POST", "profiles/batch7/bootstrap/" + sum1 + ":restore", ""},
	{"POST", "profiles/batch7/lists/allow", "AB-12\n"},
	{"GET", "profiles/batch7/lists/allow", ""},
	{"DELETE", "profiles/batch7/lists/allow/AB-12", ""},
	{"POST", "profiles/batch7/lists/deny:remove", "AB-12\n"},
	{"GET", "profiles/batch7/claims", ""},
	{"GET", "profiles/batch7/claims/AB-12", ""},
	{"POST", "profiles/batch7/claims/AB-12:approve", ""},
	{"POST", "profiles/batch7/claims/AB-12:deny", `{"reason":"stolen"}`},
	{"POST", "profiles/batch7/claims/AB-12:reset", ""},
	{"DELETE", "profiles/batch7", ""},
}

func TestP16_WhoMayWhat(t *testing.T) {
	b := newBed(t)
	b.profile("batch7")
	for _, who := range []struct {
		token       string
		reads, does int // the status; 0: what it is for who may
	}{
		{"", 401, 401},
		{"the token of nobody", 401, 401},
		{bound, 403, 403},
		{other, 403, 403},
		{viewer, 0, 403},
		{admin, 0, 0},
	} {
		for _, r := range requests {
			want := who.does
			if r.method == http.MethodGet {
				want = who.reads
			}
			code, text := b.do(who.token, r.method, r.path, r.body)
			absent := strings.Contains(r.path, "claims/") // nobody has asked
			switch {
			case want == 0 && absent && code != 404, want == 0 && !absent && code != 200, want != 0 && code != want:
				t.Errorf("%q: %s %s: %d %s", who.token, r.method, r.path, code, text)
			}
		}
	}
}

func TestR10_WhatIsDeniedIsInTheAuditLog(t *testing.T) {
	b := newBed(t)
	b.profile("batch7")
	b.do(viewer, http.MethodPost, "profiles/batch7:disable", "")
	b.do("", http.MethodPost, "profiles/batch7:disable", "")
	list, _, err := b.store.Audit(t.Context(), gateway.Page{Size: 2})
	if err != nil {
		t.Fatal(err)
	}
	nobody, vera := list[0], list[1]
	if vera.Actor != "vera" || vera.Action != "denied" || vera.Object != location+"/provisioning/profiles/batch7" || vera.Detail != "DisableProfile" {
		t.Errorf("%+v", vera)
	}
	if nobody.Actor != "-" || nobody.Action != "denied" || nobody.Detail != "a call of DisableProfile from 127.0.0.1" {
		t.Errorf("%+v", nobody)
	}
}

// A page in the browser of an operator who shows a certificate is not the operator.
func TestAPageOfAnotherOriginChangesNothing(t *testing.T) {
	b := newBed(t)
	b.profile("batch7")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/v1/provisioning/profiles/batch7:disable", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+admin)
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Error(resp.Status)
	}
}

// What belongs to another location's registry is not there, whoever asks.
func TestAnotherLocationsProfileIsNotThere(t *testing.T) {
	b := newBed(t)
	b.profile("batch7")
	b.office.Location = "projects/my-project/locations/asia-east1"
	for _, r := range requests {
		code, text := b.do(admin, r.method, r.path, r.body)
		switch {
		case r.path == "profiles":
			if code != 200 || strings.Contains(text, "batch7") {
				t.Errorf("%s %s: %d %s", r.method, r.path, code, text)
			}
		case code != 404 && code != 400:
			t.Errorf("%s %s: %d %s", r.method, r.path, code, text)
		}
	}
	if code, text := b.do(admin, http.MethodPut, "profiles/batch8", `{"registry":"`+location+`/registries/plant7","bootstrap":[{"name":"b","sha256":"`+sum1+`"}]}`); code != 400 || !strings.Contains(text, "this gateway serves") {
		t.Errorf("another's registry: %d %s", code, text)
	}
}
