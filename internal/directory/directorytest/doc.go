// Package directorytest is the contract of package directory, as tests: what
// every provider must do whatever its platform is like. A provider's own tests
// call [Run] with a function that opens a fresh tenant on a simulated platform.
//
//	func TestContract(t *testing.T) { directorytest.Run(t, openTwin) }
//
// The package knows no platform and no simulator; a [Twin] carries both. What
// only one platform does (a code, a wire format) is for that provider's own tests.
package directorytest
