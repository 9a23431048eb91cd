#!/bin/sh
# llama.cpp's server as its image starts it, but for the model: what would be fetched from the model hub is the file of the image.
set -u
for word; do
    shift
    case $word in
        --hf-repo | --hf-file | -hf | -hfr | -hff) skip=1 ;;
        --hf-repo=* | --hf-file=*) ;;
        *)
            if [ "${skip:-}" ]; then skip=''; else set -- "$@" "$word"; fi
            ;;
    esac
done
exec /app/llama-server.bin --model /models/tiny.gguf "$@"
