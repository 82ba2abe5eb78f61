# Three servers in network namespaces of their own report to a hub over HTTPS, and a real Postfix asks the hub.
# Run it with: tests/peers/run hub
source "$(dirname "$0")/world.bash"
source "$(dirname "$0")/postfix.bash"

# Attackers whose reports are on their way when the hub is killed.
CROWD=120

# make_bridge   The wire between the hub and its reporters.
make_bridge() {
    ip link add hub type bridge
    ip address add 10.0.0.1/24 dev hub
    ip link set hub up
    echo "10.0.0.1 hub.example" >>"$WORK/hosts"
}

# start_hub   The daemon of the checks, with a jail of reports and HTTPS; $hub is its process.
start_hub() {
    install --directory --owner=nobody "$WORK/state"
    touch "$WORK/mail.log" "$WORK/names"
    "$BANZONE" serve --config "$WORK/banzone.toml" >>"$WORK/banzone.log" 2>&1 &
    hub=$!
    eventually answers_or_ended "$hub" >/dev/null
    says "ANSWER: 1," ask bl.example SOA >/dev/null || give_up "the hub does not answer"
}

write_hub() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=hub.example \
        -addext subjectAltName=DNS:hub.example -addext basicConstraints=critical,CA:FALSE \
        -keyout "$WORK/hub.key" -out "$WORK/hub.pem" 2>/dev/null
    chown nobody "$WORK/hub.key"
    local http="listen = \"10.0.0.1:8053\"\ncertificate = \"$WORK/hub.pem\"\nkey = \"$WORK/hub.key\""
    sed -e "s|@WORK@|$WORK|" -e "s|^listen = \"127.0.0.1:8053\"|$http|" "$here/banzone.toml" >"$WORK/banzone.toml"
    cat >>"$WORK/banzone.toml" <<END
[jail.shared]
reports = true
END
}

# start_reporter NAME ADDRESS ORGANISATION   A server that reads $WORK/NAME/mail.log.
start_reporter() {
    local name=$1 address=$2 organisation=$3 namespace
    install --directory --owner=nobody "$WORK/$name"
    banzone token add "$name" --role reporter --organisation "$organisation" --source "$address" >"$WORK/$name/token"
    chown nobody "$WORK/$name/token"
    touch "$WORK/$name/mail.log"
    write_reporter "$name"
    unshare --net sleep infinity &
    namespace=$!
    eventually is_elsewhere "$namespace" >/dev/null
    ip link add "$name" type veth peer name eth0 netns "$namespace"
    ip link set "$name" master hub up
    nsenter --net --target "$namespace" ip address add "$address/24" dev eth0
    nsenter --net --target "$namespace" ip link set eth0 up
    nsenter --net --target "$namespace" ip link set lo up
    nsenter --net --target "$namespace" "$BANZONE" serve --config "$WORK/$name/banzone.toml" >"$WORK/$name.log" 2>&1 &
    eventually at "$name" status >/dev/null || give_up "$name does not start"
}

# is_elsewhere PROCESS   It has left our network namespace.
is_elsewhere() {
    [[ $(readlink "/proc/$1/ns/net") != "$(readlink /proc/self/ns/net)" ]]
}

write_reporter() {
    cat >"$WORK/$1/banzone.toml" <<END
[store]
path = "$WORK/$1/banzone.db"
[control]
socket = "$WORK/$1/control.sock"
[dns]
listen = ["127.0.0.1:53"]
[daemon]
user = "nobody"
[defaults]
maxretry = 3
[jail.postfix-sasl]
logpath = ["$WORK/$1/mail.log"]
[hub]
url = "https://hub.example:8053"
token_file = "$WORK/$1/token"
ca = "$WORK/hub.pem"
END
}

# at NAME ARGUMENT...   The command line of a reporter.
at() {
    timeout "$PATIENCE" "$BANZONE" --config "$WORK/$1/banzone.toml" "${@:2}"
}

# attack NAME ADDRESS...   Three failed logins of each address at a reporter, which are a ban there.
attack() {
    local name=$1 now address
    now=$(date --utc +%Y-%m-%dT%H:%M:%S+00:00)
    for address in "${@:2}"; do
        for _ in 1 2 3; do
            echo "$now $name postfix/smtpd[711]: warning: unknown[$address]: SASL LOGIN authentication failed: x"
        done
    done >>"$WORK/$name/mail.log"
}

