package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
)

var deviceChanges = []page{
	{"GET /registries/{registry}/new", "ConsoleNewDevice", (*Console).newDevice},
	{"POST /registries/{registry}/new", "ConsoleCreateDevice", (*Console).createDevice},
	{"POST " + devicePath + "/block", "ConsoleBlock", (*Console).block},
	{"POST " + devicePath + "/unblock", "ConsoleUnblock", (*Console).unblock},
	{"POST " + devicePath + "/config", "ConsoleConfig", (*Console).config},
	{"POST " + devicePath + "/command", "ConsoleCommand", (*Console).command},
	{"POST " + devicePath + "/key", "ConsoleAddKey", (*Console).addKey},
	{"POST " + devicePath + "/unkey", "ConsoleRemoveKey", (*Console).removeKey},
	{"POST " + devicePath + "/delete", "ConsoleDelete", (*Console).deleteDevice},
}

var deviceDeeds = map[string]string{
	"device": "The device is registered. Give it its gcp_iot_config.txt, and it may connect.", "block": "The device is blocked: it is disconnected, and kept out.",
	"unblock": "The device may connect again.", "config": "The config is on its way. The page shows when the device has acknowledged it.",
	"command": "The device has the command.", "key": "The key is added.", "unkey": "The key is removed: a connection that used it is closed.", "delete": "The device is deleted.",
}

// newDevice is the form.
func (c *Console) newDevice(v *visit) error {
	registry := v.PathValue("registry")
	if _, err := c.manager().GetDeviceRegistry(v.Context(), &iotpb.GetDeviceRegistryRequest{Name: c.registryKey(registry).String()}); err != nil {
		return err
	}
	return v.show(http.StatusOK, "new", "Add a device", struct {
		Registry string
		May      bool
	}{registry, v.may(c.registryKey(registry).String())})
}

func (c *Console) createDevice(v *visit) error {
	key, err := credential(v.form())
	if err != nil {
		return err
	}
	d := &iotpb.Device{Id: strings.TrimSpace(v.form().Get("id")), Credentials: []*iotpb.DeviceCredential{key}}
	made, err := c.manager().CreateDevice(v.Context(), &iotpb.CreateDeviceRequest{Parent: c.registryKey(v.PathValue("registry")).String(), Device: d})
	if err != nil {
		return err
	}
	return v.back(pathOf(gateway.DeviceKey{RegistryKey: c.registryKey(v.PathValue("registry")), Device: made.GetId()}), "device")
}

// credential is a form's key: its format is recognised, and what is no key of a device
// is refused in words.
func credential(form url.Values) (*iotpb.DeviceCredential, error) {
	text := strings.TrimSpace(strings.ReplaceAll(form.Get("key"), "\r\n", "\n")) + "\n"
	format, err := auth.DetectFormat(text)
	if err != nil {
		return nil, &problem{http.StatusBadRequest, sentence("the key: " + err.Error())}
	}
	k := &iotpb.DeviceCredential{Credential: &iotpb.DeviceCredential_PublicKey{PublicKey: &iotpb.PublicKeyCredential{Format: iotpb.PublicKeyFormat(format), Key: text}}}
	if until := form.Get("expires"); until != "" {
		at, err := time.Parse("2006-01-02T15:04", until)
		if err != nil {
			at, err = time.Parse("2006-01-02T15:04:05", until) // of browsers that show seconds
		}
		switch {
		case err != nil:
			return nil, &problem{http.StatusBadRequest, "The expiry: want a time as 2027-01-02T15:04, in UTC."}
		case !at.After(time.Now()):
			return nil, &problem{http.StatusBadRequest, "The expiry lies in the past: the key would open nothing. It is in UTC, and now it is " + moment(time.Now()) + "."}
		}
		k.ExpirationTime = timestamppb.New(at)
	}
	return k, nil
}

func (c *Console) block(v *visit) error   { return c.setBlocked(v, true, "block") }
func (c *Console) unblock(v *visit) error { return c.setBlocked(v, false, "unblock") }

func (c *Console) setBlocked(v *visit, blocked bool, deed string) error {
	key := c.deviceKey(v.Request)
	_, err := c.manager().UpdateDevice(v.Context(), &iotpb.UpdateDeviceRequest{
		Device: &iotpb.Device{Name: key.String(), Blocked: blocked}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"blocked"}},
	})
	if err != nil {
		return err
	}
	return v.back(pathOf(key), deed)
}

// config sends the next version, unless another has come in between.
func (c *Console) config(v *visit) error {
	key, data := c.deviceKey(v.Request), strings.ReplaceAll(v.form().Get("config"), "\r\n", "\n")
	version, err := strconv.ParseInt(v.form().Get("version"), 10, 64)
	if err != nil || version < 1 {
		return v.fail(http.StatusBadRequest, "The form does not say after which version this one comes.")
	}
	if v.form().Get("json") != "" {
		var value json.RawMessage
		if err := json.Unmarshal([]byte(data), &value); err != nil {
			return v.fail(http.StatusBadRequest, sentence("the config is not JSON: "+err.Error()))
		}
	}
	if _, err := c.manager().ModifyCloudToDeviceConfig(v.Context(), &iotpb.ModifyCloudToDeviceConfigRequest{Name: key.String(), VersionToUpdate: version, BinaryData: []byte(data)}); err != nil {
		return err
	}
	return v.back(pathOf(key), "config")
}

func (c *Console) command(v *visit) error {
	key := c.deviceKey(v.Request)
	if _, err := c.manager().SendCommandToDevice(v.Context(), &iotpb.SendCommandToDeviceRequest{
		Name: key.String(), Subfolder: strings.TrimSpace(v.form().Get("folder")), BinaryData: []byte(strings.ReplaceAll(v.form().Get("command"), "\r\n", "\n")),
	}); err != nil {
		return err
	}
	return v.back(pathOf(key), "command")
}

func (c *Console) addKey(v *visit) error {
	added, err := credential(v.form())
	if err != nil {
		return err
	}
	return c.setKeys(v, "key", func(keys []*iotpb.DeviceCredential) ([]*iotpb.DeviceCredential, error) {
		return append(keys, added), nil
	})
}

func (c *Console) removeKey(v *visit) error {
	gone := v.form().Get("fingerprint")
	return c.setKeys(v, "unkey", func(keys []*iotpb.DeviceCredential) (left []*iotpb.DeviceCredential, err error) {
		for _, k := range keys {
			if fingerprint(k) != gone {
				left = append(left, k)
			}
		}
		if len(left) == len(keys) {
			err = v.fail(http.StatusNotFound, "The device has no such key any more.")
		}
		return left, err
	})
}

func (c *Console) setKeys(v *visit, deed string, change func([]*iotpb.DeviceCredential) ([]*iotpb.DeviceCredential, error)) error {
	key := c.deviceKey(v.Request)
	if err := c.Manager.ChangeCredentials(v.Context(), key.String(), change); err != nil {
		return err
	}
	return v.back(pathOf(key), deed)
}

func (c *Console) deleteDevice(v *visit) error {
	key := c.deviceKey(v.Request)
	if strings.TrimSpace(v.form().Get("sure")) != key.Device {
		return v.fail(http.StatusBadRequest, "What you wrote is not the device's name. It is still there.")
	}
	if _, err := c.manager().DeleteDevice(v.Context(), &iotpb.DeleteDeviceRequest{Name: key.String()}); err != nil {
		return err
	}
	return v.back("/registries/"+url.PathEscape(key.Registry)+"/devices", "delete")
}
