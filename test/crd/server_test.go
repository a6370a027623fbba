package crd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/test/harness"
)

// root is the top folder of the repository, seen from this package.
const root = "../.."

// server is a real API server with the CRDs installed, used as kubectl uses it.
type server struct {
	config *rest.Config
	// kubeconfig of an administrator, for kubectl; of the first connection only.
	kubeconfig string
	kube       kubernetes.Interface
	dynamic    dynamic.Interface
	mapper     *restmapper.DeferredDiscoveryRESTMapper
	warnings   *warnings
}

var api server

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	plane, err := harness.StartControlPlane(ctx, harness.Options{})
	if err != nil {
		return 1, err
	}
	defer plane.Stop()
	if err := plane.InstallCRDs(ctx); err != nil {
		return 1, err
	}
	if api, err = connect(plane.Config()); err != nil {
		return 1, err
	}
	api.kubeconfig = plane.KubeconfigPath()
	return m.Run(), nil
}

// startWithin bounds the start: a busy machine is slow, and a dead one is told from it in the end.
const startWithin = 2 * time.Minute

func connect(config *rest.Config) (server, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = -1, 0
	heard := &warnings{}
	config.WarningHandler = heard
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return server{}, fmt.Errorf("connecting: %w", err)
	}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return server{}, fmt.Errorf("connecting: %w", err)
	}
	found, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return server{}, fmt.Errorf("connecting: %w", err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(found))
	return server{config: config, kube: kube, dynamic: dyn, mapper: mapper, warnings: heard}, nil
}

// warnings collects the Warning headers of all answers.
type warnings struct {
	mu    sync.Mutex
	heard []string
}

func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = append(w.heard, text)
}

// take returns what was heard since the last call.
func (w *warnings) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	heard := w.heard
	w.heard = nil
	return heard
}

// namespace makes an empty namespace for one test.
func namespace(t *testing.T) string {
	t.Helper()
	ns, err := api.kube.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "crd-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return ns.Name
}

// resource is the client for one kind, in ns if the kind is namespaced.
func (s server) resource(kind schema.GroupVersionKind, ns string) (dynamic.ResourceInterface, error) {
	mapping, err := s.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, fmt.Errorf("finding the resource of %s: %w", kind, err)
	}
	client := s.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == "namespace" {
		return client.Namespace(ns), nil
	}
	return client, nil
}

// apply sends a document as it stands, like `kubectl apply --server-side`: YAML is read by the server, strictly.
// A namespace in the document wins over ns.
func (s server) apply(ctx context.Context, ns string, document []byte) (*unstructured.Unstructured, error) {
	var head struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        struct {
			Name      any    `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"metadata"`
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	if head.Metadata.Namespace != "" {
		ns = head.Metadata.Namespace
	}
	client, err := s.resource(head.GroupVersionKind(), ns)
	if err != nil {
		return nil, err
	}
	return client.Patch(ctx, fmt.Sprint(head.Metadata.Name), types.ApplyYAMLPatchType, document, metav1.PatchOptions{
		FieldManager: "kubectl", FieldValidation: metav1.FieldValidationStrict,
	})
}

// create sends an object the way `kubectl create` does, without storing it.
func (s server) create(ctx context.Context, ns string, o *unstructured.Unstructured) error {
	client, err := s.resource(o.GroupVersionKind(), ns)
	if err != nil {
		return err
	}
	_, err = client.Create(ctx, o, metav1.CreateOptions{
		FieldValidation: metav1.FieldValidationStrict, DryRun: []string{metav1.DryRunAll},
	})
	return err
}

// update replaces a stored object, without storing it; subresources may be "status".
func (s server) update(ctx context.Context, ns string, o *unstructured.Unstructured, subresources ...string) error {
	client, err := s.resource(o.GroupVersionKind(), ns)
	if err != nil {
		return err
	}
	_, err = client.Update(ctx, o, metav1.UpdateOptions{
		FieldValidation: metav1.FieldValidationStrict, DryRun: []string{metav1.DryRunAll},
	}, subresources...)
	return err
}

// store creates an object together with its status and returns what is stored.
func (s server) store(t *testing.T, ns string, o *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	client, err := s.resource(o.GroupVersionKind(), ns)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := client.Create(t.Context(), o, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		t.Fatal(err)
	}
	if status, ok := o.Object["status"]; ok {
		stored.Object["status"] = status
		if stored, err = client.UpdateStatus(t.Context(), stored, metav1.UpdateOptions{FieldValidation: metav1.FieldValidationStrict}); err != nil {
			t.Fatal(err)
		}
	}
	return stored
}

// refusal checks that err is the API server's refusal and says every hint.
func refusal(err error, hints ...string) error {
	var status apierrors.APIStatus
	if err == nil {
		return errors.New("the API server took it")
	}
	if !errors.As(err, &status) {
		return fmt.Errorf("this is not an answer of the API server: %w", err)
	}
	code := status.Status().Code
	// The type checker of server-side apply answers 500.
	typeChecker := code == 500 && strings.HasPrefix(err.Error(), "failed to create typed patch object")
	if code != 400 && code != 422 && !typeChecker {
		return fmt.Errorf("this is no refusal: %w", err)
	}
	for _, hint := range hints {
		if !strings.Contains(err.Error(), hint) {
			return fmt.Errorf("the message does not say %q: %w", hint, err)
		}
	}
	return nil
}

// object makes a test object out of YAML, which must be right.
func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return o
}
