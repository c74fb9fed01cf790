package site

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"iotbridge/schema"
)

// KeysFile is the file of the attestation's keys in a data directory.
const KeysFile = "attestation.keys"

// Keyring returns the keys in dir and their file, which is made, with one key, where
// there is none.
func Keyring(dir string) (*schema.Keyring, string, error) {
	name := filepath.Join(dir, KeysFile)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		text = newKey()
		err = writeWhole(name, text)
	}
	if err != nil {
		return nil, "", fmt.Errorf("attestation keys: %w", err)
	}
	keys, err := schema.ParseKeyring(text)
	if err != nil {
		return nil, "", fmt.Errorf("attestation keys: %s: %w", name, err)
	}
	return keys, name, nil
}

func newKey() []byte {
	var secret [32]byte
	rand.Read(secret[:]) // never fails
	return fmt.Appendf(nil, "local %s\n", base64.StdEncoding.EncodeToString(secret[:]))
}

// writeWhole makes a file, readable for its owner alone, whole or not at all.
func writeWhole(name string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // nothing is there any more when all went well
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
