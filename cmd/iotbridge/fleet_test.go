package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"iotbridge/device"
	"iotbridge/device/enroll"
	"iotbridge/device/mqtt"
	"iotbridge/internal/loadtest"
	"iotbridge/schema"
)

// fleetVariable says how many boards are switched on at once.
const fleetVariable = "IOTBRIDGE_FLEET"

const factoryProfile = `id: batch7
registry: RaspberryPiDevices
bootstrap:
  - name: batch 7
    certificateFile: pki/bootstrap-batch7.pem
lists: true
keyMode: csr
maxDevices: %d
rates: {certificate: 100000, address: 100000, prefix: 100000}   # one hall: one address, and serials that count up
`

// From nothing, with the operator's commands: authorities, a profile, a list of serials;
// then all boards of a batch ask at once, each by the agent's code over mTLS, and publish
// as who they are. One more whose serial is not on the list gets nothing, and leaves
// nothing.
func TestAFactoryTurnsItsBoardsOnAtOnce(t *testing.T) {
	n := 60
	if text := os.Getenv(fleetVariable); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := loadtest.NeedFiles(4*n + 100); err != nil {
		t.Fatal(err)
	}
	f := newFactory(t)
	f.operate("registries", "create", f.Registry, "--default-topic", "sensordata", "--route", "temperature=temperature")
	f.operate("provision", "profiles", "apply", f.write("batch7.yaml", fmt.Sprintf(factoryProfile, n+1)))
	var csv strings.Builder
	csv.WriteString("serial\n")
	for i := range n {
		csv.WriteString(boardSerial(i) + "\n")
	}
	said := f.operate("provision", "allow", "add", "--profile", "batch7", f.write("serials.csv", csv.String()))
	if want := fmt.Sprintf("%d of %d entries added to the allow list", n, n); !strings.HasPrefix(said[0], want) {
		t.Fatalf("%q, want %s", said, want)
	}

	boards := make([]*fleetBoard, n+1)
	for i := range boards {
		boards[i] = f.board(i)
	}
	begin := time.Now()
	for _, err := range together(n, func(i int) error { return boards[i].enrol(t.Context()) }) {
		t.Error("enrolment of", err)
	}
	if t.Failed() {
		return
	}
	took, again := time.Since(begin), int32(0)
	for _, b := range boards {
		again += b.again.Load()
	}
	t.Logf("%d boards enrolled in %v, %.0f a second; asked again: %d", n, took.Round(time.Millisecond), float64(n)/took.Seconds(), again)

	// There is room for one more: that it is not on the list is all that it lacks.
	before := f.rows()
	for table, want := range map[string]int{"provision_claims": n, "devices": n, "device_keys": n} {
		if before[table] != want {
			t.Errorf("%d rows in %s, want %d", before[table], table, want)
		}
	}
	var no *enroll.Refused
	if _, err := boards[n].EnrollOnce(t.Context()); !errors.As(err, &no) || no.Status != http.StatusForbidden || no.Code != "DENIED" {
		t.Errorf("the board that is not on the list: %v", err)
	}
	after := f.rows()
	delete(before, "audit") // that it was refused may stand there
	delete(after, "audit")
	if !maps.Equal(before, after) {
		t.Errorf("the board that is not on the list has left something: %v, before it %v", after, before)
	}

	begin = time.Now()
	for _, err := range together(n, func(i int) error { return boards[i].publish(t.Context()) }) {
		t.Error("publishing of", err)
	}
	t.Logf("%d devices connected and published in %v", n, time.Since(begin).Round(time.Millisecond))
	f.wantOneOfEach(boards[:n])

	late := f.late(n)
	t.Logf("%d claims did not know yet that their device had connected", len(late))
	for end := time.Now().Add(agentPatience); len(late) > 0; late = f.late(n) {
		if time.Now().After(end) {
			t.Fatalf("claims whose devices have connected again and again: %v", late)
		}
		for _, i := range late {
			session, err := boards[i].connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			session.Close()
		}
	}
	if devices := f.operate("devices", "list", "--json", "--limit", strconv.Itoa(2*n)); len(devices) != n {
		t.Errorf("%d devices, want %d", len(devices), n)
	}
}

// late are the boards whose claims are not active. A gateway that cannot tell the store
// in time that a device has connected lets it in, and tells it the next time.
func (f *factory) late(n int) (late []int) {
	f.t.Helper()
	claims := f.operate("provision", "claims", "list", "--profile", "batch7", "--json", "--limit", strconv.Itoa(2*n))
	if len(claims) != n {
		f.t.Fatalf("%d claims, want %d", len(claims), n)
	}
	for _, line := range claims {
		var claim struct{ SerialNumber, State string }
		if err := json.Unmarshal([]byte(line), &claim); err != nil {
			f.t.Fatal(err)
		}
		number, err := strconv.ParseUint(claim.SerialNumber[8:], 16, 32)
		switch {
		case err != nil || int(number) >= n || claim.SerialNumber != boardSerial(int(number)):
			f.t.Fatalf("a claim of %s", claim.SerialNumber)
		case claim.State == "CLAIMED":
			late = append(late, int(number))
		case claim.State != "ACTIVE":
			f.t.Errorf("%s is %s", claim.SerialNumber, claim.State)
		}
	}
	return late
}

