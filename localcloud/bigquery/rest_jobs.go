package bigquery

import (
	"crypto/rand"
	"sync"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

const (
	maxPage    = 50_000 // rows of one answer
	keptJobs   = 64     // results that can still be paged through
	keptMemory = 512 << 20
)

// jobs are the queries that were run, the last ones: a result is kept in memory for those who
// read it page by page. A restart forgets them.
type jobs struct {
	mu   sync.Mutex
	kept []*job
}

type job struct {
	reference *bq.JobReference
	query     *bq.JobConfigurationQuery
	result    *result
	err       error
	started   int64 // ms
}

func (j *jobs) keep(one *job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.kept = append(j.kept, one)
	size := 0
	for i := len(j.kept) - 1; i >= 0; i-- {
		if r := j.kept[i].result; r != nil {
			size += r.bytes
		}
		if len(j.kept)-i > keptJobs || size > keptMemory && i < len(j.kept)-1 {
			j.kept = append([]*job(nil), j.kept[i+1:]...)
			return
		}
	}
}

func (j *jobs) find(c *call) (*job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, one := range j.kept {
		if one.reference.ProjectId == c.dataset.project && one.reference.JobId == c.PathValue("job") {
			return one, nil
		}
	}
	return nil, notFound("Job", c.dataset.project+":"+c.PathValue("job"))
}

// start runs a query to its end and keeps it.
func (s *Server) start(c *call, id string, q *bq.JobConfigurationQuery, parameters []*parameter) (*job, error) {
	if q.UseLegacySql == nil || *q.UseLegacySql {
		return nil, invalid("the local BigQuery has no legacy SQL: set useLegacySql to false")
	}
	if q.DestinationTable != nil {
		return nil, invalid("the local BigQuery writes no results into tables")
	}
	if id == "" {
		id = "job_" + rand.Text()
	}
	j := &job{query: q, started: time.Now().UnixMilli(), reference: &bq.JobReference{ProjectId: c.dataset.project, JobId: id, Location: s.location}}
	j.result, j.err = s.run(c.Context(), q.Query, q.DefaultDataset, c.dataset.project, parameters)
	s.jobs.keep(j)
	return j, nil
}

// query is jobs.query: run, and answer with the first page.
func (s *Server) query(c *call) (any, error) {
	var r bq.QueryRequest
	var with struct{ QueryParameters []*parameter }
	if err := c.body(&r, &with); err != nil {
		return nil, err
	}
	config := &bq.JobConfigurationQuery{Query: r.Query, UseLegacySql: r.UseLegacySql, DefaultDataset: r.DefaultDataset}
	j, err := s.start(c, "", config, with.QueryParameters)
	if err != nil {
		return nil, err
	}
	if j.err != nil {
		return nil, j.err
	}
	size := maxPage
	if r.MaxResults > 0 {
		size = int(min(r.MaxResults, maxPage))
	}
	total := len(j.result.rows)
	to := min(size, total)
	return &bq.QueryResponse{
		Kind: "bigquery#queryResponse", JobReference: j.reference, JobComplete: true, Schema: restSchema(j.result.columns),
		TotalRows: uint64(total), PageToken: pageToken(to, total), ForceSendFields: []string{"TotalRows"},
		Rows: j.result.page(0, to, r.FormatOptions != nil && r.FormatOptions.UseInt64Timestamp),
	}, nil
}

// queryResults is jobs.getQueryResults.
func (s *Server) queryResults(c *call) (any, error) {
	j, err := s.jobs.find(c)
	if err != nil {
		return nil, err
	}
	if j.err != nil {
		return nil, j.err
	}
	from, to, next := c.page(len(j.result.rows), maxPage)
	return &bq.GetQueryResultsResponse{
		Kind: "bigquery#getQueryResultsResponse", JobReference: j.reference, JobComplete: true,
		Schema: restSchema(j.result.columns), TotalRows: uint64(len(j.result.rows)), PageToken: next, ForceSendFields: []string{"TotalRows"},
		Rows: j.result.page(from, to, wholeMicros(c)),
	}, nil
}

// wholeMicros says whether timestamps are wanted as whole µs, not as seconds.
func wholeMicros(c *call) bool { return c.FormValue("formatOptions.useInt64Timestamp") == "true" }

func (s *Server) insertJob(c *call) (any, error) {
	var r bq.Job
	var with struct {
		Configuration struct {
			Query struct{ QueryParameters []*parameter }
		}
	}
	if err := c.body(&r, &with); err != nil {
		return nil, err
	}
	if r.Configuration == nil || r.Configuration.Query == nil {
		return nil, &apiError{501, "notImplemented", "the local BigQuery runs query jobs only"}
	}
	id := ""
	if r.JobReference != nil {
		id = r.JobReference.JobId
	}
	if r.Configuration.DryRun {
		return nil, &apiError{501, "notImplemented", "the local BigQuery has no dry run"}
	}
	j, err := s.start(c, id, r.Configuration.Query, with.Configuration.Query.QueryParameters)
	if err != nil {
		return nil, err
	}
	return j.resource(), nil
}

func (s *Server) readJob(c *call) (any, error) {
	j, err := s.jobs.find(c)
	if err != nil {
		return nil, err
	}
	return j.resource(), nil
}

// resource is the job as it is told: always done.
func (j *job) resource() *bq.Job {
	r := &bq.Job{
		Kind: "bigquery#job", Id: j.reference.ProjectId + ":" + j.reference.Location + "." + j.reference.JobId, JobReference: j.reference,
		SelfLink:      selfLink(j.reference.ProjectId, "jobs", j.reference.JobId),
		Configuration: &bq.JobConfiguration{JobType: "QUERY", Query: j.query},
		Status:        &bq.JobStatus{State: "DONE"},
		Statistics: &bq.JobStatistics{
			CreationTime: j.started, StartTime: j.started, EndTime: j.started,
			Query: &bq.JobStatistics2{StatementType: "SELECT"},
		},
	}
	if j.err != nil {
		e := asAPIError(j.err)
		r.Status.ErrorResult = &bq.ErrorProto{Reason: e.reason, Message: e.message}
		r.Status.Errors = []*bq.ErrorProto{r.Status.ErrorResult}
	}
	return r
}
