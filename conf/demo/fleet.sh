# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# A small provider on loopback, in a temporary folder: a certificate authority, one PostgreSQL 15 server per tenant and
# Sekisho in front of them. Sourced by story.sh. Everything it starts, and nothing else, is stopped by fleet_end.
# Needs: SEKISHO and SEKISHOCTL, the paths of the two programs.

PG=/usr/lib/postgresql/15/bin
FLEET=        # the temporary folder
FLEET_PORT=   # where tenants connect
FLEET_OPERATORS_PORT= # where operators connect
FLEET_CONF=   # sekisho.conf
FLEET_PROXY=  # the supervisor's process id
FLEET_INSTANCES=()

# PostgreSQL refuses to run as root: there it runs as the account postgres.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then
    setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"
  else
    "$@"
  fi
}

fleet_begin() {
  FLEET=$(mktemp -d "${TMPDIR:-/tmp}/sekisho-demo.XXXXXX")
  chmod 0711 "$FLEET"
  trap fleet_end EXIT
  trap 'exit 130' INT TERM
  FLEET_CONF=$FLEET/sekisho.conf
  FLEET_PORT=$(free_port)
  FLEET_OPERATORS_PORT=$(free_port)
}

fleet_end() {
  trap - EXIT
  local name
  if [ -n "$FLEET_PROXY" ]; then
    kill -TERM "$FLEET_PROXY" 2>/dev/null
    wait "$FLEET_PROXY" 2>/dev/null
  fi
  for name in "${FLEET_INSTANCES[@]}"; do
    as_postgres "$PG/pg_ctl" -D "$FLEET/$name/data" -m immediate stop >/dev/null 2>&1
  done
  [ -z "$FLEET" ] || rm -rf "$FLEET"
}

# A port nobody listens on, below the range that the kernel gives to clients.
free_port() {
  local port
  while :; do
    port=$((10000 + RANDOM % 20000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

# wait_for SECONDS COMMAND...: until the command succeeds; fails when it has not by then.
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.05
  done
}

fleet_authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=Demo authority" \
    -keyout "$FLEET/ca.key" -out "$FLEET/ca.crt" 2>/dev/null
}

# fleet_certificate FILE NAME: FILE.crt and FILE.key for a host name, signed by the authority.
fleet_certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -addext "subjectAltName=DNS:$2" \
    -keyout "$1.key" -out "$1.csr" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA "$FLEET/ca.crt" -CAkey "$FLEET/ca.key" -CAcreateserial -days 2 \
    -copy_extensions copy -out "$1.crt" 2>/dev/null
  rm "$1.csr"
}

# fleet_operators: the authority of the operators' own certificates, and the folder of keys whose signatures count.
fleet_operators() {
  mkdir "$FLEET/trust"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=Demo operators" \
    -keyout "$FLEET/operator-ca.key" -out "$FLEET/operator-ca.crt" 2>/dev/null
  fleet_certificate "$FLEET/operator" "*.ops.test"
}

# fleet_key NAME ROLE [TENANT]: NAME makes a key to sign with, and the administrator of the proxy's host trusts it.
fleet_key() {
  "$SEKISHOCTL" key generate "$1" --role "$2" ${3:+--tenant "$3"} --out "$FLEET/$1.pem" >"$FLEET/trust/$1.key" 2>/dev/null
}

# fleet_person NAME: a certificate for the operators' plane, and an entry in the service file: psql service=NAME.
fleet_person() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$FLEET/$1-tls.key" \
    -out "$FLEET/$1.csr" 2>/dev/null
  openssl x509 -req -in "$FLEET/$1.csr" -CA "$FLEET/operator-ca.crt" -CAkey "$FLEET/operator-ca.key" -CAcreateserial \
    -days 2 -out "$FLEET/$1-tls.crt" 2>/dev/null
  rm "$FLEET/$1.csr"
  fleet_service "$1" acme.ops.test "$FLEET_OPERATORS_PORT" "$1" shop "sslcert=$FLEET/$1-tls.crt" "sslkey=$FLEET/$1-tls.key"
}

# fleet_service NAME HOST PORT USER DATABASE [KEYWORD=VALUE]...: an entry in the service file.
fleet_service() {
  printf '[%s]\nhost=%s\nhostaddr=127.0.0.1\nport=%s\nuser=%s\ndbname=%s\n' "$@" | head -6 >>"$FLEET/services"
  shift 5
  printf '%s\n' "$@" "sslmode=verify-full" "sslrootcert=$FLEET/ca.crt" "connect_timeout=20" "" >>"$FLEET/services"
}

