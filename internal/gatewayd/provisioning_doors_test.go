package gatewayd_test

import (
	"crypto/tls"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// operatorRoutes are what operators may ask over REST: all that Device Manager's
// description says, and what there is of provisioning.
func operatorRoutes() (all [][2]string) {
	variable := regexp.MustCompile(`\{[a-z_.]+=([^}]*)\}`)
	methods := iotpb.File_google_cloud_iot_v1_device_manager_proto.Services().ByName("DeviceManager").Methods()
	for i := range methods.Len() {
		rule, _ := proto.GetExtension(methods.Get(i).Options(), annotations.E_Http).(*annotations.HttpRule)
		for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
			for method, path := range map[string]string{"GET": r.GetGet(), "POST": r.GetPost(), "PATCH": r.GetPatch(), "DELETE": r.GetDelete()} {
				if path != "" {
					path = variable.ReplaceAllString(path, "$1")
					for _, name := range []string{project, "us-central1", "RaspberryPiDevices", "device1"} {
						path = strings.Replace(path, "*", name, 1)
					}
					all = append(all, [2]string{method, strings.ReplaceAll(path, "*", "x")})
				}
			}
		}
	}
	for _, line := range []string{
		"GET profiles", "GET profiles/batch", "PUT profiles/batch", "DELETE profiles/batch", "POST profiles/batch:enable", "POST profiles/batch:disable",
		"POST profiles/batch/bootstrap/00:revoke", "POST profiles/batch/bootstrap/00:restore", "GET profiles/batch/lists/allow", "POST profiles/batch/lists/allow",
		"POST profiles/batch/lists/deny:remove", "DELETE profiles/batch/lists/allow/SN-0001", "GET profiles/batch/claims", "GET profiles/batch/claims/SN-0001",
		"POST profiles/batch/claims/SN-0001:approve", "POST profiles/batch/claims/SN-0001:deny", "POST profiles/batch/claims/SN-0001:reset",
	} {
		method, path, _ := strings.Cut(line, " ")
		all = append(all, [2]string{method, "/v1/provisioning/" + path})
	}
	return all
}

// P15: a bootstrap certificate, and a device's, open no route of operators, be they made
// out in the name of one: neither over REST nor over gRPC.
func TestP15_ABoardsCertificateIsNoOperators(t *testing.T) {
	s := start(t)
	s.operators = s.write("operators", string(s.read(s.operators))+"chief admin certificate\n")
	devices, boot := s.root("device"), s.root("bootstrap")
	g := s.gateway("--api-tls-cert="+s.files.File, "--api-tls-key="+s.files.Key, "--api-client-ca="+s.files.CA,
		"--provision-ca="+devices.files, "--provision-ca-key="+devices.keys)
	routes := operatorRoutes()
	if len(routes) < 35 {
		t.Fatalf("%d routes", len(routes))
	}
	// Who has none is refused alike; the chief's own opens them.
	own := s.clientCertificate("chief")
	if code := g.route(t, &own, "GET", "/v1/"+parent+"/registries"); code != http.StatusOK {
		t.Fatalf("the operator: %d", code)
	}
	for who, c := range map[string]*tls.Certificate{"bootstrap": new(s.bootstrapped(boot, "chief")), "device": new(s.bootstrapped(devices, "chief")), "none": nil} {
		for _, r := range routes {
			if code := g.route(t, c, r[0], r[1]); code != 0 && code != http.StatusUnauthorized {
				t.Errorf("%s: %s %s: %d", who, r[0], r[1], code)
			}
		}
		config := &tls.Config{RootCAs: g.roots, ServerName: "localhost"}
		if c != nil {
			config.Certificates = []tls.Certificate{*c}
		}
		conn, err := grpc.NewClient(g.grpc, grpc.WithTransportCredentials(credentials.NewTLS(config)))
		if err != nil {
			t.Fatal(err)
		}
		for name := range iotpb.DeviceManager_ServiceDesc.Methods {
			method := "/" + iotpb.DeviceManager_ServiceDesc.ServiceName + "/" + iotpb.DeviceManager_ServiceDesc.Methods[name].MethodName
			err := conn.Invoke(t.Context(), method, &emptypb.Empty{}, &emptypb.Empty{})
			if code := status.Code(err); code != codes.Unauthenticated && code != codes.Unavailable {
				t.Errorf("%s: %s: %v", who, method, err)
			}
		}
		conn.Close()
	}
}

// route is the answer to a request over REST; 0: there was no connection.
func (g *gate) route(t *testing.T, c *tls.Certificate, method, path string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://"+g.api+path, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	client := g.client(c)
	defer client.CloseIdleConnections()
	res, err := client.Do(r)
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}
