#!/bin/sh
# Stands in for `getent hosts NAME`: a static busybox cannot look names up in the C library, so the name is asked for in the cluster's domain.
set -u
ip=$(nslookup "$2.cluster.local" 2> /dev/null | sed -n '/^Name:/,$ s/^Address: *//p' | head -n 1)
[ -n "$ip" ] || exit 2
echo "$ip $2"
