# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# The second half of the story: break-glass. Alice is on call at the provider, Bob is her peer who approves, Dora answers for
# acme and Gus for globex. Each works from a machine of their own: a service file, a certificate or a password, and a key
# that nobody else has. Sourced by story.sh, which has step, say and judge.

glass_people() {
  export PGSERVICEFILE=$FLEET/services
  fleet_person alice
  fleet_person bob
  fleet_key alice operator
  fleet_key bob provider-approver
  fleet_key dora tenant-approver acme
  sekishoctl operator add alice >/dev/null
  sekishoctl operator add bob >/dev/null
  local name
  for name in acme globex; do
    psql -q "host=$FLEET/$name port=$(glass_port "$name") user=postgres dbname=postgres hostaddr=''" \
      -c "CREATE ROLE $(glass_admin "$name") LOGIN PASSWORD 'own-secret'"
    sekishoctl tenant set "$name" --admins "$(glass_admin "$name")" >/dev/null
    fleet_service "$(glass_admin "$name")" "$name.db.test" "$FLEET_PORT" "$(glass_admin "$name")" sekisho password=own-secret
    wait_for 10 psql "service=$(glass_admin "$name")" -c "SHOW ACCESS"
  done
}

glass_port() { if [ "$1" = acme ]; then echo "$acme_port"; else echo "$globex_port"; fi; }
glass_admin() { if [ "$1" = acme ]; then echo dora; else echo gus; fi; }
glass_is() { [ "$(sekishoctl --json grant show "$grant" | jq -r .state)" = "$1" ]; }
glass_serves() { psql service=alice -c "SELECT 1"; }
glass_judged() { psql service=alice -c "SELECT 1" 2>&1 | grep -q "no active break-glass grant"; }
glass_kept_out() { psql service=alice -c "SELECT 1" 2>&1 | grep -q "kept out"; }

glass_story() {
  step "Who can get in to acme right now?" "nobody" 0 "sekishoctl access acme"
  step "Alice, on call, has no grant: she is refused, and told the command" \
    'operator "alice" has no active break-glass grant for tenant "acme".*sekishoctl grant request --tenant acme' 2 \
    "psql service=alice -c 'TABLE orders'"
  step "So she asks, with a ticket, from her own machine" 'requested: 1 provider approval and the tenant.s consent are missing' 0 \
    "sekishoctl --service alice grant request --tenant acme --database shop --scope read --ticket CASE-1234 --reason 'orders are missing since noon' --for 1h --key $FLEET/alice.pem"
  grant=$(sekishoctl --json grant list | jq -r '.[0].grant')
  step "Bob looks at it and approves. For acme that is not enough" "the tenant's consent is missing" 0 \
    "sekishoctl --service bob grant approve $grant --key $FLEET/bob.pem"
  step "Alice is still out" "awaiting approval" 2 "psql service=alice -c 'TABLE orders'"
  step "Dora, of acme, sees with psql what awaits her" "$grant.*CASE-1234.*orders are missing since noon" 0 \
    "psql service=dora -xc 'SHOW APPROVALS'"
  step "She consents, from a client of her own: Sekisho's provider could not have done that" "active" 0 \
    "sekishoctl --service dora grant approve $grant --key $FLEET/dora.pem"
  wait_for 10 glass_serves
  step "Alice reads" "anvil.*acme" 0 "psql service=alice -c 'TABLE orders'"
  step "She cannot write, not even when she leaves read-only" "permission denied for table orders" 1 \
    "psql service=alice -c 'SET default_transaction_read_only = off' -c \"INSERT INTO orders VALUES (9, 'hammer')\""
  step "She cannot become somebody else" 'permission denied to set role "ann"' 1 "psql service=alice -c 'SET ROLE ann'"
  step "She cannot run a program on the server" 'must be superuser or have privileges|permission denied' 1 \
    "psql service=alice -c \"COPY orders TO PROGRAM 'id'\""
  step "Dora reads, in psql, exactly what Alice ran" \
    'alice.*TABLE orders.*alice.*INSERT INTO orders.*alice.*SET ROLE ann.*alice.*COPY orders TO PROGRAM' 0 \
    "psql service=dora -At -c 'SHOW AUDIT' | grep operator.statement | cut -d '|' -f 2,5,9"
  step "Globex's administrator sees nothing of this" '\(0 rows\)' 0 "psql service=gus -c 'SHOW GRANTS'"
  step "And may not ask either" 'permission denied' 1 "psql service=gus -c \"SHOW AUDIT TENANT 'acme'\""
  glass_cut
  step "Every step is in acme's log, by whom and why" 'request.*alice.*approve.*bob.*approve.*dora.*revoke.*dora' 0 \
    "sekishoctl --json audit show acme | jq -r 'select(.event == \"grant.change\") | [.time, .action, .actor, .state, .detail] | join(\" \")'"
}

glass_cut() {
  say "Alice starts a query of a minute; Dora revokes"
  psql service=alice -c "SELECT pg_sleep(60)" >"$FLEET/cut" 2>&1 &
  local alice=$! code output
  wait_for 10 glass_runs
  printf "$ psql service=alice -c 'SELECT pg_sleep(60)' &\n"
  printf "$ sekishoctl --service dora grant revoke %s --reason 'the sale begins' --key %s\n" "$grant" "$FLEET/dora.pem"
  sekishoctl --service dora grant revoke "$grant" --reason 'the sale begins' --key "$FLEET/dora.pem"
  local began=$SECONDS
  wait "$alice"
  code=$?
  output=$(cat "$FLEET/cut"; glass_runs && echo "it still runs on the instance")
  printf '%s\n' "$output"
  [ $((SECONDS - began)) -le 2 ] || output="too late: $output"
  judge "^FATAL: .*grant $grant is revoked by dora: the sale begins.*unexpectedly" "$code" 2 "$output"
}

glass_runs() {
  [ "$(psql -Atq "host=$FLEET/acme port=$acme_port user=postgres dbname=postgres hostaddr=''" \
    -c "SELECT count(*) FROM pg_stat_activity WHERE usename = 'sekisho_read' AND state = 'active'")" -gt 0 ]
}

glass_tampering() {
  sqlite3 "$FLEET/state/store.sqlite" ".backup $FLEET/whole"
  step "Somebody who owns the store takes the revocation out of it, and makes the grant one for admin" "" 0 \
    "sqlite3 $FLEET/state/store.sqlite \"DROP TRIGGER statement_kept; DROP TRIGGER statement_stays; DELETE FROM statement WHERE n = (SELECT max(n) FROM statement); UPDATE statement SET body = CAST(replace(CAST(body AS TEXT), 'scope: read', 'scope: admin') AS BLOB)\""
  wait_for 10 glass_kept_out
  step "That mints nothing" 'operators are kept out of tenant "acme": what was signed cannot be verified' 2 \
    "psql service=alice -c 'TABLE orders'"
  step "And is not overlooked" "tampering" 0 "sekishoctl --json audit show _provider | jq -c 'select(.event == \"tampering\")'"
  step "The store as it was is put back" "" 0 "sqlite3 $FLEET/state/store.sqlite '.restore $FLEET/whole'"
  wait_for 10 glass_judged
  step "What was signed counts again, the revocation with it" "no active break-glass grant" 2 \
    "psql service=alice -c 'TABLE orders'"
}
