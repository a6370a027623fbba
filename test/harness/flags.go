package harness

import (
	"path/filepath"
	"strconv"
	"strings"
)

// etcdArgs run one member that never waits for the disk: its data do not outlive it.
func etcdArgs(data, client, peer string) []string {
	return []string{
		"--data-dir=" + filepath.Join(data, "etcd"),
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
		"--unsafe-no-fsync",
		"--log-level=warn",
	}
}

// apiServerArgs enable RBAC and what a cluster has by default, but for the admission plugin that mounts service account
// tokens into pods: there are no pods.
func (cp *ControlPlane) apiServerArgs(etcd string, port int) []string {
	return []string{
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(port),
		"--tls-cert-file=" + cp.file("server.crt"),
		"--tls-private-key-file=" + cp.file("server.key"),
		"--client-ca-file=" + cp.file("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + cp.file("tokens.key"),
		"--service-account-signing-key-file=" + cp.file("tokens.key"),
		"--service-cluster-ip-range=10.0.0.0/24",
		"--authorization-mode=RBAC",
		"--disable-admission-plugins=ServiceAccount",
		"--endpoint-reconciler-type=none",
	}
}

// controllers of kube-controller-manager that the operator and its users rely on.
var controllers = []string{
	"clusterrole-aggregation-controller",
	"garbage-collector-controller",
	"namespace-controller",
	"root-ca-certificate-publisher-controller",
	"serviceaccount-controller",
	"validatingadmissionpolicy-status-controller",
}

// controllerManagerArgs give each controller its own identity, so that admission policies see whom they see in a cluster.
func (cp *ControlPlane) controllerManagerArgs() []string {
	return []string{
		"--kubeconfig=" + cp.KubeconfigPath(),
		"--controllers=" + strings.Join(controllers, ","),
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + cp.file("tokens.key"),
		"--root-ca-file=" + cp.file("ca.crt"),
		"--leader-elect=false",
		"--secure-port=0",
	}
}
