#!/usr/bin/env bash
# Broker users with the least rights, from permissions.tsv; the passwords are those in the URLs of deploy/secrets.
#
#   users.sh apply         makes the virtual host, the users and their rights with rabbitmqctl, and repeats safely
#   users.sh definitions   prints the same as a definitions file, which a broker loads at its start
#
# SECRETS is the folder of the URLs, VHOST the virtual host, RABBITMQCTL the command, as in
#   RABBITMQCTL="docker compose exec -T rabbitmq rabbitmqctl" deploy/rabbitmq/users.sh apply
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
secrets=${SECRETS:-$here/../secrets}
vhost=${VHOST:-tradepost}
read -r -a ctl <<<"${RABBITMQCTL:-rabbitmqctl}"

# The password of amqp://USER:PASSWORD@HOST…
password() {
    sed -n 's|^amqps\{0,1\}://[^:/]*:\([^@]*\)@.*|\1|p' "$secrets/broker_${1#tradepost_}"
}

# Salted SHA-256, as RabbitMQ keeps passwords: four bytes of salt, then the digest of salt and password.
hash_of() {
    local salt
    salt=$(openssl rand -hex 4 | sed 's/../\\x&/g')
    { printf "%b" "$salt"; { printf "%b" "$salt"; printf '%s' "$1"; } | openssl dgst -sha256 -binary; } | base64 -w 0
}

rows() {
    grep -v '^#' "$here/permissions.tsv"
}

apply() {
    "${ctl[@]}" --quiet list_vhosts name </dev/null | grep -qx "$vhost" || "${ctl[@]}" --quiet add_vhost "$vhost" </dev/null
    local known user configure write read publishes binds
    known=$("${ctl[@]}" --quiet list_users </dev/null | cut -f 1)
    while IFS=$'\t' read -r user configure write read publishes binds; do
        # The password is passed by standard input: arguments can be seen by everyone on the machine.
        if grep -qx "$user" <<<"$known"; then
            password "$user" | "${ctl[@]}" --quiet change_password "$user"
        else
            password "$user" | "${ctl[@]}" --quiet add_user "$user"
        fi
        "${ctl[@]}" --quiet set_permissions -p "$vhost" "$user" "$configure" "$write" "$read" </dev/null
        if [ "$publishes" = - ]; then
            "${ctl[@]}" --quiet clear_topic_permissions -p "$vhost" "$user" </dev/null
        else
            "${ctl[@]}" --quiet set_topic_permissions -p "$vhost" "$user" tradepost.events "$publishes" "$binds" </dev/null
        fi
    done < <(rows)
}

definitions() {
    local users=() rights=() topics=() user configure write read publishes binds
    while IFS=$'\t' read -r user configure write read publishes binds; do
        users+=("{\"name\": \"$user\", \"password_hash\": \"$(hash_of "$(password "$user")")\", \"hashing_algorithm\": \"rabbit_password_hashing_sha256\", \"tags\": []}")
        rights+=("{\"user\": \"$user\", \"vhost\": \"$vhost\", \"configure\": \"$configure\", \"write\": \"$write\", \"read\": \"$read\"}")
        [ "$publishes" = - ] ||
            topics+=("{\"user\": \"$user\", \"vhost\": \"$vhost\", \"exchange\": \"tradepost.events\", \"write\": \"$publishes\", \"read\": \"$binds\"}")
    done < <(rows)
    printf '{\n"vhosts": [{"name": "%s"}],\n' "$vhost"
    printf '"users": [%s],\n"permissions": [%s],\n"topic_permissions": [%s]\n}\n' \
        "$(joined "${users[@]}")" "$(joined "${rights[@]}")" "$(joined "${topics[@]}")"
}

joined() {
    local first=$1
    shift
    printf '\n%s' "$first" "${@/#/,}"
}

case ${1:-} in
apply | definitions) "$1" ;;
*)
    echo "usage: users.sh apply | definitions" >&2
    exit 2
    ;;
esac
