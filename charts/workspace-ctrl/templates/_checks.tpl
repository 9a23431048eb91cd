{{- /* Rejects settings that would fail silently. Most checks need a cluster, so they do nothing with helm template. */ -}}
{{- define "workspace-ctrl.checks" -}}
{{- if and .Values.gatewayRemoval .Values.featureGates.gatewayAPIInferenceExtension }}
{{- fail "\n\ngatewayRemoval removes all gateway objects, but the feature gate is on. To remove them, set featureGates.gatewayAPIInferenceExtension=false as well; to keep them, remove gatewayRemoval.\n" }}
{{- end }}
{{- if include "workspace-ctrl.companion" . }}
{{- if not (include "workspace-ctrl.gatewaySide" .) }}
{{- fail "\n\nmode=companion makes only the gateway side: set featureGates.gatewayAPIInferenceExtension=true as well, or to remove the gateway objects,\ngatewayRemoval=true.\n" }}
{{- end }}
{{- range list "workspaces.kaito.sh" "inferencesets.kaito.sh" }}
{{- $crd := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" . }}
{{- $annotations := dig "metadata" "annotations" (dict) $crd | default dict }}
{{- $owner := printf "%s/%s" (get $annotations "meta.helm.sh/release-namespace") (get $annotations "meta.helm.sh/release-name") }}
{{- if and (eq $owner (printf "%s/%s" $.Release.Namespace $.Release.Name)) (ne (get $annotations "helm.sh/resource-policy") "keep") }}
{{- fail (printf "\n\nThe CRD %s belongs to this release, and Helm would delete it, with all objects, because mode=companion does not install it.\nFirst upgrade with crds.keep=true, or let the chart of KAITO take it over (helm upgrade --take-ownership).\n" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (eq (toString .Values.bodyBasedRouting.mode) "managed") (or .Values.scope.namespaces .Values.scope.shardSelector) }}
{{- fail "\n\nbodyBasedRouting.mode=managed cannot be combined with scope.namespaces or scope.shardSelector, because all Workspaces share the router of a Gateway:\nremove these, or set the mode to off and install the router yourself.\n" }}
{{- end }}
{{- if and .Values.modelIndex.enabled (or .Values.scope.namespaces .Values.scope.shardSelector) }}
{{- fail "\n\nmodelIndex.enabled cannot be combined with scope.namespaces or scope.shardSelector, because only a controller of all Workspaces knows which requests\nno model takes: remove these, or set modelIndex.enabled=false.\n" }}
{{- end }}
{{- if and .Values.modelIndex.enabled (not (include "workspace-ctrl.gatewaySide" .)) }}
{{- fail "\n\nmodelIndex.enabled lists the models on Gateways: set featureGates.gatewayAPIInferenceExtension=true as well, or modelIndex.enabled=false.\n" }}
{{- end }}
{{- if and .Values.admission.enabled (eq .Values.admission.certificates "existing") (not (and .Values.admission.secret .Values.admission.caBundle)) }}
{{- fail "\n\nadmission.certificates=existing needs admission.secret, a Secret with tls.crt and tls.key, and admission.caBundle, the certificates\n(PEM) of its CA.\n" }}
{{- end }}
{{- range .Values.chartSources }}
{{- if and .digest .allowedDigests }}
{{- fail (printf "\n\nchartSources: %s has both digest and allowedDigests, but a source with a digest is pinned to it: remove one of them.\n" (.name | default "default")) }}
{{- end }}
{{- end }}
{{- range .Values.rbac.workloadKinds }}
{{- $isBuiltIn := or (and (not .apiGroup) (ne .resource "replicationcontrollers")) (regexMatch "(^|\\.)k8s\\.io$" .apiGroup) }}
{{- if or $isBuiltIn (regexMatch "secret|token|credential|certificate" .resource) }}
{{- fail (printf "\n\nrbac.workloadKinds must not contain %s of API group %q: it has no pods, and may contain credentials. Name a kind of workloads.\n" .resource .apiGroup) }}
{{- end }}
{{- end }}
{{- $kind := "helm.toolkit.fluxcd.io/v2/HelmRelease" }}
{{- if and (not (include "workspace-ctrl.gatewaySide" .)) (.Capabilities.APIVersions.Has $kind) }}
{{- $left := list }}
{{- range (lookup "helm.toolkit.fluxcd.io/v2" "HelmRelease" "" "").items }}
{{- if and (eq (dig "metadata" "labels" "app.kubernetes.io/managed-by" "" .) "workspace-ctrl") (include "workspace-ctrl.inScope" (list $ .)) }}
{{- $left = append $left (printf "%s/%s" .metadata.namespace .metadata.name) }}
{{- end }}
{{- end }}
{{- with $left }}
{{- fail (printf "\n\n%d HelmReleases of Workspaces (%s, ...) would be left behind, because the controller would lose its rights to delete them.\nFirst upgrade with --set featureGates.gatewayAPIInferenceExtension=false --set gatewayRemoval=true, and wait until they are gone.\n" (len .) (first .)) }}
{{- end }}
{{- end }}
{{- if hasKey .Subcharts "flux2" }}
{{- $crd := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "helmreleases.helm.toolkit.fluxcd.io" }}
{{- $annotations := dig "metadata" "annotations" (dict) $crd | default dict }}
{{- $owner := printf "%s/%s" (get $annotations "meta.helm.sh/release-namespace") (get $annotations "meta.helm.sh/release-name") }}
{{- if and $crd (ne $owner (printf "%s/%s" .Release.Namespace .Release.Name)) }}
{{- fail "\n\nFlux or its CRDs are already installed in this cluster, which can have only one Flux: set flux2.enabled=false.\nIf only CRDs are left of a release with another name, delete them first (names that end in toolkit.fluxcd.io).\n" }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Whether an object is in a namespace of this release's scope: (list context object). */ -}}
{{- define "workspace-ctrl.inScope" -}}
{{- $namespaces := (index . 0).Values.scope.namespaces }}
{{- if or (not $namespaces) (has (index . 1).metadata.namespace $namespaces) }}true{{ end }}
{{- end }}
