#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
#
# Load through the proxy with TLS on both sides, for a person to run: pgbench with 16 clients for 30 seconds, a
# thousand connections held at once, and a connection per transaction for 30 seconds. About two minutes; fails when
# any transaction failed. Needs what ./run demo installs.
#
# usage: tests/e2e/acceptance.sh [BUILD_FOLDER [SECONDS]]
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
build=$(readlink -f "${1:-$here/../../build/release}")
seconds=${2:-30}
# shellcheck disable=SC2034 # fleet.sh reads these
SEKISHO=$build/proxy/run/sekisho
SEKISHOCTL=$build/ctl/sekishoctl
FLEET_MAX_CONNECTIONS=1100
. "$here/../../conf/demo/fleet.sh"

passed=0
failed=0
result() { # result NAME CODE
  if [ "$2" = 0 ]; then passed=$((passed + 1)); echo "ok: $1"; else failed=$((failed + 1)); echo "FAIL: $1"; fi
}

# bench NAME ARGUMENTS...: pgbench that must not lose a transaction.
bench() {
  local name=$1 output
  shift
  printf '\n$ pgbench %s\n' "$*"
  output=$("$PG/pgbench" -n "$@" 2>&1)
  local code=$?
  printf '%s\n' "$output" | grep -v '^pgbench: client\|^ *$' | tail -12
  grep -q 'failed transactions: 0 ' <<<"$output" || code=1
  result "$name" $code
}

ulimit -n "$(ulimit -Hn)"
fleet_begin
fleet_authority
port=$(fleet_instance acme)
FLEET_INSTANCES=(acme)
psql -q "host=$FLEET/acme port=$port user=postgres dbname=postgres" \
  -c "CREATE ROLE ann LOGIN PASSWORD 'ann-secret'" -c "CREATE DATABASE shop OWNER ann"
fleet_proxy && fleet_tenant acme "$port" || exit 1
export PGHOST=acme.db.test PGHOSTADDR=127.0.0.1 PGPORT=$FLEET_PORT PGUSER=ann PGPASSWORD=ann-secret PGDATABASE=shop
export PGSSLMODE=verify-full PGSSLROOTCERT=$FLEET/ca.crt
"$PG/pgbench" -i -q -s 10 2>/dev/null || exit 1

bench "16 clients, prepared" -S -M prepared -c 16 -j 2 -T "$seconds"
bench "a connection per transaction" -S -C -c 8 -j 2 -T "$seconds"

"$PG/pgbench" -n -S -c 1000 -j 2 -R 1000 -t "$seconds" >"$FLEET/held" 2>&1 &
bench=$!
held() { [ "$("$SEKISHOCTL" -c "$FLEET_CONF" --json session list acme | jq length)" -ge 1000 ]; }
wait_for 180 held
result "a thousand sessions at once" $?
wait $bench && grep -q 'failed transactions: 0 ' "$FLEET/held"
code=$?
tail -9 "$FLEET/held"
result "a thousand sessions at work" $code

"$SEKISHOCTL" -c "$FLEET_CONF" audit verify
result "the log verifies" $?
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
