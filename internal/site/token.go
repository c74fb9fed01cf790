package site

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"iotbridge/gateway/operators"
)

// Files of the local operator in a data directory: the token, and what the gateway
// has of it.
const (
	adminTokenFile = "admin.token"
	operatorsFile  = "operators"
)

// Operator returns the files of the operator of the system in dir: the token, which is
// made where the list does not have it, and the gateway's list of operators.
func Operator(dir string) (token, list string, err error) {
	token, list = filepath.Join(dir, adminTokenFile), filepath.Join(dir, operatorsFile)
	local := operators.Operator{Name: "local", Role: operators.Admin}
	if secret, err := readToken(token); err == nil {
		if known, err := os.ReadFile(list); err == nil && strings.Contains(string(known), local.Line(secret)) {
			return token, list, nil
		}
	}
	secret := rand.Text()
	if err = writeWhole(token, []byte(secret+"\n")); err == nil {
		err = writeWhole(list, []byte(local.Line(secret)))
	}
	if err != nil {
		return "", "", fmt.Errorf("local operator: %w", err)
	}
	return token, list, nil
}
