package crd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/internal/metrics"
	"rollcall.dev/rollcall/test/harness"
)

// kustomize builds a folder with the kubectl that comes with the API server.
func kustomize(t *testing.T, folder string) [][]byte {
	t.Helper()
	kubectl, err := harness.ControlPlaneBinary("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	built, err := exec.CommandContext(t.Context(), kubectl, "kustomize", folder).Output()
	if err != nil {
		t.Fatalf("building %s: %v", folder, err)
	}
	return documents(built)
}

// overlay writes a kustomization outside the tree that names folders of config.
func overlay(t *testing.T, text string, folders ...string) string {
	t.Helper()
	dir := t.TempDir()
	var paths []any
	for _, folder := range folders {
		base, err := filepath.Abs(filepath.Join(root, "config", folder))
		if err != nil {
			t.Fatal(err)
		}
		relative, err := filepath.Rel(dir, base)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, filepath.ToSlash(relative))
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), fmt.Appendf(nil, text, paths...), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// installed applies config/default, and config/rbac to one company.
func installed(t *testing.T) (company string) {
	t.Helper()
	company = namespace(t)
	overlay := overlay(t, "namespace: "+company+"\nresources: [%s]\n", "rbac")
	api.warnings.take()
	for _, document := range append(kustomize(t, filepath.Join(root, "config", "default")), kustomize(t, overlay)...) {
		if _, err := api.apply(t.Context(), company, document); err != nil {
			t.Errorf("%v in\n%s", err, document)
		}
	}
	if heard := api.warnings.take(); len(heard) > 0 {
		t.Errorf("the API server warns: %q", heard)
	}
	return company
}

// The manager's manifests are taken without a warning, and its pods under restricted pod security.
func TestDeploy(t *testing.T) {
	installed(t)
	deployment, err := api.kube.AppsV1().Deployments("rollcall-system").Get(t.Context(), "rollcall", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := dryRunPod(t, deployment); err != nil {
		t.Errorf("restricted pod security: %v", err)
	}
	deployment.Spec.Template.Spec.Containers[0].SecurityContext.Capabilities = nil
	if err := dryRunPod(t, deployment); err == nil || !strings.Contains(err.Error(), "PodSecurity") {
		t.Errorf("a pod that keeps its capabilities: %v", err)
	}
	c := deployment.Spec.Template.Spec.Containers[0]
	if c.LivenessProbe == nil || c.ReadinessProbe == nil || c.Resources.Limits.Memory().IsZero() || !*c.SecurityContext.ReadOnlyRootFilesystem {
		t.Error("the manager lacks probes, a memory limit or a read-only root")
	}
}

func dryRunPod(t *testing.T, d *appsv1.Deployment) error {
	t.Helper()
	_, err := api.kube.CoreV1().Pods(d.Namespace).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "rollcall", Labels: d.Spec.Template.Labels}, Spec: d.Spec.Template.Spec,
	}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

// With a volume for backups and audit trails the manager's pods are still taken under restricted pod security, and write nowhere else.
func TestDeployWithVolume(t *testing.T) {
	installed(t)
	overlay := overlay(t, "resources: [%s]\ncomponents: [%s]\n", "default", "volume")
	kept := 0
	for _, document := range kustomize(t, overlay) {
		if _, err := api.apply(t.Context(), "rollcall-system", document); err != nil {
			t.Errorf("%v in\n%s", err, document)
		}
	}
	deployment, err := api.kube.AppsV1().Deployments("rollcall-system").Get(t.Context(), "rollcall", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := dryRunPod(t, deployment); err != nil {
		t.Errorf("restricted pod security: %v", err)
	}
	c := deployment.Spec.Template.Spec.Containers[0]
	for _, m := range c.VolumeMounts {
		for _, flag := range []string{"--backup-directory=" + m.MountPath, "--audit-directory=" + m.MountPath + "/.audit"} {
			if slices.Contains(c.Args, flag) {
				kept++
			}
		}
	}
	if kept != 2 || !*c.SecurityContext.ReadOnlyRootFilesystem {
		t.Errorf("the folders of backups and trails are not mounted, or the root can be written: %q %v", c.Args, c.VolumeMounts)
	}
	if _, err := api.kube.CoreV1().PersistentVolumeClaims("rollcall-system").Get(t.Context(), "rollcall-data", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}

// The manager may do what its markers say, in its companies and nowhere else.
func TestRights(t *testing.T) {
	company := installed(t)
	for _, c := range []struct {
		verb, group, resource, subresource, name, namespace string
		may                                                 bool
	}{
		{verb: "list", group: "rollcall.dev", resource: "employees", namespace: company, may: true},
		{verb: "patch", group: "rollcall.dev", resource: "employees", subresource: "status", namespace: company, may: true},
		{verb: "get", resource: "secrets", namespace: company, may: true},
		{verb: "create", group: "events.k8s.io", resource: "events", namespace: company, may: true},
		{verb: "create", group: "coordination.k8s.io", resource: "leases", namespace: "rollcall-system", may: true},
		{verb: "update", group: "coordination.k8s.io", resource: "leases", name: "rollcall.dev", namespace: "rollcall-system", may: true},
		{verb: "create", group: "authentication.k8s.io", resource: "tokenreviews", may: true},
		{verb: "create", group: "rollcall.dev", resource: "backups", namespace: company, may: true},
		{verb: "delete", group: "rollcall.dev", resource: "backups", namespace: company, may: true},
		{verb: "patch", group: "rollcall.dev", resource: "backupstorages", subresource: "status", namespace: company, may: true},
		{verb: "delete", group: "rollcall.dev", resource: "backupstorages", namespace: company},
		{verb: "create", group: "rollcall.dev", resource: "restores", namespace: company},
		{verb: "delete", group: "rollcall.dev", resource: "backupschedules", namespace: company},
		{verb: "delete", group: "rollcall.dev", resource: "employees", namespace: company},
		{verb: "create", group: "rollcall.dev", resource: "employees", namespace: company},
		{verb: "delete", resource: "secrets", namespace: company},
		{verb: "create", resource: "secrets", namespace: company},
		{verb: "list", group: "rollcall.dev", resource: "employees", namespace: "default"},
		{verb: "list", group: "rollcall.dev", resource: "employees"},
		{verb: "get", resource: "secrets", namespace: "rollcall-system"},
		{verb: "get", resource: "secrets", namespace: "kube-system"},
		{verb: "update", group: "coordination.k8s.io", resource: "leases", name: "another", namespace: "rollcall-system"},
		{verb: "create", group: "rbac.authorization.k8s.io", resource: "rolebindings", namespace: company},
	} {
		what := fmt.Sprintf("may %s %s/%s %s in %q", c.verb, c.resource, c.subresource, c.name, c.namespace)
		// The API server's authorizer learns of new rights a moment after they are written.
		NewWithT(t).Eventually(func(g Gomega) {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: "system:serviceaccount:rollcall-system:rollcall",
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Verb: c.verb, Group: c.group, Resource: c.resource, Subresource: c.subresource, Name: c.name, Namespace: c.namespace,
				},
			}}
			review, err := api.kube.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(review.Status.Allowed).To(Equal(c.may), what)
		}).WithTimeout(10 * time.Second).Should(Succeed())
	}
}

