#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
#
# The demo: two tenants, acme (its user is ann) and globex (its user is gil), each with a PostgreSQL server of its own
# behind Sekisho. Then break-glass: Alice is on call at the provider, Bob is her peer, Dora answers for acme and Gus for
# globex; all they have is the network and what is theirs. Every step prints the command, what it really printed, and ok or
# FAIL.
#
# usage: story.sh BUILD_FOLDER [--once]
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
build=$(readlink -f "$1")
once=${2:-}
# shellcheck disable=SC2034 # fleet.sh reads these
SEKISHO=$build/proxy/run/sekisho
SEKISHOCTL=$build/ctl/sekishoctl
. "$here/fleet.sh"
. "$here/glass.sh"

passed=0
failed=0

if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; else bold='' plain=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# judge EXPECTED CODE WANTED_CODE OUTPUT: counts the step. EXPECTED is a regular expression that the output must match.
judge() {
  if [[ $4 =~ $1 ]] && { [ "$3" = any ] || [ "$2" = "$3" ]; }; then
    passed=$((passed + 1))
    echo ok
  else
    failed=$((failed + 1))
    echo "FAIL (exit $2; expected exit $3 and: $1)"
  fi
}

# step TITLE EXPECTED WANTED_CODE COMMAND: runs a shell command line and judges it.
step() {
  local output code
  say "$1"
  printf '$ %s\n' "$4"
  output=$(eval "$4" 2>&1)
  code=$?
  printf '%s\n' "$output"
  judge "$2" "$code" "$3" "$output"
}

table() { # table INSTANCE USER PASSWORD NAMES...: a role and its data
  local name=$1 user=$2 password=$3 port=$4
  shift 4
  psql -q "host=$FLEET/$name port=$port user=postgres dbname=postgres" <<END
CREATE ROLE $user LOGIN PASSWORD '$password';
CREATE DATABASE shop OWNER $user;
\c shop
CREATE TABLE orders (n int PRIMARY KEY, item text, tenant text DEFAULT '$name');
INSERT INTO orders SELECT row_number() OVER (), item FROM unnest('{$(IFS=,; echo "$*")}'::text[]) item;
ALTER TABLE orders OWNER TO $user;
END
}

sessions_of() { "$SEKISHOCTL" -c "$FLEET_CONF" --json session list "$1" | jq length; }
cell_of() { "$SEKISHOCTL" -c "$FLEET_CONF" --json status | jq -r --arg t "$1" '[.processes[] | select(.tenant == $t and .role == "cell")][0].pid'; }
has_session() { [ "$(sessions_of "$1")" -gt 0 ]; }

say "Setting the stage: an authority, two PostgreSQL servers, Sekisho"
fleet_begin
fleet_authority
fleet_operators
acme_port=$(fleet_instance acme)
globex_port=$(fleet_instance globex)
FLEET_INSTANCES=(acme globex)
table acme ann ann-secret "$acme_port" anvil rocket tunnel
table globex gil gil-secret "$globex_port" ledger scale
fleet_proxy || exit 1
fleet_tenant acme "$acme_port" || exit 1
fleet_tenant globex "$globex_port" || exit 1
export SEKISHO_CONF=$FLEET_CONF
export PGHOSTADDR=127.0.0.1 PGPORT=$FLEET_PORT PGSSLMODE=verify-full PGSSLROOTCERT=$FLEET/ca.crt PGCONNECT_TIMEOUT=20
shell="export PGHOSTADDR=127.0.0.1 PGPORT=$PGPORT PGSSLMODE=verify-full PGSSLROOTCERT=$PGSSLROOTCERT"
cat <<END
\$ $shell
\$ alias sekishoctl='$SEKISHOCTL -c $FLEET_CONF'
END
shopt -s expand_aliases
# With --service it is another machine's, where there is no configuration.
sekishoctl() {
  if [ "$1" = --service ]; then
    env -u SEKISHO_CONF "$SEKISHOCTL" "$@"
  else
    "$SEKISHOCTL" -c "$FLEET_CONF" "$@"
  fi
}
glass_people

