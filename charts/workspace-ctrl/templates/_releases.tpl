{{- /* Parts of the policy for the HelmReleases that the controller's own user may write, in controllerpolicy.yaml: Flux installs them with rights
of its own, so neither values nor patches may bring objects into a chart that it does not have. tests/plane/test_planned_objects.py shows
them everything that workspace_ctrl/planning makes. */ -}}

{{- /* Fields of the spec that the controller sets. */ -}}
{{- define "workspace-ctrl.releaseFields" -}}
["chartRef", "commonMetadata", "driftDetection", "install", "interval", "maxHistory", "postRenderers", "releaseName", "serviceAccountName",
"timeout", "uninstall", "upgrade", "values", "valuesFrom"]
{{- end }}

{{- /* Whether a patch is one of those of planning/chart/post_renderers.py and planning/gateway/body_router.py, to the letter. */ -}}
{{- define "workspace-ctrl.isOurPatch" -}}
{{- $name := `[a-z0-9.-]+` }}
{{- $deployment := print `\{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": \{"name": "` $name `"\}, "spec": \{` }}
{{- $strategy := `"strategy": \{"rollingUpdate": \{"maxSurge": 1, "maxUnavailable": 0\}, "type": "RollingUpdate"\}, ` }}
{{- $labels := print `"metadata": \{"labels": \{"workspace-ctrl/endpoint-picker": "` $name `"\}\}, ` }}
{{- $startup := `"startupProbe": \{"failureThreshold": 120, "periodSeconds": 1, "tcpSocket": \{"port": 9002\}\}` }}
{{- $picker := print `"template": \{` $labels `"spec": \{"containers": \[\{"name": "epp", ` $startup `\}\]\}\}\}\}` }}
{{- $readiness := `"readinessProbe": \{"tcpSocket": \{"port": [0-9]+\}, "periodSeconds": 2\}` }}
{{- $router := print `"template": \{"spec": \{"containers": \[\{"name": "bbr", ` $readiness `\}\]\}\}\}\}` }}
{{- $gke := `\{"apiVersion": "networking.gke.io/v1", "kind": "%s", "metadata": \{"name": "%s"\}, "spec": \{"default": \{%s\}\}\}` }}
{{- $check := `"config": \{"httpHealthCheck": \{"port": [0-9]+, "requestPath": "/health"\}, "type": "HTTP"\}` }}
patch.all(key, key in ["patch", "target"]) && patch.?target.orValue({}).all(key, key in ["kind", "name"]) &&
((patch.?target.?kind.orValue("") == "Deployment" && patch.patch.matches(r'^{{ $deployment }}(({{ $strategy }})?{{ $picker }}|{{ $router }})$')) ||
(patch.?target.?kind.orValue("") == "HealthCheckPolicy" && patch.patch.matches(r'^{{ printf $gke "HealthCheckPolicy" $name $check }}$')) ||
(patch.?target.?kind.orValue("") == "GCPBackendPolicy" && patch.patch.matches(r'^{{ printf $gke "GCPBackendPolicy" $name `"timeoutSec": [0-9]+` }}$')) ||
(patch.?target.?kind.orValue("") in ["ClusterRole", "ClusterRoleBinding"] && patch.patch.matches({{ include "workspace-ctrl.namespaceAsOwner" . }})))
{{- end }}

