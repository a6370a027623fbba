// Package world is what tests and benchmarks of the whole operator share: a control plane, the simulated platforms,
// companies in namespaces and tenants of their own, and managers that look after them.
//
// Everything runs as processes of package harness, on loopback. One World serves many companies at once: each has its own
// namespace, its own tenants and its own manager, so that tests may run side by side.
package world
