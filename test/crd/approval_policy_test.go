package crd

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"rollcall.dev/rollcall/test/harness"
)

var approvals = schema.GroupVersionResource{Group: "rollcall.dev", Version: "v1alpha1", Resource: "approvals"}

const argo = "system:serviceaccount:argocd:argocd-application-controller"

// human is the API server as somebody sees it who has no rights but those of RBAC.
func human(t *testing.T, user string, groups ...string) server {
	t.Helper()
	config := rest.CopyConfig(api.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated")}
	s, err := connect(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// granted gives somebody verbs on a resource of Rollcall in the namespace.
func granted(t *testing.T, ns, user, resource string, verbs ...string) {
	t.Helper()
	name := strings.NewReplacer(":", "-", ".", "-", "'*'", "all").Replace(user + "-" + resource + "-" + verbs[0])
	api.store(t, ns, object(t, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: %s}
rules: [{apiGroups: [rollcall.dev], resources: [%s], verbs: [%s]}]
`, name, resource, strings.Join(verbs, ", "))))
	bound(t, ns, user, "Role", name)
}

func bound(t *testing.T, ns, user, kind, role string) {
	t.Helper()
	api.store(t, ns, object(t, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {generateName: bound-}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: %s, name: %s}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: %q}]
`, kind, role, user)))
}

var digest = strings.Repeat("a1", 32)

// question stores an Approval as Rollcall makes it; more is added to its spec.
func question(t *testing.T, ns, name, more string) {
	t.Helper()
	o := object(t, fmt.Sprintf(`
apiVersion: rollcall.dev/v1alpha1
kind: Approval
metadata: {name: %s, namespace: %s}
spec:
  purpose: RemovalLimit
  accountName: wecom
  summary: 27 people lose their access to wecom
  count: 1
  digest: %s
  expireTime: %q
  subjects: [{uid: u1, kind: Offboarding, name: zhang-wei-1, number: E0042, action: Leave}]
  requesters: [%q, wang.fang]
`, name, ns, digest, time.Now().Add(time.Hour).UTC().Format(time.RFC3339), argo))
	if more != "" {
		for key, value := range object(t, more).Object {
			o.Object["spec"].(map[string]any)[key] = value
		}
	}
	as(t, rollcall).store(t, ns, o)
}

// decide writes a decision, without storing it if dry.
func decide(t *testing.T, s server, ns, name, by string, dryRun ...string) error {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"decision": map[string]any{"verdict": "Approved", "by": by, "digest": digest}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.dynamic.Resource(approvals).Namespace(ns).Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{DryRun: dryRun})
	return err
}

// approver is somebody who may decide in the namespace, by the ClusterRole that is shipped.
func approver(t *testing.T, ns, user string) server {
	t.Helper()
	bound(t, ns, user, "ClusterRole", "rollcall-approver")
	return human(t, user)
}

// TestP7WhoDecides: the approver is who the API server says, a human who may, and none of the requesters.
func TestP7WhoDecides(t *testing.T) {
	ns := installed(t)
	guarded(t)
	question(t, ns, "limit-wecom-1", "")
	chen := approver(t, ns, "chen.jing")
	NewWithT(t).Eventually(func() error { return decide(t, chen, ns, "limit-wecom-1", "chen.jing", dry...) }).
		WithTimeout(20*time.Second).Should(Succeed(), "a right one goes")

	refused(t, func() error { return decide(t, chen, ns, "limit-wecom-1", "li.na", dry...) }, "decision.by", "your own user name, chen.jing")

	// Argo CD's service account may delete people, and was even given the verb.
	bound(t, ns, argo, "ClusterRole", "rollcall-approver")
	robot := human(t, argo, "system:serviceaccounts", "system:serviceaccounts:argocd")
	refused(t, func() error { return decide(t, robot, ns, "limit-wecom-1", argo, dry...) }, "not a service account", "what it prunes")

	named := approver(t, ns, "system:serviceaccount:flux-system:kustomize-controller") // impersonated, without its groups
	refused(t, func() error {
		return decide(t, named, ns, "limit-wecom-1", "system:serviceaccount:flux-system:kustomize-controller", dry...)
	}, "not a service account")

	wang := approver(t, ns, "wang.fang")
	refused(t, func() error { return decide(t, wang, ns, "limit-wecom-1", "wang.fang", dry...) }, "spec.requesters", "somebody else")

	granted(t, ns, "zhao.lei", "approvals", "get", "patch")
	zhao := human(t, "zhao.lei")
	told(t, func() error { return decide(t, zhao, ns, "limit-wecom-1", "zhao.lei", dry...) }, "the verb approve", "rollcall-approver")

	// Sticky: nobody decides anew, not even the same way under another name.
	if err := decide(t, chen, ns, "limit-wecom-1", "chen.jing"); err != nil {
		t.Fatal(err)
	}
	if err := refusal(decide(t, zhao, ns, "limit-wecom-1", "zhao.lei", dry...), "it was decided"); err != nil {
		t.Error(err)
	}
}

