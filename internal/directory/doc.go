// Package directory is Rollcall's language for what a company keeps on an IM
// platform: accounts, departments and the errors a platform answers with.
//
// It knows no Kubernetes, no platform and no HTTP beyond the client that a
// provider is handed. Providers (internal/provider) implement [Directory];
// the plan (internal/plan) reasons about its values; everything in between
// speaks only these words.
package directory
