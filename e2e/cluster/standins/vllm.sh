#!/bin/sh
# Stands in for vLLM's command: `vllm serve MODEL [flags]` becomes a simulator that speaks vLLM's API. Flags come in
# any order, as `--key value` and `--key=value`; those that the simulator has no use for are dropped.
set -u
if [ "${1:-}" != serve ]; then
    echo "this stand-in knows only: vllm serve MODEL [flags]" >&2
    exit 2
fi
shift

model='' port=8000 length=32768 names='' headless=''
while [ $# -gt 0 ]; do
    word=$1
    shift
    case $word in
        --headless) headless=yes; continue ;;
        --enable-* | --disable-* | --no-* | --trust-remote-code | --enforce-eager) continue ;;
        --*=*) key=${word%%=*} value=${word#*=} ;;
        --served-model-name | --served_model_name)
            while [ $# -gt 0 ]; do
                case $1 in -*) break ;; esac
                names="$names $1"
                shift
            done
            continue
            ;;
        -*)
            key=$word value=''
            if [ $# -gt 0 ]; then
                case $1 in --*) ;; *) value=$1; shift ;; esac
            fi
            ;;
        *) key=--model value=$word ;;
    esac
    case $key in
        --model) model=$value ;;
        --port) port=$value ;;
        --served-model-name | --served_model_name) names="$names $value" ;;
        --max-model-len | --max_model_len) case $value in '' | *[!0-9]*) ;; *) length=$value ;; esac ;;
    esac
done
if [ -z "$model" ]; then
    echo "vllm serve: a model is needed" >&2
    exit 2
fi

if [ -n "$headless" ]; then # a worker of a model on several nodes: it serves no requests
    trap 'exit 0' TERM # which the first process of a container otherwise does not get
    sleep 2147483647 &
    wait $!
fi

# The simulator names the pod that served in the header x-inference-pod when it knows the name.
export POD_NAME="${POD_NAME:-$(hostname)}"
# Unquoted on purpose: several names, and several flags of a test (such as --startup-duration=5s), are several words.
# shellcheck disable=SC2086
exec llm-d-inference-sim --model "$model" --port "$port" --served-model-name ${names:-$model} \
    --max-model-len "$length" --mode=echo --force-dummy-tokenizer ${SIMULATOR_FLAGS:-}
