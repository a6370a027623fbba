package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

// InstallCRDs creates those of config/crd/bases and waits until the API server tells and serves their kinds: it
// accepts a CRD a moment before either.
func (cp *ControlPlane) InstallCRDs(ctx context.Context) error {
	crds, err := readCRDs()
	if err != nil {
		return err
	}
	clients, err := apiextensions.NewForConfig(cp.Config())
	if err != nil {
		return fmt.Errorf("installing the CRDs: %w", err)
	}
	objects, err := dynamic.NewForConfig(cp.Config())
	if err != nil {
		return fmt.Errorf("installing the CRDs: %w", err)
	}
	for _, crd := range crds {
		if _, err := clients.ApiextensionsV1().CustomResourceDefinitions().Create(ctx, crd, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("installing the CRD %s: %w", crd.Name, err)
		}
	}
	var last error
	err = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		last = served(ctx, clients.Discovery(), objects, crds)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting until the CRDs are served: %w: %w", err, last)
	}
	return nil
}

func served(ctx context.Context, d discovery.DiscoveryInterface, objects dynamic.Interface, crds []*apiextensionsv1.CustomResourceDefinition) error {
	told, err := restmapper.GetAPIGroupResources(d)
	if err != nil {
		return err
	}
	mapper := restmapper.NewDiscoveryRESTMapper(told)
	for _, crd := range crds {
		mapping, err := mapper.RESTMapping(schema.GroupKind{Group: crd.Spec.Group, Kind: crd.Spec.Names.Kind})
		if err != nil {
			return err
		}
		if _, err := objects.Resource(mapping.Resource).List(ctx, metav1.ListOptions{Limit: 1}); err != nil {
			return err
		}
	}
	return nil
}

func readCRDs() ([]*apiextensionsv1.CustomResourceDefinition, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(root, "config", "crd", "bases", "*.yaml"))
	if err != nil || len(files) == 0 {
		return nil, errors.Join(errors.New("reading the CRDs: config/crd/bases has none"), err)
	}
	crds := make([]*apiextensionsv1.CustomResourceDefinition, 0, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading the CRDs: %w", err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, crd); err != nil {
			return nil, fmt.Errorf("reading %s: %w", filepath.Base(file), err)
		}
		crds = append(crds, crd)
	}
	return crds, nil
}
