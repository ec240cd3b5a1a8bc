#!/usr/bin/env bash
# Users of Redis with the least rights, from permissions.tsv; the passwords are those in the URLs of deploy/secrets.
#
#   users.sh apply   makes the users and their rights with redis-cli, and repeats safely
#   users.sh file    prints the same as a file for Redis's setting `aclfile`, in which nobody else is let in
#
# SECRETS is the folder of the URLs, PREFIX what their keys begin with, REDIS_CLI the command, as in
#   REDIS_CLI="docker compose exec -T redis redis-cli" deploy/redis/users.sh apply
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
secrets=${SECRETS:-$here/../secrets}
prefix=${PREFIX:-}
read -r -a cli <<<"${REDIS_CLI:-redis-cli}"

# The password of redis://USER:PASSWORD@HOST…, as the server keeps it: its SHA-256.
hash_of() {
    local password
    password=$(sed -n 's|^rediss\{0,1\}://[^:/]*:\([^@]*\)@.*|\1|p' "$secrets/broker_${1#tradepost_}")
    [ -n "$password" ] || {
        echo "$secrets/broker_${1#tradepost_} is no URL of Redis: run BROKER=redis deploy/secrets.sh" >&2
        exit 1
    }
    printf '%s' "$password" | openssl dgst -sha256 -r | cut -d ' ' -f 1
}

# The user, and everything that it may do.
rules() {
    local user=$1 rights=$2 hash
    hash=$(hash_of "$user")
    printf '%s reset on #%s %s' "$user" "$hash" "${rights//\~tradepost/\~${prefix}tradepost}"
}

rows() {
    grep -v '^#' "$here/permissions.tsv"
}

apply() {
    local user rights
    while IFS=$'\t' read -r user rights; do
        # By standard input: arguments can be seen by everyone on the machine.
        printf 'ACL SETUSER %s\n' "$(quoted "$(rules "$user" "$rights")")" | "${cli[@]}" | grep -qx OK
    done < <(rows)
}

# Each rule in quotes, a selector as one rule.
quoted() {
    sed -E 's/\([^)]*\)/"&"/g' <<<"$1"
}

file() {
    local user rights
    # Nobody connects as this user, but with its rights Redis reads its file of changes again.
    printf 'user default off ~* &* +@all\n'
    while IFS=$'\t' read -r user rights; do
        printf 'user %s\n' "$(rules "$user" "$rights")"
    done < <(rows)
}

case ${1:-} in
apply | file) "$1" ;;
*)
    echo "usage: users.sh apply | file" >&2
    exit 2
    ;;
esac
