package provision_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/zap/zapcore"
)

// traces are what a private key would be found by, in the forms that programs write.
func traces(t testing.TB, key *ecdsa.PrivateKey) (all [][]byte) {
	t.Helper()
	secret, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, secret, []byte(hex.EncodeToString(secret)), bytes.ToUpper([]byte(hex.EncodeToString(secret))))
	for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for shift := range 3 { // wherever in a text of base64 the secret begins
			text := alphabet.EncodeToString(append(make([]byte, shift), secret...))
			all = append(all, []byte(text[4:40]))
		}
	}
	return all
}

// P13: the key that is made here is told once, to its board, and is nowhere else: in no
// log, metric, table or file, and in no other answer.
func TestP13_AKeyMadeHereLeavesNoTrace(t *testing.T) {
	s := open(t, nil)
	var keys []*ecdsa.PrivateKey
	key, _ := keyAndCertificate(t, s.board("SN-0001").est("serverkeygen", csr(t, newKey(t), "SN-0001")))
	keys = append(keys, key)
	got := s.board("SN-0002").enroll(map[string]any{"identifiers": identifiers("SN-0002")})
	c, _ := got.credential(t, http.StatusCreated)
	block, _ := pem.Decode([]byte(c.PrivateKey))
	made, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	keys = append(keys, made.(*ecdsa.PrivateKey))
	for _, serial := range []string{"SN-0001", "SN-0002"} { // and what is told of it later
		s.board(serial).est("serverkeygen", csr(t, newKey(t), serial))
	}

	found := map[string][]byte{"metrics": []byte(s.scrape())}
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "message"})
	for _, entry := range s.logged.All() {
		line, err := encoder.EncodeEntry(entry.Entry, entry.Context)
		if err != nil {
			t.Fatal(err)
		}
		found["log"] = append(found["log"], line.Bytes()...)
	}
	if err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		found[path], err = os.ReadFile(path)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(found) < 3 || !bytes.Contains(found["log"], []byte("SN-0001")) || !bytes.Contains(bytes.Join(slices.Collect(maps.Values(found)), nil), []byte("SN-0002")) {
		t.Fatal("there is too little to look through")
	}
	for where, text := range found {
		dense := bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\n"), nil), []byte(`\n`), nil)
		for _, key := range keys {
			for _, trace := range traces(t, key) {
				if bytes.Contains(text, trace) || bytes.Contains(dense, trace) {
					t.Errorf("%s has a private key in it", where)
				}
			}
		}
	}
}
