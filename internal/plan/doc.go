// Package plan decides what to do about one person or one department on one
// tenant. It is pure: what is wished for and what is known go in, actions or a
// hold with its reason come out. No context, client, clock or log reaches it,
// so the same plan drives execution, Observe mode, status and tests.
//
// A plan's Record must be durable before its Actions run: it is what makes an
// act recognisable after a crash between the two.
package plan
