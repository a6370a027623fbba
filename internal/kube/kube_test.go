package kube_test

import (
	"context"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/kube"
)

// kstatus is what `kubectl wait` and Flux make of conditions, by the rules of
// https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md:
// Stalled first, then Reconciling, then Ready.
func kstatus(conditions []metav1.Condition) string {
	is := func(t string, s metav1.ConditionStatus) bool {
		c := meta.FindStatusCondition(conditions, t)
		return c != nil && c.Status == s
	}
	switch {
	case is("Stalled", metav1.ConditionTrue):
		return "Failed"
	case is("Reconciling", metav1.ConditionTrue), !is("Ready", metav1.ConditionTrue):
		return "InProgress"
	}
	return "Current"
}

func TestSummarize(t *testing.T) {
	for name, c := range map[string]struct {
		summary kube.Summary
		ready   metav1.ConditionStatus
		also    string // the one other condition
		kstatus string
		message string
	}{
		"ready": {
			kube.Summary{Stand: kube.Ready, Reason: v1alpha1.ReasonInSync, Message: "every account is as declared"},
			metav1.ConditionTrue, "", "Current", "every account is as declared",
		},
		"reconciling": {
			kube.Summary{Stand: kube.Reconciling, Reason: v1alpha1.ReasonProgressing, Message: "being made as declared"},
			metav1.ConditionFalse, "Reconciling", "InProgress", "being made as declared",
		},
		"stalled, with the code that administrators know": {
			kube.Summary{Stand: kube.Stalled, Reason: v1alpha1.ReasonDataConflict, Message: "two people claim it"},
			metav1.ConditionFalse, "Stalled", "Failed", "E-205: two people claim it",
		},
		"held, as was asked for": {
			kube.Summary{Stand: kube.Held, Reason: v1alpha1.ReasonObserved, Message: "mode is Observe"},
			metav1.ConditionFalse, "", "InProgress", kube.Coded(v1alpha1.ReasonObserved, "mode is Observe"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			// Whatever was said before does not linger.
			for _, before := range []kube.Stand{kube.Ready, kube.Reconciling, kube.Stalled, kube.Held} {
				var conditions []metav1.Condition
				kube.Summarize(&conditions, 6, kube.Summary{Stand: before, Reason: "Before", Message: "before"})
				kube.Summarize(&conditions, 7, c.summary)
				ready := meta.FindStatusCondition(conditions, "Ready")
				if ready == nil || ready.Status != c.ready || ready.Reason != c.summary.Reason || ready.Message != c.message || ready.ObservedGeneration != 7 {
					t.Errorf("Ready is %+v", ready)
				}
				want := 1
				if c.also != "" {
					want = 2
					if also := meta.FindStatusCondition(conditions, c.also); also == nil || also.Status != metav1.ConditionTrue || also.Message != c.message || also.ObservedGeneration != 7 {
						t.Errorf("%s is %+v", c.also, also)
					}
				}
				if len(conditions) != want {
					t.Errorf("conditions %+v", conditions)
				}
				if got := kstatus(conditions); got != c.kstatus {
					t.Errorf("kstatus says %s, want %s", got, c.kstatus)
				}
			}
		})
	}
}

func TestP13SummarizingAgainChangesNothing(t *testing.T) {
	var conditions []metav1.Condition
	s := kube.Summary{Stand: kube.Stalled, Reason: v1alpha1.ReasonDataConflict, Message: "two people claim it"}
	kube.Summarize(&conditions, 7, s)
	for i := range conditions {
		conditions[i].LastTransitionTime = metav1.NewTime(time.Unix(1000, 0))
	}
	before := append([]metav1.Condition{}, conditions...)
	kube.Summarize(&conditions, 7, s)
	if len(before) != len(conditions) {
		t.Fatalf("from %+v to %+v", before, conditions)
	}
	for i := range before {
		if before[i] != conditions[i] {
			t.Errorf("from %+v to %+v", before[i], conditions[i])
		}
	}
}

