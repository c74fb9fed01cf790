package image_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"iotbridge/internal/site"
)

// container is a command in an image: as its user, without a capability, its root
// file system read-only, on this machine's network.
func container(t *testing.T, i *image, name string, args, env []string, data string) *exec.Cmd {
	t.Helper()
	type object = map[string]any
	mounts := []object{{"destination": "/proc", "type": "proc", "source": "proc"}}
	if data != "" {
		mounts = append(mounts, object{"destination": "/data", "type": "bind", "source": data, "options": []string{"bind", "rw"}})
	}
	spec, err := json.Marshal(object{
		"ociVersion": "1.0.2",
		"process": object{
			"user": object{"uid": 65532, "gid": 65532}, "noNewPrivileges": true, "cwd": "/",
			"args": append(i.config.Config.Entrypoint, args...), "env": append(i.config.Config.Env, env...),
		},
		"root":   object{"path": i.root, "readonly": true},
		"mounts": mounts,
		"linux":  object{"namespaces": []object{{"type": "mount"}, {"type": "pid"}, {"type": "ipc"}, {"type": "uts"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	bundle := t.TempDir()
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), spec, 0o600); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(scratch, "runc")
	id := fmt.Sprintf("iotbridge-%d-%s", os.Getpid(), name)
	t.Cleanup(func() { exec.Command("runc", "--root", state, "delete", "--force", id).Run() })
	for _, dir := range []string{i.root, filepath.Dir(i.root)} { // 65532 reads them
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return exec.Command("runc", "--root", state, "run", "--bundle", bundle, id) // it hands signals on
}

// serve runs the cloud of one box from its image until the test ends.
func serve(t *testing.T) *site.Site {
	t.Helper()
	data := t.TempDir()
	if err := os.Chown(data, 65532, 65532); err != nil {
		t.Fatal(err)
	}
	cmd := container(t, open(t, built(t, "iotbridge"))["linux/amd64"], "cloud", []string{"local", "--parts=cloud", "--data=/data", "--ephemeral"}, nil, data)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt) // it may have ended
		if err := <-ended; err != nil {
			t.Errorf("the cloud: %v\n%s", err, &log)
		}
	})
	deadline := time.After(2 * time.Minute)
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		if s, err := site.Read(data); err == nil {
			tick.Stop()
			return s
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatal("the cloud ended before it served")
		case <-deadline:
			t.Fatal("the cloud does not serve")
		case <-tick.C:
		}
	}
}

func TestTheWorkerDrainsABacklogFromItsImage(t *testing.T) {
	worker := open(t, built(t, "iotbridge-ingest"))["linux/amd64"]
	if os.Geteuid() != 0 {
		t.Skip("runc wants root here: the images are not started")
	}
	s := serve(t)
	const honest, liars = 2000, 7
	publish(t, s, honest, liars)

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := container(t, worker, "worker", []string{
		"--subscription", s.Subscription, "--table", s.Table, "--quarantine-table", s.QuarantineTable,
		"--drain", "--drain-idle=2s", "--ops=127.0.0.1:0",
	}, []string{"PUBSUB_EMULATOR_HOST=" + s.PubSub, "BIGQUERY_EMULATOR_HOST=" + s.BigQuery, "BIGQUERY_STORAGE_EMULATOR_HOST=" + s.BigQueryStorage}, "")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer context.AfterFunc(ctx, func() { cmd.Process.Signal(os.Interrupt) })()
	if err := cmd.Wait(); err != nil || !strings.Contains(log.String(), "ended in order") || ctx.Err() != nil {
		t.Fatalf("the worker: %v\n%s", err, &log)
	}
	if stored, refused := rows(t, s, s.Table), rows(t, s, s.QuarantineTable); stored != honest || refused != liars {
		t.Errorf("%d rows and %d in quarantine, want %d and %d", stored, refused, honest, liars)
	}
}

func publish(t *testing.T, s *site.Site, honest, liars int) {
	t.Helper()
	conn, err := grpc.NewClient(s.PubSub, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := &pubsubpb.PublishRequest{Topic: "projects/" + s.Project + "/topics/temperature"}
	for n := range honest + liars {
		who := "device1"
		if n < liars {
			who = "device2"
		}
		request.Messages = append(request.Messages, &pubsubpb.PubsubMessage{
			Data: fmt.Appendf(nil, `{"device_id":%q,"timestamp":%d,"temperature":21.4,"reading_id":"r-%d"}`, who, 1700000000+n, n),
			Attributes: map[string]string{
				"deviceId": "device1", "deviceNumId": "2577321808646966", "deviceRegistryId": "reg",
				"deviceRegistryLocation": "us-central1", "projectId": s.Project, "subFolder": "temperature",
			},
		})
		if len(request.Messages) < 500 && n+1 < honest+liars {
			continue
		}
		if _, err := pubsubpb.NewPublisherClient(conn).Publish(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		request.Messages = nil
	}
}

func rows(t *testing.T, s *site.Site, table string) int64 {
	t.Helper()
	client, err := bigquery.NewClient(t.Context(), s.Project, option.WithEndpoint("http://"+s.BigQuery+"/bigquery/v2/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	found, err := client.Query("SELECT COUNT(*) FROM `" + strings.ReplaceAll(table, ".", "`.`") + "`").Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var row []bigquery.Value
	if err := found.Next(&row); err != nil {
		t.Fatal(err)
	}
	return row[0].(int64)
}
