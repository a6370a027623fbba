package crd

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// TestP7WhoChangesBindingsDoesNotAllowRights: whoever may change PermissionBindings may have asked for what they grant, or be
// glad of what a review lets be.
func TestP7WhoChangesBindingsDoesNotAllowRights(t *testing.T) {
	ns := installed(t)
	guarded(t)
	for _, purpose := range []string{"Grant", "Review"} {
		name := strings.ToLower(purpose) + "-wecom-1"
		question(t, ns, name, "{purpose: "+purpose+", subjects: [{uid: u1, kind: PermissionBinding, name: reviewers, action: Keep}]}")
		author, other := "author."+strings.ToLower(purpose), "other."+strings.ToLower(purpose)
		s := approver(t, ns, author)
		granted(t, ns, author, "permissionbindings", "delete")
		refused(t, func() error { return decide(t, s, ns, name, author, dry...) }, "permissionbindings", "approve-own")
		s = approver(t, ns, other)
		NewWithT(t).Eventually(func() error { return decide(t, s, ns, name, other, dry...) }).WithTimeout(20 * time.Second).Should(Succeed())
	}
}

// TestP7WhoPlacesPeopleDoesNotAllowRights: a binding is also about the people of a department, of those below it, or of a
// label, so whoever may put themselves there by changing or making people or departments does not allow themselves the right,
// unless they have the verb approve-own. Other questions may be answered by who changes departments.
func TestP7WhoPlacesPeopleDoesNotAllowRights(t *testing.T) {
	ns := installed(t)
	guarded(t)
	question(t, ns, "limit-wecom-1", "")
	for _, purpose := range []string{"Grant", "Review"} {
		question(t, ns, strings.ToLower(purpose), "{purpose: "+purpose+", subjects: [{uid: u1, kind: PermissionBinding, name: reviewers, action: Keep}]}")
	}
	may := func(s server, name, user string) func() error {
		return func() error { return decide(t, s, ns, name, user, dry...) }
	}
	for _, resource := range []string{"employees", "departments"} {
		for _, verb := range []string{"patch", "update", "create"} {
			user := resource + "." + verb
			s := approver(t, ns, user)
			granted(t, ns, user, resource, verb)
			for _, name := range []string{"grant", "review"} {
				refused(t, may(s, name, user), "you may change permissionbindings, employees or departments", "approve-own")
			}
			if resource == "departments" {
				NewWithT(t).Eventually(may(s, "limit-wecom-1", user)).WithTimeout(20*time.Second).Should(Succeed(), "no department takes anybody's access")
			}
		}
		reader := "reader." + resource
		s := approver(t, ns, reader)
		granted(t, ns, reader, resource, "get", "list", "watch")
		for _, name := range []string{"grant", "review"} {
			NewWithT(t).Eventually(may(s, name, reader)).WithTimeout(20*time.Second).Should(Succeed(), "who may only look")
		}
	}
	alone := approver(t, ns, "guo.jing")
	granted(t, ns, "guo.jing", "departments", "patch")
	told(t, may(alone, "grant", "guo.jing"), "let somebody decide who may not")
}
