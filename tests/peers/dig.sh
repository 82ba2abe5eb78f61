# Single answers, as dig sees them: transports, EDNS, record types, what exists and what does not.
# Run it with: tests/peers/run dig
source "$(dirname "$0")/world.bash"

start_banzone

# The name of a banned address, of an address that is not, and of an empty place above the banned one.
banned=66.113.0.203.bl.example
clean=67.113.0.203.bl.example
above=113.0.203.bl.example
banned6=$(reverse_name 2001:db8::66)
mixed=66.113.0.203.bL.eXaMpLe

answers_a="$banned\.[[:space:]].*A[[:space:]]127\.0\.0\.3"
answers_txt="TXT[[:space:]]\".+\""
soa="^bl\.example\.[[:space:]]+[0-9]+[[:space:]]+IN[[:space:]]+SOA[[:space:]]+ns1\.example\. hostmaster\.example\. [0-9]+"

# without_records STATUS NAME TYPE   No answer, but the zone's SOA, which says how long that holds.
without_records() {
    local status=$1 output line
    shift
    output=$(ask "$@")
    echo "$output"
    for line in "status: $status," "ANSWER: 0, AUTHORITY: 1," "$soa"; do
        grep --quiet --extended-regexp -e "$line" <<<"$output" || { echo "(expected: $line)"; return 1; }
    done
}

# no_data NAME TYPE   The name exists, but has no such record. no_name: there is no such name.
no_data() {
    without_records NOERROR "$@"
}

no_name() {
    without_records NXDOMAIN "$@"
}

check "ban an address" banzone ban 203.0.113.66
check "ban an IPv6 address" banzone ban 2001:db8::66
check "the address is listed" eventually listed 203.0.113.66
check "the IPv6 address is listed" eventually listed 2001:db8::66

check "A over UDP" says "$answers_a" ask "$banned" A
check "A over TCP" says "$answers_a" ask +tcp "$banned" A
check "A over UDP and IPv6" says "$answers_a" ask6 "$banned" A
check "A over TCP and IPv6" says "$answers_a" ask6 +tcp "$banned" A
check "what comes over TCP and IPv6 does so" says "SERVER: ::1#53.*TCP" ask6 +tcp "$banned" A
check "two questions on one TCP connection" says "$answers_a" ask +tcp +keepopen bl.example SOA "$banned" A
check "the answer is authoritative" says "flags: qr aa rd; " ask "$banned" A
check "TXT" says "$answers_txt" ask "$banned" TXT
check "TXT of an IPv6 address" says "$answers_txt" ask "$banned6" TXT

check "A over TCP by kdig" says "$answers_a" kdig @127.0.0.1 +tcp "$banned" A
check "TXT over TCP and IPv6 by kdig" says "$answers_txt" kdig @::1 +tcp "$banned6" TXT
check "two questions on one TCP connection by kdig" says "$answers_txt" kdig @127.0.0.1 +tcp +keepopen bl.example SOA "$banned" TXT
check "kdig is told over TCP that there is no such name" says "status: NXDOMAIN" kdig @127.0.0.1 +tcp "$clean" A

check "EDNS with 512 bytes" says "$answers_a" ask +bufsize=512 "$banned" A
check "EDNS is answered with EDNS" says "EDNS: version: 0, flags:; udp: [0-9]+" ask "$banned" A
check "EDNS on a name that does not exist" says "EDNS: version: 0, flags:; udp: [0-9]+" ask "$clean" A
check "without EDNS" says "$answers_a" ask +noedns "$banned" A
check "no EDNS is answered without EDNS" never_says "EDNS" ask +noedns "$banned" A
check "EDNS version 1 is refused" says "status: BADVERS" ask +edns=1 +noednsnegotiation "$banned" A
check "with DO and a cookie" says "$answers_a" ask +dnssec +cookie "$banned" A

