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

{{- /* Charts and the versions of them whose values are known (workspace_ctrl/catalog/data/charts.yaml), and single versions that are not supported. */ -}}
{{- define "workspace-ctrl.knownCharts" -}}
inferencepool: {versions: ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5"], refused: [1.0.0, 1.3.0-rc.1, 1.3.0-rc.2]}
llm-d-router-gateway: {versions: ["0.9", "0.10"], refused: [0.10.0-rc.1]}
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
