package kube

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Writes remembers the versions that were written and that the cache has not
// shown yet. Whoever decides on an older object does again what is done, and may
// write nothing where something else was written since: the patch against the
// older object would be empty, so that no conflict tells. The zero value is
// ready; safe for concurrent use.
type Writes struct {
	mu       sync.Mutex
	versions map[types.UID]string
}

// Note remembers the version of o, which was just written.
func (w *Writes) Note(o client.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.versions == nil {
		w.versions = map[types.UID]string{}
	}
	w.versions[o.GetUID()] = o.GetResourceVersion()
}

// Ahead reports that o, which came from the cache, is older than what was written.
func (w *Writes) Ahead(o client.Object) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	written, ok := w.versions[o.GetUID()]
	if !ok {
		return false
	}
	if order, err := resourceversion.CompareResourceVersion(o.GetResourceVersion(), written); err == nil && order < 0 {
		return true
	}
	delete(w.versions, o.GetUID())
	return false
}
