package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/test/harness"
)

// install applies the CRDs and the admission policies.
func (d *demo) install(ctx context.Context) error {
	began := time.Now()
	d.out.progress("install", "applying the CRDs and admission policies")
	crds := filepath.Join("config", "crd")
	if err := d.kubectl(ctx, "apply", "--server-side", "-k", crds); err != nil {
		return err
	}
	if err := d.kubectl(ctx, "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"); err != nil {
		return err
	}
	what := "CRDs"
	policies := filepath.Join("config", "policy")
	if _, err := os.Stat(filepath.Join(d.root, policies)); err == nil {
		if err := d.kubectl(ctx, "apply", "--server-side", "-k", policies); err != nil {
			return err
		}
		what += " and admission policies"
	}
	d.out.step("install", "%s applied in %s", what, seconds(began))
	return nil
}

// startManager starts the manager as its service account, with the rights of config/rbac in the company and no others.
func (d *demo) startManager(ctx context.Context) error {
	began := time.Now()
	d.out.progress("manager", "granting it its role and starting it")
	identity, err := d.grant(ctx)
	if err != nil {
		return err
	}
	user, err := d.plane.ServiceAccountUser(ctx, identity.Namespace, identity.Name)
	if err != nil {
		return err
	}
	d.manager, err = harness.StartManager(ctx, harness.ManagerOptions{
		Kubeconfig: user.KubeconfigPath(), Namespaces: []string{company}, LogDir: d.dir,
		Args: []string{"--audit-directory=" + d.trails(), "--backup-directory=" + d.archives()},
	})
	if err != nil {
		return err
	}
	d.watch(ctx, d.manager.Process)
	limited, cancel := context.WithTimeoutCause(ctx, time.Minute, errTookTooLong)
	defer cancel()
	if err := d.manager.AwaitReady(limited); err != nil {
		return err
	}
	d.out.step("manager", "ready in %s, as service account %s/%s with its own rights only", seconds(began), identity.Namespace, identity.Name)
	return nil
}

// trails is where the manager records what it does.
func (d *demo) trails() string { return filepath.Join(d.dir, "audit") }

// grant applies config/rbac to the company, as `make deploy` does, and returns the service account that it names.
func (d *demo) grant(ctx context.Context) (rbacv1.Subject, error) {
	none := rbacv1.Subject{}
	if err := d.ensure(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: company}}); err != nil {
		return none, err
	}
	overlay := filepath.Join(d.dir, "grant")
	base, err := filepath.Rel(overlay, filepath.Join(d.root, "config", "rbac"))
	if err != nil {
		return none, fmt.Errorf("granting the role: %w", err)
	}
	if err := os.MkdirAll(overlay, 0o750); err != nil {
		return none, fmt.Errorf("granting the role: %w", err)
	}
	text := fmt.Sprintf("namespace: %s\nresources: [%s]\n", company, filepath.ToSlash(base))
	if err := os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		return none, fmt.Errorf("granting the role: %w", err)
	}
	for _, role := range []string{"role.yaml", "approver.yaml"} {
		if err := d.kubectl(ctx, "apply", "--server-side", "-f", filepath.Join("config", "rbac", "system", role)); err != nil {
			return none, err
		}
	}
	if err := d.kubectl(ctx, "apply", "--server-side", "-k", overlay); err != nil {
		return none, err
	}
	var bindings rbacv1.RoleBindingList
	if err := d.kube.List(ctx, &bindings, client.InNamespace(company)); err != nil {
		return none, fmt.Errorf("granting the role: %w", err)
	}
	for _, binding := range bindings.Items {
		for _, subject := range binding.Subjects {
			if subject.Kind == rbacv1.ServiceAccountKind {
				return subject, d.ensureServiceAccount(ctx, subject)
			}
		}
	}
	return none, errors.New("granting the role: config/rbac binds it to no service account")
}

func (d *demo) ensureServiceAccount(ctx context.Context, subject rbacv1.Subject) error {
	if err := d.ensure(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: subject.Namespace}}); err != nil {
		return err
	}
	return d.ensure(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: subject.Name, Namespace: subject.Namespace}})
}

func (d *demo) ensure(ctx context.Context, obj client.Object) error {
	if err := d.kube.Create(ctx, obj); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating %s: %w", obj.GetName(), err)
	}
	return nil
}

// declare applies the company.
func (d *demo) declare(ctx context.Context) error {
	began := time.Now()
	d.out.progress("company", "applying config/samples/acme")
	samples := filepath.Join("config", "samples", "acme")
	if err := d.kubectl(ctx, "apply", "--server-side", "-k", samples); err != nil {
		return err
	}
	d.out.step("company", "config/samples/acme applied in %s", seconds(began))
	return nil
}

// kubectl runs kubectl as an administrator; what it says is shown only if it fails.
func (d *demo) kubectl(ctx context.Context, args ...string) error {
	_, err := d.kubectlOutput(ctx, args...)
	return err
}

func (d *demo) kubectlOutput(ctx context.Context, args ...string) (string, error) {
	path, err := harness.ControlPlaneBinary("kubectl")
	if err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, path, args...)
	command.Dir = d.root
	command.Env = append(os.Environ(),
		"PATH="+filepath.Join(d.root, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"), // of the plugin
		"KUBECONFIG="+d.plane.KubeconfigPath(),
		"KUBECACHEDIR="+filepath.Join(d.dir, "data", "kubectl"), // else it stays in the home directory
	)
	var stdout, stderr strings.Builder
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("running kubectl %s: %w\n%s", strings.Join(args, " "), err, firstLines(stderr.String(), 8))
	}
	return stdout.String(), nil
}

// firstLines shortens a text: a mistake in a sample is told once for each of 250 people.
func firstLines(text string, most int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if more := len(lines) - most; more > 0 {
		lines = append(lines[:most], fmt.Sprintf("and %d more lines", more))
	}
	return strings.Join(lines, "\n")
}
