package auth_test

import (
	"sync"
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

func TestVerifyAtOnce(t *testing.T) {
	v := new(auth.Verifier)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			d := []*device{ecDevice(), ecOther(), rsaDevice()}[i%3]
			for range 20 {
				if _, _, err := v.Verify([]byte(d.token()), project, []gateway.Credential{d.Credential}, now); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}
