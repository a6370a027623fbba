// Package httpx is the road that every call to a platform takes.
//
// One [Budget] belongs to one tenant and is shared by all of its HTTP clients
// (DingTalk has two hosts, WeCom two credentials). It decides when a call may
// go, in this order: is the tenant reachable at all (the breaker), is there a
// free place (Limits.Concurrency), does the account's own rate allow it
// (Limits.Total), does the operation's (Limits.PerOperation, Limits.Operations),
// and who of those waiting goes first ([Priority]). Nothing is shared between
// tenants, so a sick one harms only itself.
//
// Calls that are not HTTP take their turns by [Budget.Spend].
//
// [Client] assembles an http.Client over a budget. Send requests with [Do],
// never with the client's own methods: net/http puts the whole URL, with the
// access_token or corpsecret in its query, into every error it returns, and
// only Do takes it out again.
//
//	ctx = httpx.WithOperation(ctx, "user/delete")
//	ctx = httpx.WithWrite(ctx) // WeCom deletes by GET
//	resp, err := httpx.Do(client, req.WithContext(ctx))
//	switch {
//	case err == nil:
//		defer resp.Body.Close() // the call holds its place until then; read to
//		// the end, or the connection is not used again
//	case httpx.Sent(err):
//		// the platform may have acted: look before doing it again
//	default:
//		// it certainly has not
//	}
//
// Nothing is logged here, and nothing is retried except a request of which not
// one byte had left this machine. Whether to try again is the caller's decision.
//
// The clients speak HTTP/1.1 only: there a connection carries one request at a
// time, so that "was anything written?" has an exact answer.
package httpx
