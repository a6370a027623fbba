package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EmployeeNumberRule makes employee numbers. A number is assigned once and never
// again, also after the person's object is gone.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=enr,categories=rollcall
// +kubebuilder:printcolumn:name="Pattern",type=string,JSONPath=`.spec.pattern`
// +kubebuilder:printcolumn:name="Assigned",type=integer,JSONPath=`.status.assigned`
// +kubebuilder:printcolumn:name="Last",type=string,JSONPath=`.status.lastNumber`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.sequences) || oldSelf.status.sequences.size() == 0 || (has(self.spec.ranges) == has(oldSelf.spec.ranges) && (!has(oldSelf.spec.ranges) || oldSelf.spec.ranges.all(o, self.spec.ranges.map(r, r.start).indexOf(o.start) == oldSelf.spec.ranges.map(r, r.start).indexOf(o.start) && self.spec.ranges.exists(n, n.start == o.start && (n.end == o.end || (n.end > o.end && o.start == oldSelf.spec.ranges[oldSelf.spec.ranges.size() - 1].start))))))",message="ranges: this rule has assigned numbers, and other ranges would assign some of them again; lengthen the last range or append ranges, or write another EmployeeNumberRule"
type EmployeeNumberRule struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`
	// spec says how numbers are made.
	// +required
	Spec EmployeeNumberRuleSpec `json:"spec,omitzero"`
	// status says what was assigned.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status EmployeeNumberRuleStatus `json:"status,omitempty,omitzero"`
}

// EmployeeNumberRuleSpec says how numbers are made.
//
// +kubebuilder:validation:XValidation:rule="!has(self.ranges) || self.ranges.all(r, r.start <= r.end)",message="ranges: start must not be greater than end"
// +kubebuilder:validation:XValidation:rule="!has(self.ranges) || self.ranges.all(a, a.start > a.end || self.ranges.exists_one(b, a.start <= b.end && b.start <= a.end))",message="ranges must not overlap: a number would be assigned twice"
// +kubebuilder:validation:XValidation:rule="!has(self.ranges) || !self.pattern.matches('[{]seq:[1-9][}]') || self.ranges.all(r, string(r.end).size() <= int(self.pattern.substring(self.pattern.indexOf('{seq:') + 5, self.pattern.indexOf('{seq:') + 6)))",message="ranges: end has more digits than {seq:N} of the pattern holds"
type EmployeeNumberRuleSpec struct {
	// pattern of a number: letters, digits and . _ - with the tokens {dept} (the primary department's code),
	// {yyyy}, {yy} and {mm} (of the hire date) and, once, {seq:N} (a sequence of N digits, counted for each
	// different text around it), e.g. {dept}{yyyy}{seq:4}. A changed pattern holds for new numbers only.
	// +required
	// +kubebuilder:validation:MinLength=7
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('[{]seq:[1-9][}]') && self.indexOf('{seq:') == self.lastIndexOf('{seq:')",message="pattern: needs {seq:N} once, N being the number of digits from 1 to 9, e.g. {dept}{yyyy}{seq:4}"
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9A-Za-z]|[{](dept|yyyy|yy|mm|seq:[1-9])[}])([0-9A-Za-z._-]|[{](dept|yyyy|yy|mm|seq:[1-9])[}])*$')",message="pattern: use letters, digits, . _ - and the tokens {dept} {yyyy} {yy} {mm} {seq:N} only, beginning with a letter, a digit or a token"
	Pattern string `json:"pattern,omitempty"`
	// ranges of the sequence to use, in this order. When omitted, 1 up to what the digits hold.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Ranges []SequenceRange `json:"ranges,omitempty"`
	// reserved numbers are never assigned, e.g. 8888.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=50
	Reserved []string `json:"reserved,omitempty"`
}

// SequenceRange is a range of sequence values, both ends included.
type SequenceRange struct {
	// start is the first value.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=999999999
	Start int32 `json:"start,omitempty"`
	// end is the last value.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=999999999
	End int32 `json:"end,omitempty"`
}

// EmployeeNumberRuleStatus says what was assigned.
// +kubebuilder:validation:MinProperties=1
type EmployeeNumberRuleStatus struct {
	// conditions are Ready (numbers can be assigned), Reconciling and Stalled as kstatus reads them.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the generation that this status is about; -1 before the first look.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`
	// sequences remembers how far each sequence has come. Nothing at or before it is assigned again.
	// +optional
	// +listType=map
	// +listMapKey=prefix
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10000
	Sequences []Sequence `json:"sequences,omitempty"`
	// assigned is how many numbers this rule has given out.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Assigned *int64 `json:"assigned,omitempty"`
	// lastNumber is the newest one.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=50
	LastNumber string `json:"lastNumber,omitempty"`
}

// Sequence is one counter.
type Sequence struct {
	// prefix is the pattern with everything filled in but the sequence, e.g. RD2026{seq:4}.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Prefix string `json:"prefix,omitempty"`
	// last is the position last used, counted through the ranges in their order.
	// +required
	// +kubebuilder:validation:Minimum=0
	Last *int64 `json:"last,omitempty"`
}

// EmployeeNumberRuleList is a list of EmployeeNumberRules.
//
// +kubebuilder:object:root=true
type EmployeeNumberRuleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []EmployeeNumberRule `json:"items"`
}
