{{- /* What the controller would reject in its settings, and the schema cannot say, as a list of sentences. The pod would end at its start. */ -}}
{{- define "workspace-ctrl.settingsProblems" -}}
{{- $problems := concat (include "workspace-ctrl.chartSourceProblems" . | fromJsonArray) (include "workspace-ctrl.pickerProblems" . | fromJsonArray) }}
{{- range include "workspace-ctrl.unsigned" (list "bodyBasedRouting.chart" (.Values.bodyBasedRouting.chart | default dict)) | fromJsonArray }}
{{- $problems = append $problems . }}
{{- end }}
{{- $resources := .Values.modelServer.resources | default dict }}
{{- $named := concat (keys ($resources.requests | default dict)) (keys ($resources.limits | default dict)) }}
{{- range $named | uniq | sortAlpha }}
{{- if regexMatch "^(nvidia\\.com|amd\\.com|gpu\\.intel\\.com)/" . }}
{{- $problems = append $problems (printf "modelServer.resources must not name %s, which follows from the size of the model: remove it." .) }}
{{- end }}
{{- end }}
{{- with .Values.scope.shardSelector }}
{{- if not (regexMatch (include "workspace-ctrl.selectorPattern" $) .) }}
{{- $problems = append $problems (printf "scope.shardSelector: %s is no label selector: write one such as shard=a, or shard in (a,b),!paused." .) }}
{{- end }}
{{- end }}
{{- toJson $problems }}
{{- end }}

{{- /* Requirements of a label selector, separated by commas (workspace_ctrl/settings/workspace_scope.py). */ -}}
{{- define "workspace-ctrl.selectorPattern" -}}
{{- $name := "[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?" }}
{{- $key := printf "(%s/)?%s" $name $name }}
{{- $compared := printf "%s\\s*(=|==|!=)\\s*(%s)?" $key $name }}
{{- $listed := printf "%s\\s+(in|notin)\\s*\\(\\s*(%s)?(\\s*,\\s*(%s)?)*\\s*\\)" $key $name $name }}
{{- $requirement := printf "\\s*(!?\\s*%s|%s|%s)\\s*" $key $compared $listed }}
{{- printf "^%s(,%s)*$" $requirement $requirement }}
{{- end }}

{{- /* Charts and the versions of them whose values are known (workspace_ctrl/catalog/data/charts.yaml), single versions that are not supported,
the first keys of their values, and where those of the endpoint picker are. */ -}}
{{- define "workspace-ctrl.knownCharts" -}}
inferencepool:
  versions: ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5"]
  refused: [1.0.0, 1.3.0-rc.1, 1.3.0-rc.2]
  keys: [experimentalHttpRoute, inferenceExtension, inferenceObjectives, inferencePool, istio, provider]
  picker: inferenceExtension
llm-d-router-gateway:
  versions: ["0.9", "0.10"]
  refused: [0.10.0-rc.1]
  keys: [experimentalHttpRoute, httpRoute, inferenceObjectives, provider, router]
  picker: router.epp
{{- end }}

{{- define "workspace-ctrl.chartSourceProblems" -}}
{{- $known := include "workspace-ctrl.knownCharts" . | fromYaml }}
{{- $problems := list }}
{{- $names := list }}
{{- range $index, $source := .Values.chartSources }}
{{- $where := printf "chartSources[%d]" $index }}
{{- $name := .name | default "default" }}
{{- if has $name $names }}{{ $problems = append $problems (printf "%s is called %s as one before it: rename one of them." $where $name) }}{{ end }}
{{- $names = append $names $name }}
{{- if and .digest .allowedDigests }}
{{- $problems = append $problems (printf "chartSources: %s has both digest and allowedDigests, but a source with a digest is pinned to it: remove one of them." $name) }}
{{- end }}
{{- $chart := .layout | default (splitList "/" (.url | default "inferencepool") | last) }}
{{- $about := get $known $chart }}
{{- if $about }}
{{- range prepend (keys (.allowedDigests | default dict) | sortAlpha) (.version | default "v1.5.0") }}
{{- $version := trimPrefix "v" . }}
{{- $isKnown := has (regexFind "^[0-9]+\\.[0-9]+" $version) $about.versions }}
{{- if or (not $isKnown) (has $version $about.refused) (has (regexFind "^[0-9]+\\.[0-9]+\\.[0-9]+" $version) $about.refused) }}
{{- $problems = append $problems (printf "%s: version %s of the chart %s is not supported: use another one of %s." $where . $chart (join ", " $about.versions)) }}
{{- end }}
{{- end }}
{{- else }}
{{- $problems = append $problems (printf "%s: the values of the chart %s are not known: use %s; for a fork of one of them, set layout to its name." $where $chart (keys $known | sortAlpha | join " or ")) }}
{{- end }}
{{- $problems = concat $problems (include "workspace-ctrl.unsigned" (list $where .) | fromJsonArray) }}
{{- end }}
{{- toJson $problems }}
{{- end }}

