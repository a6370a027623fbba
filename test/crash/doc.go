// Package crash tests the promises of the whole operator from outside: real managers on a real control plane against the
// simulated platforms, while managers are killed, answers get lost, listings lie and tenants die. A test carries the number
// of the promise that it holds (P1 to P13 of the design).
//
// Tests assert states of the world: objects as an administrator reads them, users as the simulator has them, calls as the
// simulator's log tells them. That something does not happen is asserted after the manager has had the occasion: full
// readings of the directory gone by, not time.
package crash
