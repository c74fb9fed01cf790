package rig

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
	"iotbridge/gateway/registry"
	"iotbridge/internal/gatewayd"
	"iotbridge/internal/site"
)

// Profile is what the boards of a comparison ask in.
const Profile = "bench"

const boardLife = 365 * 24 * time.Hour

// serveProvision is the whole gateway, which provisions the task's boards.
func serveProvision(ctx context.Context, l net.Listener, dir string, c site.Certificate, t Task, ready func() error, log *zap.Logger) (err error) {
	store := "sqlite:" + filepath.Join(dir, "registry.db")
	if t.Store != "" {
		var drop func() error
		if store, drop, err = schemaOf(ctx, t.Store); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, drop()) }()
	}
	if err := letAsk(ctx, store, &t); err != nil {
		return err
	}
	_, files, err := newAuthority(dir)
	if err != nil {
		return err
	}
	t.Boards = nil
	return runGateway(ctx, []string{
		"--project=" + t.Registry.Project, "--location=" + t.Registry.Location, "--protocols=http", "--store=" + store,
		"--tls-cert=" + c.File, "--tls-key=" + c.Key, "--provision-ca=" + files.File, "--provision-ca-key=" + files.Key,
	}, t.PubSub, gatewayd.Listeners{HTTPS: l}, ready, log)
}

// letAsk makes registry, profile and allow list. All boards ask from one address.
func letAsk(ctx context.Context, address string, t *Task) (err error) {
	const actor, most = "bench", 1_000_000
	store, err := registry.Open(ctx, address, registry.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if _, err := store.CreateRegistry(ctx, actor, &gateway.Registry{Key: t.Registry, MQTT: true}); err != nil {
		return err
	}
	office, sum := store.Provisioning(), sha256.Sum256(t.Bootstrap)
	if _, err := office.PutProfile(ctx, actor, &provision.Profile{
		ID: Profile, Registry: t.Registry, Bootstrap: []provision.Bootstrap{{Name: actor, SHA256: hex.EncodeToString(sum[:])}},
		KeyMode: provision.KeyOnDevice, Lists: true, Again: provision.AgainRefuse, DeviceID: "d-{serial}",
		Rates: provision.Rates{Certificate: most, Address: most, Prefix: most}, Lifetime: provision.Duration(boardLife),
	}); err != nil {
		return err
	}
	_, err = office.Enlist(ctx, actor, Profile, provision.Allow, func(yield func(provision.Entry, error) bool) {
		for _, serial := range t.Boards {
			if !yield(provision.Entry{Serial: serial}, nil) {
				return
			}
		}
	})
	return err
}

// newAuthority makes one that issues to devices, and its files.
func newAuthority(dir string) (*provision.Authority, site.Certificate, error) {
	files := site.Certificate{File: filepath.Join(dir, "device-ca.pem"), Key: filepath.Join(dir, "device-ca.key")}
	key, err := provision.NewSigner(files.Key)
	if err != nil {
		return nil, files, err
	}
	der, err := provision.NewRoot(provision.ForDevice, "bench", key, time.Now(), 2*boardLife)
	if err != nil {
		return nil, files, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, files, err
	}
	err = os.WriteFile(files.File, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	return &provision.Authority{Purpose: provision.ForDevice, Certificate: certificate, Signer: key}, files, err
}

// schemaOf makes a schema in a PostgreSQL that other things may be in, and returns the
// address whose tables are in it. drop takes it away with all that is in it.
func schemaOf(ctx context.Context, address string) (within string, drop func() error, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", nil, errors.New("want postgres://USER@HOST/DB") // what was parsed may hold a password
	}
	name := "iotbridge_bench_" + strconv.FormatInt(time.Now().UnixNano(), 36)
	do := func(ctx context.Context, statement string) error {
		ctx, cancel := context.WithTimeout(ctx, readyTime)
		defer cancel()
		conn, err := pgx.Connect(ctx, address)
		if err != nil {
			return fmt.Errorf("PostgreSQL: %w", err)
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, statement)
		return err
	}
	query := u.Query()
	query.Set("search_path", name)
	u.RawQuery = query.Encode()
	return u.String(), func() error { return do(context.WithoutCancel(ctx), "DROP SCHEMA "+name+" CASCADE") }, do(ctx, "CREATE SCHEMA "+name)
}
