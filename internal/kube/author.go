package kube

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// KeepAuthor is a transform for caches: of the managed fields it keeps only who
// wrote the object last, and not which fields. What writes as self does not count.
func KeepAuthor(self string) func(any) (any, error) {
	return func(in any) (any, error) {
		// A cache also holds what has no metadata.
		if o, err := meta.Accessor(in); err == nil {
			o.SetManagedFields(author(o.GetManagedFields(), self))
		}
		return in, nil
	}
}

func author(all []metav1.ManagedFieldsEntry, self string) []metav1.ManagedFieldsEntry {
	all = slices.DeleteFunc(slices.Clone(all), func(e metav1.ManagedFieldsEntry) bool {
		return e.Subresource != "" || e.Manager == self || e.Time == nil
	})
	if len(all) == 0 {
		return nil
	}
	last := slices.MaxFunc(all, func(a, b metav1.ManagedFieldsEntry) int { return a.Time.Compare(b.Time.Time) })
	return []metav1.ManagedFieldsEntry{{Manager: last.Manager, Operation: last.Operation, Time: last.Time}}
}

// Author is the field manager that wrote the object last, as far as its cache kept that.
func Author(o client.Object) string {
	for _, e := range o.GetManagedFields() {
		return e.Manager
	}
	return ""
}
