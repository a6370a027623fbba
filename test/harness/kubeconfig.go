package harness

import (
	"context"
	"fmt"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// User is somebody whom the API server knows.
type User struct {
	config *rest.Config
	path   string
}

// Config is a copy of the user's client configuration, without client-side throttling.
func (u *User) Config() *rest.Config { return rest.CopyConfig(u.config) }

// KubeconfigPath is the user's kubeconfig file; it holds everything, no other file is needed.
func (u *User) KubeconfigPath() string { return u.path }

// AddUser makes a user with a client certificate. RBAC decides what it may do; the group system:masters may everything.
func (cp *ControlPlane) AddUser(name string, groups ...string) (*User, error) {
	cert, key, err := cp.ca.client(name, groups...)
	if err != nil {
		return nil, fmt.Errorf("adding user %q: %w", name, err)
	}
	return cp.writeUser(name, &clientcmdapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: key})
}

// ServiceAccountUser makes a user of an existing service account, with a token that outlives any test.
func (cp *ControlPlane) ServiceAccountUser(ctx context.Context, namespace, name string) (*User, error) {
	clients, err := kubernetes.NewForConfig(cp.Config())
	if err != nil {
		return nil, fmt.Errorf("requesting a token for %s/%s: %w", namespace, name, err)
	}
	const day int64 = 24 * 60 * 60
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(7 * day)}}
	reply, err := clients.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("requesting a token for %s/%s: %w", namespace, name, err)
	}
	return cp.writeUser(namespace+"-"+name, &clientcmdapi.AuthInfo{Token: reply.Status.Token})
}

// writeUser writes <name>.kubeconfig and reads it back as a client configuration.
func (cp *ControlPlane) writeUser(name string, auth *clientcmdapi.AuthInfo) (*User, error) {
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[clusterName] = &clientcmdapi.Cluster{Server: cp.url, CertificateAuthorityData: encodeCert(cp.ca.cert)}
	kubeconfig.AuthInfos[name] = auth
	kubeconfig.Contexts[clusterName] = &clientcmdapi.Context{Cluster: clusterName, AuthInfo: name}
	kubeconfig.CurrentContext = clusterName

	path := filepath.Join(cp.dir, name+".kubeconfig")
	if err := clientcmd.WriteToFile(*kubeconfig, path); err != nil {
		return nil, fmt.Errorf("writing the kubeconfig of %q: %w", name, err)
	}
	config, err := clientcmd.NewDefaultClientConfig(*kubeconfig, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of %q: %w", name, err)
	}
	config.QPS = -1 // the API server's own fairness is enough
	return &User{config: config, path: path}, nil
}

const clusterName = "rollcall"
