package conformance

import (
	"context"
	"testing"
)

func (s *suite) testValues(ctx context.Context, t *testing.T)          {}
func (s *suite) testQueryParameters(ctx context.Context, t *testing.T) {}
func (s *suite) testQueryFunctions(ctx context.Context, t *testing.T)  {}
func (s *suite) testQueryTimes(ctx context.Context, t *testing.T)      {}
func (s *suite) testQueryWindows(ctx context.Context, t *testing.T)    {}
func (s *suite) testQueryPages(ctx context.Context, t *testing.T)      {}
func (s *suite) testQueryErrors(ctx context.Context, t *testing.T)     {}
