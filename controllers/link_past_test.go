package controllers

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// leftBefore is an open leaving of generation 5 that has come so far in the mail, and waits for another system.
func leftBefore(state v1alpha1.StepState, message string) v1alpha1.Offboarding {
	ob := v1alpha1.Offboarding{ObjectMeta: metav1.ObjectMeta{Name: "first"}, Spec: v1alpha1.OffboardingSpec{
		EmployeeUID: "e", RequestedBy: v1alpha1.Requester{Generation: 5}, Trigger: v1alpha1.TriggerDeparted,
		LinkedAccounts: []v1alpha1.OffboardingLinkedAccount{{Name: "mail", AccountID: "x", Origin: v1alpha1.OriginCreated}, {Name: "door", AccountID: "y", Origin: v1alpha1.OriginCreated}},
	}}
	ob.Status.State = v1alpha1.OffboardingRunning
	ob.Status.LinkedAccounts = []v1alpha1.UnlinkStatus{{Name: "mail", State: state, Message: message}, {Name: "door", State: "Waiting"}}
	if state == "Done" {
		ob.Status.LinkedAccounts[0].DisabledTime = &metav1.Time{}
	}
	return ob
}

// TestP2WhoLeavesAgainIsLeftAgain: whoever came back, or was let be, and is declared anew to leave, leaves anew in each system where the leaving
// before has ended, whatever it waits for elsewhere.
func TestP2WhoLeavesAgainIsLeftAgain(t *testing.T) {
	for name, c := range map[string]struct {
		state      v1alpha1.StepState
		message    string
		named      string // the leaving that the record names
		generation int64
		left       bool // by that leaving: else by another
		is         v1alpha1.LinkedState
	}{
		"goes on":                         {"Waiting", "", "", 5, true, v1alpha1.LinkedActive},
		"goes on, declared anew":          {"Waiting", "", "first", 6, true, v1alpha1.LinkedActive},
		"is over":                         {"Done", "", "first", 6, true, v1alpha1.LinkedUnlinked},
		"is over, of this declaration":    {"Done", "", "", 5, true, v1alpha1.LinkedUnlinked},
		"is over, and they were back":     {"Done", "", "", 7, false, v1alpha1.LinkedActive},
		"cancelled, and they were back":   {"Skipped", cancelledWords, "", 7, false, v1alpha1.LinkedActive},
		"cancelled, and nobody has seen":  {"Skipped", cancelledWords, "first", 7, false, v1alpha1.LinkedActive},
		"rejected":                        {"Skipped", rejectedWords + "chen.jing", "first", 5, true, v1alpha1.LinkedActive},
		"rejected, and declared anew":     {"Skipped", rejectedWords + "chen.jing", "first", 6, false, v1alpha1.LinkedActive},
		"retained, and it stays as it is": {"Skipped", "onLeave is Retain", "first", 6, true, v1alpha1.LinkedActive},
	} {
		e := &v1alpha1.Employee{ObjectMeta: metav1.ObjectMeta{Name: "li-na", UID: "e", Generation: c.generation}, Spec: v1alpha1.EmployeeSpec{State: v1alpha1.EmployeeDeparted}}
		e.Status.Number = "E0001"
		e.Status.LinkedAccounts = []v1alpha1.LinkedAccountStatus{{
			Name: "mail", AccountID: "x", Origin: v1alpha1.OriginCreated, State: v1alpha1.LinkedActive, OffboardingName: c.named,
		}}
		r := &LinkReconciler{Systems: &Systems{}}
		all := []v1alpha1.Offboarding{leftBefore(c.state, c.message)}
		s := &linkScope{employee: e, leavings: all}
		l := r.standing(s, "mail")
		if err := r.depart(context.Background(), s, l); err != nil {
			t.Fatal(err)
		}
		e.Status.LinkedAccounts[0] = l.status
		people := &employeeScope{employee: e, leavings: all, policy: &v1alpha1.OffboardingPolicy{}}
		if again := len(people.unleft()) > 0; again == c.left || l.status.State != c.is {
			t.Errorf("%s: it is left anew: %t; %+v", name, again, l.status)
		}
		if c.state == "Done" && c.left == (l.status.Origin != "") {
			t.Errorf("%s: %+v", name, l.status)
		}
	}
}

// TestP2TheLeavingOfASystemIsTheOneThatGoesOnThere: not one that waits elsewhere.
func TestP2TheLeavingOfASystemIsTheOneThatGoesOnThere(t *testing.T) {
	first, second := leftBefore("Done", ""), leftBefore("Waiting", "")
	second.Name, second.CreationTimestamp = "second", metav1.Unix(60, 0)
	over := *second.DeepCopy()
	over.Status.LinkedAccounts[0].State = "Done"
	for name, all := range map[string][]v1alpha1.Offboarding{
		"goes on": {first, second}, "goes on, read first": {second, first}, "the newer": {first, over}, "the newer, read first": {over, first},
	} {
		if ob := (&linkScope{employee: &v1alpha1.Employee{}, leavings: all}).leavingOf("mail"); ob.Name != "second" {
			t.Errorf("%s: %s", name, ob.Name)
		}
	}
	// Both of one second: ages do not tell.
	first.CreationTimestamp = over.CreationTimestamp
	e := &v1alpha1.Employee{Status: v1alpha1.EmployeeStatus{LinkedAccounts: []v1alpha1.LinkedAccountStatus{{Name: "mail", OffboardingName: "second"}}}}
	for _, all := range [][]v1alpha1.Offboarding{{first, over}, {over, first}} {
		if ob := (&linkScope{employee: e, leavings: all}).leavingOf("mail"); ob.Name != "second" {
			t.Errorf("the one that is named: %s", ob.Name)
		}
	}
}

// TestP4AnIDIsOfOneSystem: nobody has, claims or leaves an account by an id of another system of the same name.
func TestP4AnIDIsOfOneSystem(t *testing.T) {
	e := &v1alpha1.Employee{Spec: v1alpha1.EmployeeSpec{LinkedAccounts: []v1alpha1.LinkedAccount{{Name: "mail"}}}}
	ob := leftBefore("Waiting", "")
	for uid, same := range map[string]bool{"": true, "one": true, "another": false} {
		e.Status.LinkedAccounts = []v1alpha1.LinkedAccountStatus{{Name: "mail", SystemUID: uid, AccountID: "x", Origin: v1alpha1.OriginCreated}}
		ob.Spec.LinkedAccounts[0].SystemUID = uid
		one := systemRef{"mail", "one"}
		if owns(e, one, "x") != same || claims(e, one, "x") != same || hasLink(&ob, one, "x") != same {
			t.Errorf("%q: owns %t, claims %t, leaves %t", uid, owns(e, one, "x"), claims(e, one, "x"), hasLink(&ob, one, "x"))
		}
	}
}
