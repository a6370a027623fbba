package controllers_test

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// hourly is a schedule that is due once an hour, not created yet.
func (v *vault) hourly(change ...func(*v1alpha1.BackupScheduleSpec)) *v1alpha1.BackupSchedule {
	s := &v1alpha1.BackupSchedule{ObjectMeta: v.meta("hourly"), Spec: v1alpha1.BackupScheduleSpec{
		AccountRef: v1alpha1.AccountReference{Name: "wecom"}, StorageRef: v1alpha1.StorageReference{Name: "archives"},
		Schedule: fmt.Sprintf("%d * * * *", v.minute),
	}}
	for _, f := range change {
		f(&s.Spec)
	}
	return s
}

// company makes what a schedule names.
func (v *vault) company() *vault {
	v.Helper()
	v.make(v.key(), v.storage("archives", v.namespace), &v1alpha1.EnterpriseAccount{ObjectMeta: v.meta("wecom"), Spec: v1alpha1.EnterpriseAccountSpec{
		WeCom: v1alpha1.WeComTenant{CorpID: "ww0001"}, CredentialsSecretRef: v1alpha1.SecretReference{Name: "wecom"},
	}})
	return v
}

// later lets hours pass, and has the schedule look at the clock.
func (v *vault) later(s *v1alpha1.BackupSchedule, d time.Duration) {
	v.Helper()
	v.pass(d)
	v.touch(s)
}

func (v *vault) touch(s *v1alpha1.BackupSchedule) {
	v.Helper()
	v.change(s, func() { s.Spec.LookbackDays = s.Spec.LookbackDays%3000 + 1 })
	generation := s.Generation
	v.Eventually(v.of(s)).Should(HaveField("Status.ObservedGeneration", HaveValue(Equal(generation))))
}

// last is when something was due last.
func (v *vault) last() time.Time {
	minute := time.Duration(v.minute) * time.Minute
	return v.now().Add(-minute).Truncate(time.Hour).Add(minute)
}

// due is the name of the Backup that was due last, or so many hours before.
func (v *vault) due(hoursAgo int) string {
	return "hourly-" + minutes(v.last().Add(-time.Duration(hoursAgo)*time.Hour))
}

// finish does what a Backup does: it writes an archive and proves it.
func (v *vault) finish(name string) {
	v.Helper()
	b := &v1alpha1.Backup{ObjectMeta: v.meta(name)}
	v.Expect(v.of(b)()).NotTo(BeNil())
	at, size := metav1.NewTime(v.now().Truncate(time.Second)), int64(1000)
	b.Status.Archive = v1alpha1.Archive{Key: v.stored(v.namespace, name, at.Time), Time: &at, SizeBytes: &size}
	b.Status.CompletionTime = &at
	v.conclude(b, metav1.ConditionTrue, v1alpha1.ConditionExported, v1alpha1.ConditionVerified, v1alpha1.ConditionReady)
}

// fail ends a Backup without an archive.
func (v *vault) fail(name string) {
	v.Helper()
	b := &v1alpha1.Backup{ObjectMeta: v.meta(name)}
	v.Expect(v.of(b)()).NotTo(BeNil())
	v.conclude(b, metav1.ConditionTrue, v1alpha1.ConditionStalled)
}

func (v *vault) conclude(b *v1alpha1.Backup, status metav1.ConditionStatus, types ...string) {
	v.Helper()
	b.Status.ObservedGeneration = &b.Generation
	for _, t := range types {
		b.Status.Conditions = append(b.Status.Conditions, metav1.Condition{
			Type: t, Status: status, Reason: v1alpha1.ReasonInSync, Message: "as it is", ObservedGeneration: b.Generation, LastTransitionTime: metav1.Now(),
		})
	}
	v.Expect(v.api.Status().Update(v.Context(), b)).To(Succeed())
}

