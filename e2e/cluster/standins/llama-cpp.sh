#!/bin/sh
# Stands in for llama.cpp's server where no model can be fetched: the simulator of vLLM behind llama.cpp's flags.
set -u
name=model port=8080
while [ $# -gt 0 ]; do
    case $1 in
        --alias) name=$2; shift ;;
        --port) port=$2; shift ;;
    esac
    shift
done
export POD_NAME="${POD_NAME:-$(hostname)}"
exec llm-d-inference-sim --model "$name" --port "$port" --served-model-name "$name" --mode=echo --force-dummy-tokenizer
