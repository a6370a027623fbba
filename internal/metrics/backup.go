package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// backups is what is told of archives: where they lie, how many, and whether they come in time.
type backups struct {
	probe, available *prometheus.GaugeVec // by storage and place
	stored, bytes    *prometheus.GaugeVec // by storage and account
	success          *prometheus.GaugeVec // by schedule
	overdue, tested  *prometheus.GaugeVec
}

func newBackups(registry prometheus.Registerer) *backups {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, append([]string{"namespace"}, labels...))
	}
	b := &backups{
		probe:     gauge("rollcall_storage_probe_seconds", "How long the last canary took to be written, read back and deleted.", "storage", "place"),
		available: gauge("rollcall_storage_available", "1 if the last canary came back, else 0; place is location or offsite.", "storage", "place"),
		stored:    gauge("rollcall_backups", "Backups by result: good, running, failed, or damaged (read back different, or gone).", "storage", "account", "result"),
		bytes:     gauge("rollcall_archive_bytes", "Size of the archives that Backups name.", "storage", "account"),
		success:   gauge("rollcall_schedule_last_success_timestamp_seconds", "When the newest good Backup of the schedule was verified.", "schedule"),
		overdue:   gauge("rollcall_schedule_overdue", "1 while a Backup was due and none is good since.", "schedule"),
		tested:    gauge("rollcall_schedule_restore_test_failed", "1 while the last restore test failed, or none was made in time.", "schedule"),
	}
	registry.MustRegister(b.probe, b.available, b.stored, b.bytes, b.success, b.overdue, b.tested)
	return b
}

// Probed records how a place answered.
func (b *backups) Probed(storage types.NamespacedName, place string, seconds float64, ok bool) {
	if ok {
		b.probe.WithLabelValues(storage.Namespace, storage.Name, place).Set(seconds)
	} else {
		b.probe.DeleteLabelValues(storage.Namespace, storage.Name, place)
	}
	b.available.WithLabelValues(storage.Namespace, storage.Name, place).Set(number(ok))
}

// Stored records which Backups a storage has.
func (b *backups) Stored(storage types.NamespacedName, all []v1alpha1.Backup) {
	counts, sizes := map[[2]string]float64{}, map[string]float64{}
	for i := range all {
		account := all[i].Spec.AccountRef.Name
		counts[[2]string{account, resultOf(&all[i])}]++
		if size := all[i].Status.Archive.SizeBytes; size != nil {
			sizes[account] += float64(*size)
		}
	}
	of := prometheus.Labels{"namespace": storage.Namespace, "storage": storage.Name}
	b.stored.DeletePartialMatch(of)
	b.bytes.DeletePartialMatch(of)
	for key, n := range counts {
		b.stored.WithLabelValues(storage.Namespace, storage.Name, key[0], key[1]).Set(n)
	}
	for account, n := range sizes {
		b.bytes.WithLabelValues(storage.Namespace, storage.Name, account).Set(n)
	}
}

// resultOf is how a Backup stands, in a word.
func resultOf(b *v1alpha1.Backup) string {
	ready := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case ready != nil && (ready.Reason == v1alpha1.ReasonArchiveDamaged || ready.Reason == v1alpha1.ReasonArchiveMissing):
		return "damaged"
	case meta.IsStatusConditionTrue(b.Status.Conditions, v1alpha1.ConditionVerified):
		return "good"
	case meta.IsStatusConditionTrue(b.Status.Conditions, v1alpha1.ConditionStalled):
		return "failed"
	}
	return "running"
}

// ForgetStorage drops what is known of a storage that is gone.
func (b *backups) ForgetStorage(storage types.NamespacedName) {
	of := prometheus.Labels{"namespace": storage.Namespace, "storage": storage.Name}
	for _, g := range []*prometheus.GaugeVec{b.probe, b.available, b.stored, b.bytes} {
		g.DeletePartialMatch(of)
	}
}

// Scheduled records how a schedule stands; a zero time is none.
func (b *backups) Scheduled(schedule types.NamespacedName, success time.Time, overdue, testFailed bool) {
	if !success.IsZero() {
		b.success.WithLabelValues(schedule.Namespace, schedule.Name).Set(float64(success.Unix()))
	}
	b.overdue.WithLabelValues(schedule.Namespace, schedule.Name).Set(number(overdue))
	b.tested.WithLabelValues(schedule.Namespace, schedule.Name).Set(number(testFailed))
}

// ForgetSchedule drops what is known of a schedule that is gone or suspended.
func (b *backups) ForgetSchedule(schedule types.NamespacedName) {
	of := prometheus.Labels{"namespace": schedule.Namespace, "schedule": schedule.Name}
	for _, g := range []*prometheus.GaugeVec{b.success, b.overdue, b.tested} {
		g.DeletePartialMatch(of)
	}
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
