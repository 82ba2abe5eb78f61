# A resolver that asks label by label (QNAME minimisation, RFC 9156) and takes "no such name" for all names below, as
# RFC 8020 says, must still find every listed address, and must find no other.
# Run it with: tests/peers/run unbound
#
# listed.txt      addresses that are banned; a comment is what a line is chosen for
# unlisted.txt    their neighbours in every direction, which are not
source "$(dirname "$0")/world.bash"

start_unbound() {
    cat >"$WORK/unbound.conf" <<END
server:
    interface: 127.0.0.1@5353
    do-daemonize: no
    chroot: ""
    directory: "$WORK"
    pidfile: ""
    username: ""
    use-syslog: no
    log-time-ascii: yes
    verbosity: 1
    module-config: "iterator"
    do-not-query-localhost: no
    qname-minimisation: yes
    qname-minimisation-strict: yes
    harden-below-nxdomain: yes
stub-zone:
    name: "bl.example"
    stub-addr: 127.0.0.1
END
    unbound -d -c "$WORK/unbound.conf" >"$WORK/unbound.log" 2>&1 &
    eventually says "ANSWER: 1," resolve bl.example SOA >/dev/null || give_up "Unbound does not answer"
}

# resolve ARGUMENT...   dig's whole answer from Unbound.
resolve() {
    dig @127.0.0.1 -p 5353 +tries=3 +time=5 "$@"
}

found() {
    says "[[:space:]]A[[:space:]]127\.0\.0\.3\$" resolve "$(reverse_name "$1")" A
}

not_found() {
    says "status: NXDOMAIN" resolve "$(reverse_name "$1")" A
}

# each FILE COMMAND...   Holds when the command does for every address of the file; shows only those where it does not.
each() {
    local file=$1 address output wrong=0
    shift
    for address in $(sed 's/#.*//' "$here/$file"); do
        output=$("$@" "$address" 2>&1) || { printf '%s:\n%s\n' "$address" "$output"; wrong=1; }
    done
    return "$wrong"
}

start_banzone
check "ban every address of the list" each listed.txt banzone ban
start_unbound

# What does not exist is asked first: a resolver that was told too much "no such name" then believes it.
check "the daemon lists them" each listed.txt eventually listed
check "what is not listed does not exist" each unlisted.txt not_found
check "every listed address is found" each listed.txt found
check "what is not listed still does not exist" each unlisted.txt not_found
check "the texts are found" says "TXT.*\"" resolve "$(reverse_name 203.0.113.66)" TXT

finish
