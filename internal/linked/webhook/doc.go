// Package webhook keeps accounts in systems of the company's own, which are told by signed HTTP
// requests and answer with receipts: docs/webhook.md is the protocol, docs/schemas/webhook-v1.json its schema.
//
// # The signature
//
// Requests are signed as Standard Webhooks 1.0.0 says, symmetric scheme
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md): webhook-id,
// webhook-timestamp (Unix seconds of this attempt) and webhook-signature, which is a list of "v1," and the base64 of
// HMAC-SHA256 over "{id}.{timestamp}.{body}", one for each key while keys are changed. Its published libraries
// verify them. It wants keys of at least 24 bytes; we want 32, the length of the hash (RFC 2104 §3: shorter ones weaken it).
// It recommends 5 minutes as the age beyond which a receiver refuses a request; libraries have that. A request
// here waits for its turn after it was signed, so that it is given up after 4.
//
// # Once
//
// webhook-id is Order.Key: equal for repetitions of one act, whose bodies are equal byte for byte. The receiver
// does an act once for each key, and answers a repetition with the same receipt. This package repeats nothing; a write
// without a believable answer is OutcomeUnknown, and whoever sends it again with the same key cannot do it twice. That is
// why no header is called Idempotency-Key: net/http would repeat such a request by itself (Request.isReplayable).
// Only where the receiver says so in a receipt, or refuses before it acts (a status of 4xx), was nothing changed.
//
// # What is believed
//
// A receipt that echoes the key, of a success or a refusal. Without it a status of 2xx proves nothing, and one of 404
// or 410 is not taken for the account's absence (P5): another server may answer there. Ids that answer for others,
// states that contradict the act, and bodies longer than 256 KiB are not believed. Redirects are not followed: the
// signature is for the endpoint alone. What the receiver says in words of its own is never shown: only codes, states and
// kinds of the protocol are (P12).
package webhook
