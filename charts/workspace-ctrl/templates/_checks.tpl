{{- /* What would go wrong silently is refused here, mostly by what the cluster has, which is not known without one (helm template). */ -}}
{{- define "workspace-ctrl.checks" -}}
{{- if and .Values.gatewayRemoval .Values.featureGates.gatewayAPIInferenceExtension }}
{{- fail "\n\ngatewayRemoval removes what the feature gate made, and the gate is on. To remove it, set featureGates.gatewayAPIInferenceExtension=false as well; to keep it, leave gatewayRemoval out.\n" }}
{{- end }}
{{- if and (eq (toString .Values.bodyBasedRouting.mode) "managed") (or .Values.scope.namespaces .Values.scope.shardSelector) }}
{{- fail "\n\nbodyBasedRouting.mode=managed needs a release that looks after all Workspaces, because a Gateway's router goes with the last of them:\nleave out scope.namespaces and scope.shardSelector, or set it to off and install the router yourself.\n" }}
{{- end }}
{{- if and .Values.admission.enabled (eq .Values.admission.certificates "existing") (not (and .Values.admission.secret .Values.admission.caBundle)) }}
{{- fail "\n\nadmission.certificates=existing needs admission.secret, a Secret with tls.crt and tls.key, and admission.caBundle, the certificates (PEM)\nby which the API server trusts them.\n" }}
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
{{- fail (printf "\n\n%d HelmReleases of Workspaces (%s, ...) would stay behind without anybody who may remove them.\nFirst upgrade with --set featureGates.gatewayAPIInferenceExtension=false --set gatewayRemoval=true, and wait until they are gone.\n" (len .) (first .)) }}
{{- end }}
{{- end }}
{{- if hasKey .Subcharts "flux2" }}
{{- $crd := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "helmreleases.helm.toolkit.fluxcd.io" }}
{{- $annotations := dig "metadata" "annotations" (dict) $crd | default dict }}
{{- $owner := printf "%s/%s" (get $annotations "meta.helm.sh/release-namespace") (get $annotations "meta.helm.sh/release-name") }}
{{- if and $crd (ne $owner (printf "%s/%s" .Release.Namespace .Release.Name)) }}
{{- fail "\n\nThis cluster has Flux, or its CRDs, already, and can have only one Flux: set flux2.enabled=false.\nIf only CRDs are left, of a release with another name, delete them first: those that end in toolkit.fluxcd.io.\n" }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Whether an object lies in a namespace that this release looks after: (list context object). */ -}}
{{- define "workspace-ctrl.inScope" -}}
{{- $namespaces := (index . 0).Values.scope.namespaces }}
{{- if or (not $namespaces) (has (index . 1).metadata.namespace $namespaces) }}true{{ end }}
{{- end }}