# fleet_instance NAME: an empty server with TLS that, so far, admits only its administrator at its Unix socket.
# Prints its port.
fleet_instance() {
  local home=$FLEET/$1 port
  port=$(free_port)
  mkdir "$home"
  fleet_certificate "$home/server" "$1.instance.internal"
  [ "$(id -u)" != 0 ] || chown -R postgres:postgres "$home"
  as_postgres "$PG/initdb" -D "$home/data" -U postgres -A trust -E UTF8 --no-locale -N >/dev/null
  as_postgres tee "$home/data/pg_hba.conf" <<<"local all postgres trust" >/dev/null
  as_postgres tee -a "$home/data/postgresql.conf" >/dev/null <<END
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$home'
max_connections = ${FLEET_MAX_CONNECTIONS:-100}
ssl = on
ssl_cert_file = '$home/server.crt'
ssl_key_file = '$home/server.key'
password_encryption = 'scram-sha-256'
fsync = off
END
  as_postgres "$PG/pg_ctl" -D "$home/data" -l "$home/log" -w start >/dev/null
  echo "$port"
}

# fleet_proxy: the state folder, a certificate for *.db.test and a running proxy.
fleet_proxy() {
  fleet_certificate "$FLEET/server" "*.db.test"
  cat >"$FLEET_CONF" <<END
[paths]
state_dir = $FLEET/state
ledger_dir = $FLEET/ledger
run_dir = $FLEET/run

[tenants]
listen = 127.0.0.1:$FLEET_PORT
domain = db.test

[tls]
certificate = $FLEET/server.crt
key = $FLEET/server.key
END
  if [ -e "$FLEET/operator-ca.crt" ]; then
    cat >>"$FLEET_CONF" <<END

[operators]
operator_listen = 127.0.0.1:$FLEET_OPERATORS_PORT
operator_domain = ops.test
operator_certificate = $FLEET/operator.crt
operator_key = $FLEET/operator.key
operator_ca = $FLEET/operator-ca.crt
trust_dir = $FLEET/trust
environment = demo
END
  fi
  mkdir -p "$FLEET/run"
  "$SEKISHOCTL" -c "$FLEET_CONF" init >/dev/null
  "$SEKISHO" -c "$FLEET_CONF" 2>"$FLEET/sekisho.log" &
  FLEET_PROXY=$!
  wait_for 10 "$SEKISHOCTL" -c "$FLEET_CONF" status || { cat "$FLEET/sekisho.log" >&2; return 1; }
}

# fleet_tenant NAME PORT: adds the tenant, installs on its instance what the proxy needs and closes the instance to
# everybody else: what an administrator does when Sekisho is put in front of a PostgreSQL server that already runs.
fleet_tenant() {
  local home=$FLEET/$1 admin="host=$FLEET/$1 port=$2 user=postgres dbname=postgres"
  "$SEKISHOCTL" -c "$FLEET_CONF" tenant add "$1" --instance "127.0.0.1:$2" --instance-name "$1.instance.internal" \
    --instance-ca "$FLEET/ca.crt" >/dev/null
  "$SEKISHOCTL" -c "$FLEET_CONF" --json tenant provision "$1" --admin "$admin" >"$FLEET/needs"
  jq -r .ssl_ca_file "$FLEET/needs" | as_postgres tee "$home/proxy.crt" >/dev/null
  { echo "local all postgres trust"; jq -r .pg_hba "$FLEET/needs"; } |
    as_postgres tee "$home/data/pg_hba.conf" >/dev/null
  as_postgres tee -a "$home/data/postgresql.conf" <<<"ssl_ca_file = '$home/proxy.crt'" >/dev/null
  as_postgres "$PG/pg_ctl" -D "$home/data" reload >/dev/null
  wait_for 10 "$SEKISHOCTL" -c "$FLEET_CONF" tenant check "$1" && wait_for 10 fleet_knows "$1"
}

# Whether the running proxy has heard of the tenant's change: it looks several times a second.
fleet_knows() {
  local newest
  newest=$("$SEKISHOCTL" -c "$FLEET_CONF" --json audit show "$1" | jq -rs 'map(select(.event == "admin.change")) | last.action')
  [ "$newest" = tenant.provision ] &&
    "$SEKISHOCTL" -c "$FLEET_CONF" --json status | jq -e '.directory.age_ms < 1000' >/dev/null
}
