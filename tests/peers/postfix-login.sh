# Failed logins at a real Postfix, by way of its log, become bans, and the same Postfix refuses the address at once.
# Run it with: tests/peers/run postfix-login
source "$(dirname "$0")/world.bash"
source "$(dirname "$0")/postfix.bash"

start_banzone
start_postfix

# banned_for CLIENT PORT MECHANISM [ARGUMENT...]   Three failed logins make the ban.
banned_for() {
    local client=$1
    times 3 fail_login "$@" && eventually listed "$client" 127.0.0.4
}

text="https://bl.example/ip/203.0.113.66 banned by postfix-sasl until 2"

# One log has one order: when a later client's failures have been counted, so have all before them.
check "a clean client may send" accepted 192.0.2.10
check "two failures of AUTH LOGIN on the smtp port" times 2 fail_login 203.0.113.66 25 LOGIN
check "three failures of AUTH PLAIN on the smtp port are a ban" banned_for 203.0.113.67 25 PLAIN
check "two failed logins are no ban" unlisted 203.0.113.66
check "a third failed login" fail_login 203.0.113.66 25 LOGIN
check "the third failed login makes the ban" eventually listed 203.0.113.66 127.0.0.4
check "the same Postfix refuses the banned address with the list's text" refused 203.0.113.66 25 "$text"
check "the banned address's neighbour may send" accepted 203.0.113.65

check "three failures of AUTH LOGIN on the submission port are a ban" banned_for 203.0.113.68 587 LOGIN
check "three failures of AUTH PLAIN on the submission port are a ban" banned_for 203.0.113.69 587 PLAIN
check "three failures of AUTH LOGIN on the submissions port are a ban" banned_for 203.0.113.70 465 LOGIN --tls-on-connect
check "three failures of AUTH PLAIN on the submissions port are a ban" banned_for 203.0.113.71 465 PLAIN --tls-on-connect

check "an IPv6 client is banned with its /64" banned_for 2001:db8::66 587 PLAIN
check "the banned IPv6 client is refused" refused 2001:db8::66
check "another address of its /64 is refused" refused 2001:db8::1:2:3:4
check "an address outside its /64 may send" accepted 2001:db8:0:1::66

check "put a client on the allowlist by command" banzone allow add 192.0.2.26
check "five failed logins of a client that the configuration allows" times 5 fail_login 192.0.2.25 25 LOGIN
check "five failed logins of a client that the command allowed" times 5 fail_login 192.0.2.26 25 LOGIN
check "five good logins of a client" times 5 log_in 192.0.2.27
check "a ban after all of them" banned_for 203.0.113.72 25 LOGIN
for client in 192.0.2.25 192.0.2.26 192.0.2.27; do
    check "$client is not listed" unlisted "$client"
    check "$client may send" accepted "$client"
done

finish