{{- /* The values of charts that the controller sets, or that every Workspace may set: path → which values, as CEL. Texts
that charts write without quotes have one form each; free texts are only where charts encode them as YAML. */ -}}
{{- define "workspace-ctrl.knownValues" -}}
{{- $name := "type(value) == string && value.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')" }}
{{- $number := "type(value) == int" }}
{{- $map := "type(value) == map" }}
{{- $mode := "value in ['FailOpen', 'FailClose']" }}
{{- $labels := "type(value) == map && value.all(key, key.matches('^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$') && type(value[key]) == string && value[key].matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$'))" }}
{{- $ports := "type(value) == list && value.all(port, type(port) == map && port.all(key, key == 'number' && type(port[key]) == int))" }}
{{- $tolerations := "type(value) == list && value.all(entry, type(entry) == map)" }}
{{- $environment := "type(value) == list && value.all(entry, (type(entry) == map && entry.all(key, key in ['name', 'value'] && type(entry[key]) == string) && has(entry.name) && entry.name.matches('^[A-Za-z_][A-Za-z0-9_]*$'))OTHERS)" }}
{{- $file := "type(value) == string && value.matches('^[A-Za-z0-9][-A-Za-z0-9._]*$')" }}
{{- $files := "type(value) == map && value.all(key, key.matches('^[-A-Za-z0-9._]+$') && type(value[key]) == string)" }}
{{- $providers := "value in ['none', 'gke', 'istio']" }}
inferencePool.modelServers.matchLabels: {{ quote $labels }}
inferencePool.targetPorts: {{ quote $ports }}
inferencePool.targetPortNumber: {{ quote $number }}
inferencePool.apiVersion: value == 'inference.networking.k8s.io/v1'
inferencePool.modelServerProtocol: value == ''
inferenceExtension.extProcPort: value == 9002
inferenceExtension.replicas: {{ quote $number }}
inferenceExtension.resources: {{ quote $map }}
inferenceExtension.affinity: {{ quote $map }}
inferenceExtension.tolerations: {{ quote $tolerations }}
inferenceExtension.env: {{ quote $environment }}
inferenceExtension.pluginsConfigFile: {{ quote $file }}
inferenceExtension.pluginsCustomConfig: {{ quote $files }}
inferenceExtension.failureMode: {{ quote $mode }}
inferenceExtension.image.pullPolicy: value == 'IfNotPresent'
inferenceExtension.monitoring.secret.name: {{ quote $name }}
inferenceExtension.monitoring.prometheus.auth.enabled: value == false
inferenceExtension.monitoring.prometheus.auth.secretName: {{ quote $name }}
router.modelServers.matchLabels: {{ quote $labels }}
router.modelServers.targetPorts: {{ quote $ports }}
router.modelServers.protocol: value == ''
router.epp.extProcPort: value == 9002
router.epp.replicas: {{ quote $number }}
router.epp.resources: {{ quote $map }}
router.epp.affinity: {{ quote $map }}
router.epp.tolerations: {{ quote $tolerations }}
router.epp.env: {{ quote $environment }}
router.epp.pluginsConfigFile: {{ quote $file }}
router.epp.pluginsCustomConfig: {{ quote $files }}
router.epp.image.pullPolicy: value == 'IfNotPresent'
router.epp.flags.drain-timeout: value == '0s'
router.inferencePool.create: value == true
router.inferencePool.failureMode: {{ quote $mode }}
router.monitoring.prometheus.auth.enabled: value == false
router.monitoring.prometheus.auth.secretName: {{ quote $name }}
provider.name: {{ quote $providers }}
bbr.name: {{ quote $name }}
inferenceGateway.name: {{ quote $name }}
{{- end }}

{{- /* The validations of a HelmRelease's values: those of the controller, of the installation, and what Workspaces may set. A tree has a node for
each of them: `form` for the controller's, `literals` of the installation, `isOpen` if Workspaces may set anything below, and `children`. Each node
is a validation of its own, because the API server limits the length of one. */ -}}
{{- define "workspace-ctrl.valueValidations" -}}
{{- $tree := dict }}
{{- range $path, $form := include "workspace-ctrl.knownValues" . | fromYaml }}
{{- include "workspace-ctrl.setInTree" (list $tree (splitList "." $path) "form" $form) }}
{{- end }}
{{- range list .Values.endpointPicker.values .Values.bodyBasedRouting.values }}
{{- include "workspace-ctrl.addInstalled" (list $tree $tree list (. | default dict)) }}
{{- end }}
{{- range .Values.endpointPicker.allowedValues }}
{{- include "workspace-ctrl.setInTree" (list $tree (splitList "." .) "isOpen" true) }}
{{- end }}
{{- include "workspace-ctrl.validationsBelow" (list $tree list false) }}
{{- end }}

{{- /* (list tree path field value) */ -}}
{{- define "workspace-ctrl.setInTree" -}}
{{- $node := index . 0 }}
{{- range index . 1 }}
{{- if not (hasKey $node "children") }}{{ $_ := set $node "children" dict }}{{ end }}
{{- if not (hasKey $node.children .) }}{{ $_ := set $node.children . dict }}{{ end }}
{{- $node = get $node.children . }}
{{- end }}
{{- $field := index . 2 }}
{{- $value := index . 3 }}
{{- $_ := set $node $field (eq $field "literals" | ternary (append ($node.literals | default list) $value) $value) }}
{{- end }}

