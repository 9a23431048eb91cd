{{- define "router.pod" -}}
{{- $router := .Values.router }}
metadata:
  labels:
    {{- include "router.selectorLabels" . | nindent 4 }}
    {{- include "router.modeLabels" . | nindent 4 }}
  {{- if and (include "router.since010" .) $router.epp.podAnnotations }}
  annotations:
    {{- toYaml $router.epp.podAnnotations | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "router.name" . }}
  terminationGracePeriodSeconds: 130
  containers:
    {{- if $router.proxy.enabled }}
    - args: []
    {{- end }}
    - name: epp
      image: {{ $router.epp.image.registry }}/{{ $router.epp.image.repository }}:{{ $router.epp.image.tag }}
      imagePullPolicy: {{ $router.epp.image.pullPolicy }}
      args:
        {{- if $router.inferencePool.create }}
        - --pool-name
        - {{ .Release.Name }}
        - --pool-namespace
        - {{ .Release.Namespace }}
        - --pool-group
        - inference.networking.k8s.io
        {{- else }}
        {{- $labels := list }}
        {{- range $key, $value := $router.modelServers.matchLabels }}
        {{- $labels = append $labels (printf "%s=%s" $key $value) }}
        {{- end }}
        {{- $ports := list }}
        {{- range $router.modelServers.targetPorts }}
        {{- $ports = append $ports (toString .number) }}
        {{- end }}
        - --endpoint-selector
        - {{ join "," $labels | quote }}
        - --endpoint-target-ports
        - {{ join "," $ports | quote }}
        {{- end }}
        - --zap-encoder
        - json
        - --config-file
        - /config/{{ $router.epp.pluginsConfigFile }}
        {{- if and (gt (int $router.epp.replicas) 1) (not (include "router.preferred" .)) }}
        - --ha-enable-leader-election
        {{- end }}
        - --grpc-health-port
        - {{ $router.epp.grpcHealthPort | default 9003 | quote }}
        {{- range $name, $value := $router.epp.flags }}
        - {{ printf "--%s=%v" $name $value | quote }}
        {{- end }}
        - --tracing={{ $router.tracing.enabled }}
        {{- if not $router.monitoring.prometheus.auth.enabled }}
        - --metrics-endpoint-auth=false
        {{- end }}
      {{- if not (and $router.epp.resources.requests.cpu $router.epp.resources.requests.memory) }}
      {{- fail "router.epp.resources.requests.cpu and .memory are required" }}
      {{- end }}
      resources:
        {{- toYaml $router.epp.resources | nindent 8 }}
      ports:
        - {name: grpc, containerPort: 9002}
        - {name: grpc-health, containerPort: 9003}
        - {name: metrics, containerPort: 9090}
        {{- with $router.epp.extraContainerPorts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- $ha := gt (int $router.epp.replicas) 1 }}
      livenessProbe:
        grpc: {port: {{ $router.epp.grpcHealthPort | default 9003 }}, service: {{ ternary "liveness" "inference-extension" $ha }}}
        initialDelaySeconds: 5
        periodSeconds: 10
      readinessProbe:
        grpc: {port: {{ $router.epp.grpcHealthPort | default 9003 }}, service: {{ ternary "readiness" "inference-extension" $ha }}}
        periodSeconds: 2
      env:
        - name: NAMESPACE
          valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
        - name: POD_NAME
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        {{- if $router.tracing.enabled }}
        - {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ $router.tracing.otelExporterEndpoint | quote }}}
        - {name: OTEL_TRACES_SAMPLER, value: {{ $router.tracing.sampling.sampler | quote }}}
        - {name: OTEL_TRACES_SAMPLER_ARG, value: {{ $router.tracing.sampling.samplerArg | quote }}}
        {{- end }}
        {{- with $router.epp.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      volumeMounts:
        - {name: plugins-config-volume, mountPath: /config}
        {{- with $router.epp.volumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: plugins-config-volume
      configMap: {name: {{ include "router.name" . }}}
    {{- with $router.epp.volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $router.epp.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $router.epp.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "router.workload" -}}
apiVersion: apps/v1
{{- if include "router.preferred" . }}
{{- $backends := .Values.provider.gke.preferredBackends }}
kind: StatefulSet
{{- else }}
kind: Deployment
{{- end }}
metadata:
  name: {{ include "router.name" . }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "router.labels" . | nindent 4 }}
    {{- include "router.modeLabels" . | nindent 4 }}
spec:
  {{- if include "router.preferred" . }}
  {{- $backends := .Values.provider.gke.preferredBackends }}
  replicas: {{ add $backends.preferredReplicas $backends.defaultReplicas }}
  podManagementPolicy: Parallel
  serviceName: {{ include "router.name" . }}
  {{- else }}
  replicas: {{ .Values.router.epp.replicas }}
  strategy: {type: Recreate}
  {{- end }}
  selector:
    matchLabels:
      {{- include "router.selectorLabels" . | nindent 6 }}
  template:
    {{- include "router.pod" . | nindent 4 }}
{{- end }}

{{- define "router.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "router.labels" .root | nindent 4 }}
spec:
  type: ClusterIP
  selector:
    {{- if .pod }}
    statefulset.kubernetes.io/pod-name: {{ .pod }}
    {{- else }}
    {{- include "router.selectorLabels" .root | nindent 4 }}
    {{- end }}
  ports:
    - name: grpc-ext-proc
      protocol: TCP
      port: {{ .root.Values.router.epp.extProcPort }}
      {{- if include "router.since010" .root }}
      appProtocol: kubernetes.io/h2c
      {{- end }}
    - name: http-metrics
      protocol: TCP
      port: {{ .root.Values.router.metricsPort | default 9090 }}
    {{- with .root.Values.router.extraServicePorts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- define "router.config" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "router.name" . }}
  namespace: {{ .Release.Namespace }}
data:
  default-plugins.yaml: |
    apiVersion: llm-d.ai/v1alpha1
    kind: EndpointPickerConfig
    plugins:
    - type: queue-scorer
    - type: kv-cache-utilization-scorer
    - type: prefix-cache-scorer
    schedulingProfiles:
    - name: default
      plugins:
      - pluginRef: queue-scorer
        weight: 2
      - pluginRef: kv-cache-utilization-scorer
        weight: 2
      - pluginRef: prefix-cache-scorer
        weight: 3
  payload-agnostic.yaml: |
    apiVersion: llm-d.ai/v1alpha1
    kind: EndpointPickerConfig
    plugins:
    - type: session-affinity-scorer
    schedulingProfiles:
    - name: default
      plugins:
      - pluginRef: session-affinity-scorer
  {{- range $name, $text := .Values.router.epp.pluginsCustomConfig }}
  {{ $name }}: |
    {{- $text | nindent 4 }}
  {{- end }}
{{- end }}
