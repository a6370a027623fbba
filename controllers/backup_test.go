package controllers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/backup/storage"
	"rollcall.dev/rollcall/test/simulator/core"
)

// room is a BackupStorage on the suite's volume, with an off-site place, and its key.
type room struct {
	*v1alpha1.BackupStorage
	key    *age.X25519Identity
	folder string
}

// room makes the storage "archives" of the company and waits for it.
func (c *company) room() *room {
	GinkgoHelper()
	key, err := age.GenerateX25519Identity()
	Expect(err).NotTo(HaveOccurred())
	v := &room{key: key, folder: fmt.Sprintf("vault-%d", c.number)}
	c.secret("archives-key", map[string]string{"identity": key.String()})
	v.BackupStorage = create(&v1alpha1.BackupStorage{ObjectMeta: c.meta("archives"), Spec: v1alpha1.BackupStorageSpec{
		Location:   v1alpha1.StorageLocation{Local: v1alpha1.LocalVolume{Folder: v.folder}},
		Offsite:    v1alpha1.StorageLocation{Local: v1alpha1.LocalVolume{Folder: "offsite/" + v.folder}},
		Encryption: v1alpha1.Encryption{IdentitySecretRef: v1alpha1.SecretReference{Name: "archives-key"}},
	}})
	Eventually(of(v.BackupStorage)).Should(beReady())
	return v
}

// files are those of an archive in both places.
func (v *room) files(b *v1alpha1.Backup, name string) (all []string) {
	for _, folder := range []string{v.folder, "offsite/" + v.folder} {
		all = append(all, filepath.Join(volume, folder, b.Status.Archive.Key, name))
	}
	return all
}

// older puts an archive of the account into the first place that is of another time, and returns its key.
func (v *room) older(c *company, t *twin, at time.Time) string {
	GinkgoHelper()
	place, err := storage.Open(ctx, storage.Config{Local: &storage.Local{Root: volume, Folder: v.folder}})
	Expect(err).NotTo(HaveOccurred())
	defer place.Close()
	key, err := store(ctx, place, archive.Header{
		Platform: "WeCom", Tenant: t.corpID, Namespace: c.namespace, Account: t.Name(), Backup: "older", Time: at,
	}, "1a2b3c4d", v.key)
	Expect(err).NotTo(HaveOccurred())
	return key
}

// keys are the archives that list in the first place, and in the off-site one.
func (v *room) keys(folder string) []string {
	GinkgoHelper()
	place, err := storage.Open(ctx, storage.Config{Local: &storage.Local{Root: volume, Folder: folder}})
	Expect(err).NotTo(HaveOccurred())
	defer place.Close()
	keys, err := place.List(ctx, v.Namespace)
	Expect(err).NotTo(HaveOccurred())
	return keys
}

// backup is a Backup of an account, not created yet.
func (c *company) backup(name, account string, change ...func(*v1alpha1.Backup)) *v1alpha1.Backup {
	b := &v1alpha1.Backup{ObjectMeta: c.meta(name), Spec: v1alpha1.BackupSpec{
		AccountRef: v1alpha1.AccountReference{Name: account}, StorageRef: v1alpha1.StorageReference{Name: "archives"},
	}}
	b.Spec.Datasets = []v1alpha1.Dataset{"Directory"}
	for _, f := range change {
		f(b)
	}
	return b
}

func holding(h v1alpha1.LegalHold) func(*v1alpha1.Backup) {
	return func(b *v1alpha1.Backup) { b.Spec.LegalHold = h }
}

func deleting(p v1alpha1.ArchiveDeletionPolicy) func(*v1alpha1.Backup) {
	return func(b *v1alpha1.Backup) { b.Spec.DeletionPolicy = p }
}

// gone is a poll for the end of an object.
func goes(o client.Object) func() bool {
	return func() bool { return apierrors.IsNotFound(api.Get(ctx, client.ObjectKeyFromObject(o), o)) }
}

