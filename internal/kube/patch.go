package kube

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// PatchStatus writes the status of after if it differs from before's, in one
// patch that is refused when before was stale: what was decided on old facts is
// decided again. It reports whether it wrote.
func PatchStatus[T client.Object](ctx context.Context, c client.Client, before, after T) (bool, error) {
	change, err := client.MergeFrom(before).Data(after)
	if err != nil {
		return false, fmt.Errorf("comparing status: %w", err)
	}
	if string(change) == "{}" {
		return false, nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := c.Status().Patch(ctx, after, patch); err != nil {
		return false, fmt.Errorf("writing status: %w", err)
	}
	return true, nil
}

// AddFinalizer adds the finalizer in its own patch, if it is missing. The lock
// keeps a concurrent writer's finalizers.
func AddFinalizer[T client.Object](ctx context.Context, c client.Client, obj T, finalizer string) error {
	return patchFinalizers(ctx, c, obj, func() bool { return controllerutil.AddFinalizer(obj, finalizer) })
}

// RemoveFinalizer removes the finalizer; an object that is gone already is fine.
func RemoveFinalizer[T client.Object](ctx context.Context, c client.Client, obj T, finalizer string) error {
	err := patchFinalizers(ctx, c, obj, func() bool { return controllerutil.RemoveFinalizer(obj, finalizer) })
	return client.IgnoreNotFound(err)
}

func patchFinalizers[T client.Object](ctx context.Context, c client.Client, obj T, change func() bool) error {
	before, ok := obj.DeepCopyObject().(T)
	if !ok {
		return fmt.Errorf("copying %T: not itself", obj)
	}
	if !change() {
		return nil
	}
	if err := c.Patch(ctx, obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("writing finalizers: %w", err)
	}
	return nil
}
