package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"golang.org/x/sync/errgroup"

	"iotbridge/gateway"
	"iotbridge/internal/iotconfig"
)

const (
	devicePath  = "/registries/{registry}/devices/{device}"
	plotSpan    = time.Hour
	plotMost    = 1000
	shownBody   = 64 << 10 // bytes of a body on a page
	shownBefore = 8 << 10
	shownRefuse = 10
)

var devicePage = []page{
	{"GET " + devicePath, "ConsoleDevice", (*Console).device},
	{"GET /live" + devicePath, "ConsoleDeviceLive", (*Console).deviceLive},
	{"GET " + devicePath + "/gcp_iot_config.txt", "ConsoleDeviceFile", (*Console).deviceFile},
}

// deviceView is all that is known of a device.
type deviceView struct {
	Registry, Name string
	It             *iotpb.Device
	Life           life
	Keys           []keyLine
	Configs        []configLine
	Foreign        bool // the config's bytes do not pass a form unchanged
	States         []stateLine
	Plot           plot
	Refusals       []Refusal
	Missing        string // why there is no plot
	Unknown        string // why there are no refusals
	Whole          bool   // the operator may see what is of no registry
	File           string // the path of its gcp_iot_config.txt
	May            bool
}

// life is what changes by itself: a live fragment.
type life struct {
	Blocked                              bool
	Open                                 *gateway.Connection
	Connections                          []gateway.Connection // that have ended
	Event, Heartbeat, State, Sent, Acked time.Time
	Error                                time.Time
	ErrorText, Gateway                   string
	ConfigVersion                        int64
	ConfigPending                        bool
}

type keyLine struct {
	Format, Fingerprint string
	Expires             time.Time
	Index               int
}

type configLine struct {
	Version        int64
	Updated, Acked time.Time
	Body           body
}

type stateLine struct {
	Updated time.Time
	Body    body
}

// body is bytes of a device, or for one, as a page shows them.
type body struct {
	Text string
	Hex  bool // it is no text
	Cut  int  // bytes that are not shown
	Size int
}

func shown(data []byte) body { return beginning(data, shownBody) }

// version shows the latest, and of those before it the beginning: there are ten of them.
func version(i int, data []byte) body {
	if i == 0 {
		return shown(data)
	}
	return beginning(data, shownBefore)
}

// carried says that a form brings the bytes back as they are: text, with line feeds as
// the ends of its lines.
func carried(data []byte) bool {
	return utf8.Valid(data) && !bytes.ContainsFunc(data, func(r rune) bool { return r == '\ufeff' || unicode.IsControl(r) && r != '\n' && r != '\t' })
}

// beginning shows so many bytes at the most, and cuts no letter in two.
func beginning(data []byte, most int) body {
	part := data[:min(len(data), most)]
	for less := 0; len(part) < len(data) && less < min(utf8.UTFMax, len(part)); less++ {
		if utf8.Valid(part[:len(part)-less]) {
			part = part[:len(part)-less]
			break
		}
	}
	text := printable(part)
	return body{Text: text, Hex: text != string(part), Cut: len(data) - len(part), Size: len(data)}
}

// deviceKey is the device of a page's path.
func (c *Console) deviceKey(r *http.Request) gateway.DeviceKey {
	return gateway.DeviceKey{RegistryKey: c.registryKey(r.PathValue("registry")), Device: r.PathValue("device")}
}

// pathOf is a device's page.
func pathOf(key gateway.DeviceKey) string {
	return "/registries/" + url.PathEscape(key.Registry) + "/devices/" + url.PathEscape(key.Device)
}

func (c *Console) device(v *visit) error {
	key := c.deviceKey(v.Request)
	d, err := c.manager().GetDevice(v.Context(), &iotpb.GetDeviceRequest{Name: key.String()})
	if err != nil {
		return err
	}
	key.Device = d.GetId()
	view := &deviceView{Registry: key.Registry, Name: d.GetId(), It: d, Keys: keyLines(d), File: pathOf(key) + "/gcp_iot_config.txt", May: v.may(key.RegistryKey.String()), Whole: v.who.Reaches(c.parent())}
	g, ctx := errgroup.WithContext(v.Context())
	g.Go(c.aside(func() (err error) {
		view.Life, err = c.life(ctx, key)
		return err
	}))
	g.Go(c.aside(func() error {
		list, err := c.manager().ListDeviceConfigVersions(ctx, &iotpb.ListDeviceConfigVersionsRequest{Name: key.String(), NumVersions: 10})
		for i, one := range list.GetDeviceConfigs() {
			view.Configs = append(view.Configs, configLine{one.GetVersion(), one.GetCloudUpdateTime().AsTime(), when(one.GetDeviceAckTime()), version(i, one.GetBinaryData())})
			if i == 0 {
				view.Foreign = !carried(one.GetBinaryData())
			}
		}
		return err
	}))
	g.Go(c.aside(func() error {
		list, err := c.manager().ListDeviceStates(ctx, &iotpb.ListDeviceStatesRequest{Name: key.String(), NumStates: 10})
		for i, one := range list.GetDeviceStates() {
			view.States = append(view.States, stateLine{when(one.GetUpdateTime()), version(i, one.GetBinaryData())})
		}
		return err
	}))
	g.Go(c.aside(func() error {
		view.Plot, view.Missing = c.readings(ctx, key)
		return nil
	}))
	g.Go(c.aside(func() error {
		view.Refusals, view.Unknown = c.refusalsOf(ctx, key)
		return nil
	}))
	if err := g.Wait(); err != nil {
		return err
	}
	return v.show(http.StatusOK, "device", d.GetId(), view)
}

