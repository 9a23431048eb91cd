{{- define "workspace-ctrl.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- /* 40 characters, to leave room for the hash in the Lease's name and for the suffixes of other names. */ -}}
{{- define "workspace-ctrl.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}{{ $name = .Release.Name }}{{ else }}{{ $name = printf "%s-%s" .Release.Name $name }}{{ end }}
{{- default $name .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "workspace-ctrl.selectorLabels" -}}
app.kubernetes.io/name: {{ include "workspace-ctrl.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "workspace-ctrl.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{ include "workspace-ctrl.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* Of the page, whose pods must not be taken for those of the controller. */ -}}
{{- define "workspace-ctrl.uiSelectorLabels" -}}
app.kubernetes.io/name: {{ include "workspace-ctrl.name" . }}-ui
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "workspace-ctrl.uiLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{ include "workspace-ctrl.uiSelectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "workspace-ctrl.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "workspace-ctrl.fullname" .) .Values.serviceAccount.name }}
{{- else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "workspace-ctrl.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else }}{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end }}
{{- end }}

{{- /* Of all pods. OpenShift gives each namespace a range of user ids, and its SCC restricted-v2 rejects others: there, the ids of the image
are left out, and those of the range are used. Ids of the installation's own are kept. */ -}}
{{- define "workspace-ctrl.podSecurityContext" -}}
{{- $context := dict "runAsNonRoot" true "runAsUser" 65532 "runAsGroup" 65532 "seccompProfile" (dict "type" "RuntimeDefault") }}
{{- /* Values that helm upgrade --reuse-values keeps of an earlier version have none. */ -}}
{{- if hasKey .Values "podSecurityContext" }}{{ $context = .Values.podSecurityContext }}{{ end }}
{{- if .Capabilities.APIVersions.Has "security.openshift.io/v1" }}
{{- range list "runAsUser" "runAsGroup" }}
{{- if eq (toString (get $context .)) "65532" }}{{ $context = omit $context . }}{{ end }}
{{- end }}
{{- end }}
{{- toYaml $context }}
{{- end }}

{{- define "workspace-ctrl.containerSecurityContext" -}}
{{- $context := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) }}
{{- if hasKey .Values "securityContext" }}{{ $context = .Values.securityContext }}{{ end }}
{{- toYaml $context }}
{{- end }}

{{- /* What the values say about all pods of the chart. */ -}}
{{- define "workspace-ctrl.podSettings" -}}
enableServiceLinks: false
securityContext: {{- include "workspace-ctrl.podSecurityContext" . | nindent 2 }}
{{- range $key := list "imagePullSecrets" "priorityClassName" "nodeSelector" "affinity" "tolerations" }}
{{- with get $.Values $key }}
{{ dict $key . | toYaml }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Of the pod of helm test: without the labels with which Service, NetworkPolicy and PodDisruptionBudget select the controller's pods. */ -}}
{{- define "workspace-ctrl.testLabels" -}}
app.kubernetes.io/name: {{ include "workspace-ctrl.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* Whether the controller needs the rights for gateway objects: with the feature gate, and during gatewayRemoval. */ -}}
{{- define "workspace-ctrl.gatewaySide" -}}
{{- if or .Values.featureGates.gatewayAPIInferenceExtension .Values.gatewayRemoval }}true{{ end }}
{{- end }}

{{- /* Whether the cluster has a Flux that is not this release's. */ -}}
{{- define "workspace-ctrl.hasOtherFlux" -}}
{{- $crd := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "helmreleases.helm.toolkit.fluxcd.io" }}
{{- if and $crd (not (include "workspace-ctrl.isOfRelease" (list . $crd))) }}true{{ end }}
{{- end }}

{{- /* Whether an object belongs to this release: (list context object). */ -}}
{{- define "workspace-ctrl.isOfRelease" -}}
{{- $release := (index . 0).Release }}
{{- $annotations := dig "metadata" "annotations" (dict) (index . 1) | default dict }}
{{- $owner := printf "%s/%s" (get $annotations "meta.helm.sh/release-namespace") (get $annotations "meta.helm.sh/release-name") }}
{{- if eq $owner (printf "%s/%s" $release.Namespace $release.Name) }}true{{ end }}
{{- end }}

{{- define "workspace-ctrl.companion" -}}
{{- if eq .Values.mode "companion" }}true{{ end }}
{{- end }}

{{- define "workspace-ctrl.scopeArgs" -}}
{{- range .Values.scope.namespaces }}
- --namespace={{ . }}
{{- end }}
{{- with .Values.scope.shardSelector }}
- {{ printf "--shard-selector=%s" . | quote }}
{{- end }}
{{- end }}

{{- /* The namespaces of the scope in which objects can be created. An upgrade leaves out those that are being deleted or are gone, so that it
does not fail; an installation into a namespace that does not exist is a mistake, and fails. */ -}}
{{- define "workspace-ctrl.liveNamespaces" -}}
{{- $live := list }}
{{- range .Values.scope.namespaces }}
{{- $found := lookup "v1" "Namespace" "" . }}
{{- $gone := and (not $found) $.Release.IsUpgrade (lookup "v1" "Namespace" "" $.Release.Namespace) }}
{{- if not (or $gone (dig "metadata" "deletionTimestamp" "" $found)) }}{{ $live = append $live . }}{{ end }}
{{- end }}
{{- toJson $live }}
{{- end }}

{{- /* The settings file, without values that have the controller's defaults. */ -}}
{{- define "workspace-ctrl.settings" -}}
{{- $settings := dict "featureGates" .Values.featureGates }}
{{- if include "workspace-ctrl.companion" . }}{{ $_ := set $settings "mode" .Values.mode }}{{ end }}
{{- range $key := list "gateway" "gatewayNamespaces" "gatewayClasses" "sharedPaths" "matchReportedNames" "chartSources" "chartCheck" "endpointPicker" "modelServer" "modelHub" "timeout" "probe" "bodyBasedRouting" "helmRelease" }}
{{- with get $.Values $key }}{{ $_ := set $settings $key . }}{{ end }}
{{- end }}
{{- if include "workspace-ctrl.scales" . }}
{{- $autoscaling := dict "enabled" true }}
{{- if .Values.autoscaling.prometheus }}{{ $_ := set $autoscaling "prometheus" .Values.autoscaling.prometheus }}
{{- else }}{{ $_ := set $autoscaling "url" (include "workspace-ctrl.loadUrl" .) }}{{ end }}
{{- $_ := set $settings "autoscaling" $autoscaling }}
{{- end }}
{{- if include "workspace-ctrl.listsModels" . }}
{{- $service := dict "namespace" .Release.Namespace "name" (include "workspace-ctrl.modelIndexName" .) }}
{{- $_ := set $settings "modelIndex" (dict "enabled" true "namespaces" .Values.modelIndex.namespaces "service" $service) }}
{{- end }}
{{- $_ := set $settings "restrictedFields" (.Values.restrictedFields | default (.Values.admissionPolicy.enabled | ternary "allow" "deny")) }}
{{- toYaml $settings }}
{{- end }}

{{- /* Whether InferenceSets are scaled by load; beside KAITO, which makes its copies, nothing is. */ -}}
{{- define "workspace-ctrl.scales" -}}
{{- if and .Values.autoscaling.enabled (not (include "workspace-ctrl.companion" .)) }}true{{ end }}
{{- end }}
{{- /* Whether the pods serve the loads of models to KEDA. */ -}}
{{- define "workspace-ctrl.servesLoads" -}}
{{- if and (include "workspace-ctrl.scales" .) (not .Values.autoscaling.prometheus) }}true{{ end }}
{{- end }}
{{- define "workspace-ctrl.loadUrl" -}}
{{- printf "http://%s-load.%s.svc:%d" (include "workspace-ctrl.fullname" .) .Release.Namespace (int .Values.autoscaling.port) }}
{{- end }}

{{- /* Whether Gateways get the list of models; its objects go with the gate, and during gatewayRemoval. */ -}}
{{- define "workspace-ctrl.listsModels" -}}
{{- if and .Values.modelIndex.enabled .Values.featureGates.gatewayAPIInferenceExtension }}true{{ end }}
{{- end }}
{{- define "workspace-ctrl.modelIndexName" -}}
{{- printf "%s-models" (include "workspace-ctrl.fullname" .) }}
{{- end }}
{{- /* Of its pods; the selectors of the controller's pods do not match them. */ -}}
{{- define "workspace-ctrl.modelIndexLabels" -}}
app.kubernetes.io/name: {{ include "workspace-ctrl.name" . }}-models
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* The port of the model hub; empty if none is asked. */ -}}
{{- define "workspace-ctrl.modelHubPort" -}}
{{- $url := dig "url" "https://huggingface.co" .Values.modelHub | toString }}
{{- if not (has $url (list "off" "false")) }}{{ include "workspace-ctrl.portOf" $url }}{{ end }}
{{- end }}
{{- define "workspace-ctrl.portOf" -}}
{{- $host := regexReplaceAll "^https?://([^/]+).*$" . "${1}" }}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $host) | default (hasPrefix "https:" . | ternary "443" "80") }}
{{- end }}

{{- /* The Secret with the certificate of admission. */ -}}
{{- define "workspace-ctrl.admissionSecret" -}}
{{- .Values.admission.secret | default (printf "%s-admission" (include "workspace-ctrl.fullname" .)) }}
{{- end }}

{{- /* The Secret with the certificate of the metrics, and the host name in it. */ -}}
{{- define "workspace-ctrl.metricsSecret" -}}
{{- .Values.metrics.secure.secret | default (printf "%s-metrics-tls" (include "workspace-ctrl.fullname" .)) }}
{{- end }}
{{- define "workspace-ctrl.metricsHost" -}}
{{- printf "%s-metrics.%s.svc" (include "workspace-ctrl.fullname" .) .Release.Namespace }}
{{- end }}

{{- /* How expressions select the series of this release, without braces: by default, by the labels that the Prometheus operator gives them. */ -}}
{{- define "workspace-ctrl.seriesMatchers" -}}
{{- $labels := .Values.metrics.prometheusRule.matchLabels | default (dict "job" (printf "%s-metrics" (include "workspace-ctrl.fullname" .)) "namespace" .Release.Namespace) }}
{{- $matchers := list }}
{{- range $name, $value := $labels }}{{ $matchers = append $matchers (printf "%s=%q" $name $value) }}{{ end }}
{{- join "," $matchers }}
{{- end }}

{{- /* A label selector as --shard-selector takes it, such as "shard in (a,b),!paused", as the API's matchExpressions. */ -}}
{{- define "workspace-ctrl.selectorTerms" -}}
{{- range regexFindAll "[^,(]+(\\([^)]*\\))?" . -1 }}
{{- $term := trim . }}
{{- $words := regexSplit "[\\s,()]+" $term -1 | compact }}
{{- if contains "(" $term }}
- {key: {{ first $words | quote }}, operator: {{ eq (index $words 1) "in" | ternary "In" "NotIn" }}, values: {{ rest $words | rest | toJson }}}
{{- else if contains "!=" $term }}
- {key: {{ splitList "!=" $term | first | trim | quote }}, operator: NotIn, values: [{{ splitList "!=" $term | last | trim | quote }}]}
{{- else if contains "=" $term }}
- {key: {{ splitList "=" $term | first | trim | quote }}, operator: In, values: [{{ splitList "=" $term | last | trim | quote }}]}
{{- else if hasPrefix "!" $term }}
- {key: {{ trimPrefix "!" $term | trim | quote }}, operator: DoesNotExist}
{{- else }}
- {key: {{ quote $term }}, operator: Exists}
{{- end }}
{{- end }}
{{- end }}