# A cookie is good when it comes back with the client's part and the server's: dig checks it.
check "a cookie over UDP" says "COOKIE: 0102030405060708010000[0-9a-f]{26} \(good\)" ask +cookie=0102030405060708 "$banned" A
check "a cookie over TCP" says "COOKIE: 0102030405060708010000[0-9a-f]{26} \(good\)" ask +tcp +cookie=0102030405060708 "$banned" A
check "a cookie of another server" says "$answers_a" ask +cookie=0102030405060708ffffffffffffffff "$banned" A
check "a cookie without a question" says "status: NOERROR" ask +header-only +cookie=0102030405060708 .
check "a wrong cookie without a question" says "status: BADCOOKIE" ask +header-only +nobadcookie +cookie=0102030405060708ffffffffffffffff .
check "a cookie of a length that none has" says "status: FORMERR" ask +ednsopt=10:010203 +nocookie "$banned" A

check "the name of the server by EDNS" says "NSID: .*ns1\.example" ask +nsid "$banned" A
check "the name of the server by EDNS over TCP" says "NSID: .*ns1\.example" ask +tcp +nsid "$banned" A
check "no name of the server for who does not ask" never_says "NSID" ask "$banned" A
check "id.server" says "CH[[:space:]]+TXT[[:space:]]+\"ns1\.example\"" ask id.server CH TXT
check "hostname.bind over TCP" says "CH[[:space:]]+TXT[[:space:]]+\"ns1\.example\"" ask +tcp hostname.bind CH TXT
check "version.server is refused" says "status: REFUSED" ask version.server CH TXT

key=4f1d0c9b8a7e6f5d4c3b2a1908f7e6d5
check "a zone for clients elsewhere" says "status: REFUSED" ask 2.0.0.127.closed.example A
check "the same from elsewhere" says "A[[:space:]]127\.0\.0\.2" ask6 2.0.0.127.closed.example A
check "with a key" says "A[[:space:]]127\.0\.0\.2" ask "2.0.0.127.$key.keys.example" A
check "with a key over TCP, in capitals" says "A[[:space:]]127\.0\.0\.2" ask +tcp "2.0.0.127.${key^^}.keys.example" A
check "without a key" says "status: REFUSED" ask 2.0.0.127.keys.example A
check "with another key" says "status: REFUSED" ask "2.0.0.127.${key/4f/4e}.keys.example" A
check "the name of a key is there" says "status: NOERROR.*|^keys\.example\..*SOA" ask "$key.keys.example" NS
check "the zone needs no key" says "^keys\.example\..*SOA" ask keys.example SOA

check "SOA" says "$soa" ask bl.example SOA
check "NS" says "NS[[:space:]]ns1\.example\." ask bl.example NS
check "the zone has no address" no_data bl.example A
check "a listed address has no AAAA" no_data "$banned" AAAA
check "a listed address has no CAA" no_data "$banned" CAA
check "an empty place above a listed address" no_data "$above" A
check "an address that is not listed" no_name "$clean" A
check "an address with a label too many" no_name "1.$banned" A
check "no address at all" no_name www.bl.example A

check "a name in mixed case is found" says "A[[:space:]]127\.0\.0\.3" ask "$mixed" A
check "a name in mixed case comes back as it was asked" says "^;$mixed\." ask "$mixed" A
check "nibbles in capitals" says "A[[:space:]]127\.0\.0\.3" ask "${banned6^^}" A

check "127.0.0.2 is listed" listed 127.0.0.2
check "127.0.0.2 has a text" says "$answers_txt" ask 2.0.0.127.bl.example TXT
check "127.0.0.1 is not listed" unlisted 127.0.0.1
check "::ffff:127.0.0.2 is listed" listed ::ffff:127.0.0.2
check "::ffff:127.0.0.1 is not listed" unlisted ::ffff:127.0.0.1

check "other zones are refused" says "status: REFUSED" ask example.org A
check "version.bind does not tell a version" never_says "[[:space:]]TXT[[:space:]].*[0-9]\.[0-9]" ask version.bind CH TXT
check "version.bind is answered all the same" says "flags: qr" ask version.bind CH TXT
check "an operation we do not have is NOTIMP" says "opcode: STATUS, status: NOTIMP" ask +opcode=STATUS "$banned" A
check "a query without a question and a cookie is FORMERR" says "status: FORMERR" ask +header-only +nocookie "$banned" A
check "a transfer to anybody is refused" says "Transfer failed" ask bl.example AXFR

finish
