#!/bin/sh
# Stands in for curl in probes and hooks: fetches the last argument, prints it without --output, and fails as curl --fail does. The name is
# looked up by the stand-in for getent, and the request goes to an address.
for url; do :; done
address=${url#http://}
path=/${address#*/}
address=${address%%/*}
host=${address%:*}
if [ "$host" = localhost ]; then
    ip=127.0.0.1
else
    ip=$(getent hosts "$host")
    ip=${ip%% *}
fi
[ -n "$ip" ] || exit 6
answer=$(printf 'GET %s HTTP/1.0\r\nHost: %s\r\n\r\n' "$path" "$host" | nc -w 4 "$ip" "${address##*:}")
printf '%s\n' "$answer" | head -n 1 | grep -q ' 200 ' || exit 22
case " $* " in
    *" --output "*) ;;
    *) printf '%s\n' "$answer" | sed '1,/^\r*$/d' ;;
esac
