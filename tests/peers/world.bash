# The world every script of checks runs in, sourced by each: the machine's surroundings, the daemon under test, and the
# words the checks are written in. tests/peers/run makes the namespaces and sets
#
#     BANZONE   the binary under test
#     WORK      an empty folder; a tmpfs is mounted on it, so it is empty again outside
#
# A script sources this file, calls `start_banzone`, then `check NAME COMMAND...` for each thing to show, and ends with
# `finish`. Nothing waits for a fixed time: `eventually` polls a condition until PATIENCE is over.
set -uo pipefail
here=$(dirname "${BASH_SOURCE[0]}")

# Seconds a condition may take to come true: far more than it needs, for a machine busy with other tests.
PATIENCE=30

checks=0
failures=0

# --- The words of a check --------------------------------------------------------------------------------------------

# check NAME COMMAND...   One check. What the command printed, and the ends of the logs, are shown when it fails.
check() {
    local name=$1 transcript
    shift
    checks=$((checks + 1))
    if transcript=$("$@" 2>&1); then
        echo "ok - $name"
        return
    fi
    failures=$((failures + 1))
    echo "not ok - $name"
    {
        echo "\$ $*"
        echo "$transcript"
        tail -n 15 "$WORK"/*.log
    } | sed 's/^/    /'
}

# finish   The last line of every script: what was counted, so that a script cut short is seen.
finish() {
    echo "1..$checks"
    [[ $failures == 0 ]]
    exit
}

# give_up REASON   Stops a script that cannot go on; its missing "1..COUNT" fails the test.
give_up() {
    echo "Bail out! $1"
    tail -n 30 "$WORK"/*.log
    exit 1
}

# says PATTERN COMMAND...   Holds when the output matches the extended regular expression; its exit code is ignored.
says() {
    local pattern=$1 output
    shift
    output=$("$@" 2>&1)
    echo "$output"
    grep --quiet --extended-regexp -e "$pattern" <<<"$output" || { echo "(expected: $pattern)"; return 1; }
}

# never_says PATTERN COMMAND...   Holds when no line of the output matches.
never_says() {
    local pattern=$1 output
    shift
    output=$("$@" 2>&1)
    echo "$output"
    ! grep --extended-regexp -e "$pattern" <<<"$output" || { echo "(not expected: $pattern)"; return 1; }
}

# eventually COMMAND...   Holds as soon as the command does, within PATIENCE seconds.
eventually() {
    local output deadline=$((SECONDS + PATIENCE))
    until output=$("$@" 2>&1); do
        if ((SECONDS >= deadline)); then
            echo "$output"
            echo "(not within $PATIENCE seconds)"
            return 1
        fi
        sleep 0.05
    done
    echo "$output"
}

# --- The list --------------------------------------------------------------------------------------------------------

# banzone ARGUMENT...   The command line of the daemon under test.
banzone() {
    timeout "$PATIENCE" "$BANZONE" --config "$WORK/banzone.toml" "$@"
}

# reverse_name ADDRESS   The name a client asks for: reversed octets, or 32 reversed nibbles, below the zone.
reverse_name() {
    perl -MSocket=inet_pton,AF_INET,AF_INET6 -e '
        my $address = shift;
        my @labels = $address =~ /:/
            ? split //, unpack("H32", inet_pton(AF_INET6, $address))
            : unpack("C4", inet_pton(AF_INET, $address));
        print join(".", reverse @labels), ".bl.example\n";
    ' "$1"
}

# ask ARGUMENT...   dig's whole answer from the daemon; ask6 asks over IPv6.
ask() {
    dig @127.0.0.1 +tries=3 +time=3 "$@"
}

ask6() {
    dig @::1 +tries=3 +time=3 "$@"
}

# listed ADDRESS [CODE]   The daemon answers an A record within 127.0.0.0/8, or just this code among others.
listed() {
    says "[[:space:]]A[[:space:]]${2:-127\..*}\$" ask "$(reverse_name "$1")" A
}

# swaks_from CLIENT PORT ARGUMENT...   One real SMTP session from the client's address.
swaks_from() {
    local client=$1 port=$2 server=127.0.0.1
    shift 2
    [[ $client == *:* ]] && server=::1
    swaks --server "$server" --local-interface "$client" --port "$port" --helo client.example --timeout "$PATIENCE" \
        --from someone@client.example --to alice@mail.example "$@"
}

# ban_clients   Lists 203.0.113.66 and 2001:db8::66 with a jail's code, and 203.0.113.67 with that of bans by hand.
ban_clients() {
    check "ban an address in a jail" banzone ban 203.0.113.66 --jail postfix-sasl
    check "a ban in a jail is listed as 127.0.0.4" eventually listed 203.0.113.66 127.0.0.4
    check "ban an address by hand" banzone ban 203.0.113.67
    check "a ban by hand is listed as 127.0.0.3" eventually listed 203.0.113.67 127.0.0.3
    check "ban an IPv6 address in a jail" banzone ban 2001:db8::66 --jail postfix-sasl
    check "the IPv6 address is listed as 127.0.0.4" eventually listed 2001:db8::66 127.0.0.4
}

# unlisted ADDRESS   The daemon says that the name does not exist.
unlisted() {
    says "status: NXDOMAIN" ask "$(reverse_name "$1")" A
}

# --- The machine -----------------------------------------------------------------------------------------------------

# start_banzone   Writes the daemon's configuration and starts it; returns when it answers.
# It reads $WORK/mail.log, answers for bl.example, and for dom.example from the names in $WORK/names, on port 53 and runs as
# `nobody`.
start_banzone() {
    sed "s|@WORK@|$WORK|" "$here/banzone.toml" >"$WORK/banzone.toml"
    install --directory --owner=nobody "$WORK/state"
    touch "$WORK/mail.log" "$WORK/names"
    "$BANZONE" serve --config "$WORK/banzone.toml" >"$WORK/banzone.log" 2>&1 &
    eventually answers_or_ended $! >/dev/null
    says "ANSWER: 1," ask bl.example SOA >/dev/null || give_up "banzone does not answer"
}

answers_or_ended() {
    says "ANSWER: 1," ask bl.example SOA || ! kill -0 "$1"
}

# Any address of these ranges is this machine's, for binding a client to it, without being one of its interfaces' own.
make_network() {
    local range
    ip link set lo up
    for range in 192.0.2.0/24 198.51.100.0/24 203.0.113.0/24; do
        ip route add local "$range" dev lo
    done
    ip -6 route add local 2001:db8::/32 dev lo
    echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind
}

# Names are looked up in a file first and then at the daemon, and nowhere else.
make_resolver() {
    echo "nameserver 127.0.0.1" >"$WORK/resolv.conf"
    echo "hosts: files dns" >"$WORK/nsswitch.conf"
    echo "127.0.0.1 localhost mail.example" >"$WORK/hosts"
    local file
    for file in resolv.conf nsswitch.conf hosts; do
        mount --bind "$WORK/$file" "/etc/$file"
    done
}

mount -t tmpfs -o mode=755 tmpfs "$WORK"
echo mail >/proc/sys/kernel/hostname
make_network
make_resolver
