package crd

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// as is the API server as this user sees it, whom it lets do everything but what policies forbid.
func as(t *testing.T, user string) server {
	t.Helper()
	config := rest.CopyConfig(api.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters"}}
	s, err := connect(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const rollcall = "system:serviceaccount:rollcall-system:rollcall"

var (
	employees   = schema.GroupVersionResource{Group: "rollcall.dev", Version: "v1alpha1", Resource: "employees"}
	secrets     = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	bindings    = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"}
	namespaces  = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
)

// guarded applies config/policy and waits until it has effect. It ends with the test: the others do without.
func guarded(t *testing.T) {
	t.Helper()
	documents := kustomize(t, filepath.Join(root, "config", "policy"))
	api.warnings.take()
	made, ctx := full(t), context.WithoutCancel(t.Context())
	t.Cleanup(func() { // the last of all: a policy that is deleted holds a moment longer, and the next tests make what it forbids
		for _, forbidden := range []string{"approval", "offboarding"} {
			NewWithT(t).Eventually(func() error { return api.create(ctx, "default", made[forbidden].DeepCopy()) }).WithTimeout(20 * time.Second).Should(Succeed())
		}
	})
	for _, document := range documents {
		o := object(t, string(document))
		if _, err := api.apply(t.Context(), "", document); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			client, err := api.resource(o.GroupVersionKind(), "")
			if err == nil {
				err = client.Delete(context.WithoutCancel(t.Context()), o.GetName(), metav1.DeleteOptions{})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	if heard := api.warnings.take(); len(heard) > 0 {
		t.Errorf("the API server warns: %q", heard)
	}
}

// refused waits until a policy forbids what do tries, and reads why.
func refused(t *testing.T, do func() error, hints ...string) {
	t.Helper()
	NewWithT(t).Eventually(func() error {
		err := do()
		switch {
		case err == nil:
			return fmt.Errorf("it was done")
		case !apierrors.IsForbidden(err):
			return fmt.Errorf("this is no refusal of a policy: %w", err)
		}
		for _, hint := range hints {
			if !strings.Contains(err.Error(), hint) {
				return fmt.Errorf("the message does not say %q: %w", hint, err)
			}
		}
		return nil
	}).WithTimeout(20 * time.Second).Should(Succeed())
}

// dry tries without doing, so that a policy that is not in force yet does no harm.
var dry = []string{metav1.DryRunAll}

func finalizers(names ...string) []byte {
	if names == nil {
		names = []string{}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"finalizers": names}})
	if err != nil {
		panic(err)
	}
	return patch
}

// Whoever edits an object cannot strip what Rollcall holds it with; Rollcall can, and others can take off their own.
func TestOnlyRollcallTakesItsFinalizersOff(t *testing.T) {
	guarded(t)
	ns := namespace(t)
	person := object(t, `
apiVersion: rollcall.dev/v1alpha1
kind: Employee
metadata: {name: zhang-wei, finalizers: [rollcall.dev/finalizer, example.com/other]}
spec: {number: E0042, name: 张伟, contact: {mobile: +86-13800550042}, departments: [{name: rd}], accounts: [{name: wecom}]}
`)
	api.store(t, ns, person)
	api.store(t, ns, object(t, `
apiVersion: v1
kind: Secret
metadata: {name: wecom-credentials, finalizers: [rollcall.dev/credentials-in-use]}
`))
	api.store(t, ns, object(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: rollcall-manager, finalizers: [rollcall.dev/finalizer]}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: rollcall-manager}
`))
	alice := as(t, "alice")
	strip := func(s server, resource schema.GroupVersionResource, name string, left ...string) error {
		_, err := s.dynamic.Resource(resource).Namespace(ns).Patch(t.Context(), name, types.MergePatchType, finalizers(left...), metav1.PatchOptions{DryRun: dry})
		return err
	}
	refused(t, func() error { return strip(alice, employees, "zhang-wei") }, "only Rollcall", "kubectl describe")
	refused(t, func() error { return strip(alice, employees, "zhang-wei", "example.com/other") })
	refused(t, func() error { return strip(alice, secrets, "wecom-credentials") }, "only Rollcall")
	refused(t, func() error { return strip(alice, bindings, "rollcall-manager") }, "only Rollcall")
	for what, err := range map[string]error{
		"alice takes off what is not Rollcall's": strip(alice, employees, "zhang-wei", "rollcall.dev/finalizer"),
		"alice edits and leaves it on":           strip(alice, employees, "zhang-wei", "rollcall.dev/finalizer", "example.com/other"),
		"Rollcall takes its own off":             strip(as(t, rollcall), employees, "zhang-wei"),
		"Rollcall lets credentials go":           strip(as(t, rollcall), secrets, "wecom-credentials"),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A CRD is not deleted by mistake, nor is a company that is protected; other CRDs and namespaces are.
func TestProtectedFromDeletion(t *testing.T) {
	guarded(t)
	company := namespace(t)
	label := []byte(`{"metadata":{"labels":{"rollcall.dev/protected":"true"}}}`)
	if _, err := api.dynamic.Resource(namespaces).Patch(t.Context(), company, types.MergePatchType, label, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	remove := func(user string, resource schema.GroupVersionResource, name string) error {
		return as(t, user).dynamic.Resource(resource).Delete(t.Context(), name, metav1.DeleteOptions{DryRun: dry})
	}
	refused(t, func() error { return remove("alice", definitions, "employees.rollcall.dev") }, "every person", "rollcall-crds")
	refused(t, func() error { return remove("alice", namespaces, company) }, company, "rollcall.dev/protected-")
	if err := remove("alice", namespaces, namespace(t)); err != nil {
		t.Errorf("a namespace without the label: %v", err)
	}
	off := []byte(`{"metadata":{"labels":{"rollcall.dev/protected":null}}}`)
	if _, err := api.dynamic.Resource(namespaces).Patch(t.Context(), company, types.MergePatchType, off, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := remove("alice", namespaces, company); err != nil {
		t.Errorf("the label is off: %v", err)
	}
	api.store(t, "", object(t, `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Thing, plural: things, singular: thing}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`))
	if err := remove("alice", definitions, "things.example.com"); err != nil {
		t.Errorf("somebody else's CRD: %v", err)
	}
}
