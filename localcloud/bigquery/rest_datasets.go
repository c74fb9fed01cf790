package bigquery

import (
	"encoding/json"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// maxList is how many names one page of a list has.
const maxList = 1000

func (s *Server) listDatasets(c *call) (any, error) {
	all := s.catalog.datasetsOf(c.dataset.project)
	from, to, next := c.page(len(all), maxList)
	list := &bq.DatasetList{Kind: "bigquery#datasetList", NextPageToken: next}
	for _, d := range all[from:to] {
		list.Datasets = append(list.Datasets, &bq.DatasetListDatasets{
			Kind: "bigquery#dataset", Id: d.Id,
			DatasetReference: d.DatasetReference, FriendlyName: d.FriendlyName, Labels: d.Labels, Location: d.Location,
		})
	}
	return list, nil
}

func (s *Server) insertDataset(c *call) (any, error) {
	var d bq.Dataset
	if err := c.body(&d); err != nil {
		return nil, err
	}
	if d.DatasetReference == nil {
		return nil, invalid("datasetReference is missing")
	}
	n := datasetName{c.dataset.project, d.DatasetReference.DatasetId}
	if err := n.check(); err != nil {
		return nil, invalid("%v", err)
	}
	if d.Location == "" {
		d.Location = s.location
	}
	d.Kind, d.Id = "bigquery#dataset", n.project+":"+n.dataset
	d.DatasetReference = &bq.DatasetReference{ProjectId: n.project, DatasetId: n.dataset}
	d.SelfLink = selfLink(n.project, "datasets", n.dataset)
	d.CreationTime = time.Now().UnixMilli()
	d.LastModifiedTime = d.CreationTime
	d.Etag = etag(&d)
	return &d, s.catalog.putDataset(n, nil, &d)
}

func (s *Server) readDataset(c *call) (any, error) {
	d := s.catalog.dataset(c.dataset)
	if d == nil {
		return nil, notFound("Dataset", c.dataset.project+":"+c.dataset.dataset)
	}
	return d, nil
}

func (s *Server) patchDataset(c *call) (any, error) {
	old := s.catalog.dataset(c.dataset)
	if old == nil {
		return nil, notFound("Dataset", c.dataset.project+":"+c.dataset.dataset)
	}
	var d bq.Dataset
	if err := c.patch(old, &d); err != nil {
		return nil, err
	}
	d.Kind, d.Id, d.DatasetReference, d.Location = old.Kind, old.Id, old.DatasetReference, old.Location
	d.SelfLink, d.CreationTime = old.SelfLink, old.CreationTime
	d.LastModifiedTime = time.Now().UnixMilli()
	d.Etag = etag(&d)
	return &d, s.catalog.putDataset(c.dataset, old, &d)
}

func (s *Server) deleteDataset(c *call) (any, error) {
	if s.catalog.dataset(c.dataset) == nil {
		return nil, notFound("Dataset", c.dataset.project+":"+c.dataset.dataset)
	}
	return struct{}{}, s.catalog.dropDataset(c.dataset, c.FormValue("deleteContents") == "true")
}

// patch makes new of old and the request's body: a member that is there replaces the old
// one as a whole (maps by key), null removes it. An If-Match that old does not match is an error.
func (c *call) patch(old, new any) error {
	before, err := json.Marshal(old)
	if err != nil {
		return err
	}
	var members, changes map[string]any
	if err := json.Unmarshal(before, &members); err != nil {
		return err
	}
	if want := c.Header.Get("If-Match"); want != "" && want != members["etag"] {
		return &apiError{412, "conditionNotMet", "Precondition check failed: the etag is no longer " + want}
	}
	if err := c.body(&changes); err != nil {
		return err
	}
	merge(members, changes)
	after, err := json.Marshal(members)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(after, new); err != nil {
		return invalid("the patch does not fit: %v", err)
	}
	return nil
}

// merge applies a patch (RFC 7396).
func merge(members, changes map[string]any) {
	for k, v := range changes {
		inner, isObject := v.(map[string]any)
		was, wasObject := members[k].(map[string]any)
		switch {
		case v == nil:
			delete(members, k)
		case isObject && wasObject:
			merge(was, inner)
		default:
			members[k] = v
		}
	}
}
