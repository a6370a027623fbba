package execute_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/linked/webhook"
	receiver "rollcall.dev/rollcall/test/simulator/webhook"
)

// What a webhook's receiver did not answer well is sent again by the lane, ever later or when the receiver says, always with the same
// key, until a receipt says that it is done; and it was done once.
func TestP3AWebhookIsRetriedWithBackoffAndActsOnce(t *testing.T) {
	key := []byte("signing-key-of-the-tests-0123456789")
	var elapsed atomic.Int64
	clock := func() time.Time {
		return time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC).Add(time.Duration(elapsed.Load()))
	}
	house := receiver.New(receiver.Options{Keys: [][]byte{key}, Now: clock})
	server := httptest.NewServer(house)
	defer server.Close()
	system, err := webhook.New(webhook.Options{Endpoint: server.URL}, linked.Settings{
		Secrets: map[string][]byte{"signingKey": key}, HTTP: server.Client(), Now: clock,
		Throttled: func(string, time.Duration) {}, Answered: func(string, directory.Class) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer system.Close()
	house.Change("acc-1", func(a *receiver.Account) { a.Enabled = true })

	ended := make(chan string, 1)
	lane := execute.NewLane("webhook", clock, func(key string) { ended <- key })
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { lane.Run(ctx, 1); close(done) }()
	defer func() { stop(); <-done }()
	task := execute.Task{Digest: "disable", Run: func(ctx context.Context) execute.Outcome {
		return execute.Outcome{Err: system.Disable(ctx, "acc-1", linked.Order{Key: "disable-1", Reason: "the tests"})}
	}}
	house.Next(receiver.Failed, receiver.Lost, receiver.Unsent, receiver.Status(http.StatusServiceUnavailable, ""), receiver.Pending,
		receiver.Status(http.StatusTooManyRequests, "7"))
	var waits []time.Duration
	for range 20 {
		lane.Offer("door", task)
		<-ended
		outcome, _ := lane.Outcome("door")
		lane.Acknowledge("door", outcome)
		if outcome.Err == nil {
			break
		}
		wait := lane.Peek("door", "disable").RetryIn
		if lane.Offer("door", task).Underway {
			t.Error("it is sent again at once")
		}
		waits = append(waits, wait)
		elapsed.Add(int64(wait))
	}
	want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 30 * time.Second, 7 * time.Second}
	if !slices.Equal(waits, want) {
		t.Errorf("it waited %v, want %v", waits, want)
	}
	if acts := house.Acts(); len(acts) != 1 || acts[0].Key != "disable-1" || house.Accounts()["acc-1"].Enabled {
		t.Errorf("acts %v, accounts %+v", acts, house.Accounts())
	}
}
