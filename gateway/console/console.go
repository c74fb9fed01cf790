package console

import (
	"context"
	"embed"
	"io/fs"
	"net/http"
	"sync"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"go.uber.org/zap"

	"iotbridge/gateway/devicemanager"
	"iotbridge/gateway/operators"
)

// Console is the pages. Manager, Fleet, Project and Location are required.
type Console struct {
	Manager           *devicemanager.Server
	Fleet             Fleet
	Project, Location string      // whose registries are shown
	MQTT              string      // where devices connect, host:port; without a host it is the operator's name for the gateway
	Office            Office      // nil: nobody is provisioned here
	Warehouse         Warehouse   // nil: not known; its pages say so
	Mail              Mail        // nil: likewise
	Log               *zap.Logger // nil discards

	once    sync.Once
	handler http.Handler
	vault   vault
	hub     hub
	counted counted

	complained complained
}

// page is one of what can be asked for. What is asked with GET shows and takes a viewer,
// what is asked with POST changes and takes an admin.
type page struct {
	pattern string // of http.ServeMux
	name    string // of a closed set: a metric's label
	answer  func(*Console, *visit) error
}

// pages are all of them. The registry of a path is its value "registry".
var pages = concat(
	overviewPages, registryPages, devicePages, devicePage, deviceChanges, quarantinePages, replayPages, messagePages, provisioningPages, provisioningChanges,
)

func concat(lists ...[]page) (all []page) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

//go:embed static
var static embed.FS

// Handler serves all that is not below /v1/.
func (c *Console) Handler() http.Handler {
	c.once.Do(c.build)
	return c.handler
}

func (c *Console) build() {
	mux := http.NewServeMux()
	for _, p := range pages {
		mux.Handle(p.pattern, c.admitted(p))
	}
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // it is part of the program
	}
	mux.Handle("GET /static/", http.StripPrefix("/static/", cached(http.FileServerFS(files))))
	mux.HandleFunc("GET /login", c.loginPage)
	mux.HandleFunc("POST /login", c.login)
	mux.HandleFunc("POST /login/links", c.link)
	mux.HandleFunc("POST /logout", c.logout)
	mux.Handle("/", c.admitted(page{name: "ConsoleNothing", answer: (*Console).nothing}))
	c.handler = secured(mux)
}

// Run ends what pages watch when ctx ends.
func (c *Console) Run(ctx context.Context) error {
	<-ctx.Done()
	c.hub.close()
	return nil
}

// nothing answers for what is not there.
func (c *Console) nothing(v *visit) error {
	return v.fail(http.StatusNotFound, "There is no such page.")
}

// parent is the resource that holds the registries.
func (c *Console) parent() string { return "projects/" + c.Project + "/locations/" + c.Location }

func (c *Console) log() *zap.Logger {
	if c.Log == nil {
		return zap.NewNop()
	}
	return c.Log
}

// manager is Device Manager as the operator of a visit may use it.
func (c *Console) manager() iotpb.DeviceManagerClient { return c.Manager.Inside() }

// call is what a page asks for: a bound in registries holds here as in the API.
func (c *Console) call(p page, r *http.Request) operators.Call {
	call := operators.Call{Method: p.name, Role: operators.Admin, Resource: c.parent()}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		call.Role = operators.Viewer
	}
	if registry := r.PathValue("registry"); registry != "" {
		call.Resource += "/registries/" + registry
	}
	if isLive(r) {
		call.Most = sessionLife
	}
	return call
}

// cached lets browsers keep what has no secrets and changes with the program only.
func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private, max-age=3600")
		next.ServeHTTP(w, r)
	})
}

const requestTime = 60 * time.Second
