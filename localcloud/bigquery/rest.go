package bigquery

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxBody bounds a request's body.
const maxBody = 10 << 20

// call is one REST request.
type call struct {
	*http.Request
	dataset datasetName
	table   tableName // when the path names one
}

// routes is the part of REST v2 that is served. What is not there is answered with
// notImplemented and its name.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	datasets := "/bigquery/v2/projects/{project}/datasets"
	dataset := datasets + "/{dataset}"
	table := dataset + "/tables/{table}"
	jobs := "/bigquery/v2/projects/{project}/jobs"
	for _, r := range []struct {
		pattern, method string
		serve           func(*call) (any, error)
	}{
		{"GET " + datasets, "datasets.list", s.listDatasets},
		{"POST " + datasets, "datasets.insert", s.insertDataset},
		{"GET " + dataset, "datasets.get", s.readDataset},
		{"PATCH " + dataset, "datasets.patch", s.patchDataset},
		{"DELETE " + dataset, "datasets.delete", s.deleteDataset},
		{"GET " + dataset + "/tables", "tables.list", s.listTables},
		{"POST " + dataset + "/tables", "tables.insert", s.insertTable},
		{"GET " + table, "tables.get", s.readTable},
		{"PATCH " + table, "tables.patch", s.patchTable},
		{"DELETE " + table, "tables.delete", s.deleteTable},
		{"GET " + table + "/data", "tabledata.list", s.listRows},
		{"POST /bigquery/v2/projects/{project}/queries", "jobs.query", s.query},
		{"GET /bigquery/v2/projects/{project}/queries/{job}", "jobs.getQueryResults", s.queryResults},
		{"POST " + jobs, "jobs.insert", s.insertJob},
		{"GET " + jobs + "/{job}", "jobs.get", s.readJob},
	} {
		mux.HandleFunc(r.pattern, s.route(r.method, r.serve))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, &apiError{501, "notImplemented", "the local BigQuery does not serve " + r.Method + " " + strconv.QuoteToASCII(r.URL.Path)})
	})
	return mux
}

// route serves one method and lets faults strike it.
func (s *Server) route(method string, serve func(*call) (any, error)) http.HandlerFunc {
	work := func(w http.ResponseWriter, r *http.Request) {
		c, err := newCall(r)
		if err == nil {
			var body any
			if body, err = serve(c); err == nil {
				writeJSON(w, http.StatusOK, body)
				return
			}
		}
		writeError(w, err)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		rule := s.faults.Next(r.Context(), method, r)
		switch {
		case rule == nil || rule.Err == nil && !rule.Hang && !rule.After && !rule.Cut:
			work(w, r)
			return
		case rule.Hang:
			panic(http.ErrAbortHandler)
		case rule.After:
			work(nowhere{}, r)
		}
		if rule.Err == nil || rule.Cut {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		writeError(w, rule.Err)
	}
}

// nowhere takes the answer that a fault loses.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}

// newCall checks the names in the path.
func newCall(r *http.Request) (*call, error) {
	c := &call{Request: r, dataset: datasetName{r.PathValue("project"), r.PathValue("dataset")}}
	c.table = tableName{c.dataset, r.PathValue("table")}
	var err error
	switch {
	case c.table.table != "":
		err = c.table.check()
	case c.dataset.dataset != "":
		err = c.dataset.check()
	case !isName(c.dataset.project, "-:"):
		err = status.Errorf(codes.InvalidArgument, "project %.100q: letters, digits, '-', '_' and ':' only", c.dataset.project)
	}
	if err != nil {
		return nil, invalid("%v", err)
	}
	return c, nil
}

// body reads the request's JSON into each of the targets.
func (c *call) body(targets ...any) error {
	b, err := io.ReadAll(c.Body)
	if err != nil {
		return invalid("the request's body cannot be read: %v", err)
	}
	for _, v := range targets {
		if err := json.Unmarshal(b, v); err != nil {
			return invalid("the request's body is no JSON that fits: %v", err)
		}
	}
	return nil
}

// page returns the bounds of the page that a list request asks for.
func (c *call) page(total, most int) (from, to int, next string) {
	from, _ = strconv.Atoi(c.FormValue("pageToken"))
	if c.FormValue("pageToken") == "" {
		from, _ = strconv.Atoi(c.FormValue("startIndex"))
	}
	from = min(max(from, 0), total)
	size := most
	if n, err := strconv.Atoi(c.FormValue("maxResults")); err == nil && n >= 0 {
		size = min(n, most)
	}
	to = min(from+size, total)
	return from, to, pageToken(to, total)
}

// pageToken leads on from where a page ended; "" when nothing follows.
func pageToken(to, total int) string {
	if to >= total || to == 0 {
		return ""
	}
	return strconv.Itoa(to)
}