// deviceLive is of whoever looks at the device.
func (c *Console) deviceLive(v *visit) error {
	key := c.deviceKey(v.Request)
	d, err := c.Manager.Admin.Device(v.Context(), key) // one that is not there has no stream
	if err != nil {
		return err
	}
	key.Device = d.Num() // one of the same name that comes later is another
	return v.live("device "+d.Num(), func(ctx context.Context) ([]event, error) {
		now, err := c.life(ctx, key)
		if err != nil {
			return nil, err
		}
		named := gateway.DeviceKey{RegistryKey: key.RegistryKey, Device: d.Key.Device}
		first, err := fragment("life", "life", now)
		if err != nil {
			return nil, err
		}
		events := []event{first}
		if readings, missing := c.readings(ctx, named); missing == "" {
			events = append(events, event{readings.ID, readings.Points})
		}
		return events, nil
	})
}

// life asks the store, which every gateway shares.
func (c *Console) life(ctx context.Context, key gateway.DeviceKey) (l life, err error) {
	d, err := c.Manager.Admin.Device(ctx, key)
	if err != nil {
		return l, err
	}
	l = life{
		Blocked: d.Blocked, Event: d.LastEvent, Heartbeat: d.LastHeartbeat, State: d.LastState, Sent: d.LastConfigSend, Acked: d.LastConfigAck,
		Error: d.LastError, Gateway: d.LastGateway, ConfigVersion: d.Config.Version, ConfigPending: d.Config.Version > 1 && d.Config.Acked.IsZero(),
	}
	if d.LastErrorStatus != nil {
		l.ErrorText = d.LastErrorStatus.Message
	}
	connections, err := c.Fleet.Connections(ctx, d.Number, 20)
	for i, one := range connections {
		if i == 0 && one.Reason == "" && one.Ended.IsZero() {
			l.Open = &one
			continue
		}
		l.Connections = append(l.Connections, one)
	}
	return l, err
}

// readings are what the warehouse has of the device; missing says why it tells nothing.
func (c *Console) readings(ctx context.Context, key gateway.DeviceKey) (p plot, missing string) {
	if c.Warehouse == nil {
		return p, c.unanswered(errNoWarehouse)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	readings, err := c.Warehouse.Readings(ctx, key, time.Now().Add(-plotSpan), plotMost)
	if err != nil {
		return p, c.unanswered(err)
	}
	return drawn("plot-readings", "Temperature", "°C, the last hour", readings), ""
}

// refusalsOf are the device's in its own registry: who may see it may see them, and those
// of another registry's device of that name are not its.
func (c *Console) refusalsOf(ctx context.Context, key gateway.DeviceKey) (list []Refusal, missing string) {
	if c.Warehouse == nil {
		return nil, c.unanswered(errNoWarehouse)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	list, err := c.Warehouse.Refusals(ctx, RefusalQuery{Device: key.Device, Registry: key.RegistryKey, Since: time.Now().Add(-24 * time.Hour), Most: shownRefuse})
	if err != nil {
		return nil, c.unanswered(err)
	}
	return list, ""
}

// deviceFile is what the device reads to find its gateway.
func (c *Console) deviceFile(v *visit) error {
	key := c.deviceKey(v.Request)
	d, err := c.manager().GetDevice(v.Context(), &iotpb.GetDeviceRequest{Name: key.String()})
	if err != nil {
		return err
	}
	v.began = true
	v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	v.w.Header().Set("Content-Disposition", `attachment; filename="gcp_iot_config.txt"`)
	return iotconfig.Write(v.w, iotconfig.Device{Project: key.Project, Region: key.Location, Registry: key.Registry, Number: d.GetNumId(), Gateway: c.gatewayOf(v.Request)})
}

// gatewayOf is where devices connect: as it was set, or the name by which the operator
// has come.
func (c *Console) gatewayOf(r *http.Request) string {
	host, port, err := net.SplitHostPort(c.MQTT)
	if err != nil || host != "" {
		return c.MQTT
	}
	name := r.Host
	if h, _, err := net.SplitHostPort(r.Host); err == nil {
		name = h
	}
	return net.JoinHostPort(strings.Trim(name, "[]"), port)
}

func keyLines(d *iotpb.Device) (list []keyLine) {
	for i, k := range d.GetCredentials() {
		list = append(list, keyLine{k.GetPublicKey().GetFormat().String(), fingerprint(k), when(k.GetExpirationTime()), i})
	}
	return list
}

// fingerprint tells keys apart.
func fingerprint(k *iotpb.DeviceCredential) string {
	return sumOf([]byte(k.GetPublicKey().GetKey()))[:16]
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// when is a time that may not be there.
func when(t interface {
	IsValid() bool
	AsTime() time.Time
},
) time.Time {
	if !t.IsValid() || t.AsTime().Unix() <= 0 {
		return time.Time{}
	}
	return t.AsTime()
}

// Metadata is the device's, in order.
func (d *deviceView) Metadata() (list [][2]string) {
	for key, value := range d.It.GetMetadata() {
		list = append(list, [2]string{key, value})
	}
	slices.SortFunc(list, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return list
}

// Lasted is how long an ended connection was there.
func (l life) Lasted(c gateway.Connection) string {
	if c.Ended.IsZero() {
		return "not known"
	}
	return rounded(c.Ended.Sub(c.Began))
}

// Number is the device's.
func (d *deviceView) Number() string { return fmt.Sprint(d.It.GetNumId()) }
