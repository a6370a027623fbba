package controllers_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/crd"
)

// All wrong objects that only a controller can judge, in one company, beside people who are right.
var _ = Describe("The catalogue of wrong objects", Ordered, func() {
	var c *company

	// apply is kubectl apply --server-side of a document, with the simulators' addresses in it.
	apply := func(document []byte) {
		GinkgoHelper()
		text := strings.NewReplacer("http://127.0.0.1:18201", c.dingtalk.server.URL, "http://127.0.0.1:18202", c.wecom.server.URL).Replace(string(document))
		o := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal([]byte(text), o)).To(Succeed())
		o.SetNamespace(c.namespace)
		Expect(api.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner("kubectl"), client.ForceOwnership)).To(Succeed())
	}
	cases, err := crd.Load()
	if err != nil {
		panic(err) // the tree of specs is made from it
	}

	BeforeAll(func() {
		c = founded()
		c.wecom.tenant, c.dingtalk.tenant = "acme", "acme" // those of the simulator, whose credentials the catalogue has
		c.private = append(c.private, "acme-sync-secret", "acme-app-secret", "陈晨", "李娜")
		for _, k := range cases {
			c.private = append(c.private, k.Never...)
		}
		world, err := crd.World()
		Expect(err).NotTo(HaveOccurred())
		for _, document := range world {
			apply(document)
		}
		Eventually(c.objects).Should(And(HaveLen(7), HaveEach(beReady())))
		for _, o := range c.objects() {
			later(o) // who was first is told by age
		}
		for _, k := range cases {
			if k.Refused != nil {
				continue
			}
			for _, document := range k.Documents {
				apply(document)
			}
		}
	})

	for _, k := range cases {
		if k.Refused != nil {
			continue
		}
		It(k.Name+": "+strings.ReplaceAll(k.About, "\n", " "), func() {
			for _, want := range k.Conditions {
				o := map[string]client.Object{
					"EnterpriseAccount": &v1alpha1.EnterpriseAccount{}, "Department": &v1alpha1.Department{},
					"Employee": &v1alpha1.Employee{}, "EmployeeNumberRule": &v1alpha1.EmployeeNumberRule{},
					"BackupStorage": &v1alpha1.BackupStorage{}, "BackupSchedule": &v1alpha1.BackupSchedule{},
					"Backup": &v1alpha1.Backup{}, "Restore": &v1alpha1.Restore{},
					"OffboardingPolicy": &v1alpha1.OffboardingPolicy{}, "Offboarding": &v1alpha1.Offboarding{},
					"PermissionBinding": &v1alpha1.PermissionBinding{}, "LinkedSystem": &v1alpha1.LinkedSystem{},
				}[want.Kind]
				o.SetNamespace(c.namespace)
				o.SetName(want.Name)
				Eventually(of(o)).Should(says(want.Type, metav1.ConditionStatus(want.Status()), want.Reason, want.Says...))
			}
		})
	}

	It("P13: is told once: nothing is written while nothing changes", func() {
		c.settled()
		before, since := c.versions(), metav1.Now()
		Eventually(func() int64 { return time.Now().Unix() }).Should(BeNumerically(">", since.Unix()), "times in conditions are whole seconds")
		for _, t := range []*twin{c.wecom, c.dingtalk} {
			c.resync(t) // whoever lists the account is looked at anew
			a := c.account(t)
			Eventually(of(a)).Should(beReady())
			before["*v1alpha1.EnterpriseAccount "+a.Name] = a.ResourceVersion
		}
		Consistently(c.versions).Should(Equal(before))
	})

	It("P11: holds up nobody who is right", func() {
		d := create(c.department("c-neighbour", "邻居", below("rd")))
		e := create(c.person("c-neighbour", in("c-neighbour"), reportingTo("li-na"), numbered("C-neighbour")))
		Eventually(of(d)).Should(beReady())
		Eventually(of(e)).Should(beReady())
		for _, name := range []string{"wecom", "dingtalk"} {
			Expect(of(&v1alpha1.EnterpriseAccount{ObjectMeta: c.meta(name)})()).To(beReady())
		}
	})
})
