package controllers

import "context"

type bindingNotice struct{}

func (r *PermissionBindingReconciler) notices(context.Context, *bindingScope) error { return nil }
func (r *PermissionBindingReconciler) send(*bindingScope)                           {}