{{- /* (list tree node path values), the node that of the path; a form that mappings have covers all that is in them. */ -}}
{{- define "workspace-ctrl.addInstalled" -}}
{{- $tree := index . 0 }}
{{- $node := index . 1 }}
{{- $path := index . 2 }}
{{- range $key, $value := index . 3 }}
{{- $here := append $path $key }}
{{- $child := get ($node.children | default dict) $key | default dict }}
{{- if not (and (kindIs "map" $value) $value) }}
{{- include "workspace-ctrl.setInTree" (list $tree $here "literals" $value) }}
{{- else if not $child.form }}
{{- include "workspace-ctrl.addInstalled" (list $tree $child $here $value) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The validations of a node and of those below it: (list node path isOpen). Values that were there before are others', and stay. */ -}}
{{- define "workspace-ctrl.validationsBelow" -}}
{{- $node := index . 0 }}
{{- $path := index . 1 }}
{{- $isOpen := or (index . 2) (hasKey $node "isOpen") }}
{{- $place := "" }}
{{- range $path }}{{ $place = printf "%s[?%s]" $place (toJson .) }}{{ end }}
{{- $ways := list }}
{{- $others := list }}
{{- range $node.literals }}
{{- $ways = append $ways (print "value == " (include "workspace-ctrl.literal" (list .))) }}
{{- if kindIs "slice" . }}{{ $others = concat $others . }}{{ end }}
{{- end }}
{{- with $node.form }}
{{- $other := print " || entry in [" (include "workspace-ctrl.literals" $others) "]" }}
{{- $ways = append $ways (replace "OTHERS" (empty $others | ternary "" $other) .) }}
{{- end }}
{{- if $isOpen }}{{ $ways = append $ways (include "workspace-ctrl.isPlain" "value") }}{{ end }}
{{- with $node.children }}
{{- $unknown := $isOpen | ternary (print " || " (include "workspace-ctrl.isPlain" "value[key]")) "" }}
{{- $before := printf " || variables.oldValues%s[?key] == optional.of(value[key])" $place }}
{{- $ways = append $ways (print "type(value) == map && value.all(key, key in " (keys . | sortAlpha | toJson) $before $unknown ")") }}
{{- end }}
{{- if $path }}
{{- $ways = append $ways (print "variables.oldValues" $place " == optional.of(value)") }}
{{- end }}
- expression: >-
    {{ if $path }}variables.values{{ $place }}.optMap(value, {{ else }}[variables.values].all(value, {{ end -}}
    {{- range $index, $way := $ways }}{{ if $index }} || {{ end }}({{ $way }}){{ end -}}
    ){{ if $path }}.orValue(true){{ end }}
  message: {{ include "workspace-ctrl.refusedValue" (join "." $path | default "values") | quote }}
  reason: Forbidden
{{ range $key := keys ($node.children | default dict) | sortAlpha }}
{{- include "workspace-ctrl.validationsBelow" (list (get $node.children $key) (append $path $key) $isOpen) }}
{{- end }}
{{- end }}

{{- define "workspace-ctrl.refusedValue" -}}
workspace-ctrl sets {{ . }} of a chart only to what it needs itself, what endpointPicker.values or bodyBasedRouting.values of its own chart have, or what Workspaces may set
{{- end }}

{{- /* A value in a list as CEL, whose lists and mappings have members of one type only: dyn is one. JSON's texts and numbers are CEL's. */ -}}
{{- define "workspace-ctrl.literal" -}}
{{- $value := first . }}
{{- if kindIs "map" $value }}
{{- $entries := list }}
{{- range $key := keys $value | sortAlpha }}
{{- $entries = append $entries (print (toJson $key) ": " (include "workspace-ctrl.literal" (list (get $value $key)))) }}
{{- end -}}
dyn({ {{- join ", " $entries -}} })
{{- else if kindIs "slice" $value -}}
dyn([{{ include "workspace-ctrl.literals" $value }}])
{{- else -}}
dyn({{ toJson $value }})
{{- end }}
{{- end }}
{{- define "workspace-ctrl.literals" -}}
{{- range $index, $item := . }}{{ if $index }}, {{ end }}{{ include "workspace-ctrl.literal" (list $item) }}{{ end }}
{{- end }}

{{- /* Whether a value, given as CEL, and all in it, six levels deep, is on one line, and no template that a chart could run. */ -}}
{{- define "workspace-ctrl.isPlain" -}}
{{- $text := `(type(E) != string || (E.matches(r'^[^\p{C}\p{Zl}\p{Zp}]*$') && !E.contains('{{')))` }}
{{- $inside := "(type(E) == map ? E.map(inner, inner) + E.map(inner, E[inner]) : type(E) == list ? E : [E])" }}
{{- $whole := print "type(E) != map && type(E) != list && " $text | replace "E" "e6" }}
{{- range $level := list 5 4 3 2 1 }}
{{- $whole = printf "%s.all(e%d, %s)" ($inside | replace "E" (print "e" $level)) (add1 $level) $whole }}
{{- end }}
{{- print "[dyn(" . ")].all(e1, " $whole ")" }}
{{- end }}
