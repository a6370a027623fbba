// Package harness starts the real parts that tests and the demo need: etcd, kube-apiserver, kube-controller-manager,
// the platform simulator and the manager, each a process of its own on loopback.
//
// Whatever is started must be stopped by its Stop; on Linux nothing outlives the program that started it in any case.
// The context given to a Start function bounds the start only. Programs come from $KUBEBUILDER_ASSETS and bin/, where
// `make controlplane build` puts them; the harness builds nothing.
package harness
