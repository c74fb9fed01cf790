package devicemanager_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/gateway"
)

func TestAStoreThatDoesNotAnswerIsUnavailable(t *testing.T) {
	b := newBed(t)
	populate(t, b)
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	get := &iotpb.GetDeviceRequest{Name: seed + "/devices/device1"}
	err := b.dial(t, admin).Invoke(t.Context(), iotpb.DeviceManager_GetDevice_FullMethodName, get, &iotpb.Device{})
	fails(t, "over gRPC", err, codes.Unavailable)
	code, text, _ := b.do(t, admin, http.MethodGet, device1, "")
	if code != http.StatusServiceUnavailable || !strings.Contains(text, "UNAVAILABLE") {
		t.Errorf("over REST: %d %s", code, text)
	}
	for _, text := range []string{text, status.Convert(err).Message()} {
		if strings.Contains(text, "sql") || strings.Contains(text, "database") {
			t.Errorf("the answer tells of the store: %s", text)
		}
	}
	failed := b.log.FilterMessage("a call failed").All()
	if len(failed) != 2 || !strings.Contains(failed[0].ContextMap()["error"].(string), "database") {
		t.Errorf("the log: %+v", failed)
	}
}

// A method that stumbles, over a registry that is not there, ends its own call only.
func TestAPanicIsOneCalls(t *testing.T) {
	b := newBed(t)
	b.Admin = nil
	conn, get := b.dial(t, admin), &iotpb.GetDeviceRequest{Name: seed + "/devices/device1"}
	for range 2 {
		fails(t, "over gRPC", conn.Invoke(t.Context(), iotpb.DeviceManager_GetDevice_FullMethodName, get, &iotpb.Device{}), codes.Internal)
		if code, text, _ := b.do(t, admin, http.MethodGet, device1, ""); code != http.StatusInternalServerError || strings.Contains(text, "nil") {
			t.Errorf("over REST: %d %s", code, text)
		}
	}
	if n := b.log.FilterMessage("a call panicked").Len(); n != 4 {
		t.Errorf("%d panics in the log, want 4", n)
	}
}

func TestACommandWaitsForItsDevice(t *testing.T) {
	b := newBed(t)
	mine, _ := populate(t, b)
	sent := make(chan struct{}, 2)
	ctx, cancel := context.WithCancel(t.Context())
	b.connect(t, mine.Number, func(gateway.Command) error {
		sent <- struct{}{}
		<-ctx.Done() // the PUBACK comes when nobody waits any more
		return nil
	})
	done := make(chan error, 1)
	waits, leave := context.WithCancel(t.Context())
	c := b.overGRPC(t, admin)
	go func() {
		_, err := c.SendCommandToDevice(waits, &iotpb.SendCommandToDeviceRequest{Name: seed + "/devices/device1", BinaryData: []byte("x")})
		done <- err
	}()
	<-sent
	select {
	case err := <-done:
		t.Fatalf("answered before the device has: %v", err)
	default:
	}
	leave()
	if err := <-done; codeOf(err) != codes.Canceled {
		t.Errorf("who leaves: %v", err)
	}
	cancel()

	other := errors.New("the connection broke")
	b2 := newBed(t)
	mine, _ = populate(t, b2)
	b2.connect(t, mine.Number, func(gateway.Command) error { return other })
	err := b2.dial(t, admin).Invoke(t.Context(), iotpb.DeviceManager_SendCommandToDevice_FullMethodName,
		&iotpb.SendCommandToDeviceRequest{Name: seed + "/devices/device1"}, &iotpb.SendCommandToDeviceResponse{})
	fails(t, "a device that left", err, codes.Unavailable)
}
