package main

import (
	"context"
	"flag"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// target is what kubectl's own flags say: which cluster, and which namespace of it.
type target struct {
	namespace, context, kubeconfig string
}

func (t *target) register(flags *flag.FlagSet) {
	flags.StringVar(&t.namespace, "namespace", "", "namespace; empty is that of the context")
	flags.StringVar(&t.namespace, "n", "", "short for --namespace")
	flags.StringVar(&t.context, "context", "", "context of the kubeconfig; empty is the current one")
	flags.StringVar(&t.kubeconfig, "kubeconfig", "", "kubeconfig file; empty is where kubectl looks")
}

// parse reads flags wherever they stand, as kubectl does, and returns what is no flag.
func parse(flags *flag.FlagSet, args []string) (names []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return names, nil
		}
		names, args = append(names, flags.Arg(0)), flags.Args()[1:]
	}
}

// cluster is the API server as the caller sees it.
type cluster struct {
	client.Client
	namespace string
}

func connect(t target) (*cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = t.kubeconfig
	chosen := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: t.context})
	config, err := chosen.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the cluster: %w", err)
	}
	if t.namespace == "" {
		if t.namespace, _, err = chosen.Namespace(); err != nil {
			return nil, fmt.Errorf("finding the namespace: %w", err)
		}
	}
	kinds := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, authenticationv1.AddToScheme} {
		if err := add(kinds); err != nil {
			return nil, fmt.Errorf("registering kinds: %w", err)
		}
	}
	c, err := client.New(config, client.Options{Scheme: kinds})
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	return &cluster{Client: c, namespace: t.namespace}, nil
}

// whoami is the caller's user name, as the API server knows it.
func (c *cluster) whoami(ctx context.Context) (string, error) {
	review := &authenticationv1.SelfSubjectReview{}
	if err := c.Create(ctx, review); err != nil {
		return "", fmt.Errorf("asking the API server who you are: %w", err)
	}
	return review.Status.UserInfo.Username, nil
}
