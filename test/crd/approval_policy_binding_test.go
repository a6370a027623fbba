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
