package controllers_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

func testStorage(v *vault) {
	v.Run("is ready when a canary came back, and says who can open archives", func(t *testing.T) {
		v := v.in(t)
		bs := v.storage("archives", "acme")
		bs.Spec.Offsite.Local.Folder = "offsite/acme"
		bs.Spec.Encryption.Recipients = []string{v.other()}
		v.make(v.key(), bs)
		v.Eventually(v.of(bs)).Should(And(beReady(),
			says(v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonInSync, "within two seconds"),
			says(v1alpha1.ConditionOffsiteAvailable, metav1.ConditionTrue, v1alpha1.ReasonInSync),
			says(v1alpha1.ConditionExclusive, metav1.ConditionTrue, v1alpha1.ReasonInSync),
			HaveField("Status.Archives", HaveValue(BeZero())),
			HaveField("Status.Location", HaveSuffix("/acme")), HaveField("Status.Offsite", HaveSuffix("/offsite/acme")),
			HaveField("Status.Recipients", Equal([]string{v.identity.Recipient().String(), bs.Spec.Encryption.Recipients[0]})),
		))
		v.Expect(liesOf(bs)).To(BeEmpty())
		v.Expect(v.told("rollcall_storage_probe_seconds", map[string]string{"storage": "archives", "place": "offsite"})).To(BeNumerically(">", 0))
		v.Expect(v.told("rollcall_storage_available", map[string]string{"storage": "archives", "place": "location"})).To(BeEquivalentTo(1))
	})

	v.Run("P13: an idle probe writes nothing", func(t *testing.T) {
		v := v.in(t)
		bs := v.storage("archives", "idle")
		bs.Spec.ProbeIntervalSeconds = 5
		v.make(v.key(), bs)
		v.Eventually(v.of(bs)).Should(beReady())
		version, canary := bs.ResourceVersion, filepath.Join(v.volume, "idle", v.namespace, ".claims", string(bs.UID))
		before, err := os.Stat(canary)
		v.Expect(err).NotTo(HaveOccurred())
		v.Eventually(func() bool {
			now, err := os.Stat(canary)
			return err == nil && now.ModTime().After(before.ModTime())
		}).Should(BeTrue(), "the claim is renewed with the next probe")
		v.Consistently(v.of(bs)).Should(HaveField("ResourceVersion", version))
	})

	v.Run("P10: keeps its Secrets, and waits for those who refer to it", func(t *testing.T) {
		v := v.in(t)
		key, bs := v.key(), v.storage("archives", "kept")
		b := &v1alpha1.Backup{ObjectMeta: v.meta("one"), Spec: v1alpha1.BackupSpec{
			AccountRef: v1alpha1.AccountReference{Name: "wecom"}, StorageRef: v1alpha1.StorageReference{Name: "archives"},
		}}
		archived := v.stored("kept", "two", v.now().Add(-time.Hour))
		v.make(key, b, bs)
		v.Eventually(v.of(bs)).Should(beReady())
		v.Expect(v.api.Delete(t.Context(), key)).To(Succeed())
		v.Eventually(v.of(bs)).Should(And(beReady(), says(v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, v1alpha1.ReasonCredentialsLeaving)))
		v.Expect(v.api.Delete(t.Context(), bs)).To(Succeed())
		v.Eventually(v.of(bs)).Should(stands(ending, v1alpha1.ReasonInUse, "2 Backups", "E-409"))
		v.Expect(v.of(key)()).To(HaveField("Finalizers", ConsistOf(v1alpha1.CredentialsFinalizer)), "archives can still be deleted")
		v.Expect(v.api.DeleteAllOf(t.Context(), &v1alpha1.Backup{}, client.InNamespace(v.namespace))).To(Succeed())
		v.gone(bs)
		v.gone(key)
		_, err := v.place("kept").Sealed(t.Context(), archived)
		v.Expect(err).NotTo(HaveOccurred(), "archives stay")
		v.Expect(filepath.Join(v.volume, "kept", v.namespace, ".claims", string(bs.UID))).NotTo(BeAnExistingFile(), "nobody has to wait for the claim to lapse")
	})

	v.Run("says what is missing", func(t *testing.T) {
		v := v.in(t)
		bs := v.storage("archives", "missing")
		v.make(bs)
		v.Eventually(v.of(bs)).Should(stalled(v1alpha1.ReasonKeyMissing, "backup-key", "age-keygen"))
		key := &corev1.Secret{ObjectMeta: v.meta("backup-key"), StringData: map[string]string{"identity": "AGE-SECRET-KEY-1NONSENSE"}}
		v.make(key)
		v.Eventually(v.of(bs)).Should(stalled(v1alpha1.ReasonKeyMissing, "no age identities"))
		v.Expect(statusOf(bs)).NotTo(ContainSubstring("NONSENSE"))
		v.change(key, func() { key.StringData = map[string]string{"identity": v.identity.String()} })
		v.Eventually(v.of(bs)).Should(beReady())
		bucket := v.storage("bucket", "unused")
		bucket.Spec.Location = v1alpha1.StorageLocation{S3: v1alpha1.S3Bucket{
			Bucket: "acme", Endpoint: "http://127.0.0.1:1", CredentialsSecretRef: v1alpha1.SecretReference{Name: "bucket"},
		}}
		v.make(bucket)
		v.Eventually(v.of(bucket)).Should(waiting(v1alpha1.ReasonCredentialsMissing, "accessKeyID and secretAccessKey"))
		v.make(&corev1.Secret{ObjectMeta: v.meta("bucket"), StringData: map[string]string{"accessKeyID": "id", "secretAccessKey": "not-a-real-one"}})
		v.Eventually(v.of(bucket)).Should(waiting(v1alpha1.ReasonStorageUnavailable, "s3://acme"))
		v.Expect(liesOf(bucket)).To(BeEmpty())
		v.Expect(statusOf(bucket)).NotTo(ContainSubstring("not-a-real-one"))
	})

	v.Run("says when the volume is taken away, and when it is back", func(t *testing.T) {
		v := v.in(t)
		bs := v.storage("archives", "away")
		v.make(v.key(), bs)
		v.Eventually(v.of(bs)).Should(beReady())
		folder := filepath.Join(v.volume, "away")
		v.Expect(os.Rename(folder, folder+".elsewhere")).To(Succeed())
		v.Expect(os.WriteFile(folder, nil, 0o600)).To(Succeed())
		v.probed(bs)
		v.Eventually(v.of(bs)).Should(And(Not(beReady()), HaveField("Status.Conditions", ContainElement(And(HaveField("Type", v1alpha1.ConditionAvailable), HaveField("Status", metav1.ConditionFalse))))))
		v.Expect(v.told("rollcall_storage_available", map[string]string{"namespace": v.namespace})).To(BeZero())
		v.Expect(os.Remove(folder)).To(Succeed())
		v.Expect(os.Rename(folder+".elsewhere", folder)).To(Succeed())
		v.probed(bs)
		v.Eventually(v.of(bs)).Should(beReady())
	})

	v.Run("two of one place both say so, and the younger stands back", func(t *testing.T) {
		v := v.in(t)
		first, second := v.storage("first", "shared"), v.storage("second", "shared")
		v.make(v.key(), first)
		v.Eventually(v.of(first)).Should(beReady())
		v.make(second)
		v.Eventually(v.of(second)).Should(And(stalled(v1alpha1.ReasonStorageShared, "the BackupStorage first", "it is older"), says(v1alpha1.ConditionExclusive, metav1.ConditionFalse, v1alpha1.ReasonStorageShared)))
		v.probed(first)
		v.Eventually(v.of(first)).Should(And(beReady(), says(v1alpha1.ConditionExclusive, metav1.ConditionFalse, v1alpha1.ReasonStorageShared, "the BackupStorage second", "this one is older")))
		v.Expect(v.api.Delete(t.Context(), first)).To(Succeed())
		v.gone(first)
		v.probed(second)
		v.Eventually(v.of(second)).Should(And(beReady(), says(v1alpha1.ConditionExclusive, metav1.ConditionTrue, v1alpha1.ReasonInSync)))
	})
}

