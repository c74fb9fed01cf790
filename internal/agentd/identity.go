package agentd

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Identity is who the device is, and where its key lies.
type Identity struct {
	KeyPath    string `type:"path" placeholder:"DIR" help:"Where the private key and the root certificate are. Default: where the configuration is."`
	PrivateKey string `default:"ec_private.pem" placeholder:"FILE" help:"The device's private key in PEM, in KEY_PATH: P-256, or RSA of 2048 bits or more."`
	RegistryID string `placeholder:"ID" help:"The registry that the device is registered in."`
	DeviceID   string `placeholder:"ID" help:"The device's number or name."`
	Region     string `placeholder:"R" help:"Where the registry is, as in us-central1."`
	ProjectID  string `placeholder:"P" help:"The project that the registry belongs to."`

	config string // the file that the settings come from; "" is none
}

// within is a file of KEY_PATH, unless it says by itself where it is.
func (i *Identity) within(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	dir := i.KeyPath
	if dir == "" {
		dir = filepath.Dir(i.config) // "." without one
	}
	return filepath.Join(dir, name)
}

// key is the private key's file.
func (i *Identity) key() string { return i.within(i.PrivateKey) }

// client is the MQTT client id, which is the device's name in the whole world.
func (i *Identity) client() string {
	return fmt.Sprintf("projects/%s/locations/%s/registries/%s/devices/%s", i.ProjectID, i.Region, i.RegistryID, i.DeviceID)
}

// fault is what is missing or cannot be.
func (i *Identity) fault() error {
	var missing []string
	for _, need := range []struct{ flag, value string }{
		{"project-id", i.ProjectID}, {"region", i.Region}, {"registry-id", i.RegistryID}, {"device-id", i.DeviceID},
	} {
		if need.value == "" {
			missing = append(missing, keyOf(need.flag))
		}
	}
	switch {
	case len(missing) > 0 && i.config == "":
		return fmt.Errorf("no configuration: %s are not there; name a file with -c (still unknown: %s)", strings.Join(standard, " and "), strings.Join(missing, ", "))
	case len(missing) > 0:
		return fmt.Errorf("%s: %s: not set; \"iotbridge devices create\" prints a whole file", i.config, strings.Join(missing, ", "))
	case !numeric(i.DeviceID) && !named(i.DeviceID):
		return fmt.Errorf("DEVICE_ID is %s: want the number of 16 digits that the device was given, or its name (3 to 255 of A-Z a-z 0-9 - . _ ~ %%, a letter first)", clip(i.DeviceID))
	case !named(i.RegistryID):
		return fmt.Errorf("REGISTRY_ID is %s: want its name (3 to 255 of A-Z a-z 0-9 - . _ ~ %%, a letter first)", clip(i.RegistryID))
	case !lower(i.ProjectID, "-.:"):
		return fmt.Errorf("PROJECT_ID is %s: want a name as my-project", clip(i.ProjectID))
	case !lower(i.Region, "-"):
		return fmt.Errorf("REGION is %s: want a name as us-central1", clip(i.Region))
	case i.PrivateKey == "":
		return errors.New("PRIVATE_KEY is empty: name the key's file")
	}
	return nil
}

// The grammar of ids is schema's, which the agent does without: a YAML reader comes
// with it.

// numeric says that s is a device's number.
func numeric(s string) bool {
	return len(s) == 16 && s[0] != '0' && s <= "9007199254740991" && only(s, "")
}

// named says that s is the name of a device or a registry.
func named(s string) bool {
	return len(s) >= 3 && len(s) <= 255 && letter(rune(s[0])) && !strings.HasPrefix(s, "goog") && only(s, letters+"-._~%")
}

// lower says that s is of lower case letters, digits and more, a letter first.
func lower(s, more string) bool {
	return s != "" && len(s) <= 127 && letter(rune(s[0])) && only(s, lowerCase+more)
}

const (
	lowerCase = "abcdefghijklmnopqrstuvwxyz"
	letters   = lowerCase + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// only says that s is of digits and more.
func only(s, more string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return !strings.ContainsRune("0123456789"+more, c) })
}

func letter(c rune) bool { return strings.ContainsRune(letters, c) }