func TestOtherConditionsStay(t *testing.T) {
	var conditions []metav1.Condition
	kube.Set(&conditions, 3, v1alpha1.ConditionUnique, metav1.ConditionFalse, v1alpha1.ReasonDataConflict, strings.Repeat("长", 400))
	kube.Summarize(&conditions, 4, kube.Summary{Stand: kube.Ready, Reason: v1alpha1.ReasonInSync, Message: "fine"})
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionUnique)
	if c == nil || c.ObservedGeneration != 3 || len(c.Message) > 1024 || !utf8.ValidString(c.Message) {
		t.Errorf("Unique is %+v", c)
	}
}

func TestCoded(t *testing.T) {
	if got := kube.Coded(v1alpha1.ReasonPermissionDenied, "no"); got != "E-102: no" {
		t.Errorf("%q", got)
	}
	if got := kube.Coded("NoSuchReason", "no"); got != "no" {
		t.Errorf("%q", got)
	}
}

func TestTruncate(t *testing.T) {
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{
		{"", 0, ""}, {"abc", 3, "abc"}, {"abcdef", 5, "ab…"}, {"abcdef", 3, "…"},
		{"柳如烟", 9, "柳如烟"}, {"柳如烟", 8, "柳…"}, {"柳如烟", 7, "柳…"}, {"柳如烟", 6, "柳…"}, {"柳如烟", 5, "…"},
		{"柳如烟", 2, ""}, {"柳如烟", 0, ""}, {"abc", 2, "ab"}, {"abc", 1, "a"},
	} {
		if got := kube.Truncate(c.s, c.n); got != c.want {
			t.Errorf("%q at %d is %q, want %q", c.s, c.n, got, c.want)
		}
	}
}

// TestTruncateEverywhere cuts one text of characters of all widths at every length.
func TestTruncateEverywhere(t *testing.T) {
	const text = "a柳é🎓b如è🏢c烟"
	for n := range len(text) + 2 {
		got := kube.Truncate(text, n)
		if len(got) > n || !utf8.ValidString(got) {
			t.Errorf("at %d: %q", n, got)
		}
		if kept := strings.TrimSuffix(got, "…"); !strings.HasPrefix(text, kept) || n >= len(text) && got != text {
			t.Errorf("at %d: %q", n, got)
		}
	}
}

// bench is an API server in memory that counts writes.
type bench struct {
	*testing.T
	client.Client
	writes int
	last   string
}

func open(t *testing.T, objects ...client.Object) *bench {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t}
	note := func(o client.Object, p client.Patch) {
		b.writes++
		data, err := p.Data(o)
		if err != nil {
			t.Fatal(err)
		}
		b.last = string(data)
	}
	b.Client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&v1alpha1.Department{}).
		WithInterceptorFuncs(interceptor.Funcs{
			Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
				note(o, p)
				return c.Patch(ctx, o, p, opts...)
			},
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
				note(o, p)
				return c.SubResource(sub).Patch(ctx, o, p, opts...)
			},
		}).Build()
	return b
}

var name = types.NamespacedName{Namespace: "acme", Name: "research"}

func department() *v1alpha1.Department {
	return &v1alpha1.Department{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name, Generation: 1}}
}

func (b *bench) get() *v1alpha1.Department {
	b.Helper()
	d := &v1alpha1.Department{}
	if err := b.Get(b.Context(), name, d); err != nil {
		b.Fatal(err)
	}
	return d
}

func (b *bench) patch(before, after *v1alpha1.Department) (bool, error) {
	return kube.PatchStatus(b.Context(), b.Client, before, after)
}

