{{- define "router.name" -}}
{{ printf "%s-epp" (.Release.Name | trunc 40 | lower) }}
{{- end }}

{{- define "router.clusterName" -}}
{{ printf "%s-%s-epp" (.Release.Name | trunc 40) (.Release.Namespace | trunc 40) | quote | trunc 84 }}
{{- end }}

{{- define "router.labels" -}}
app.kubernetes.io/name: {{ include "router.name" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "router.selectorLabels" -}}
llm-d-router-gateway: {{ include "router.name" . }}
{{- end }}

{{- define "router.modeLabels" -}}
llm-d.ai/igw-mode: llm-d-router-gateway
{{- end }}

{{- define "router.since010" -}}
{{- if semverCompare ">=0.10.0-0" .Chart.AppVersion }}true{{ end }}
{{- end }}

{{- define "router.preferred" -}}
{{- if dig "gke" "preferredBackends" "enabled" false .Values.provider }}true{{ end }}
{{- end }}

{{- define "router.gmp" -}}
{{- $asked := .Values.router.monitoring.provider.name }}
{{- $gke := eq .Values.provider.name "gke" }}
{{- if include "router.since010" . }}
{{- if and $gke (or (eq $asked "") (eq $asked "gmp")) }}true{{ end }}
{{- else if or (eq $asked "gmp") (and $gke (eq $asked "")) }}true{{ end }}
{{- end }}

{{- define "router.serviceMonitor" -}}
{{- if and (not (include "router.gmp" .)) (ne .Values.router.monitoring.provider.name "gmp") }}true{{ end }}
{{- end }}