step "The road to each instance is proved: TLS, roles, and that nobody comes in past the proxy" "" 0 \
  "sekishoctl tenant check acme && sekishoctl tenant check globex"
step "Ann of acme reads acme's orders" "anvil.*acme" 0 \
  "PGPASSWORD=ann-secret psql -h acme.db.test -U ann -d shop -c 'TABLE orders'"
step "Gil of globex reads globex's orders" "ledger.*globex" 0 \
  "PGPASSWORD=gil-secret psql -h globex.db.test -U gil -d shop -c 'TABLE orders'"
step "Ann tries her password at globex's name: an unknown user there" \
  'password authentication failed for user "ann"' 2 \
  "PGPASSWORD=ann-secret psql -h globex.db.test -U ann -d shop -c 'TABLE orders'"
step "A wrong password" 'password authentication failed for user "ann"' 2 \
  "PGPASSWORD=guess psql -h acme.db.test -U ann -d shop -c 'TABLE orders'"
step "An unknown user is refused alike" 'password authentication failed for user "bob"' 2 \
  "PGPASSWORD=guess psql -h acme.db.test -U bob -d shop -c 'TABLE orders'"
step "A connection without TLS" 'connections must use TLS' 2 \
  "PGPASSWORD=ann-secret PGSSLMODE=disable psql -h acme.db.test -U ann -d shop -c 'TABLE orders'"
step "Past the proxy, straight to acme's server" 'pg_hba.conf rejects|certificate|no pg_hba.conf entry' 2 \
  "PGPASSWORD=ann-secret psql 'host=acme.instance.internal port=$acme_port user=ann dbname=shop' -c 'TABLE orders'"

say "Ann starts a query of a minute and presses Ctrl-C"
printf '$ psql ... -c "SELECT pg_sleep(60)" & kill -INT $!\n'
PGPASSWORD=ann-secret psql -h acme.db.test -U ann -d shop -c 'SELECT pg_sleep(60)' >"$FLEET/cancel" 2>&1 &
psql=$!
running() { psql -Atq "host=$FLEET/acme port=$acme_port user=postgres dbname=postgres hostaddr=''" \
  -c "SELECT 1 FROM pg_stat_activity WHERE query ~ '$1' AND state = 'active' AND usename = 'ann'" | grep -q 1; }
wait_for 10 running 'sleep.60'
kill -INT $psql
wait $psql
code=$?
output=$(cat "$FLEET/cancel")
printf '%s\n' "$output"
judge 'canceling statement due to user request' "$code" 1 "$output"

say "Gil guesses at the key of Ann's next query: right process id, three hundred keys, and one inside his own TLS"
PGPASSWORD=ann-secret psql -h acme.db.test -U ann -d shop -Atc "SELECT 'Ann''s answer, undisturbed' FROM pg_sleep(3)" \
  >"$FLEET/guess" 2>&1 &
psql=$!
wait_for 10 running 'undisturbed'
pid=$(sekishoctl --json session list acme | jq '.[0].instance_pid')
cancel_request() { # cancel_request PID KEY: the packet, as printf escapes
  printf '\\x00\\x00\\x00\\x10\\x04\\xd2\\x16\\x2e'
  printf '%08x%08x' "$1" "$2" | sed 's/../\\x&/g'
}
printf '$ printf "%s" >/dev/tcp/127.0.0.1/%s   # and 299 more\n' "$(cancel_request "$pid" 1)" "$PGPORT"
for ((guess = 1; guess <= 300; guess++)); do
  printf "$(cancel_request "$pid" $((RANDOM * 65536 + RANDOM * 2 + guess % 2)))" >"/dev/tcp/127.0.0.1/$PGPORT"
done 2>/dev/null
printf "$(cancel_request "$pid" 7)" | timeout 5 openssl s_client -connect "127.0.0.1:$PGPORT" -starttls postgres \
  -servername globex.db.test -CAfile "$FLEET/ca.crt" -quiet >/dev/null 2>&1
