package memo_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"iotbridge/internal/memo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var terms = memo.Terms{Good: 5 * time.Second, Bad: time.Second}

func TestOneAsksForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memo.Memo[string, int]
		asked := 0
		ask := func(context.Context) (int, error) {
			<-time.After(2 * time.Second)
			asked++
			return asked, nil
		}
		answers := make(chan int, 100)
		for range 100 {
			go func() {
				n, err := m.Answer(t.Context(), "x", terms, ask)
				if err != nil {
					t.Error(err)
				}
				answers <- n
			}()
		}
		for range 100 {
			if n := <-answers; n != 1 {
				t.Errorf("the answer %d", n)
			}
		}
		<-time.After(terms.Good)
		if n, err := m.Answer(t.Context(), "x", terms, ask); n != 2 || err != nil {
			t.Error(n, err)
		}
		if n, err := m.Answer(t.Context(), "y", terms, ask); n != 3 || err != nil {
			t.Error(n, err)
		}
	})
}

// Nobody waits longer than they want to for what another asks.
func TestWhoWaitsMayGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memo.Memo[string, int]
		hangs, end := context.WithCancel(t.Context())
		go func() {
			if _, err := m.Answer(hangs, "x", terms, func(ctx context.Context) (int, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			}); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := m.Answer(ctx, "x", terms, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		end()
		synctest.Wait() // its going is no answer
		if n, err := m.Answer(t.Context(), "x", terms, func(context.Context) (int, error) { return 7, nil }); n != 7 || err != nil {
			t.Error(n, err)
		}
	})
}

func TestAnErrorIsKeptForItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memo.Memo[int, int]
		asked := 0
		fails := func(context.Context) (int, error) {
			asked++
			return 0, errors.New("no")
		}
		for range 3 {
			if _, err := m.Answer(t.Context(), 1, terms, fails); err == nil {
				t.Error("no error")
			}
		}
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		<-time.After(terms.Bad)
		if n, err := m.Answer(t.Context(), 1, terms, func(context.Context) (int, error) { return 7, nil }); n != 7 || err != nil {
			t.Error(n, err)
		}
	})
}

func TestAFullMemoForgets(t *testing.T) {
	var m memo.Memo[int, int]
	for i := range 5000 {
		if n, err := m.Answer(t.Context(), i, terms, func(context.Context) (int, error) { return i, nil }); n != i || err != nil {
			t.Fatal(n, err)
		}
	}
	if n := m.Len(); n > 1000 {
		t.Errorf("%d answers are kept", n)
	}
}
