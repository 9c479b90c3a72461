#!/bin/sh
# Puts the jars of the Kafka broker of pom.xml into DIR/libs. Says on stderr what it does; quick and without
# network when they are there already.
#
#   ops/kafka/resolve.sh DIR        (DIR is .cache/kafka for the tests)
set -eu

if [ $# -ne 1 ]; then
    echo "usage: $0 DIR" >&2
    exit 2
fi
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
dir=$1
mkdir -p "$dir"
dir=$(CDPATH='' cd -- "$dir" && pwd)
want=$(cksum <"$here/pom.xml")

if [ -f "$dir/stamp" ] && [ "$(cat "$dir/stamp")" = "$want" ]; then
    exit 0
fi
if ! command -v mvn >/dev/null 2>&1; then
    echo "kafka: Maven (mvn) is not installed; it resolves the broker's jars" >&2
    exit 1
fi

echo "kafka: resolving the broker's jars into $dir/libs (about 45 MB, once)" >&2
rm -rf "$dir/libs" "$dir/libs.new" "$dir/stamp"
mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$dir/libs.new" >&2
# Renamed only when complete, so an interrupted run is not taken for a finished one.
mv "$dir/libs.new" "$dir/libs"
echo "$want" >"$dir/stamp"
