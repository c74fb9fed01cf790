package devicemanager_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"iotbridge/gateway"
)

func key(format, text string) object {
	return object{"publicKey": object{"format": format, "key": text}}
}

func TestCredentialsAreChecked(t *testing.T) {
	b := newBed(t)
	populate(t, b)
	good, cert := publicPEM(), b.ca.issuePEM("device1")
	for name, c := range map[string]struct {
		credential object
		code       int
	}{
		"a key":                    {key("ES256_PEM", good), http.StatusOK},
		"the format's number":      {object{"publicKey": object{"format": 2, "key": good}}, http.StatusOK},
		"a certificate":            {key("ES256_X509_PEM", cert), http.StatusOK},
		"a wrong format":           {key("RSA_PEM", good), http.StatusBadRequest},
		"no format":                {object{"publicKey": object{"key": good}}, http.StatusBadRequest},
		"no key":                   {object{}, http.StatusBadRequest},
		"not PEM":                  {key("ES256_PEM", "secret key"), http.StatusBadRequest},
		"two keys in one":          {key("ES256_PEM", good+good), http.StatusBadRequest},
		"a certificate for a key":  {key("ES256_PEM", cert), http.StatusBadRequest},
		"an end that was":          {object{"publicKey": key("ES256_PEM", good)["publicKey"], "expirationTime": "2001-01-01T00:00:00Z"}, http.StatusOK},
		"an end beyond all years":  {object{"publicKey": key("ES256_PEM", good)["publicKey"], "expirationTime": "99999-01-01T00:00:00Z"}, http.StatusBadRequest},
		"an end that is not there": {object{"publicKey": key("ES256_PEM", good)["publicKey"], "expirationTime": "1970-01-01T00:00:00Z"}, http.StatusOK},
	} {
		t.Log(name)
		got := b.want(t, c.code, http.MethodPatch, device1+"?updateMask=credentials", object{"credentials": []object{c.credential}})
		if strings.Contains(got.String(), "secret") {
			t.Errorf("%s: the answer quotes the key: %v", name, got)
		}
	}
}

func TestRegistryCertificates(t *testing.T) {
	b := newBed(t)
	populate(t, b)
	old := publicPEM()
	b.want(t, http.StatusOK, http.MethodPost, devices, object{"id": "old", "credentials": []object{key("ES256_PEM", old)}})
	authority := func(text string) object {
		return object{"publicKeyCertificate": object{"format": "X509_CERTIFICATE_PEM", "certificate": text}}
	}
	ca := newAuthority("devices")
	for _, c := range []object{authority(publicPEM()), authority(ca.issuePEM("no authority")), authority("x"), {"publicKeyCertificate": object{"certificate": ca.pem}}, {}} {
		b.want(t, http.StatusBadRequest, http.MethodPatch, "/v1/"+seed+"?updateMask=credentials", object{"credentials": []object{c}})
	}
	b.want(t, http.StatusOK, http.MethodPatch, "/v1/"+seed+"?updateMask=credentials", object{"credentials": []object{authority(newAuthority("elsewhere").pem), authority(ca.pem)}})

	for name, c := range map[string]struct {
		credential object
		code       int
	}{
		"issued":                {key("ES256_X509_PEM", ca.issuePEM("new")), http.StatusOK},
		"a bare key":            {key("ES256_PEM", publicPEM()), http.StatusBadRequest},
		"another's":             {key("ES256_X509_PEM", newAuthority("devices").issuePEM("new")), http.StatusBadRequest},
		"the authority's own":   {key("ES256_X509_PEM", ca.pem), http.StatusBadRequest},
		"a self-signed of mine": {key("ES256_X509_PEM", newAuthority("self").pem), http.StatusBadRequest},
	} {
		t.Log(name)
		b.want(t, c.code, http.MethodPost, devices, object{"id": "made-" + strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), "'", ""), "credentials": []object{c.credential}})
		b.want(t, c.code, http.MethodPatch, device1+"?updateMask=credentials", object{"credentials": []object{c.credential}})
	}
	// What a device had before stays as it is, and may get an end.
	ends := key("ES256_PEM", old)
	ends["expirationTime"] = "2030-01-01T00:00:00Z"
	b.want(t, http.StatusOK, http.MethodPatch, devices+"/old?updateMask=credentials", object{"credentials": []object{ends, key("ES256_X509_PEM", ca.issuePEM("old"))}})
	d, err := b.store.Device(t.Context(), gateway.DeviceKey{RegistryKey: seedKey, Device: "old"})
	if err != nil || len(d.Credentials) != 2 || !d.Credentials[0].Expires.Equal(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v, %v", d, err)
	}
}
