package kube_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/internal/kube"
)

func TestKeepAuthor(t *testing.T) {
	at := func(minute int) *metav1.Time {
		return &metav1.Time{Time: time.Date(2026, 11, 25, 8, minute, 0, 0, time.UTC)}
	}
	for name, c := range map[string]struct {
		entries []metav1.ManagedFieldsEntry
		want    string
	}{
		"nobody":                      {},
		"the only one":                {[]metav1.ManagedFieldsEntry{{Manager: "argocd-controller", Time: at(1)}}, "argocd-controller"},
		"the last one":                {[]metav1.ManagedFieldsEntry{{Manager: "kubectl-edit", Time: at(2)}, {Manager: "argocd-controller", Time: at(1)}}, "kubectl-edit"},
		"not ourselves":               {[]metav1.ManagedFieldsEntry{{Manager: "argocd-controller", Time: at(1)}, {Manager: "rollcall", Time: at(2)}}, "argocd-controller"},
		"not who writes the status":   {[]metav1.ManagedFieldsEntry{{Manager: "flux", Time: at(1)}, {Manager: "kubectl", Subresource: "status", Time: at(2)}}, "flux"},
		"nobody but ourselves":        {[]metav1.ManagedFieldsEntry{{Manager: "rollcall", Time: at(1)}}, ""},
		"an entry of an unknown time": {[]metav1.ManagedFieldsEntry{{Manager: "flux"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{ManagedFields: c.entries}}
			for i := range o.ManagedFields {
				o.ManagedFields[i].FieldsV1 = metav1.NewFieldsV1(`{"f:spec":{}}`)
			}
			kept, err := kube.KeepAuthor("rollcall")(o)
			if err != nil || kept != any(o) {
				t.Fatal(err)
			}
			if got := kube.Author(o); got != c.want {
				t.Errorf("written by %q, want %q", got, c.want)
			}
			for _, e := range o.ManagedFields {
				if e.FieldsV1 != nil {
					t.Error("the fields are kept as well")
				}
			}
		})
	}
	if kept, err := kube.KeepAuthor("rollcall")("no object"); err != nil || kept != "no object" {
		t.Errorf("%v, %v", kept, err)
	}
}