{{- /* Of a source of a chart: (list path source). */ -}}
{{- define "workspace-ctrl.unsigned" -}}
{{- $verify := get (index . 1) "verify" | default dict }}
{{- $problems := list }}
{{- if and (eq (toString $verify.provider) "notation") (not $verify.secretRef) }}
{{- $problems = append $problems (printf "%s.verify needs secretRef with notation: set it to the Secret with trust policy and certificates." (index . 0)) }}
{{- end }}
{{- toJson $problems }}
{{- end }}

{{- /* Values of the charts that only the controller sets (PROTECTED in workspace_ctrl/planning/chart/values.py), in the versions that have them. */ -}}
{{- define "workspace-ctrl.protectedValues" -}}
- inferencePool.modelServers.matchLabels
- inferencePool.targetPorts
- inferencePool.targetPortNumber
- inferencePool.apiVersion
- inferencePool.modelServerProtocol
- inferenceExtension.extProcPort
- inferenceExtension.monitoring.secret.name
- inferenceExtension.monitoring.prometheus.auth.secretName
- provider.name
- router.modelServers.matchLabels
- router.modelServers.targetPorts
- router.modelServers.protocol
- router.inferencePool.create
- router.epp.extProcPort
- router.monitoring.prometheus.auth.secretName
{{- end }}

{{- define "workspace-ctrl.pickerProblems" -}}
{{- $problems := list }}
{{- $values := .Values.endpointPicker.values | default dict }}
{{- range $path := include "workspace-ctrl.protectedValues" . | fromYamlArray }}
{{- if include "workspace-ctrl.valueAt" (list $values $path) }}
{{- $problems = append $problems (printf "endpointPicker.values.%s has no effect, or is set by the controller: remove it." $path) }}
{{- end }}
{{- range $.Values.endpointPicker.allowedValues }}
{{- if hasPrefix (printf "%s." $path) (printf "%s." .) }}
{{- $problems = append $problems (printf "endpointPicker.allowedValues contains %s, which has no effect, or which the controller sets: remove it." .) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $path := list "inferenceExtension.flags" "router.epp.flags" }}
{{- $flags := get (include "workspace-ctrl.valueAt" (list $values $path) | fromJson) "value" }}
{{- $pairs := list }}
{{- if kindIs "map" $flags }}{{ range $name, $value := $flags }}{{ $pairs = append $pairs (dict "name" $name "value" $value) }}{{ end }}{{ end }}
{{- if kindIs "slice" $flags }}{{ $pairs = $flags }}{{ end }}
{{- range $pairs }}
{{- if and (kindIs "map" .) (kindIs "float64" (index . "value")) }}
{{- if or (ge .value 1000000.0) (le .value -1000000.0) }}
{{- $problems = append $problems (printf "endpointPicker.values.%s sets %s to a number that Helm renders with an exponent: write it in quotes: \"%.0f\"." $path .name .value) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson $problems }}
{{- end }}