func testSchedule(v *vault) {
	v.Run("makes a Backup when it is time, and says when the next is", func(t *testing.T) {
		v := v.in(t).company()
		s := v.hourly(func(s *v1alpha1.BackupScheduleSpec) {
			s.Datasets, s.LookbackDays = []v1alpha1.Dataset{"Directory", "Approvals"}, 30
		})
		v.make(s)
		next := v.last().Add(time.Hour)
		v.Eventually(v.of(s)).Should(And(beReady(), HaveField("Status.NextScheduleTime.Time", BeTemporally("==", next))))
		v.Expect(v.backups()).To(BeEmpty(), "nothing before the first time")
		v.later(s, time.Hour)
		v.Eventually(v.backups).Should(HaveLen(1))
		all, _ := v.backups()
		b := all[v.due(0)]
		v.Expect(b).NotTo(BeNil())
		v.Expect(b.Spec.AccountRef).To(Equal(s.Spec.AccountRef))
		v.Expect(b.Spec.StorageRef).To(Equal(s.Spec.StorageRef))
		v.Expect(b.Spec.Datasets).To(Equal(s.Spec.Datasets))
		v.Expect(b.Spec.LookbackDays).To(Equal(s.Spec.LookbackDays))
		v.Expect(b.Spec.DeletionPolicy).To(Equal(v1alpha1.ArchiveDelete))
		v.Expect(b.Labels).To(HaveKeyWithValue(v1alpha1.ScheduleLabel, "hourly"))
		v.Expect(b.OwnerReferences).To(BeEmpty())
		v.Eventually(v.of(s)).Should(And(beReady(), HaveField("Status.Active", Equal([]string{b.Name})), HaveField("Status.LastScheduleTime.Time", BeTemporally("==", next))))
		v.finish(b.Name)
		v.Eventually(v.of(s)).Should(And(beReady(), says(v1alpha1.ConditionUpToDate, metav1.ConditionTrue, v1alpha1.ReasonInSync),
			HaveField("Status.Active", BeEmpty()), HaveField("Status.LastGood", b.Name), HaveField("Status.Kept", HaveValue(BeEquivalentTo(1)))))
		v.Expect(liesOf(s)).To(BeEmpty())
	})

	v.Run("P3: makes one for each time, also when it died before noting it", func(t *testing.T) {
		v := v.in(t).company()
		s := v.hourly()
		v.make(s)
		v.Eventually(v.of(s)).Should(beReady())
		v.later(s, time.Hour)
		v.Eventually(v.of(s)).Should(HaveField("Status.LastScheduleTime", Not(BeNil())))
		all, _ := v.backups()
		uid := all[v.due(0)].UID
		before := s.DeepCopy()
		s.Status.LastScheduleTime, s.Status.Active = nil, nil
		v.Expect(v.api.Status().Patch(t.Context(), s, client.MergeFrom(before))).To(Succeed())
		v.touch(s)
		v.Eventually(v.of(s)).Should(HaveField("Status.LastScheduleTime", Not(BeNil())))
		v.Expect(v.backups()).To(And(HaveLen(1), HaveKeyWithValue(v.due(0), HaveField("UID", uid))))
	})

	v.Run("makes up for the newest of those that were missed, once", func(t *testing.T) {
		v := v.in(t).company()
		s := v.hourly()
		v.make(s)
		v.Eventually(v.of(s)).Should(beReady())
		v.later(s, 5*time.Hour)
		v.Eventually(v.backups).Should(HaveKey(v.due(0)))
		v.touch(s)
		v.Expect(v.backups()).To(HaveLen(1))
		v.Eventually(func() []string {
			var events eventsv1.EventList
			v.Expect(v.api.List(t.Context(), &events, client.InNamespace(v.namespace))).To(Succeed())
			var notes []string
			for _, e := range events.Items {
				if e.Reason == v1alpha1.EventMadeUp {
					notes = append(notes, e.Note)
				}
			}
			return notes
		}).Should(ConsistOf(HavePrefix("4 runs were missed")))
	})

	v.Run("lets the next wait while one runs, or starts it beside it, or in its place", func(t *testing.T) {
		for policy, want := range map[v1alpha1.ConcurrencyPolicy]func(first, second string) OmegaMatcher{
			v1alpha1.ConcurrencyForbid:  func(first, _ string) OmegaMatcher { return And(HaveLen(1), HaveKey(first)) },
			v1alpha1.ConcurrencyAllow:   func(first, second string) OmegaMatcher { return And(HaveLen(2), HaveKey(first), HaveKey(second)) },
			v1alpha1.ConcurrencyReplace: func(_, second string) OmegaMatcher { return And(HaveLen(1), HaveKey(second)) },
		} {
			t.Run(string(policy), func(t *testing.T) {
				v := v.in(t).company()
				s := v.hourly(func(s *v1alpha1.BackupScheduleSpec) { s.ConcurrencyPolicy = policy })
				v.make(s)
				v.Eventually(v.of(s)).Should(beReady())
				v.later(s, time.Hour)
				v.Eventually(v.backups).Should(HaveLen(1))
				v.later(s, time.Hour)
				v.Eventually(v.backups).Should(want(v.due(1), v.due(0)))
				v.touch(s)
				v.Expect(v.backups()).To(want(v.due(1), v.due(0)))
				if policy == v1alpha1.ConcurrencyForbid {
					v.finish(v.due(1))
					v.Eventually(v.backups).Should(HaveKey(v.due(0)), "it was only waited for")
				}
			})
		}
	})

	v.Run("starts nothing after its deadline, nor while it is suspended", func(t *testing.T) {
		v := v.in(t).company()
		s := v.hourly(func(s *v1alpha1.BackupScheduleSpec) { s.StartingDeadlineSeconds = 10; s.Schedule = "30 3 1 1 *" })
		v.make(s)
		v.Eventually(v.of(s)).Should(beReady())
		v.change(s, func() { s.Spec.State, s.Spec.Schedule = v1alpha1.ScheduleSuspended, "* * * * *" })
		v.later(s, time.Hour)
		v.Eventually(v.of(s)).Should(And(stands(current, v1alpha1.ReasonSuspended, "E-408"), HaveField("Status.NextScheduleTime", BeNil())))
		v.Expect(v.backups()).To(BeEmpty())
		v.Expect(liesOf(s)).To(BeEmpty())
		v.change(s, func() { s.Spec.State, s.Spec.Schedule = v1alpha1.ScheduleActive, yesterday(v.now()) })
		v.touch(s)
		v.Eventually(v.of(s)).Should(beReady())
		v.Expect(v.backups()).To(BeEmpty())
	})

	v.Run("removes what no rule keeps, and neither the last good one, nor what is held", func(t *testing.T) {
		v := v.in(t).company()
		s := v.hourly()
		v.make(s)
		v.Eventually(v.of(s)).Should(beReady())
		var names []string
		for range 5 {
			v.later(s, time.Hour)
			v.Eventually(v.backups).Should(HaveKey(v.due(0)))
			names = append(names, v.due(0))
			v.finish(v.due(0))
			v.Eventually(v.of(s)).Should(HaveField("Status.LastGood", v.due(0)))
		}
		byHand := &v1alpha1.Backup{ObjectMeta: v.meta("by-hand"), Spec: v1alpha1.BackupSpec{AccountRef: s.Spec.AccountRef, StorageRef: s.Spec.StorageRef}}
		restore := &v1alpha1.Restore{ObjectMeta: v.meta("onto-itself"), Spec: v1alpha1.RestoreSpec{BackupRef: v1alpha1.BackupReference{Name: names[2]}}}
		v.make(byHand, restore)
		v.finish("by-hand")
		held := &v1alpha1.Backup{ObjectMeta: v.meta(names[0])}
		v.change(held, func() { held.Spec.LegalHold = v1alpha1.LegalHoldHeld })
		v.change(s, func() { s.Spec.Retention.Last = 1 })
		v.Eventually(v.backups).Should(And(HaveLen(4), HaveKey(names[0]), HaveKey(names[2]), HaveKey(names[4]), HaveKey("by-hand")))
		v.later(s, time.Hour)
		v.Eventually(v.backups).Should(HaveKey(v.due(0)))
		v.fail(v.due(0))
		v.Eventually(v.of(s)).Should(HaveField("Status.Active", BeEmpty()))
		v.touch(s)
		v.Expect(v.backups()).To(HaveKey(names[4]), "the last good one stays while nothing good is newer")
		v.Eventually(v.of(s)).Should(HaveField("Status.LastGood", names[4]))
	})

	v.Run("says when a Backup is overdue, and when it came", func(t *testing.T) {
		v := v.in(t).company()
		s := v.hourly()
		v.make(s)
		v.Eventually(v.of(s)).Should(beReady())
		v.later(s, time.Hour)
		v.Eventually(v.backups).Should(HaveKey(v.due(0)))
		first := v.due(0)
		v.later(s, time.Hour)
		v.Eventually(v.of(s)).Should(And(stalled(v1alpha1.ReasonBackupOverdue), says(v1alpha1.ConditionUpToDate, metav1.ConditionFalse, v1alpha1.ReasonBackupOverdue)))
		of := map[string]string{"namespace": v.namespace, "schedule": "hourly"}
		v.Eventually(func() float64 { return v.told("rollcall_schedule_overdue", of) }).Should(BeEquivalentTo(1))
		v.Expect(liesOf(s)).To(BeEmpty())
		v.finish(first)
		v.Eventually(v.of(s)).Should(beReady())
		v.Eventually(func() float64 { return v.told("rollcall_schedule_last_success_timestamp_seconds", of) }).Should(BeNumerically("~", float64(v.now().Unix()), 30))
		v.Eventually(func() float64 {
			return v.told("rollcall_archive_bytes", map[string]string{"namespace": v.namespace, "account": "wecom"})
		}).Should(BeEquivalentTo(1000))
	})

	v.Run("has the newest archive restored from time to time", func(t *testing.T) {
		v := v.in(t).company()
		s := v.hourly(func(s *v1alpha1.BackupScheduleSpec) { s.RestoreTestIntervalDays, s.Schedule = 1, "@monthly" })
		v.make(s)
		v.Eventually(v.of(s)).Should(And(beReady(), says(v1alpha1.ConditionRestoreTested, metav1.ConditionFalse, v1alpha1.ReasonWaitingForBackup)))
		b := &v1alpha1.Backup{ObjectMeta: v.meta("adopted"), Spec: v1alpha1.BackupSpec{AccountRef: s.Spec.AccountRef, StorageRef: s.Spec.StorageRef}}
		b.Labels = map[string]string{v1alpha1.ScheduleLabel: "hourly"}
		v.make(b)
		v.finish("adopted")
		v.Eventually(v.of(s)).Should(And(beReady(), says(v1alpha1.ConditionRestoreTested, metav1.ConditionTrue, v1alpha1.ReasonInSync),
			HaveField("Status.RestoreTest.Backup", "adopted"), HaveField("Status.RestoreTest.Result", v1alpha1.RestoreTestEqual), HaveField("Status.RestoreTest.Compared", HaveValue(BeEquivalentTo(1)))))
		v.broken.Store(true)
		defer v.broken.Store(false)
		v.later(s, 26*time.Hour)
		v.Eventually(v.of(s)).Should(And(stalled(v1alpha1.ReasonRestoreTestFailed, "adopted", "different"), HaveField("Status.RestoreTest.Result", v1alpha1.RestoreTestDifferent)))
		v.Eventually(func() float64 {
			return v.told("rollcall_schedule_restore_test_failed", map[string]string{"namespace": v.namespace})
		}).Should(BeEquivalentTo(1))
		v.Expect(liesOf(s)).To(BeEmpty())
	})

	v.Run("says what it waits for, and what is written wrongly", func(t *testing.T) {
		v := v.in(t)
		s := v.hourly(func(s *v1alpha1.BackupScheduleSpec) { s.TimeZone = "Asia/Peking" })
		v.make(s)
		v.Eventually(v.of(s)).Should(stalled(v1alpha1.ReasonInvalidValue, `no "Asia/Peking"`))
		v.change(s, func() { s.Spec.TimeZone = "Asia/Shanghai" })
		v.Eventually(v.of(s)).Should(waiting(v1alpha1.ReasonWaitingForAccount, `"wecom"`))
		v.company()
		v.Eventually(v.of(s)).Should(beReady())
	})

	v.Run("P13: writes nothing while nothing is due", func(t *testing.T) {
		v := v.in(t).company()
		s := v.hourly(func(s *v1alpha1.BackupScheduleSpec) { s.Retention.Daily = 7 })
		v.make(s)
		v.Eventually(v.of(s)).Should(beReady())
		v.later(s, time.Hour)
		v.Eventually(v.backups).Should(HaveKey(v.due(0)))
		v.finish(v.due(0))
		v.Eventually(v.of(s)).Should(HaveField("Status.LastGood", v.due(0)))
		b := &v1alpha1.Backup{ObjectMeta: v.meta(v.due(0))}
		v.Expect(v.of(b)()).NotTo(BeNil())
		version, looked := s.ResourceVersion, v.looked("backupschedule")
		v.change(b, func() { b.Annotations = map[string]string{"touched": "yes"} })
		v.Eventually(func() float64 { return v.looked("backupschedule") }).Should(BeNumerically(">", looked))
		v.Consistently(v.of(s)).Should(HaveField("ResourceVersion", version))
	})
}

// yesterday is a cron expression of an hour ago, once a year.
func yesterday(now time.Time) string {
	at := now.UTC().Add(-time.Hour)
	return at.Format("4 15 2 1 *")
}