var _ = Describe("Backups", func() {
	var c *company
	var v *room

	BeforeEach(func() {
		c = founded()
		v = c.room()
		c.open(c.wecom, c.dingtalk)
		create(c.department("rd", "研发中心"))
		for _, name := range []string{"a", "b", "c"} {
			Eventually(of(create(c.person(name)))).Should(beReady())
		}
	})

	for _, account := range []string{"wecom", "dingtalk"} {
		It("P1: are verified only when they were read back, in both places: "+account, func() {
			b := create(c.backup("first", account))
			Eventually(of(b)).Should(beReady())
			for _, condition := range []string{v1alpha1.ConditionExported, v1alpha1.ConditionCopied, v1alpha1.ConditionVerified} {
				Expect(b).To(says(condition, metav1.ConditionTrue, v1alpha1.ReasonInSync))
			}
			st := &b.Status
			Expect(st.Archive.Key).To(HavePrefix(c.namespace + "/" + account + "/"))
			Expect(st.Verification.Offsite).To(Equal(v1alpha1.CopyVerified))
			Expect(*st.Verification.Items).To(BeNumerically(">", 3))
			Expect(st.Origin).To(Equal(v1alpha1.OriginCreated))
			Expect(*st.Attempts).To(BeEquivalentTo(1))
			Expect(st.LegalHold).To(Equal(v1alpha1.LegalHoldReleased))
			Expect(st.Datasets[0].Name).To(Equal(v1alpha1.Dataset("Directory")))
			for _, file := range v.files(b, "archive.tar.zst.age") {
				Expect(file).To(BeAnExistingFile())
			}
		})
	}

	It("P1: are not verified while what was written cannot be read back", func() {
		b := create(c.backup("first", "wecom"))
		Eventually(of(b)).Should(beReady())
		By("exchanging a byte of the first place")
		file := v.files(b, "archive.tar.zst.age")[0]
		text, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		text[len(text)/2] ^= 1
		Expect(os.WriteFile(file, text, 0o600)).To(Succeed())
		again := create(c.backup("again", "wecom", func(o *v1alpha1.Backup) { o.Spec.ArchiveKey = b.Status.Archive.Key }))
		Eventually(of(again)).Should(says(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonArchiveDamaged, "E-507"))
		Expect(again).To(says(v1alpha1.ConditionVerified, metav1.ConditionFalse, v1alpha1.ReasonArchiveDamaged))
	})

	It("find archives again, and verify them", func() {
		b := create(c.backup("first", "wecom", holding(v1alpha1.LegalHoldHeld)))
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.LegalHold", v1alpha1.LegalHoldHeld)))
		since := c.sim.Log.Last()
		again := create(c.backup("again", "wecom", func(o *v1alpha1.Backup) { o.Spec.ArchiveKey = b.Status.Archive.Key }))
		Eventually(of(again)).Should(beReady())
		Expect(again.Status.Origin).To(Equal(v1alpha1.OriginAdopted))
		Expect(again.Status.LegalHold).To(Equal(v1alpha1.LegalHoldHeld), "the hold lies beside the archive")
		Expect(again.Status.Archive).To(Equal(b.Status.Archive))
		Expect(c.wecom.calls(core.Query{Since: since})).To(BeEmpty(), "nothing is exported")
	})

	It("P4: neither read nor delete the archives of another company", func() {
		other := founded()
		theirs := create(other.backup("theirs", "wecom", func(o *v1alpha1.Backup) {
			o.Spec.ArchiveKey, o.Spec.DeletionPolicy = c.namespace+"/wecom/"+c.wecom.corpID+"/20261125T020000Z-1a2b3c4d", v1alpha1.ArchiveDelete
		}))
		Eventually(of(theirs)).Should(says(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidValue, "archiveKey"))
		Expect(api.Delete(ctx, theirs)).To(Succeed())
		Eventually(goes(theirs)).Should(BeTrue())
	})

	It("choose people by their Employees", func() {
		b := create(c.backup("some", "wecom", func(o *v1alpha1.Backup) {
			o.Spec.People.EmployeeRefs = []v1alpha1.EmployeeReference{{Name: "a"}, {Name: "late"}}
		}))
		Eventually(of(b)).Should(says(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForPeople, "late"))
		Expect(b.Status.Attempts).To(BeNil())
		create(c.person("late"))
		Eventually(of(b)).Should(beReady())
	})

	It("wait for account and storage, and read nothing of who is suspended", func() {
		b := create(c.backup("early", "wecom", func(o *v1alpha1.Backup) { o.Spec.StorageRef.Name = "nowhere" }))
		Eventually(of(b)).Should(says(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForStorage, "nowhere"))
		change(&v1alpha1.EnterpriseAccount{ObjectMeta: c.meta("wecom")}, mode(v1alpha1.ModeSuspended))
		quiet := create(c.backup("quiet", "wecom"))
		Eventually(of(quiet)).Should(says(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended, "E-408"))
		Expect(quiet.Status.Attempts).To(BeNil())
		change(&v1alpha1.EnterpriseAccount{ObjectMeta: c.meta("wecom")}, mode(v1alpha1.ModeObserve))
		Eventually(of(quiet)).Should(beReady(), "looking is enough")
	})

	It("say what the platform refused, and try again", func() {
		heal := c.wecom.fault(core.Fault{Kind: core.KindHTTPStatus, HTTPStatus: 502, Operation: "tag/list"})
		b := create(c.backup("first", "wecom"))
		Eventually(of(b)).Should(says(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonUnavailable, "E-301"))
		Expect(b.Status.RetryTime).NotTo(BeNil())
		Expect(v.keys(v.folder)).To(BeEmpty(), "half an archive lists")
		heal()
		change(b, func(b *v1alpha1.Backup) { b.Spec.ExpireAfterDays = 7 }) // it need not wait then
		Eventually(of(b)).Should(And(beReady(), HaveField("Status.Attempts", HaveValue(BeNumerically(">=", 2)))))
		Expect(v.keys(v.folder)).To(Equal([]string{b.Status.Archive.Key}))
	})

	It("are held, and released", func() {
		b := create(c.backup("first", "wecom"))
		Eventually(of(b)).Should(beReady())
		holds := v.files(b, "hold.json")
		change(b, holding(v1alpha1.LegalHoldHeld), deleting(v1alpha1.ArchiveDelete))
		Eventually(of(b)).Should(HaveField("Status.LegalHold", v1alpha1.LegalHoldHeld))
		for _, file := range holds {
			Expect(file).To(BeAnExistingFile())
		}
		By("leaving the field out")
		change(b, holding(""))
		Eventually(of(b)).Should(beReady())
		Consistently(of(b), "200ms").Should(HaveField("Status.LegalHold", v1alpha1.LegalHoldHeld))
		By("deleting it")
		Expect(api.Delete(ctx, b)).To(Succeed())
		Eventually(of(b)).Should(says(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonLegalHold, "E-413", "Retain"))
		Expect(v.keys(v.folder)).To(ContainElement(b.Status.Archive.Key))
		change(b, holding(v1alpha1.LegalHoldReleased))
		Eventually(goes(b)).Should(BeTrue())
		Expect(v.keys(v.folder)).To(BeEmpty())
		Expect(v.keys("offsite/" + v.folder)).To(BeEmpty())
	})

	It("P10: always have a way out", func() {
		By("keeping the archive")
		kept := create(c.backup("kept", "wecom", holding(v1alpha1.LegalHoldHeld), deleting(v1alpha1.ArchiveDelete)))
		Eventually(of(kept)).Should(And(beReady(), HaveField("Status.LegalHold", v1alpha1.LegalHoldHeld)))
		Expect(api.Delete(ctx, kept)).To(Succeed())
		Eventually(of(kept)).Should(says(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonLegalHold))
		change(kept, deleting(v1alpha1.ArchiveRetain))
		Eventually(goes(kept)).Should(BeTrue())
		Expect(v.keys(v.folder)).To(HaveLen(1))
		By("having no storage")
		orphan := create(c.backup("orphan", "wecom", deleting(v1alpha1.ArchiveDelete), func(o *v1alpha1.Backup) {
			o.Spec.StorageRef.Name, o.Spec.ArchiveKey = "nowhere", c.namespace+"/wecom/corp/20261125T020000Z-1a2b3c4d"
		}))
		Eventually(of(orphan)).Should(says(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForStorage))
		Expect(api.Delete(ctx, orphan)).To(Succeed())
		Eventually(goes(orphan)).Should(BeTrue())
	})

	for _, policy := range []v1alpha1.ArchiveDeletionPolicy{v1alpha1.ArchiveRetain, v1alpha1.ArchiveDelete} {
		It("expire with their archive, in both places, and not while they are held: "+string(policy), func() {
			key := v.older(c, c.wecom, time.Now().AddDate(0, 0, -8))
			b := create(c.backup("old", "wecom", holding(v1alpha1.LegalHoldHeld), deleting(policy), func(o *v1alpha1.Backup) {
				o.Spec.ArchiveKey, o.Spec.ExpireAfterDays = key, 7
			}))
			Eventually(of(b)).Should(And(beReady(), HaveField("Status.LegalHold", v1alpha1.LegalHoldHeld),
				HaveField("Status.ExpireTime.Time", BeTemporally("<", time.Now()))))
			By("leaving the field out: the hold lies beside the archive")
			change(b, holding(""))
			Eventually(of(b)).Should(beReady())
			Consistently(goes(b), "200ms").Should(BeFalse())
			for _, folder := range []string{v.folder, "offsite/" + v.folder} {
				Expect(v.keys(folder)).To(Equal([]string{key}), folder)
			}
			change(b, holding(v1alpha1.LegalHoldReleased))
			Eventually(goes(b)).Should(BeTrue())
			for _, folder := range []string{v.folder, "offsite/" + v.folder} {
				Expect(v.keys(folder)).To(BeEmpty(), folder)
				Expect(filepath.Join(volume, folder, key)).NotTo(BeADirectory(), "nothing of it is left")
			}
		})
	}

	It("say when they expire", func() {
		b := create(c.backup("old", "wecom", func(o *v1alpha1.Backup) { o.Spec.ExpireAfterDays = 1 }))
		Eventually(of(b)).Should(beReady())
		Expect(b.Status.ExpireTime.Time).To(BeTemporally("~", b.Status.Archive.Time.AddDate(0, 0, 1), time.Second))
	})

	It("P13: rest when they are done", func() {
		b := create(c.backup("first", "wecom"))
		Eventually(of(b)).Should(beReady())
		c.settled()
		version, since, before := b.ResourceVersion, c.sim.Log.Last(), looks("backup")
		change(&v1alpha1.EnterpriseAccount{ObjectMeta: c.meta("wecom")}, func(a *v1alpha1.EnterpriseAccount) { a.Spec.ResyncIntervalSeconds-- })
		Eventually(looks).WithArguments("backup").Should(BeNumerically(">", before))
		Consistently(of(b), "200ms").Should(HaveField("ResourceVersion", version))
		exported := slices.ContainsFunc(c.wecom.calls(core.Query{Since: since}), func(e core.Entry) bool { return strings.Contains(e.Operation, "tag/") })
		Expect(exported).To(BeFalse())
	})
})
