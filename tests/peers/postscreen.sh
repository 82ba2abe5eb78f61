# Postfix's postscreen adds up the weights of return codes: port 28 gives three points to 127.0.0.4 and one to
# 127.0.0.3, port 29 gives two to 127.0.0.3; three points are enough to be refused.
# Run it with: tests/peers/run postscreen
source "$(dirname "$0")/world.bash"
source "$(dirname "$0")/postfix.bash"

start_banzone
start_postfix

# refused_by_rank CLIENT PORT   postscreen answers itself, without the list's text.
refused_by_rank() {
    says "^<[~*]\* 550 5\.7\.1 .*client \[$1\] blocked using bl\.example" swaks_from "$1" "$2"
}

ban_clients

check "three points are refused" refused_by_rank 203.0.113.66 28
check "three points are refused over IPv6" refused_by_rank 2001:db8::66 28
check "one point passes" accepted 203.0.113.67 28
check "two points pass" accepted 203.0.113.67 29
check "no point passes" accepted 203.0.113.68 28
check "no point passes over IPv6" accepted 2001:db8::68 28

finish
