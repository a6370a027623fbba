// Package audit keeps the trail of everything that Rollcall does on a platform
// (P8): an intent before each change, its outcome after, who asked for it and
// why. It knows no Kubernetes, no platform and no plan.
//
// A trail is JSON lines. Each line names the SHA-256 of the line before it, so
// that nothing can be altered, removed or put in another order without showing;
// what the newest line is has to be kept elsewhere (the trail's head), or its end
// could be cut off unseen. [Verify] checks a trail offline, and so does anybody
// with sha256sum: docs/audit.md says how.
//
// Personal data is masked before it is written. An intent is durable when
// [Log.Begin] returns; what many ask for at once is written together, so that
// throughput does not pay for durability with one fsync each.
package audit