wait $psql
code=$?
output=$(cat "$FLEET/guess")
printf '%s\n' "$output"
judge 'undisturbed' "$code" 0 "$output"

say "Acme's cell is killed while Gil works"
for ((i = 0; i < 100; i++)); do echo "SELECT pg_backend_pid(), count(*) FROM orders;"; echo "SELECT pg_sleep(0.02);"; done |
  PGPASSWORD=gil-secret psql -h globex.db.test -U gil -d shop -At -v ON_ERROR_STOP=1 >"$FLEET/gil" 2>&1 &
gil=$!
PGPASSWORD=ann-secret psql -h acme.db.test -U ann -d shop -c 'SELECT pg_sleep(60)' >"$FLEET/ann" 2>&1 &
ann=$!
wait_for 10 has_session globex
wait_for 10 running 'sleep.60'
cell=$(cell_of acme)
printf '$ kill -KILL %s   # sekisho: cell acme\n' "$cell"
kill -KILL "$cell"
wait $ann
echo "Ann: $(head -1 "$FLEET/ann")"
wait $gil
code=$?
output=$(grep -v '^$' "$FLEET/gil" | sort | uniq -c | sed 's/^ */Gil: /')
printf '%s\n' "$output"
judge '^Gil: 100 [0-9]+\|2$' "$code" 0 "$output"
step "Ann is back at once, in a fresh cell" "3" 0 \
  "PGPASSWORD=ann-secret psql -h acme.db.test -U ann -d shop -Atc 'SELECT count(*) FROM orders'"

glass_story

step "Acme's log has all of it" \
  'session.open.*wrong password.*unknown user.*session.cancel.*process.crash' 0 \
  "sekishoctl audit show acme"
step "The connection without TLS named no tenant: it is in the provider's log" 'session.refused.*plaintext' 0 \
  "sekishoctl audit show _provider"
step "Globex's log has Gil, and nothing of acme's" '^[1-9][0-9]* records, 0 of acme$' 0 \
  "sekishoctl --json audit show globex | jq -rs '\"\(length) records, \(map(select(.tenant != \"globex\" or .process == \"cell acme\")) | length) of acme\"'"
step "The log verifies" "acme" 0 "sekishoctl audit verify"
say "One byte of a copy of acme's log is changed"
cp -r "$FLEET/ledger" "$FLEET/copy"
step "Its record 3 now says otherwise" "" 0 \
  "sed -i '3s/\"time\":\"2/\"time\":\"1/' $FLEET/copy/acme/*.jsonl; sed -n 3p $FLEET/copy/acme/00000001.jsonl | cut -c1-100"
step "Verification names the record" 'acme.*record [34]' 1 "sekishoctl audit verify acme --dir $FLEET/copy"

glass_tampering

printf '\n%d passed, %d failed\n' "$passed" "$failed"
if [ "$once" != --once ]; then
  cat <<END

Try it yourself; Ctrl-C ends the demo.
  PGPASSWORD=ann-secret psql 'host=acme.db.test hostaddr=127.0.0.1 port=$PGPORT user=ann dbname=shop sslmode=verify-full sslrootcert=$FLEET/ca.crt'
  PGPASSWORD=gil-secret psql 'host=globex.db.test hostaddr=127.0.0.1 port=$PGPORT user=gil dbname=shop sslmode=verify-full sslrootcert=$FLEET/ca.crt'
  $SEKISHOCTL -c $FLEET_CONF session list
  export PGSERVICEFILE=$FLEET/services
  $SEKISHOCTL --service alice grant request --tenant acme --database shop --scope diagnose --ticket CASE-2 --reason 'why' --for 1h --key $FLEET/alice.pem
  psql service=alice    # also bob, dora and gus; their keys are beside Alice's
  tail -f $FLEET/sekisho.log
END
  while :; do sleep 3600 & wait $!; done
fi
[ "$failed" = 0 ]