# votes ADDRESS COUNT   So many organisations vote for it.
votes() {
    [[ $(banzone --json lookup "$1" | grep --count '"reporter"') == "$2" ]]
}

# total_failed COMMAND...   How many failures a banzone has counted in $jail, or in that of its log.
total_failed() {
    "$@" --json status "${jail:-postfix-sasl}" | sed -n 's/.*"total_failed": *\([0-9]*\).*/\1/p'
}

# nothing_waits NAME...   These reporters have read their logs, and their spools are empty.
nothing_waits() {
    local name
    for name in "$@"; do
        [[ $(total_failed at "$name") == $(grep --count SASL "$WORK/$name/mail.log") ]] || return 1
        at "$name" status 2>&1 | grep --quiet ' 0 reports wait' || return 1
    done
}

# each_counted_once   The hub has counted the failures of all reporters, none of them twice.
each_counted_once() {
    local sum=0 name counted
    for name in mx1 mx2 mx3; do
        sum=$((sum + $(total_failed at "$name")))
    done
    counted=$(jail=shared total_failed banzone)
    echo "the reporters counted $sum failures, the hub $counted"
    [[ $sum == "$counted" ]]
}

# crowd_listed   Everybody in the crowd is listed by the hub.
crowd_listed() {
    local host
    for host in $(seq "$CROWD"); do
        listed "198.51.100.$host" >/dev/null || { echo "198.51.100.$host is not listed"; return 1; }
    done
}

# storm   All reporters see the crowd, while the hub is killed again and again.
storm() {
    local host round
    for round in 1 2 3 4; do
        for host in $(seq "$round" 4 "$CROWD"); do
            attack mx1 "198.51.100.$host"
            attack mx2 "198.51.100.$host"
            attack mx3 "198.51.100.$host"
        done
        # Somewhere in the second in which they send.
        sleep "0.$((round * 2))"
        kill -KILL "$hub"
        wait "$hub" 2>/dev/null
        start_hub
    done
}

make_bridge
write_hub
start_hub
start_postfix
start_reporter mx1 10.0.0.11 one.example
start_reporter mx2 10.0.0.12 one.example
start_reporter mx3 10.0.0.13 two.example

check "one server sees an attack" attack mx1 203.0.113.66
check "the hub hears of it" eventually votes 203.0.113.66 1
check "another server of the same organisation sees it too" attack mx2 203.0.113.66
check "its ban is reported" eventually nothing_waits mx2
check "two servers of one organisation have one vote" votes 203.0.113.66 1
check "one organisation alone lists nobody" unlisted 203.0.113.66
check "Postfix takes mail from whom one organisation reports" accepted 203.0.113.66
check "another organisation sees the attack" attack mx3 203.0.113.66
check "two organisations list the address" eventually listed 203.0.113.66 127.0.0.3
check "Postfix has forgotten what it asked" forget
check "Postfix refuses whom two organisations report" eventually refused 203.0.113.66
check "the neighbour of the address may send" accepted 203.0.113.65

check "the hub is killed in the midst of reports" storm
check "what was to be reported is" eventually nothing_waits mx1 mx2 mx3
check "each report counts once" eventually each_counted_once
check "all that two organisations have seen is listed" crowd_listed
check "a report from another address than the token's is refused" says "403" \
    curl --silent --cacert "$WORK/hub.pem" --output /dev/null --write-out '%{http_code}' \
    -H "Authorization: Bearer $(cat "$WORK/mx1/token")" -d '{"ip":"203.0.113.67"}' https://hub.example:8053/api/v1/reports

check "cut a reporter off" banzone reporter cut-off two.example
check "its listings go" eventually unlisted 203.0.113.66
check "all of them do" eventually unlisted "198.51.100.$CROWD"
check "Postfix has forgotten the listing" forget
check "Postfix takes mail again" eventually accepted 203.0.113.66
check "whoever is cut off is told" attack mx3 203.0.113.68
check "the reporter says why nothing is taken" eventually says "is cut off" at mx3 --json status

finish
