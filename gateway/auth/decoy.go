package auth

import (
	"crypto"
	"sync"

	"iotbridge/gateway"
)

// Public keys that nobody has the private halves of.
const (
	decoyES256 = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMTLYqryvDRMz0rb7oofhg01Orn7m
/5VbdQbG61oY7OMDaKZ8+iy/W0SKq9rUrZgiUUqPCoEreoBgOZKoF0IpsA==
-----END PUBLIC KEY-----`
	decoyRS256 = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqFNYnQ+LKmhD8mAYKvKP
YiZxp0Q5Isj/LcmimB2q7Ak7QOtNqh43KvfFdZiLKxmh+jza7XkdzcM4r1h/Bsk+
reaYFwm+RbcotNXDMO3BtKhvUcDyRhjhPyXzET6pBjicswPnYnYpa7VL8KTwIlrs
GY3zbUVb0YE/8iJq/Segf4bKPDyWNvDlroxxVh6HFnTaO7USgoKp3Gej+AGB4n+a
y8EpgdO3D4gUwJVvaW5vzrfE7G1Fv/q5nQQgBoc3oKkRx+z5T6EWs9uNwJbUdZ9G
9oMEU6QglzGUMPphSrgNfaNC1dzKbOjn8CAGXF9axrN5W5am138IG86AKe3FAKLx
/wIDAQAB
-----END PUBLIC KEY-----`
)

// decoys are verified with in place of keys that a device does not have, so that a
// refusal's time does not tell whether the device exists, or how many keys it has.
var decoys = sync.OnceValue(func() map[string]crypto.PublicKey {
	ec, err := ParseKey(gateway.ES256PEM, decoyES256)
	if err != nil {
		panic(err)
	}
	rsa, err := ParseKey(gateway.RSAPEM, decoyRS256)
	if err != nil {
		panic(err)
	}
	return map[string]crypto.PublicKey{es256: ec.Public, rs256: rsa.Public}
})
