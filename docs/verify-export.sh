#!/bin/sh
# SPDX-License-Identifier: ISC
# verify-export.sh FILE LEDGER.PUB: checks what `sekishoctl audit export` wrote, with nothing of Sekisho's: jq, openssl 3,
# sha256sum, awk. Exit 0: every record is there, unchanged, and signed by that key; 1: not; 3: so far good, but the newest
# records are not signed yet. LEDGER.PUB must have come to you by another way than FILE.
set -eu
export LC_ALL=C
[ $# -eq 2 ] && [ -r "$1" ] && [ -r "$2" ] || { echo "usage: verify-export.sh FILE LEDGER.PUB" >&2; exit 2; }
t=$(mktemp -d) && trap 'rm -rf "$t"' EXIT
bad() { echo "BAD: $*"; exit 1; }
# The key's id: the first 16 digits of the SHA-256 of its 32 bytes, which are the last ones of its DER form.
openssl pkey -pubin -in "$2" -outform DER 2>/dev/null | tail -c 32 >"$t/raw" || true
[ "$(wc -c <"$t/raw")" -eq 32 ] || bad "$2 is no public key"
key=$(sha256sum <"$t/raw" | cut -c1-16)

# What the first line says is believed only where the lines behind it agree.
head -n 1 "$1" >"$t/head"
jq -e '.sekisho_export == 1 and (.tenant | test("^[a-z0-9_-]+$")) and ([.first, .last, .wanted_last] |
  all(type == "number")) and ([.from, .to] | all(test("^[-0-9TZ:.+ ]+$")))' "$t/head" >/dev/null 2>&1 || bad "this is no export"
tenant=$(jq -r .tenant "$t/head") first=$(jq -r .first "$t/head") last=$(jq -r .last "$t/head")
prev=$(jq -r .prev "$t/head") wanted=$(jq -r .wanted_last "$t/head")
tail -n +2 "$1" >"$t/lines"
[ "$(tail -c 1 "$t/lines" | od -An -tx1)" = " 0a" ] || bad "the last line is not whole"

# Each line's hash, without its newline; 5,000 lines at a time, so that sha256sum is not started for each.
split -a 6 -l 5000 "$t/lines" "$t/part."
for part in "$t"/part.*; do
  mkdir "$t/one"
  awk -v d="$t/one" 'BEGIN { ORS = "" } { f = sprintf("%s/%05d", d, NR); print >f; close(f) }' "$part"
  (cd "$t/one" && sha256sum -- *) | cut -c1-64 >>"$t/hashes"
  rm -r "$t/one"
done

# Each line's members; a line that is not one JSON object is an error.
jq -rR 'fromjson | [.n + 0, .tenant // "_provider", .prev, .event, .time, .key // "-", .signature // "-"] | @tsv' \
  "$t/lines" >"$t/members" 2>/dev/null || bad "a line is not JSON"
[ "$(wc -l <"$t/members")" -eq "$(wc -l <"$t/hashes")" ] || bad "a line is not JSON"
paste "$t/hashes" "$t/members" | awk -F '\t' -v n="$first" -v last="$last" -v prev="$prev" -v tenant="$tenant" '
  $2 != n { why = "is missing: " $2 " is in its place"; exit }
  $3 != tenant { why = "is not of " tenant; exit }
  $4 != prev { why = "does not follow the one before it"; exit }
  { prev = $1; n++ }
  END { if (why == "" && n != last + 1) why = "is missing: the records end before it"
        if (why != "") { print "BAD: record " n " " why; exit 1 } }' || exit 1

# The signatures. Each covers, through prev, every record before it.
signed=0
awk -F '\t' '$4 == "ledger.checkpoint"' "$t/members" >"$t/checkpoints"
while IFS="$(printf '\t')" read -r n who prev _ time id signature; do
  [ "$id" = "$key" ] || bad "checkpoint $n is by another key than $key"
  printf 'sekisho checkpoint v1\n%s\n%s\n%s\n%s\n' "$who" "$n" "$time" "$prev" >"$t/text"
  printf '%s' "$signature" | openssl base64 -d -A >"$t/signature"
  openssl pkeyutl -verify -pubin -inkey "$2" -rawin -in "$t/text" -sigfile "$t/signature" >/dev/null 2>&1 ||
    bad "the signature of checkpoint $n is wrong"
  signed=$n
done <"$t/checkpoints"
jq -r '"asked for: \(.from) to \(.to)"' "$t/head"
awk -F '\t' 'NR == 1 { a = $5 } { b = $5 } END { print "there is:  " a " to " b }' "$t/members" | tr -cd '[:print:]\n'
echo "$tenant: records $first to $last, links good, signed by $key to record $signed"
[ "$signed" -gt 0 ] && [ "$signed" -ge "$wanted" ] || { echo "NOT SIGNED YET: records $((signed + 1)) to $last"; exit 3; }