// told waits until a policy forbids what do tries, does what it says to do, and waits until it is allowed.
func told(t *testing.T, do func() error, hints ...string) {
	t.Helper()
	refused(t, do, append(hints, "kubectl create ")...)
	_, todo, _ := strings.Cut(do().Error(), ": kubectl ")
	kubectl, err := harness.ControlPlaneBinary("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	for command := range strings.SplitSeq(todo, " && ") {
		args := append([]string{"--kubeconfig", api.kubeconfig}, strings.Fields(strings.TrimPrefix(command, "kubectl "))...)
		if out, err := exec.CommandContext(t.Context(), kubectl, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
	}
	NewWithT(t).Eventually(do).WithTimeout(20*time.Second).Should(Succeed(), todo)
}

// TestP7WhoMayHaveAsked: whoever may change what is decided about, by whichever verb, may have asked for it, and does not
// decide, unless they have the verb approve-own; each is told what to do. Whoever may look only, decides.
func TestP7WhoMayHaveAsked(t *testing.T) {
	ns := installed(t)
	guarded(t)
	question(t, ns, "limit-wecom-1", "")
	question(t, ns, "exit-wecom", "{purpose: Exit, subjects: [{uid: u1, kind: EnterpriseAccount, name: wecom, action: Leave}]}")
	reader := approver(t, ns, "sun.li")
	granted(t, ns, "sun.li", "employees", "get", "list", "watch")
	may := func(s server, name, user string) func() error {
		return func() error { return decide(t, s, ns, name, user, dry...) }
	}
	NewWithT(t).Eventually(may(reader, "limit-wecom-1", "sun.li")).WithTimeout(20*time.Second).Should(Succeed(), "who may only look")
	for _, verb := range []string{"delete", "deletecollection", "patch", "update", "create"} {
		user := "ma.chao." + verb
		s := approver(t, ns, user)
		granted(t, ns, user, "employees", verb)
		refused(t, may(s, "limit-wecom-1", user), "you may change employees", "approve-own")
		NewWithT(t).Eventually(may(s, "exit-wecom", user)).WithTimeout(20*time.Second).Should(Succeed(), "people may have other people ask for an exit")
		granted(t, ns, user, "enterpriseaccounts", verb)
		refused(t, may(s, "exit-wecom", user), "you may change enterpriseaccounts", "approve-own")
	}

	// An administrator of the company is told to let somebody else decide; one who is alone, how to decide all the same.
	granted(t, ns, "guo.jing", "'*'", "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
	alone := human(t, "guo.jing")
	refused(t, may(alone, "limit-wecom-1", "guo.jing"), "the verb approve", "who may not change employees there, as you may: ",
		"kubectl create rolebinding approver -n "+ns+" --clusterrole=rollcall-approver --user=NAME")
	bound(t, ns, "guo.jing", "ClusterRole", "rollcall-approver")
	told(t, may(alone, "limit-wecom-1", "guo.jing"), "you may change employees", "let somebody decide who may not")

	// Whoever has every verb has approve-own, too: cluster-admin is not stopped.
	bound(t, ns, "root", "ClusterRole", "cluster-admin")
	NewWithT(t).Eventually(may(human(t, "root"), "limit-wecom-1", "root")).WithTimeout(20*time.Second).Should(Succeed(), "cluster-admin")
}

// TestP7WhatIsDecided: of the groups, in time, about what is still asked.
func TestP7WhatIsDecided(t *testing.T) {
	ns := installed(t)
	guarded(t)
	question(t, ns, "departure-zhang-wei", "approverGroups: [hr-leads, security]")
	bound(t, ns, "chen.jing", "ClusterRole", "rollcall-approver")
	refused(t, func() error {
		return decide(t, human(t, "chen.jing", "everybody"), ns, "departure-zhang-wei", "chen.jing", dry...)
	}, "none of the groups", "hr-leads, security")
	if err := decide(t, human(t, "chen.jing", "security"), ns, "departure-zhang-wei", "chen.jing", dry...); err != nil {
		t.Errorf("one of a group: %v", err)
	}
	question(t, ns, "late", fmt.Sprintf("expireTime: %q", time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)))
	refused(t, func() error { return decide(t, human(t, "chen.jing"), ns, "late", "chen.jing", dry...) }, "too late")

	question(t, ns, "withdrawn", "")
	state := []byte(`{"status":{"state":"Withdrawn"}}`)
	write := func(s server) error {
		_, err := s.dynamic.Resource(approvals).Namespace(ns).Patch(t.Context(), "withdrawn", types.MergePatchType, state, metav1.PatchOptions{}, "status")
		return err
	}
	refused(t, func() error { return write(as(t, "alice")) }, "only Rollcall says how")
	if err := write(as(t, rollcall)); err != nil {
		t.Fatal(err)
	}
	refused(t, func() error { return decide(t, human(t, "chen.jing"), ns, "withdrawn", "chen.jing", dry...) }, "too late", "another")
}

// TestP7OnlyRollcallAsks: nobody makes an Approval, and not with a decision.
func TestP7OnlyRollcallAsks(t *testing.T) {
	ns := installed(t)
	guarded(t)
	question(t, ns, "real", "")
	forge := func(s server, decided bool) error {
		o, err := api.dynamic.Resource(approvals).Namespace(ns).Get(t.Context(), "real", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		forged := object(t, "apiVersion: rollcall.dev/v1alpha1\nkind: Approval\nmetadata: {name: forged}")
		forged.Object["spec"] = o.Object["spec"]
		if decided {
			forged.Object["spec"].(map[string]any)["decision"] = map[string]any{"verdict": "Approved", "by": "alice", "digest": digest}
		}
		return s.create(t.Context(), ns, forged)
	}
	refused(t, func() error { return forge(as(t, "alice"), false) }, "only Rollcall makes")
	refused(t, func() error { return forge(as(t, rollcall), true) }, "'rollcall-approvals'", "without a decision")
	if err := forge(as(t, rollcall), false); err != nil {
		t.Errorf("Rollcall asks: %v", err)
	}
}

// In a company where departures are announced nobody is deleted who was not declared Departed.
func TestDeparturesAreAnnounced(t *testing.T) {
	guarded(t)
	ns, other := namespace(t), namespace(t)
	label := []byte(`{"metadata":{"labels":{"rollcall.dev/deletion":"Announced"}}}`)
	if _, err := api.dynamic.Resource(namespaces).Patch(t.Context(), ns, types.MergePatchType, label, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, company := range []string{ns, other} {
		for i, state := range []string{"", ", state: Frozen, stateReason: 审查", ", state: Departed, stateReason: 离职"} {
			api.store(t, company, object(t, fmt.Sprintf(`
apiVersion: rollcall.dev/v1alpha1
kind: Employee
metadata: {name: person-%d}
spec: {number: E004%d, name: 张伟, contact: {mobile: +86-1380055004%d}, departments: [{name: rd}], accounts: [{name: wecom}]%s}
`, i, i, i, state)))
		}
	}
	remove := func(user, company, name string) error {
		return as(t, user).dynamic.Resource(employees).Namespace(company).Delete(t.Context(), name, metav1.DeleteOptions{DryRun: dry})
	}
	refused(t, func() error { return remove("alice", ns, "person-0") }, "spec.state: Departed", "person-0", "rollcall.dev/deletion")
	refused(t, func() error { return remove("alice", ns, "person-1") }, "spec.state: Departed")
	refused(t, func() error {
		return as(t, argo).dynamic.Resource(employees).Namespace(ns).DeleteCollection(t.Context(), metav1.DeleteOptions{DryRun: dry}, metav1.ListOptions{})
	}, "spec.state: Departed")
	for what, err := range map[string]error{
		"who was declared Departed":      remove("alice", ns, "person-2"),
		"in a company without the label": remove("alice", other, "person-0"),
		"Rollcall":                       remove(rollcall, ns, "person-0"),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	// A namespace that is deleted takes its people along.
	if err := api.dynamic.Resource(namespaces).Delete(t.Context(), ns, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	NewWithT(t).Eventually(func() error { return remove("system:serviceaccount:kube-system:namespace-controller", ns, "person-0") }).
		WithTimeout(20 * time.Second).Should(Succeed())
}
