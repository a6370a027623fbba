package kube_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
)

func TestWritesAreAheadUntilTheCacheShowsThem(t *testing.T) {
	at := func(uid types.UID, version string) *v1alpha1.Employee {
		return &v1alpha1.Employee{ObjectMeta: metav1.ObjectMeta{UID: uid, ResourceVersion: version}}
	}
	var w kube.Writes
	if w.Ahead(at("a", "7")) {
		t.Error("nothing was written")
	}
	w.Note(at("a", "100"))
	for _, step := range []struct {
		uid     types.UID
		version string
		ahead   bool
	}{
		{"a", "99", true}, {"b", "99", false}, {"a", "99", true}, // of another object, nothing is known
		{"a", "100", false}, {"a", "99", false}, // once shown, the cache does not go back
	} {
		if got := w.Ahead(at(step.uid, step.version)); got != step.ahead {
			t.Errorf("%s at %s: ahead is %v", step.uid, step.version, got)
		}
	}
	w.Note(at("a", "101"))
	w.Note(at("a", "110"))
	if !w.Ahead(at("a", "105")) || w.Ahead(at("a", "111")) {
		t.Error("the last write counts, and somebody else's newer one is as good")
	}
}
