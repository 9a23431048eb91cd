{{- /* Rejects settings that would fail silently. Most checks need a cluster, so they do nothing with helm template. */ -}}
{{- define "workspace-ctrl.checks" -}}
{{- with include "workspace-ctrl.missing" . | fromJsonArray }}
{{- $forEveryone := list }}
{{- range . }}{{ if regexMatch "^networkPolicy\\..*From$" . }}{{ $forEveryone = append $forEveryone (printf "For everyone, write %s: [].\n" .) }}{{ end }}{{ end }}
{{- fail (printf "\n\nThese values are missing: %s.\nThey were set to null, or helm upgrade --reuse-values kept the values of a version without them. Instead of null, leave a value out; instead of\n--reuse-values, use --reset-then-reuse-values, which takes the defaults of this version for what you did not set.\n%s" (join ", " .) (join "" $forEveryone)) }}
{{- end }}
{{- with concat (include "workspace-ctrl.takenKeys" . | fromJsonArray) (include "workspace-ctrl.settingsProblems" . | fromJsonArray) }}
{{- fail (printf "\n\n%s\n" (join "\n" .)) }}
{{- end }}
{{- if and .Values.gatewayRemoval .Values.featureGates.gatewayAPIInferenceExtension }}
{{- fail "\n\ngatewayRemoval removes all gateway objects, but the feature gate is on. To remove them, set featureGates.gatewayAPIInferenceExtension=false as well; to keep them, remove gatewayRemoval.\n" }}
{{- end }}
{{- $removes := .Values.gatewayRemoval }}
{{- if and (kindIs "bool" $removes) (not $removes) .Values.featureGates.gatewayAPIInferenceExtension (not (hasKey .Subcharts "flux2")) (not (hasKey .Values.flux2 "enabled")) (not (include "workspace-ctrl.hasOtherFlux" .)) }}
{{- fail "\n\ngatewayRemoval=false leaves out this chart's Flux, which the feature gate needs, because of the conditions of a chart Helm takes the first one that\nis set. Leave it out (--set gatewayRemoval=null, where helm upgrade keeps the values of before), or set flux2.enabled=false if the cluster has a Flux.\n" }}
{{- end }}
{{- if include "workspace-ctrl.companion" . }}
{{- if not (include "workspace-ctrl.gatewaySide" .) }}
{{- fail "\n\nmode=companion makes only the gateway side: set featureGates.gatewayAPIInferenceExtension=true as well, or to remove the gateway objects,\ngatewayRemoval=true.\n" }}
{{- end }}
{{- range list "workspaces.kaito.sh" "inferencesets.kaito.sh" }}
{{- $crd := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" . }}
{{- $annotations := dig "metadata" "annotations" (dict) $crd | default dict }}
{{- if and (include "workspace-ctrl.isOfRelease" (list $ $crd)) (ne (get $annotations "helm.sh/resource-policy") "keep") }}
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
{{- if not (include "workspace-ctrl.gatewaySide" .) }}
{{- $gate := "set featureGates.gatewayAPIInferenceExtension=true as well" }}
{{- if .Values.modelIndex.enabled }}
{{- fail (printf "\n\nmodelIndex.enabled lists the models on Gateways: %s, or modelIndex.enabled=false.\n" $gate) }}
{{- end }}
{{- if .Values.autoscaling.enabled }}
{{- fail (printf "\n\nautoscaling.enabled scales by the load that endpoint pickers measure: %s, or autoscaling.enabled=false.\n" $gate) }}
{{- end }}
{{- if eq (toString .Values.bodyBasedRouting.mode) "managed" }}
{{- fail (printf "\n\nbodyBasedRouting.mode=managed makes routers for Gateways: %s, or bodyBasedRouting.mode=off.\n" $gate) }}
{{- end }}
{{- if .Values.chartCheck.enabled }}
{{- fail (printf "\n\nchartCheck.enabled checks the charts of endpoint pickers: %s, or chartCheck.enabled=false.\n" $gate) }}
{{- end }}
{{- end }}
{{- if and .Values.admission.enabled (eq .Values.admission.certificates "existing") (not (and .Values.admission.secret .Values.admission.caBundle)) }}
{{- fail "\n\nadmission.certificates=existing needs admission.secret, a Secret with tls.crt and tls.key, and admission.caBundle, the certificates\n(PEM) of its CA.\n" }}
{{- end }}
{{- $ports := list (dict "name" "the fixed port of the health checks" "port" 8080) (dict "name" "metrics.port" "port" .Values.metrics.port) }}
{{- if .Values.admission.enabled }}{{ $ports = append $ports (dict "name" "admission.port" "port" .Values.admission.port) }}{{ end }}
{{- if include "workspace-ctrl.servesLoads" . }}{{ $ports = append $ports (dict "name" "autoscaling.port" "port" .Values.autoscaling.port) }}{{ end }}
{{- range $index, $one := $ports }}
{{- range slice $ports (add1 $index | int) }}
{{- if eq (int .port) (int $one.port) }}
{{- fail (printf "\n\n%s and %s are both %d, but in a pod only one process can listen on a port: set %s to another one.\n" $one.name .name (int .port) .name) }}
{{- end }}
{{- end }}
{{- end }}
{{- $variables := dict }}
{{- range $variable := .Values.modelServer.env }}
{{- if hasKey $variables .name }}
{{- fail (printf "\n\nmodelServer.env sets %s twice: remove one of them.\n" .name) }}
{{- end }}
{{- $_ := set $variables .name .value }}
{{- with get (include "workspace-ctrl.reservedVariables" $ | fromYaml) .name }}
{{- fail (printf "\n\nmodelServer.env must not contain %s, which %s.\n" $variable.name .) }}
{{- end }}
{{- if and $.Values.modelServer.caBundle (has .name (list "SSL_CERT_FILE" "REQUESTS_CA_BUNDLE")) }}
{{- fail (printf "\n\nmodelServer.env must not contain %s, which is set by modelServer.caBundle: remove one of them.\n" .name) }}
{{- end }}
{{- end }}
{{- $direct := splitList "," (get $variables (hasKey $variables "no_proxy" | ternary "no_proxy" "NO_PROXY") | replace " " "") }}
{{- range list "http_proxy" "HTTP_PROXY" "all_proxy" "ALL_PROXY" }}
{{- if and (hasKey $variables .) (not (or (has "*" $direct) (and (has "localhost" $direct) (has ".svc" $direct)))) }}
{{- fail (printf "\n\nmodelServer.env has %s, but no NO_PROXY with localhost,.svc, so the pods would reach themselves and each other by it: add it.\n" .) }}
{{- end }}
{{- end }}
{{- range .Values.rbac.workloadKinds }}
{{- $isBuiltIn := or (and (not .apiGroup) (ne .resource "replicationcontrollers")) (regexMatch "(^|\\.)k8s\\.io$" .apiGroup) }}
{{- if or $isBuiltIn (regexMatch "secret|token|credential|certificate" .resource) }}
{{- fail (printf "\n\nrbac.workloadKinds must not contain %s of API group %q: it has no pods, and may contain credentials. Name a kind of workloads.\n" .resource .apiGroup) }}
{{- end }}
{{- end }}
{{- /* Those of different shards cannot be distinguished. */}}
{{- if not (or (include "workspace-ctrl.gatewaySide" .) .Values.scope.shardSelector) }}
{{- range $kind, $version := dict "HelmRelease" "helm.toolkit.fluxcd.io/v2" "OCIRepository" "source.toolkit.fluxcd.io/v1" }}
{{- $left := list }}
{{- if $.Capabilities.APIVersions.Has (printf "%s/%s" $version $kind) }}
{{- range (lookup $version $kind "" "").items }}
{{- if and (eq (dig "metadata" "labels" "app.kubernetes.io/managed-by" "" .) "workspace-ctrl") (include "workspace-ctrl.inScope" (list $ .)) }}
{{- $left = append $left (printf "%s/%s" .metadata.namespace .metadata.name) }}
{{- end }}
{{- end }}
{{- end }}
{{- with $left }}
{{- fail (printf "\n\n%d objects of the kind %s of Workspaces (%s, ...) would be left behind, because the controller would lose its rights to delete them.\nFirst upgrade with --set featureGates.gatewayAPIInferenceExtension=false --set gatewayRemoval=true, and wait until they are gone.\n" (len .) $kind (first .)) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (hasKey .Subcharts "flux2") (include "workspace-ctrl.hasOtherFlux" .) }}
{{- fail "\n\nFlux or its CRDs are already installed in this cluster, which can have only one Flux: set flux2.enabled=false.\nIf only CRDs are left of a release with another name or namespace, do not delete them, which deletes all objects of\ntheir kinds, but hand them over (docs/uninstalling.md#moving-a-release).\n" }}
{{- end }}
{{- end }}

{{- /* Variables that the installation cannot set, and why (RESERVED in workspace_ctrl/planning/preset/installed_environment.py). */ -}}
{{- define "workspace-ctrl.reservedVariables" -}}
POD_NAME: is set by workspace-ctrl
POD_INDEX: is set by workspace-ctrl
LEADER: is set by workspace-ctrl
VLLM_HOST_IP: is set by workspace-ctrl
HF_HOME: is set by workspace-ctrl
HF_TOKEN: would be readable in every Deployment; use presetOptions.modelAccessSecret of the Workspaces
HUGGING_FACE_HUB_TOKEN: would be readable in every Deployment; use presetOptions.modelAccessSecret of the Workspaces
VLLM_API_KEY: would be readable in every Deployment, and the requests of endpoint pickers and probes do not have it; let the Gateway authenticate clients
VLLM_ALLOW_RUNTIME_LORA_UPDATING: would let everyone who reaches the model change it, or the process
VLLM_SERVER_DEV_MODE: would let everyone who reaches the model change it, or the process
VLLM_TORCH_PROFILER_DIR: would let everyone who reaches the model change it, or the process
CUDA_VISIBLE_DEVICES: is set by the device plugin, for the GPUs that were requested
NVIDIA_VISIBLE_DEVICES: is set by the device plugin, for the GPUs that were requested
{{- end }}

{{- /* Whether an object is in a namespace of this release's scope: (list context object). */ -}}
{{- define "workspace-ctrl.inScope" -}}
{{- $namespaces := (index . 0).Values.scope.namespaces }}
{{- if or (not $namespaces) (has (index . 1).metadata.namespace $namespaces) }}true{{ end }}
{{- end }}

{{- /* Values that are set and have no effect beside the others, as a list of {values, why}. Not those below a feature that is off, except where
the switch is easily forgotten; nor those of the gateway side during gatewayRemoval. */ -}}
{{- define "workspace-ctrl.valuesWithoutEffect" -}}
{{- $found := list }}
{{- if not (include "workspace-ctrl.gatewaySide" .) }}
{{- $set := list }}
{{- range list "gateway" "gatewayNamespaces" "gatewayClasses" "sharedPaths" "matchReportedNames" "chartSources" "chartCheck" "endpointPicker" "helmRelease" "probe" "bodyBasedRouting" }}
{{- if get $.Values . }}{{ $set = append $set . }}{{ end }}
{{- end }}
{{- if .Values.timeout }}{{ $set = append $set "timeout (but on how long pods of presets may take to end)" }}{{ end }}
{{- if .Values.rbac.kthena }}{{ $set = append $set "rbac.kthena" }}{{ end }}
{{- with $set }}{{ $found = append $found (dict "values" . "why" "featureGates.gatewayAPIInferenceExtension is false") }}{{ end }}
{{- end }}
{{- if include "workspace-ctrl.companion" . }}
{{- $set := list }}
{{- range list "modelServer" "modelHub" }}
{{- if get $.Values . }}{{ $set = append $set . }}{{ end }}
{{- end }}
{{- if .Values.rbac.workloadKinds }}{{ $set = append $set "rbac.workloadKinds" }}{{ end }}
{{- if .Values.autoscaling.enabled }}{{ $set = append $set "autoscaling" }}{{ end }}
{{- with $set }}{{ $found = append $found (dict "values" . "why" "with mode=companion, KAITO makes and scales the model servers") }}{{ end }}
{{- end }}
{{- if not .Values.scope.namespaces }}
{{- $set := list }}
{{- if not .Values.scope.gatewaysEverywhere }}{{ $set = append $set "scope.gatewaysEverywhere" }}{{ end }}
{{- if not .Values.rbac.removal }}{{ $set = append $set "rbac.removal" }}{{ end }}
{{- with $set }}{{ $found = append $found (dict "values" . "why" "scope.namespaces is empty") }}{{ end }}
{{- end }}
{{- if .Values.controllerPolicy.enabled }}
{{- $set := list }}
{{- range .Values.scope.namespaces }}
{{- if or (hasPrefix "kube-" .) (has . (append $.Values.controllerPolicy.systemNamespaces $.Release.Namespace)) }}{{ $set = append $set (printf "%s in scope.namespaces" .) }}{{ end }}
{{- end }}
{{- $but := .Values.scope.gatewaysEverywhere | ternary "" ", but Gateways there are seen" }}
{{- with $set }}{{ $found = append $found (dict "values" . "why" (printf "the controller's policy refuses objects of Workspaces there (controllerPolicy.systemNamespaces, that of the release, kube-*)%s" $but)) }}{{ end }}
{{- end }}
{{- if and .Values.scope.namespaces (not .Values.scope.gatewaysEverywhere) }}
{{- $set := list }}
{{- with .Values.gateway }}
{{- if not (has .namespace $.Values.scope.namespaces) }}{{ $set = append $set "gateway" }}{{ end }}
{{- end }}
{{- range .Values.gatewayNamespaces }}
{{- if not (has . $.Values.scope.namespaces) }}{{ $set = append $set (printf "%s in gatewayNamespaces" .) }}{{ end }}
{{- end }}
{{- with $set }}{{ $found = append $found (dict "values" . "why" "scope.gatewaysEverywhere=false shows only those in scope.namespaces") }}{{ end }}
{{- end }}
{{- if not .Values.rbac.create }}
{{- $set := list }}
{{- range list "workloadKinds" "kthena" "aggregateRoutes" }}
{{- if get $.Values.rbac . }}{{ $set = append $set (printf "rbac.%s" .) }}{{ end }}
{{- end }}
{{- with $set }}{{ $found = append $found (dict "values" . "why" "rbac.create is false, so the chart grants no rights") }}{{ end }}
{{- end }}
{{- if and .Values.serviceAccount.annotations (not .Values.serviceAccount.create) }}
{{- $found = append $found (dict "values" (list "serviceAccount.annotations") "why" "serviceAccount.create is false") }}
{{- end }}
{{- $asksNoHub := or (include "workspace-ctrl.companion" .) (not (include "workspace-ctrl.modelHubPort" . | trim)) }}
{{- if and .Values.proxy (not .Values.chartCheck.enabled) $asksNoHub }}
{{- $found = append $found (dict "values" (list "proxy") "why" "only the Helm of chartCheck and modelHub use it, and both are off") }}
{{- end }}
{{- if include "workspace-ctrl.gatewaySide" . }}
{{- if and .Values.bodyBasedRouting (ne (toString .Values.bodyBasedRouting.mode) "managed") }}
{{- with pick .Values.bodyBasedRouting "chart" "values" | keys | sortAlpha }}
{{- $set := list }}
{{- range . }}{{ $set = append $set (printf "bodyBasedRouting.%s" .) }}{{ end }}
{{- $found = append $found (dict "values" $set "why" "bodyBasedRouting.mode is not managed") }}
{{- end }}
{{- end }}
{{- if has (toString .Values.probe.mode) (list "off" "false") }}
{{- with pick .Values.probe "interval" "secret" "tokenGateways" "networks" | keys | sortAlpha }}
{{- $set := list }}
{{- range . }}{{ $set = append $set (printf "probe.%s" .) }}{{ end }}
{{- $found = append $found (dict "values" $set "why" "probe.mode is off") }}
{{- end }}
{{- else if and .Values.probe.tokenGateways (not .Values.probe.secret) }}
{{- $found = append $found (dict "values" (list "probe.tokenGateways") "why" "there is no probe.secret with a token or a client certificate, so statuses only quote the responses of these Gateways") }}
{{- else if and .Values.probe.secret (not .Values.probe.tokenGateways) (not .Values.gateway) }}
{{- $found = append $found (dict "values" (list "the token or client certificate of probe.secret") "why" "it is sent only to probe.tokenGateways, or else to gateway, and neither is set") }}
{{- end }}
{{- end }}
{{- if .Values.admission.enabled }}
{{- if and .Values.admission.issuerRef (ne .Values.admission.certificates "cert-manager") }}
{{- $found = append $found (dict "values" (list "admission.issuerRef") "why" "admission.certificates is not cert-manager") }}
{{- end }}
{{- if and .Values.admission.caBundle (ne .Values.admission.certificates "existing") }}
{{- $found = append $found (dict "values" (list "admission.caBundle") "why" "admission.certificates is not existing") }}
{{- end }}
{{- end }}
{{- toJson (concat $found (include "workspace-ctrl.settingsWithoutEffect" . | fromJsonArray)) }}
{{- end }}
