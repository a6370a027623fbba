package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BackupSchedule makes Backups of an account at set times, removes those that
// are no longer wanted, and proves from time to time that one can be restored.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=bsc,categories=rollcall
// +kubebuilder:printcolumn:name="Account",type=string,JSONPath=`.spec.accountRef.name`
// +kubebuilder:printcolumn:name="Schedule",type=string,JSONPath=`.spec.schedule`
// +kubebuilder:printcolumn:name="Zone",type=string,JSONPath=`.spec.timeZone`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.spec.state`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Last-Good",type=date,JSONPath=`.status.lastSuccessfulTime`
// +kubebuilder:printcolumn:name="Restore-Test",type=date,JSONPath=`.status.restoreTest.time`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Next",type=string,JSONPath=`.status.nextScheduleTime`,priority=1
// +kubebuilder:printcolumn:name="Kept",type=integer,JSONPath=`.status.kept`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.accountRef.name`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 52",message="metadata.name: use at most 52 characters: the names of the Backups begin with it"
type BackupSchedule struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`
	// spec says when to back up what, and what to keep.
	// +required
	Spec BackupScheduleSpec `json:"spec,omitzero"`
	// status is how the schedule stands.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status BackupScheduleStatus `json:"status,omitempty,omitzero"`
}

// BackupScheduleSpec declares a schedule.
type BackupScheduleSpec struct {
	// accountRef names the EnterpriseAccount to back up. It cannot be changed.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="accountRef cannot be changed: retention counts the archives of one account; create another BackupSchedule"
	AccountRef AccountReference `json:"accountRef,omitzero"`
	// storageRef names the BackupStorage that the archives go to. It cannot be changed.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="storageRef cannot be changed: retention counts the archives of one storage; create another BackupSchedule"
	StorageRef StorageReference `json:"storageRef,omitzero"`
	// schedule is in cron format: five fields (minute hour day-of-month month day-of-week),
	// or @hourly, @daily, @weekly, @monthly. Where clocks go forward, what falls into the
	// hour that is left out does not run; where they go back, what falls into the hour that
	// comes twice runs twice, as with CronJob.
	// +required
	// +kubebuilder:validation:MinLength=6
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^(@(hourly|daily|midnight|weekly|monthly|yearly|annually)|[^ ]+( [^ ]+){4})$')",message="schedule: write five fields with single spaces between them, e.g. 0 2 * * * for two in the morning, or @daily"
	// +kubebuilder:validation:XValidation:rule="!self.contains('TZ')",message="schedule: the time zone goes into timeZone, e.g. timeZone: Asia/Shanghai"
	Schedule string `json:"schedule,omitempty"`
	// timeZone is a name of the IANA database, e.g. Asia/Shanghai. When omitted, UTC.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$') && self != 'Local'",message="timeZone: write a name such as Asia/Shanghai or UTC"
	TimeZone string `json:"timeZone,omitempty"`
	// state is Active or Suspended (nothing new is started, nothing is removed). When omitted, Active.
	// +optional
	State ScheduleState `json:"state,omitempty"`
	// concurrencyPolicy says what happens when it is time and the last Backup still runs:
	// Forbid (the new one waits until that has ended, or its deadline is over), Allow (they
	// run side by side), or Replace (the running one is deleted). When omitted, Forbid.
	// +optional
	ConcurrencyPolicy ConcurrencyPolicy `json:"concurrencyPolicy,omitempty"`
	// startingDeadlineSeconds is how late a missed run may still start. When omitted, any
	// time: after a downtime the latest missed run is made up for, once.
	// +optional
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=604800
	StartingDeadlineSeconds int32 `json:"startingDeadlineSeconds,omitempty"`
	// jitterSeconds delays each run by up to so much, so that many schedules do not start
	// together; a schedule always has the same delay. When omitted, none.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=43200
	JitterSeconds int32 `json:"jitterSeconds,omitempty"`
	// datasets to export; see Backup. When omitted, all that the platform hands out.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	Datasets []Dataset `json:"datasets,omitempty"`
	// lookbackDays is how far back things with a time are exported; see Backup. When omitted, 90.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3650
	LookbackDays int32 `json:"lookbackDays,omitempty"`
	// retention says which archives are kept. The last good one is always kept, and those
	// under legal hold. When omitted, all.
	// +optional
	Retention Retention `json:"retention,omitempty,omitzero"`
	// restoreTestIntervalDays is how often the newest good archive is restored into a
	// scratch simulator and compared. When omitted, never.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=365
	RestoreTestIntervalDays int32 `json:"restoreTestIntervalDays,omitempty"`
}

// ScheduleState says whether a schedule works.
// +kubebuilder:validation:Enum=Active;Suspended
type ScheduleState string

const (
	// ScheduleActive starts and removes Backups.
	ScheduleActive ScheduleState = "Active"
	// ScheduleSuspended does neither.
	ScheduleSuspended ScheduleState = "Suspended"
)

// ConcurrencyPolicy says what happens to a run while the last one goes on.
// +kubebuilder:validation:Enum=Allow;Forbid;Replace
type ConcurrencyPolicy string

const (
	// ConcurrencyAllow runs them side by side.
	ConcurrencyAllow ConcurrencyPolicy = "Allow"
	// ConcurrencyForbid lets the new one wait.
	ConcurrencyForbid ConcurrencyPolicy = "Forbid"
	// ConcurrencyReplace ends the old one.
	ConcurrencyReplace ConcurrencyPolicy = "Replace"
)

// Retention says which archives of a schedule are kept: the newest of each of so
// many days, weeks and months that have one, in the schedule's time zone. What
// no rule keeps is deleted; the last good archive and those held are always kept.
// +kubebuilder:validation:MinProperties=1
type Retention struct {
	// last so many good archives.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Last int32 `json:"last,omitempty"`
	// daily archives.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Daily int32 `json:"daily,omitempty"`
	// weekly archives; weeks begin on Monday.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Weekly int32 `json:"weekly,omitempty"`
	// monthly archives.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Monthly int32 `json:"monthly,omitempty"`
	// maxAgeDays after which none is kept but the last good one. Alone, it keeps all that are younger.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=36500
	MaxAgeDays int32 `json:"maxAgeDays,omitempty"`
}

// BackupScheduleStatus is how a schedule stands.
// +kubebuilder:validation:MinProperties=1
type BackupScheduleStatus struct {
	// conditions are Ready, Reconciling and Stalled as kstatus reads them; UpToDate (the last
	// due Backup is good); RestoreTested (the last restore test succeeded and is not overdue).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the generation that this status is about; -1 before the first look.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// lastScheduleTime is the time on the clock that the newest Backup was made for, without
	// its jitter.
	// +optional
	LastScheduleTime *metav1.Time `json:"lastScheduleTime,omitempty"`
	// nextScheduleTime is when the next is due, its jitter included.
	// +optional
	NextScheduleTime *metav1.Time `json:"nextScheduleTime,omitempty"`
	// lastSuccessfulTime is when the newest good Backup was verified.
	// +optional
	LastSuccessfulTime *metav1.Time `json:"lastSuccessfulTime,omitempty"`
	// lastGood names the newest good Backup.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	LastGood string `json:"lastGood,omitempty"`
	// active names the Backups that run.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Active []string `json:"active,omitempty"`
	// kept counts the good Backups of the schedule.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Kept *int32 `json:"kept,omitempty"`
	// restoreTest is the last restore test.
	// +optional
	RestoreTest RestoreTest `json:"restoreTest,omitempty,omitzero"`
}

// RestoreTest is one proof that an archive can be restored.
type RestoreTest struct {
	// time of the test.
	// +required
	Time *metav1.Time `json:"time,omitempty"`
	// backup that was restored.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Backup string `json:"backup,omitempty"`
	// result is Equal (everything that can be restored was, and read back equal), Different or Failed.
	// +required
	Result RestoreTestResult `json:"result,omitempty"`
	// compared people, departments and roles.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Compared *int64 `json:"compared,omitempty"`
	// different ones among them.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Different *int64 `json:"different,omitempty"`
}

// RestoreTestResult is how a restore test ended.
// +kubebuilder:validation:Enum=Equal;Different;Failed
type RestoreTestResult string

const (
	// RestoreTestEqual: what was restored reads back equal.
	RestoreTestEqual RestoreTestResult = "Equal"
	// RestoreTestDifferent: something does not.
	RestoreTestDifferent RestoreTestResult = "Different"
	// RestoreTestFailed: the archive could not be read or restored.
	RestoreTestFailed RestoreTestResult = "Failed"
)

// BackupScheduleList is a list of BackupSchedules.
//
// +kubebuilder:object:root=true
type BackupScheduleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BackupSchedule `json:"items"`
}
