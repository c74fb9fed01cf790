package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"iotbridge/gateway/provision"
	"iotbridge/gateway/provision/office"
)

// profileFile is a profile as its file has it.
type profileFile struct {
	office.Profile
	Bootstrap []bootstrapFile `json:"bootstrap"`
	Webhook   *hookFile       `json:"webhook"`
}

type bootstrapFile struct {
	provision.Bootstrap
	CertificateFile string `json:"certificateFile"`
}

type hookFile struct {
	office.Hook
	SecretFile string `json:"secretFile"`
}

// readProfile reads a profile, and the files that it names.
func readProfile(name string) (*office.Profile, error) {
	text, err := readFile(name)
	if err != nil {
		return nil, err
	}
	var f profileFile
	if err := decodeProfile(text, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p := f.Profile
	if p.ID == "" {
		return nil, fmt.Errorf("%s: id is missing: the name of the profile", name)
	}
	near := func(file string) string {
		if filepath.IsAbs(file) {
			return file
		}
		return filepath.Join(filepath.Dir(name), file)
	}
	for _, b := range f.Bootstrap {
		if b.CertificateFile != "" {
			if err := b.read(near(b.CertificateFile)); err != nil {
				return nil, err
			}
		}
		p.Bootstrap = append(p.Bootstrap, b.Bootstrap)
	}
	if f.Webhook != nil {
		p.Webhook = &f.Webhook.Hook
		if f.Webhook.SecretFile != "" {
			secret, err := readFile(near(f.Webhook.SecretFile))
			if err != nil {
				return nil, err
			}
			p.Webhook.Secret = string(bytes.TrimSpace(secret))
		}
	}
	return &p, nil
}

// decodeProfile takes YAML for the JSON that it stands for; a key that there is not is
// a mistake.
func decodeProfile(text []byte, into *profileFile) error {
	var document yaml.Node
	if err := yaml.Load(text, &document); err != nil {
		return err
	}
	var members map[string]any
	if err := document.Decode(&members); err != nil {
		return err
	}
	raw, err := json.Marshal(members)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err = d.Decode(into)
	if err == nil {
		return nil
	}
	reason := strings.TrimPrefix(err.Error(), "json: ")
	wrong := ""
	if typed, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		wrong = typed.Field[strings.LastIndexByte(typed.Field, '.')+1:]
		reason = fmt.Sprintf("%s is a %s, want %s", wrong, typed.Value, typed.Type)
	} else if at := strings.IndexByte(reason, '"'); at >= 0 {
		wrong = strings.Trim(reason[at:], `"`)
	}
	if n := lineOf(&document, wrong); n > 0 {
		return fmt.Errorf("line %d: %s", n, reason)
	}
	return errors.New(reason)
}

// lineOf is where a key stands first; 0 for nowhere.
func lineOf(n *yaml.Node, key string) int {
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && child.Value == key {
			return child.Line
		}
		if at := lineOf(child, key); at > 0 {
			return at
		}
	}
	return 0
}

// read takes the certificate of an authority for all that it has issued, and any other
// for itself.
func (b *bootstrapFile) read(name string) error {
	text, err := readFile(name)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return fmt.Errorf("%s: want a certificate in PEM", name)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	sum := sha256.Sum256(c.Raw)
	b.SHA256 = hex.EncodeToString(sum[:])
	if c.IsCA {
		b.Authority = string(pem.EncodeToMemory(block))
	}
	return nil
}
