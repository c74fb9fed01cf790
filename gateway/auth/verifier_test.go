package auth_test

import (
	"testing"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
)

func TestVerify(t *testing.T) {
	keys := []gateway.Credential{ecOther().Credential, rsaDevice().Credential, ecDevice().Credential}
	for want, d := range []*device{ecOther(), rsaDevice(), ecDevice()} {
		expires, credential, err := new(auth.Verifier).Verify([]byte(d.token()), project, keys, now)
		if err != nil || credential != want || !expires.Equal(now.Add(time.Hour)) {
			t.Errorf("key %d: credential %d until %v, %v", want, credential, expires, err)
		}
	}
	refuses(t, "another's key", gateway.BadSignature, ecDevice().token(), ecOther().Credential)
	refuses(t, "no key", gateway.NoKey, ecDevice().token())
}
