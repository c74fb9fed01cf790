package mqtt

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/mochi-mqtt/server/v2/packets"
)

func TestASessionAsIoTCoreKnewIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := make(chan packets.Packet, 10)
		u := uplinkTo(t, func(p *peer) {
			connect, _ := p.want(packets.Connect)
			seen <- connect
			p.send(ackConnect(0))
			sub, _ := p.want(packets.Subscribe)
			seen <- sub
			p.grant(sub)
			for range 2 {
				pk, _ := p.want(packets.Publish)
				seen <- pk
				p.send(ackPublish(pk.PacketID))
			}
			p.send(fromUs1("/devices/2577321808646966/config", 7, []byte("{}")), fromUs("/devices/2577321808646966/commands", nil),
				fromUs("/devices/2577321808646966/commands/a/b", []byte("report")))
			for range 2 { // a PUBACK of the config, and the device's DISCONNECT
				seen <- p.read()
			}
		})
		u.Device = "2577321808646966"
		in := make(letters, 10)
		s, err := u.Connect(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		connect := <-seen
		c := connect.Connect
		if connect.ProtocolVersion != 4 || string(c.ProtocolName) != "MQTT" || !c.Clean || c.WillFlag || c.Keepalive != 60 ||
			c.ClientIdentifier != "projects/project-1/locations/us-central1/registries/RaspberryPiDevices/devices/2577321808646966" ||
			string(c.Username) != "unused" || !c.PasswordFlag {
			t.Errorf("CONNECT %+v", c)
		}
		token, err := jwt.Parse(string(c.Password), func(*jwt.Token) (any, error) { return ecKey.Public(), nil },
			jwt.WithTimeFunc(time.Now), jwt.WithValidMethods([]string{"ES256"}))
		if err != nil {
			t.Fatalf("token: %v", err)
		}
		now := time.Now().Unix()
		if got, want := fmt.Sprint(token.Claims), fmt.Sprint(jwt.MapClaims{"aud": "project-1", "iat": float64(now), "exp": float64(now + 3600)}); got != want {
			t.Errorf("claims %s, want %s", got, want)
		}
		sub := <-seen
		slices.SortFunc(sub.Filters, func(a, b packets.Subscription) int { return strings.Compare(a.Filter, b.Filter) })
		if len(sub.Filters) != 2 || sub.Filters[0].Filter != "/devices/2577321808646966/commands/#" || sub.Filters[0].Qos != 0 ||
			sub.Filters[1].Filter != "/devices/2577321808646966/config" || sub.Filters[1].Qos != 1 {
			t.Errorf("SUBSCRIBE %+v", sub.Filters)
		}

		data := []byte("one")
		first := make(chan error, 1)
		s.Publish("events", data, func(err error) { first <- err })
		copy(data, "XXX") // Publish has taken what it needs
		second := make(chan error, 1)
		s.Publish("state", []byte("two"), func(err error) { second <- err })
		for i, want := range []string{"/devices/2577321808646966/events one", "/devices/2577321808646966/state two"} {
			pk := <-seen
			if got := pk.TopicName + " " + string(pk.Payload); got != want || pk.FixedHeader.Qos != 1 || pk.FixedHeader.Retain || pk.FixedHeader.Dup {
				t.Errorf("PUBLISH %d: %s %+v, want %s", i, got, pk.FixedHeader, want)
			}
		}
		if err := <-first; err != nil {
			t.Error(err)
		}
		if err := <-second; err != nil {
			t.Error(err)
		}
		for _, want := range []string{"config {}", "command  ", "command a/b report"} {
			if got := <-in; got != want {
				t.Errorf("inbox: %q, want %q", got, want)
			}
		}
		if pk := <-seen; pk.FixedHeader.Type != packets.Puback || pk.PacketID != 7 {
			t.Errorf("after the config: %+v, want its PUBACK", pk.FixedHeader)
		}
		if s.Err() != nil {
			t.Errorf("an open session has the error %v", s.Err())
		}
		s.Close()
		if pk := <-seen; pk.FixedHeader.Type != packets.Disconnect {
			t.Errorf("at Close: %+v, want DISCONNECT", pk.FixedHeader)
		}
		<-s.Ended()
		if s.Err() == nil {
			t.Error("an ended session has no error")
		}
		after := make(chan error, 1)
		s.Publish("events", nil, func(err error) { after <- err })
		if <-after == nil {
			t.Error("published after Close")
		}
		s.Close() // does no harm
	})
}

func TestAnRSAKeySignsRS256(t *testing.T) {
	key, err := LoadKey(keyFile(t, rsaKey()))
	if err != nil {
		t.Fatal(err)
	}
	text, err := key.token("project-1", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jwt.Parse(text, func(*jwt.Token) (any, error) { return rsaKey().Public(), nil }, jwt.WithValidMethods([]string{"RS256"})); err != nil {
		t.Error(err)
	}
}

func TestB15_TheTokenIsRenewedByElapsedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := make(chan string, 2)
		u := uplinkTo(t, func(p *peer) {
			connect, _ := p.welcome()
			tokens <- string(connect.Connect.Password)
			p.confirm()
		})
		start := time.Now()
		wall := start
		u.Now = func() time.Time { return wall }
		u.Lifetime = 20 * time.Hour
		s := connected(t, u)
		wall = wall.AddDate(1, 0, 0) // the wall clock steps; the token is as old as it is
		<-s.Renew()
		if age := time.Since(start); age < 17*time.Hour || age > 19*time.Hour {
			t.Errorf("renewal after %s of 20h", age)
		}
		u.Lifetime = 0
		connected(t, u)
		first, second := claims(t, <-tokens), claims(t, <-tokens)
		if first["iat"] != float64(start.Unix()) || second["iat"] != float64(wall.Unix()) || second["exp"] != float64(wall.Unix()+3600) {
			t.Errorf("tokens %v and %v: want one made at each Connect, by its clock", first, second)
		}
	})
}

func TestRenewalComesBeforeTheEndAndNotForAllAtOnce(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 1000 {
		d := renewal(time.Hour)
		if d < 51*time.Minute || d > 57*time.Minute {
			t.Fatalf("renewal after %s of 1h", d)
		}
		seen[d.Truncate(time.Minute)] = true
	}
	if len(seen) < 4 {
		t.Errorf("a fleet comes back in %d different minutes", len(seen))
	}
}

func claims(t *testing.T, token string) jwt.MapClaims {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Claims.(jwt.MapClaims)
}

// The seed's fleet may be silent for long: pings keep the session, for a day here.
func TestAnIdleSessionIsKeptByPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pings atomic.Int32
		u := uplinkTo(t, func(p *peer) {
			p.welcome()
			for {
				switch pk := p.read(); pk.FixedHeader.Type {
				case packets.Pingreq:
					pings.Add(1)
					p.send(pack(0xd0))
				default:
					return
				}
			}
		})
		s := connected(t, u)
		select {
		case <-s.Ended():
			t.Error(s.Err())
		case <-time.After(24 * time.Hour):
		}
		if n := pings.Load(); n < 24*50 {
			t.Errorf("%d pings in a day", n)
		}
	})
}
