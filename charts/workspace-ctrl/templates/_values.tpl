{{- /* The value at a dotted path, as {"value": ...}: (list tree path). Nothing if there is none, or null. */ -}}
{{- define "workspace-ctrl.valueAt" -}}
{{- $here := dict "value" (index . 0) }}
{{- range splitList "." (index . 1) }}
{{- $tree := get $here "value" }}
{{- $here = dict }}
{{- if kindIs "map" $tree }}{{ if hasKey $tree . }}{{ $here = dict "value" (get $tree .) }}{{ end }}{{ end }}
{{- end }}
{{- if not (kindIs "invalid" (index $here "value")) }}{{ toJson $here }}{{ end }}
{{- end }}

{{- /* The values that the templates need. One is missing if it was set to null, or if helm upgrade --reuse-values keeps the values of a version
that did not have it: templates would then fail without words, or leave out a right, an option or a part of a policy. */ -}}
{{- define "workspace-ctrl.required" -}}
- mode
- featureGates.gatewayAPIInferenceExtension
- matchReportedNames
- chartCheck
- endpointPicker
- modelServer
- modelHub
- probe
- bodyBasedRouting
- autoscaling.enabled
- autoscaling.port
- modelIndex.enabled
- modelIndex.namespaces
- modelIndex.replicas
- scope.gatewaysEverywhere
- image.repository
- image.pullPolicy
- replicas
- hookResources
- logFormat
- serviceAccount.create
- rbac.create
- rbac.removal
- rbac.aggregate
- rbac.aggregateRoutes
- rbac.kthena
- admissionPolicy.enabled
- controllerPolicy.enabled
- controllerPolicy.systemNamespaces
- admission.enabled
- admission.port
- admission.certificates
- crds.install
- crds.keep
- uninstallCheck.enabled
- metrics.port
- metrics.secure.enabled
- metrics.serviceMonitor.enabled
- metrics.serviceMonitor.interval
- metrics.prometheusRule.enabled
- metrics.dashboard.enabled
- ui.enabled
- ui.port
- networkPolicy.enabled
- networkPolicy.metricsFrom
- networkPolicy.loadFrom
- networkPolicy.modelIndexFrom
- networkPolicy.egress
- networkPolicy.apiServerPorts
{{- end }}

{{- /* Those of them that are missing, as a list of paths; of a stanza that is missing as a whole, its own. */ -}}
{{- define "workspace-ctrl.missing" -}}
{{- $missing := list }}
{{- range include "workspace-ctrl.required" . | fromYamlArray }}
{{- $names := splitList "." . }}
{{- $isComplete := true }}
{{- range $count := untilStep 1 (add1 (len $names) | int) 1 }}
{{- $path := slice $names 0 $count | join "." }}
{{- if and $isComplete (not (include "workspace-ctrl.valueAt" (list $.Values $path))) }}
{{- $isComplete = false }}
{{- $missing = append $missing $path }}
{{- end }}
{{- end }}
{{- end }}
{{- uniq $missing | toJson }}
{{- end }}

{{- /* Labels and annotations of pods in the values that the chart sets itself, as a list of sentences: the key would be there twice, and the
second one counts, with which no selector finds the pods. Those of objects that nothing selects by them are merged instead. */ -}}
{{- define "workspace-ctrl.takenKeys" -}}
{{- $problems := list }}
{{- $ofPods := include "workspace-ctrl.selectorLabels" . | fromYaml | keys }}
{{- $places := list (dict "path" "podLabels" "ours" $ofPods) (dict "path" "podAnnotations" "ours" (list "checksum/settings")) }}
{{- range $place := $places }}
{{- $given := include "workspace-ctrl.valueAt" (list $.Values .path) | fromJson }}
{{- range get $given "value" | default dict | keys | sortAlpha }}
{{- if has . $place.ours }}{{ $problems = append $problems (printf "%s contains %s, which the chart sets itself: remove it." $place.path .) }}{{ end }}
{{- end }}
{{- end }}
{{- toJson $problems }}
{{- end }}
