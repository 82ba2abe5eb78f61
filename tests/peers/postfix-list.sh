# What a real Postfix makes of bans by hand, of return codes, of unban and of the allowlist.
# Run it with: tests/peers/run postfix-list
source "$(dirname "$0")/world.bash"
source "$(dirname "$0")/postfix.bash"

start_banzone
start_postfix

check "a client that is not listed may send" accepted 203.0.113.66
check "the test address 127.0.0.2 is refused" refused 127.0.0.2
check "127.0.0.1 may send" accepted 127.0.0.1

# smtpd keeps what it was told: only after the daemon lists an address does its client come.
check "ban a network" banzone ban 198.51.100.0/24
check "the network is listed" eventually listed 198.51.100.7
check "the network's first address is refused" refused 198.51.100.0
check "the network's last address is refused" refused 198.51.100.255
check "an address of another network may send" accepted 192.0.2.10

check "ban an IPv6 address" banzone ban 2001:db8:5::66
check "the IPv6 address is listed" eventually listed 2001:db8:5::66
check "the IPv6 address is refused" refused 2001:db8:5::66
check "an IPv6 client that is not listed may send" accepted 2001:db8:6::66

check "ban an address by hand" banzone ban 203.0.113.70
check "a ban by hand is listed as 127.0.0.3" eventually listed 203.0.113.70 127.0.0.3
check "127.0.0.3 is refused where 127.0.0.[2..11] counts" refused 203.0.113.70 26
check "127.0.0.3 may send where 127.0.0.[100..110] counts" accepted 203.0.113.70 27

check "ban an address in a jail" banzone ban 203.0.113.71 --jail postfix-sasl --for 2h
check "a ban in a jail is listed with the jail's code" eventually listed 203.0.113.71 127.0.0.4
check "a ban in a jail is refused with the jail's text" refused 203.0.113.71 25 \
    "https://bl.example/ip/203.0.113.71 banned by postfix-sasl until 2"

check "unban an address" banzone unban 203.0.113.71
check "the address is not listed any more" eventually unlisted 203.0.113.71
check "Postfix forgets the ban" forget
check "the address may send again" eventually accepted 203.0.113.71

check "allow a banned address" banzone allow add 203.0.113.70
check "an allowed address is not listed any more" eventually unlisted 203.0.113.70
check "Postfix forgets the allowed address's ban" forget
check "an allowed address may send" eventually accepted 203.0.113.70 26

finish
