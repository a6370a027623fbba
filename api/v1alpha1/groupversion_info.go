// Package v1alpha1 holds the rollcall.dev/v1alpha1 API: what a company declares
// about its people, departments and accounts on IM platforms, and what Rollcall
// reports back. Types and constants only.
//
// +kubebuilder:object:generate=true
// +groupName=rollcall.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of every kind here.
var GroupVersion = schema.GroupVersion{Group: "rollcall.dev", Version: "v1alpha1"}

// AddToScheme registers the kinds.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&EnterpriseAccount{}, &EnterpriseAccountList{},
		&Department{}, &DepartmentList{},
		&Employee{}, &EmployeeList{},
		&LinkedSystem{}, &LinkedSystemList{},
		&EmployeeNumberRule{}, &EmployeeNumberRuleList{},
		&BackupStorage{}, &BackupStorageList{},
		&BackupSchedule{}, &BackupScheduleList{},
		&Backup{}, &BackupList{},
		&Restore{}, &RestoreList{},
		&OffboardingPolicy{}, &OffboardingPolicyList{},
		&Offboarding{}, &OffboardingList{},
		&Approval{}, &ApprovalList{},
		&PermissionBinding{}, &PermissionBindingList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