func TestP13UnchangedStatusIsNotWritten(t *testing.T) {
	b := open(t, department())
	before := b.get()
	after := before.DeepCopy()
	kube.Summarize(&after.Status.Conditions, 1, kube.Summary{Stand: kube.Ready, Reason: v1alpha1.ReasonInSync, Message: "fine"})
	if wrote, err := b.patch(before, after); !wrote || err != nil || b.writes != 1 {
		t.Fatalf("wrote %t, %v", wrote, err)
	}
	if len(b.get().Status.Conditions) != 1 || after.ResourceVersion != b.get().ResourceVersion {
		t.Errorf("status %+v", b.get().Status)
	}
	before = b.get()
	after = before.DeepCopy()
	kube.Summarize(&after.Status.Conditions, 1, kube.Summary{Stand: kube.Ready, Reason: v1alpha1.ReasonInSync, Message: "fine"})
	if wrote, err := b.patch(before, after); wrote || err != nil || b.writes != 1 {
		t.Errorf("nothing changed, and it wrote: %t, %v, %s", wrote, err, b.last)
	}
}

func TestStatusIsNotWrittenOverNewerFacts(t *testing.T) {
	b := open(t, department())
	stale := b.get()
	other := stale.DeepCopy()
	other.Spec.DisplayName = "研发部"
	if err := b.Update(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	after := stale.DeepCopy()
	kube.Summarize(&after.Status.Conditions, 1, kube.Summary{Stand: kube.Ready, Reason: v1alpha1.ReasonInSync, Message: "fine"})
	wrote, err := b.patch(stale, after)
	if wrote || !apierrors.IsConflict(err) {
		t.Errorf("wrote %t, %v", wrote, err)
	}
	if len(b.get().Status.Conditions) > 0 || b.get().Spec.DisplayName != "研发部" {
		t.Errorf("what was decided on old facts was written: %+v", b.get())
	}
}

func TestFinalizers(t *testing.T) {
	b := open(t, department())
	d := b.get()
	for range 2 {
		if err := kube.AddFinalizer(t.Context(), b.Client, d, v1alpha1.Finalizer); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.get().Finalizers; len(got) != 1 || got[0] != v1alpha1.Finalizer || b.writes != 1 {
		t.Errorf("finalizers %v after %d writes", got, b.writes)
	}
	// Somebody else's finalizer, added meanwhile, must not be lost.
	stale := b.get()
	other := b.get()
	other.Finalizers = append(other.Finalizers, "example.com/theirs")
	if err := b.Update(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if err := kube.RemoveFinalizer(t.Context(), b.Client, stale, v1alpha1.Finalizer); !apierrors.IsConflict(err) {
		t.Errorf("a stale removal: %v", err)
	}
	if err := kube.RemoveFinalizer(t.Context(), b.Client, b.get(), v1alpha1.Finalizer); err != nil {
		t.Fatal(err)
	}
	d = b.get()
	if len(d.Finalizers) != 1 || d.Finalizers[0] != "example.com/theirs" {
		t.Errorf("finalizers %v", d.Finalizers)
	}
	writes := b.writes
	if err := kube.RemoveFinalizer(t.Context(), b.Client, d, v1alpha1.Finalizer); err != nil || b.writes != writes {
		t.Errorf("removing what is not there: %v, %d writes", err, b.writes-writes)
	}
}

func TestP10RemovingTheFinalizerOfWhatIsGone(t *testing.T) {
	b := open(t, department())
	d := b.get()
	if err := b.Delete(t.Context(), department()); err != nil {
		t.Fatal(err)
	}
	if err := kube.AddFinalizer(t.Context(), b.Client, d.DeepCopy(), v1alpha1.Finalizer); !apierrors.IsNotFound(err) {
		t.Errorf("adding to what is gone: %v", err)
	}
	d.Finalizers = []string{v1alpha1.Finalizer}
	if err := kube.RemoveFinalizer(t.Context(), b.Client, d, v1alpha1.Finalizer); err != nil {
		t.Errorf("it is gone already: %v", err)
	}
}
