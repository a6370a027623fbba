package crd

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

const (
	namespaceController = "system:serviceaccount:kube-system:namespace-controller"
	garbageCollector    = "system:serviceaccount:kube-system:generic-garbage-collector"
)

// patch changes an object, without storing it.
func (s server) patch(t *testing.T, ns string, o *unstructured.Unstructured, with string, subresources ...string) error {
	t.Helper()
	client, err := s.resource(o.GroupVersionKind(), ns)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Patch(t.Context(), o.GetName(), types.MergePatchType, []byte(with), metav1.PatchOptions{DryRun: dry}, subresources...)
	return err
}

// TestP4P6P7OnlyRollcallWritesStatus: what Rollcall acts upon, because it has recorded it, nobody else writes, of no kind: whose an
// account is, who was let lose access, which backup is verified, what somebody decided. Everybody may edit what is declared.
func TestP4P6P7OnlyRollcallWritesStatus(t *testing.T) {
	ns, manager := namespace(t), as(t, rollcall)
	guarded(t)
	stored, kinds := map[string]*unstructured.Unstructured{}, crds(t)
	for _, o := range full(t) {
		if kind := o.GetKind(); stored[kind] == nil && o.Object["status"] != nil {
			stored[kind] = manager.store(t, ns, o)
		}
	}
	const forged = `{"status":{"observedGeneration":7}}`
	for kind := range kinds {
		o := stored[kind]
		if o == nil {
			t.Errorf("there is no %s with a status in testdata/full", kind)
			continue
		}
		for _, user := range []string{"alice", argo, namespaceController} {
			refused(t, func() error { return as(t, user).patch(t, ns, o, forged, "status") }, "only Rollcall")
		}
		if err := manager.patch(t, ns, o, forged, "status"); err != nil {
			t.Errorf("Rollcall writes the status of a %s: %v", kind, err)
		}
		if err := as(t, "alice").patch(t, ns, o, `{"metadata":{"labels":{"team":"rd"}}}`); err != nil {
			t.Errorf("somebody edits a %s: %v", kind, err)
		}
	}
	person := stored["Employee"]
	admitted := `{"status":{"accounts":[{"name":"wecom","userID":"boss","origin":"Adopted","admittedTime":"2026-03-02T01:00:00Z"}]}}`
	refused(t, func() error { return as(t, "alice").patch(t, ns, person, admitted, "status") }, "rollcall-records", "stop Rollcall")

	// A status in what somebody declares is none.
	mine := full(t)["employee-by-rule"]
	mine.SetName("mine")
	made, err := as(t, "alice").dynamic.Resource(employees).Namespace(ns).Create(t.Context(), mine, metav1.CreateOptions{DryRun: dry})
	if err != nil {
		t.Fatal(err)
	}
	if status, _, _ := unstructured.NestedMap(made.Object, "status"); len(status) != 1 || status["observedGeneration"] != int64(-1) {
		t.Errorf("an Employee is made with the status %v", status)
	}
	for what, err := range map[string]error{
		"a title is edited":         as(t, "alice").patch(t, ns, person, `{"spec":{"title":"架构师"}}`),
		"somebody is declared gone": as(t, "alice").patch(t, ns, person, `{"spec":{"state":"Departed","stateReason":"离职"}}`),
		"an owner is taken off":     as(t, garbageCollector).patch(t, ns, person, `{"metadata":{"ownerReferences":null}}`),
		"a namespace is emptied":    as(t, namespaceController).dynamic.Resource(employees).Namespace(ns).Delete(t.Context(), person.GetName(), metav1.DeleteOptions{DryRun: dry}),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestP6P7OnlyRollcallMakesLeavings: nobody makes a leaving, with terms of their own and around the limits; rehearsing, confirming
// and deleting are everybody's who has the rights.
func TestP6P7OnlyRollcallMakesLeavings(t *testing.T) {
	guarded(t)
	ns, all := namespace(t), full(t)
	for _, user := range []string{"alice", argo, namespaceController} {
		refused(t, func() error { return as(t, user).create(t.Context(), ns, all["offboarding"].DeepCopy()) }, "rollcall-records", "made by Rollcall alone", "spec.state: Departed", "mode: Rehearse")
	}
	leaving := as(t, rollcall).store(t, ns, all["offboarding"])
	alice := as(t, "alice")
	if err := alice.create(t.Context(), ns, all["offboarding-rehearsal"]); err != nil {
		t.Errorf("somebody rehearses: %v", err)
	}
	done, _, err := unstructured.NestedSlice(leaving.Object, "spec", "confirmations")
	if err != nil {
		t.Fatal(err)
	}
	more := leaving.DeepCopy()
	if err := unstructured.SetNestedSlice(more.Object, append(slices.Clone(done), map[string]any{"task": "wecom/Calendars"}), "spec", "confirmations"); err != nil {
		t.Fatal(err)
	}
	if err := alice.update(t.Context(), ns, more); err != nil {
		t.Errorf("somebody confirms: %v", err)
	}
	rehearsal := alice.store(t, ns, withoutStatus(all["offboarding-rehearsal"]))
	if err := refusal(alice.patch(t, ns, rehearsal, `{"spec":{"mode":"Execute"}}`), "mode and employeeRef cannot be changed"); err != nil {
		t.Errorf("a rehearsal becomes a leaving: %v", err)
	}
	for _, user := range []string{"alice", namespaceController} {
		client, err := as(t, user).resource(leaving.GroupVersionKind(), ns)
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Delete(t.Context(), leaving.GetName(), metav1.DeleteOptions{DryRun: dry}); err != nil {
			t.Errorf("%s deletes a leaving: %v", user, err)
		}
	}
}

func withoutStatus(o *unstructured.Unstructured) *unstructured.Unstructured {
	o = o.DeepCopy()
	delete(o.Object, "status")
	return o
}
