# The first build takes minutes and says what it is doing; what is built lands in bin/ and is built again only when needed.
SHELL := /usr/bin/env bash -euo pipefail
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export CGO_ENABLED := 0

# For install, uninstall, deploy, undeploy: your own kubectl and KUBECONFIG are used.
KUBECTL ?= kubectl
# IMG is the image of the manager.
IMG ?= rollcall:latest
# NAMESPACES are the companies that the manager looks after: it gets rights there, and nowhere else.
NAMESPACES ?= acme
# FUZZRUNS is how many inputs `make test` tries on each fuzz target: some seconds' worth.
FUZZRUNS ?= 10000

TOOLS := bin/tools
GO_BUILD := go build -trimpath -ldflags="-s -w"
GENERATED := api/v1alpha1/zz_generated.deepcopy.go config/crd/bases/*.yaml config/rbac/system/role.yaml docs/api.md $$(git ls-files config/samples/acme)

##@ Use it

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' Makefile

.PHONY: demo
demo: controlplane build ## Run a company of 250 people on two simulated platforms until Ctrl-C.
	@exec bin/rollcall-demo

.PHONY: demo-check
demo-check: controlplane build ## The same for scripts: drift one person, see it healed, end with status 0.
	@exec bin/rollcall-demo -check

.PHONY: image
image: $(TOOLS)/ko ## Build and push the manager's image without Docker: make image IMG=registry/rollcall:v1.
	@image=$(IMG); \
	KO_CONFIG_PATH=hack/tools/ko KO_DOCKER_REPO=$${image%:*} $(TOOLS)/ko build . --bare --tags=$${image##*:}

.PHONY: install
install: $(TOOLS)/kustomize ## Install the CRDs on your cluster.
	@$(TOOLS)/kustomize build config/crd | $(KUBECTL) apply --server-side -f -

.PHONY: uninstall
uninstall: $(TOOLS)/kustomize ## Remove the CRDs, and with them every object of theirs, from your cluster.
	@$(TOOLS)/kustomize build config/crd | $(KUBECTL) delete --ignore-not-found -f -

.PHONY: deploy
deploy: $(TOOLS)/kustomize ## Deploy the manager: make deploy IMG=registry/rollcall:v1 NAMESPACES="acme globex".
	@hack/deploy.sh "$(IMG)" $(NAMESPACES) | $(KUBECTL) apply --server-side -f -

.PHONY: undeploy
undeploy: $(TOOLS)/kustomize ## Remove the manager; the CRDs and the people stay. It lets go of its rights as itself: config/policy lets nobody else.
	@$(KUBECTL) -n rollcall-system delete deployment rollcall --ignore-not-found
	@for company in $(NAMESPACES); do \
		$(KUBECTL) -n $$company --as=system:serviceaccount:rollcall-system:rollcall \
			patch rolebinding rollcall-manager --type=merge -p '{"metadata":{"finalizers":null}}' || true; \
	done
	@hack/deploy.sh "$(IMG)" $(NAMESPACES) | $(KUBECTL) delete --ignore-not-found -f -

##@ Change it

.PHONY: build
build: ## Build the manager, the kubectl plugin, the simulator and the demo into bin/.
	@echo "building bin/rollcall, bin/kubectl-rollcall, bin/simulator, bin/rollcall-demo (2 minutes once)"
	@$(GO_BUILD) -o bin/rollcall .
	@$(GO_BUILD) -o bin/kubectl-rollcall ./cmd/kubectl-rollcall
	@$(GO_BUILD) -o bin/simulator ./test/simulator
	@$(GO_BUILD) -o bin/rollcall-demo ./hack/demo

.PHONY: generate
generate: $(TOOLS)/controller-gen ## Generate deep copies from the types, and the sample company.
	@echo "generating deep copies and the sample company"
	@$(TOOLS)/controller-gen object paths=./api/...
	@go run ./hack/acme

.PHONY: manifests
manifests: $(TOOLS)/controller-gen ## Generate CRDs from the types, and the ClusterRole from markers in controllers/.
	@echo "generating CRDs and the ClusterRole"
	@$(TOOLS)/controller-gen crd paths=./api/... output:crd:dir=config/crd/bases
	@$(TOOLS)/controller-gen rbac:roleName=rollcall-manager paths=./controllers/... output:rbac:dir=config/rbac/system

.PHONY: docs
docs: $(TOOLS)/crd-ref-docs ## Generate the API reference, docs/api.md.
	@echo "generating docs/api.md"
	@$(TOOLS)/crd-ref-docs --source-path=api --config=hack/docs/config.yaml --renderer=markdown \
		--output-path=docs/api.md --log-level=ERROR

.PHONY: fmt
fmt: $(TOOLS)/golangci-lint ## Format the code.
	@$(TOOLS)/golangci-lint fmt

.PHONY: vet
vet: ## Run go vet.
	@echo "vetting"
	@go vet ./...
	@cd test/sdk && go vet ./...

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## Run golangci-lint, with kube-api-linter for api/.
	@echo "linting"
	@$(TOOLS)/golangci-lint run --allow-serial-runners

.PHONY: vuln
vuln: $(TOOLS)/govulncheck ## Look for known vulnerabilities that the code reaches.
	@hack/vuln.sh $(TOOLS)/govulncheck ./...

##@ Prove it

.PHONY: test
test: controlplane build verify-generated vet lint $(TOOLS)/versitygw $(TOOLS)/slapd/slapd $(TOOLS)/scimmy/server.js $(TOOLS)/age $(TOOLS)/age-keygen ## Everything that a change must pass.
	@hack/test.sh $(FUZZRUNS)

.PHONY: verify
verify: generate manifests docs fmt vet lint ## Generate and format everything, then fail if anything differs from the commit.
	@test -z "$$(git status --porcelain)" || { git --no-pager diff; git status --short; exit 1; }

.PHONY: verify-generated
verify-generated: # Regenerates in place; fails if that changed anything.
	@before=$$(cat $(GENERATED) 2>/dev/null | git hash-object --stdin); \
	$(MAKE) generate manifests docs; \
	test "$$before" = "$$(cat $(GENERATED) | git hash-object --stdin)" || \
		{ echo "generated files were out of date; they are right now: commit them"; git status --short; exit 1; }

.PHONY: matrix
matrix: controlplane build $(TOOLS)/versitygw ## Kill the manager at every moment of a leaving, not only at the share that test tries.
	@ROLLCALL_MATRIX=all go test -count=1 -timeout=60m -v -run='EveryMoment|TwoHundred' ./test/crash

.PHONY: bench
bench: controlplane build ## Print one figure a line (name value goal ok|MISS), and write bin/bench.json.
	@go run ./test/bench -out bin/bench.json

##@ Build parts

.PHONY: controlplane
controlplane: ## Build etcd, kube-apiserver, kube-controller-manager and kubectl (5 minutes once).
	@hack/controlplane/build.sh bin/controlplane

$(TOOLS)/golangci-lint: hack/tools/golangci-lint/go.mod hack/tools/golangci-lint/main.go
	@echo "building golangci-lint (about 90 s once)"
	@cd hack/tools/golangci-lint && $(GO_BUILD) -o $(abspath $@) .

$(TOOLS)/ko: hack/tools/ko/go.mod
	@echo "building ko (about 60 s once)"
	@cd hack/tools/ko && $(GO_BUILD) -o $(abspath $@) github.com/google/ko

$(TOOLS)/versitygw: hack/tools/versitygw/go.mod
	@echo "building versitygw, an S3 server (about 60 s once)"
	@cd hack/tools/versitygw && $(GO_BUILD) -o $(abspath $@) github.com/versity/versitygw/cmd/versitygw

$(TOOLS)/slapd/slapd: hack/slapd.sh
	@echo "fetching slapd, an LDAP server (about 30 s once)"
	@hack/slapd.sh $(@D)

$(TOOLS)/scimmy/server.js: hack/scimmy.sh $(addprefix test/peers/scimmy/,.npmrc package.json package-lock.json server.js)
	@echo "fetching the packages of scimmy-routers, a SCIM server (about 20 s once)"
	@hack/scimmy.sh $(@D)

$(TOOLS)/age: PACKAGE := filippo.io/age/cmd/age
$(TOOLS)/age-keygen: PACKAGE := filippo.io/age/cmd/age-keygen
$(TOOLS)/controller-gen: PACKAGE := sigs.k8s.io/controller-tools/cmd/controller-gen
$(TOOLS)/crd-ref-docs: PACKAGE := github.com/elastic/crd-ref-docs
$(TOOLS)/kustomize: PACKAGE := sigs.k8s.io/kustomize/kustomize/v5
$(TOOLS)/govulncheck: PACKAGE := golang.org/x/vuln/cmd/govulncheck
$(TOOLS)/age $(TOOLS)/age-keygen $(TOOLS)/controller-gen $(TOOLS)/crd-ref-docs $(TOOLS)/kustomize $(TOOLS)/govulncheck: hack/tools/go.mod
	@echo "building $(@F) (up to 20 s once)"
	@cd hack/tools && $(GO_BUILD) -o $(abspath $@) $(PACKAGE)

.PHONY: clean
clean: ## Remove what was built; Go's own caches stay.
	@rm -rf bin