// boardSerial is a board's of the batch.
func boardSerial(i int) string { return fmt.Sprintf("10000000%08X", i) }

// fleetBoard is a board with the image of its batch: the agent's code, and no key.
type fleetBoard struct {
	*enroll.Enroller
	f        *factory
	identity *enroll.Identity
	again    atomic.Int32 // how often it was told to ask again
}

func (f *factory) board(i int) *fleetBoard {
	_, port, err := net.SplitHostPort(f.DeviceHTTPS)
	if err != nil {
		f.t.Fatal(err)
	}
	b := &fleetBoard{f: f}
	b.Enroller = &enroll.Enroller{
		Key: filepath.Join(f.t.TempDir(), "ec_private.pem"), URL: "https://localhost:" + port, Profile: "batch7",
		Bootstrap: enroll.Bootstrap{Certificate: f.pki("bootstrap-batch7.pem"), Key: f.pki("bootstrap-batch7.key")},
		Roots:     func() ([]*x509.Certificate, error) { return mqtt.LoadRoots(f.CA) },
		Unit:      enroll.Board{Serial: boardSerial(i)}.Unit, Clock: agentClock{},
		Log: zap.NewNop().WithOptions(zap.WrapCore(func(zapcore.Core) zapcore.Core {
			return zapcore.RegisterHooks(zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "m"}), zapcore.AddSync(testLog{f.t}), zap.WarnLevel),
				func(zapcore.Entry) error { b.again.Add(1); return nil })
		})),
	}
	return b
}

// testLog has the test say what is said.
type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s", p)
	return len(p), nil
}

type agentClock struct{}

func (agentClock) Now() time.Time  { return time.Now() }
func (agentClock) Plausible() bool { return true }

// enrol asks until the board has its credential.
func (b *fleetBoard) enrol(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, agentPatience)
	defer cancel()
	b.identity, err = b.Enroll(ctx)
	if err != nil {
		return fmt.Errorf("%w; last: %s", err, b.Status().Error)
	}
	return nil
}

// connect connects as the device that the board has become.
func (b *fleetBoard) connect(ctx context.Context) (device.Session, error) {
	key, err := mqtt.LoadKey(b.Key)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(b.f.MQTT)
	if err != nil {
		return nil, err
	}
	uplink := &mqtt.Uplink{
		Address: "localhost:" + port, Project: b.identity.Project, Region: b.identity.Location, Registry: b.identity.Registry, Device: b.identity.Device,
		Key: key, Roots: b.f.CA, Now: time.Now, Timeout: agentPatience,
	}
	session, err := uplink.Connect(ctx, deaf{})
	for ; err != nil && ctx.Err() == nil; session, err = uplink.Connect(ctx, deaf{}) {
		b.f.t.Logf("%s connects again: %v", b.identity.Device, err)
	}
	return session, err
}

// publish connects, and sends one reading.
func (b *fleetBoard) publish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, agentPatience)
	defer cancel()
	session, err := b.connect(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	confirmed := make(chan error, 1)
	session.Publish("events/temperature", fmt.Appendf(nil, `{"device_id":%q,"timestamp":%d,"temperature":21.437}`, b.identity.Device, time.Now().Unix()),
		func(err error) { confirmed <- err })
	select {
	case err := <-confirmed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

type deaf struct{}

func (deaf) Config([]byte)          {}
func (deaf) Command(string, []byte) {}

// wantOneOfEach reads what has come to Pub/Sub: each board's reading, under the id that
// the gateway gave to it and says who it is.
func (f *factory) wantOneOfEach(boards []*fleetBoard) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), agentPatience)
	defer cancel()
	client, err := f.OpenPubSub(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	defer client.Close()
	numbers := map[string]string{}
	for i, b := range boards {
		if want := "d-" + boardSerial(i); b.identity.Device != want || numbers[want] != "" {
			f.t.Errorf("board %d is %s, want %s", i, b.identity.Device, want)
		}
		numbers[b.identity.Device] = b.identity.Number
	}
	came := make(chan *pubsub.Message, len(boards))
	go func() {
		defer cancel()
		for seen := map[string]bool{}; len(seen) < len(boards); {
			select {
			case m := <-came:
				id := m.Attributes[schema.AttrDeviceID]
				var said struct {
					DeviceID string `json:"device_id"`
				}
				if err := json.Unmarshal(m.Data, &said); err != nil || said.DeviceID != id || numbers[id] != m.Attributes[schema.AttrDeviceNumID] {
					f.t.Errorf("%v, its body %q, %v", m.Attributes, m.Data, err)
				}
				seen[id] = true
			case <-ctx.Done():
				f.t.Errorf("%d of %d devices are in Pub/Sub", len(seen), len(boards))
				return
			}
		}
	}()
	if err := client.Subscriber(f.Subscription).Receive(ctx, func(_ context.Context, m *pubsub.Message) {
		m.Ack()
		came <- m
	}); err != nil {
		f.t.Error(err)
	}
}