// A cluster that is new finds the archives of its namespaces, under the names that they had.
func testAdoption(v *vault) {
	day := v.now().Add(-24 * time.Hour).Truncate(time.Minute)
	scheduled := "nightly-" + minutes(day)
	made, byHand, held := v.stored("acme", scheduled, day.Add(3*time.Second)), v.stored("acme", "before-the-move", day), v.stored("acme", "evidence", day.Add(time.Hour))
	v.Expect(v.place("acme").Hold(v.Context(), held)).To(Succeed())
	nameless := v.stored("acme", "No_Name", day.Add(2*time.Hour))
	bs := v.storage("archives", "acme")
	v.make(v.key(), bs)
	v.Eventually(v.of(bs)).Should(And(beReady(), HaveField("Status.Archives", HaveValue(BeEquivalentTo(4)))))
	own := "wecom-" + strings.ToLower(nameless[strings.LastIndex(nameless, "/")+1:])
	v.Eventually(v.backups).Should(And(HaveLen(4), HaveKey(scheduled), HaveKey("before-the-move"), HaveKey("evidence"), HaveKey(own)))
	all, err := v.backups()
	v.Expect(err).NotTo(HaveOccurred())
	for name, key := range map[string]string{scheduled: made, "before-the-move": byHand, "evidence": held, own: nameless} {
		b := all[name]
		v.Expect(b.Spec.ArchiveKey).To(Equal(key))
		v.Expect(b.Spec.AccountRef.Name).To(Equal("wecom"))
		v.Expect(b.OwnerReferences).To(BeEmpty(), "nothing garbage-collects evidence")
	}
	v.Expect(all[scheduled].Labels).To(HaveKeyWithValue(v1alpha1.ScheduleLabel, "nightly"))
	v.Expect(all[scheduled].Spec.DeletionPolicy).To(Equal(v1alpha1.ArchiveDelete), "its schedule may remove it")
	v.Expect(all["before-the-move"].Spec.DeletionPolicy).To(Equal(v1alpha1.ArchiveRetain))
	v.Expect(all["before-the-move"].Labels).To(BeEmpty())
	v.Expect(all["evidence"].Spec.LegalHold).To(Equal(v1alpha1.LegalHoldHeld))

	v.Run("and what is deleted without its archive comes back", func(t *testing.T) {
		v := v.as(t)
		uid := all["before-the-move"].UID
		v.Expect(v.api.Delete(t.Context(), all["before-the-move"])).To(Succeed())
		v.probed(bs)
		v.Eventually(v.backups).Should(HaveKeyWithValue("before-the-move", Not(HaveField("UID", uid))))
	})

	v.Run("P3: one that is being made is not made twice", func(t *testing.T) {
		v := v.as(t)
		v.make(&v1alpha1.Backup{ObjectMeta: v.meta("on-its-way"), Spec: v1alpha1.BackupSpec{
			AccountRef: v1alpha1.AccountReference{Name: "wecom"}, StorageRef: v1alpha1.StorageReference{Name: "archives"},
		}})
		v.stored("acme", "on-its-way", v.now())
		v.probed(bs)
		v.Eventually(v.of(bs)).Should(HaveField("Status.Archives", HaveValue(BeEquivalentTo(5))))
		v.Consistently(v.backups).Should(HaveLen(5))
	})

	v.Run("and leftovers of runs that died are cleared away, after a day", func(t *testing.T) {
		v := v.as(t)
		leave := func(name string, age time.Duration) string {
			folder := filepath.Join(v.volume, "acme", v.namespace, "wecom", "ww1", name)
			v.Expect(os.MkdirAll(folder, 0o700)).To(Succeed())
			file := filepath.Join(folder, "archive.tar.zst.age")
			v.Expect(os.WriteFile(file, []byte("half"), 0o600)).To(Succeed())
			at := v.now().Add(-age)
			v.Expect(os.Chtimes(file, at, at)).To(Succeed())
			return file
		}
		old, young := leave("20200101T000000Z-dead", 25*time.Hour), leave("20200102T000000Z-alive", 23*time.Hour)
		v.probed(bs)
		v.Eventually(func() error { _, err := os.Stat(old); return err }).Should(MatchError(os.ErrNotExist))
		v.Expect(young).To(BeAnExistingFile())
		_, err := v.place("acme").Sealed(t.Context(), made)
		v.Expect(err).NotTo(HaveOccurred())
	})

	v.Run("P9: one that was proven since the last look counts", func(t *testing.T) {
		v := v.as(t)
		b := &v1alpha1.Backup{ObjectMeta: v.meta("just-made"), Spec: v1alpha1.BackupSpec{
			AccountRef: v1alpha1.AccountReference{Name: "wecom"}, StorageRef: v1alpha1.StorageReference{Name: "archives"},
		}}
		v.make(b)
		at := metav1.NewTime(v.now().Add(time.Second))
		b.Status.Archive, b.Status.CompletionTime = v1alpha1.Archive{Key: v.stored("acme", b.Name, at.Time)}, &at
		v.conclude(b, metav1.ConditionTrue, v1alpha1.ConditionExported, v1alpha1.ConditionVerified, v1alpha1.ConditionReady)
		counted := HaveField("Status.Archives", HaveValue(BeEquivalentTo(6)))
		v.Eventually(v.of(bs)).Should(counted)
		v.probed(bs)
		v.Consistently(v.of(bs)).Should(counted, "it is not counted twice")
	})

	v.Run("and a long list comes back in passes, whole", func(t *testing.T) {
		v := v.in(t)
		for i := range 120 {
			v.stored("many", "", v.now().Add(-time.Duration(i)*time.Hour))
		}
		bs := v.storage("archives", "many")
		v.make(v.key(), bs)
		v.Eventually(v.backups).Should(HaveLen(120))
		v.Eventually(v.of(bs)).Should(beReady())
	})
}