{{- /* Settings that have no effect beside the others, as in valuesWithoutEffect (workspace_ctrl/settings/settings_without_effect.py). */ -}}
{{- define "workspace-ctrl.settingsWithoutEffect" -}}
{{- $found := list }}
{{- if include "workspace-ctrl.gatewaySide" . }}
{{- if and .Values.gateway .Values.gatewayNamespaces }}
{{- $found = append $found (dict "values" (list "gatewayNamespaces (on the choice of a Gateway)") "why" "gateway is set") }}
{{- end }}
{{- if and .Values.chartCheck.helm (not .Values.chartCheck.enabled) }}
{{- $found = append $found (dict "values" (list "chartCheck.helm") "why" "chartCheck.enabled is false") }}
{{- end }}
{{- $found = concat $found (include "workspace-ctrl.pickerSettingsWithoutEffect" . | fromJsonArray) }}
{{- end }}
{{- if not (include "workspace-ctrl.companion" .) }}
{{- $budget := .Values.modelServer.disruptionBudget | default dict }}
{{- if and $budget.maxUnavailable (hasKey $budget "enabled") (not $budget.enabled) }}
{{- $why := "modelServer.disruptionBudget.enabled is false" }}
{{- $found = append $found (dict "values" (list "modelServer.disruptionBudget.maxUnavailable") "why" $why) }}
{{- end }}
{{- if and .Values.modelHub.networks (has (toString .Values.modelHub.url) (list "off" "false")) }}
{{- $found = append $found (dict "values" (list "modelHub.networks") "why" "modelHub.url is off") }}
{{- end }}
{{- end }}
{{- if and .Values.autoscaling.prometheus (not .Values.autoscaling.enabled) }}
{{- $found = append $found (dict "values" (list "autoscaling.prometheus") "why" "autoscaling.enabled is false") }}
{{- end }}
{{- if and (ne (toString .Values.modelIndex.namespaces) "same") (not .Values.modelIndex.enabled) }}
{{- $found = append $found (dict "values" (list "modelIndex.namespaces") "why" "modelIndex.enabled is false") }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{- /* Of endpointPicker (workspace_ctrl/planning/chart/picker_settings_without_effect.py). */ -}}
{{- define "workspace-ctrl.pickerSettingsWithoutEffect" -}}
{{- $known := include "workspace-ctrl.knownCharts" . | fromYaml }}
{{- $picker := .Values.endpointPicker }}
{{- $charts := list }}
{{- $isFork := false }}
{{- range .Values.chartSources | default (list dict) }}
{{- $charts = append $charts (.layout | default (splitList "/" (.url | default "inferencepool") | last)) }}
{{- if .layout }}{{ $isFork = true }}{{ end }}
{{- end }}
{{- $charts = $charts | uniq | sortAlpha }}
{{- $keys := list "global" }}
{{- $replicas := list }}
{{- $overruled := dict }}
{{- range $charts }}
{{- $chart := get $known . | default (dict "keys" list "picker" "unknown") }}
{{- $keys = concat $keys $chart.keys }}
{{- $path := printf "%s.replicas" $chart.picker }}
{{- if include "workspace-ctrl.valueAt" (list $picker.values $path) }}{{ $replicas = append $replicas (printf "endpointPicker.values.%s" $path) }}{{ end }}
{{- $path = printf "%s.resources" $chart.picker }}
{{- $resources := get (include "workspace-ctrl.valueAt" (list $picker.values $path) | fromJson) "value" | default dict }}
{{- range concat (keys ($resources.requests | default dict)) (keys ($resources.limits | default dict)) | uniq }}
{{- $_ := set $overruled . (append (get $overruled . | default list) (printf "endpointPicker.values.%s" $path)) }}
{{- end }}
{{- end }}
{{- $found := list }}
{{- if and $picker.replicas (eq (len $replicas) (len $charts)) }}
{{- $found = append $found (dict "values" (list "endpointPicker.replicas") "why" (printf "%s decides" (join " or " $replicas))) }}
{{- end }}
{{- range $kind, $quantities := $picker.resources }}
{{- range $name, $_ := $quantities }}
{{- $places := get $overruled $name | default list }}
{{- if eq (len $places) (len $charts) }}
{{- $values := list (printf "endpointPicker.resources.%s.%s" $kind $name) }}
{{- $found = append $found (dict "values" $values "why" (printf "%s decides about %s" (join " or " $places) $name)) }}
{{- end }}
{{- end }}
{{- end }}
{{- $named := dict }}
{{- range $key, $_ := $picker.values }}{{ $_ := set $named (printf "endpointPicker.values.%s" $key) $key }}{{ end }}
{{- range $picker.allowedValues }}{{ $_ := set $named (printf "%s in endpointPicker.allowedValues" .) (splitList "." . | first) }}{{ end }}
{{- range $place, $key := $named }}
{{- $owner := "" }}
{{- range $name, $chart := $known }}{{ if has $key $chart.keys }}{{ $owner = $name }}{{ end }}{{ end }}
{{- if has $key $keys }}
{{- else if $owner }}
{{- $why := printf "it belongs to the chart %s, which no source of chartSources has" $owner }}
{{- $found = append $found (dict "values" (list $place) "why" $why) }}
{{- else if not $isFork }}
{{- $why := printf "no key of that name is known of %s, but %s" (join " and " $charts) (without $keys "global" | uniq | sortAlpha | join ", ") }}
{{- $found = append $found (dict "values" (list $place) "why" $why) }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}
