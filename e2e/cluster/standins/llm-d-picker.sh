#!/bin/sh
# The endpoint picker of llm-d in the version LLM_D_VERSION: that of the inference extension 1.5 behind llm-d's command line.
# Both take the same arguments but for these, and the API group of the plugin configuration.
count=$#
experimental=
while [ "$count" -gt 0 ]; do
  argument=$1
  shift
  count=$((count - 1))
  case "$LLM_D_VERSION $argument" in
    v0.10.*" --model-server-metrics-"* | v0.9.*" --drain-timeout="* | v0.9.*" --emit-endpoint-scores="* | v0.9.*" --allow-experimental-plugins="*)
      echo "unknown flag: ${argument%%=*}" >&2
      exit 1
      ;;
    *" --drain-timeout="* | *" --emit-endpoint-scores="*) ;;
    *" --allow-experimental-plugins=true") experimental=true ;;
    *" --config-file")
      sed 's#^apiVersion: llm-d.ai/v1alpha1#apiVersion: inference.networking.x-k8s.io/v1alpha1#' "$1" > /tmp/config.yaml
      shift
      count=$((count - 1))
      set -- "$@" --config-file /tmp/config.yaml
      ;;
    *) set -- "$@" "$argument" ;;
  esac
done
if [ "$LLM_D_VERSION" != v0.9.0 ] && [ -z "$experimental" ] && grep -q 'type: session-affinity-scorer' /tmp/config.yaml; then
  echo "plugin session-affinity-scorer is experimental; set --allow-experimental-plugins" >&2
  exit 1
fi
exec /epp "$@"