// The flags of the Deployment are flags that the manager has, and every port and probe has a listener.
func TestFlagsExist(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(root, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range kustomize(t, filepath.Join(root, "config", "manager")) {
		var d appsv1.Deployment
		if err := yaml.Unmarshal(document, &d); err != nil || d.Kind != "Deployment" {
			continue
		}
		for _, arg := range append(d.Spec.Template.Spec.Containers[0].Args, "--namespaces") {
			name, _, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
			if !strings.Contains(string(source), `"`+name+`"`) {
				t.Errorf("the manager has no flag %s", name)
			}
		}
	}
}

// Alerts have one of three levels, say what to do, and look at metrics that exist.
func TestAlerts(t *testing.T) {
	known := &recorder{Registry: prometheus.NewRegistry()}
	metrics.New(known, time.Now)
	levels := map[string]int{}
	for _, document := range kustomize(t, filepath.Join(root, "config", "prometheus")) {
		var o struct {
			Spec struct {
				Groups []struct {
					Rules []struct {
						Alert, Expr         string
						Labels, Annotations map[string]string
					}
				}
			}
		}
		if err := yaml.Unmarshal(document, &o); err != nil {
			t.Fatal(err)
		}
		for _, g := range o.Spec.Groups {
			for _, r := range g.Rules {
				levels[r.Labels["severity"]]++
				if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
					t.Errorf("%s does not say what to do", r.Alert)
				}
				for _, name := range regexp.MustCompile(`rollcall_[a-z_]+`).FindAllString(r.Expr, -1) {
					if !strings.Contains(known.text.String(), `fqName: "`+name+`"`) {
						t.Errorf("%s looks at %s, which does not exist", r.Alert, name)
					}
				}
			}
		}
	}
	if len(levels) != 3 || levels["critical"] == 0 || levels["warning"] == 0 || levels["info"] == 0 {
		t.Errorf("alerts by level: %v", levels)
	}
}

// recorder is a registry that remembers what is registered.
type recorder struct {
	*prometheus.Registry
	text strings.Builder
}

func (r *recorder) MustRegister(collectors ...prometheus.Collector) {
	for _, c := range collectors {
		described := make(chan *prometheus.Desc, 8)
		c.Describe(described)
		close(described)
		for d := range described {
			r.text.WriteString(d.String())
		}
	}
}
