# Schemathesis makes requests of all kinds, right and wrong, out of the description that the daemon serves of its API, and
# looks whether the answers are as described. Run it with: tests/peers/run schemathesis
source "$(dirname "$0")/world.bash"

# What is looked at: no answer is a 5xx, and each has a status, a media type and a body that are described for it.
CHECKS=not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,negative_data_rejection

# A token for the requests, made over the socket.
token() {
    banzone token add "$1" --role admin --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["secret"])'
}

# conforms TOKEN SECONDS ARGUMENT...   Makes requests for so long.
conforms() (
    token=$1 seconds=$2
    shift 2
    # It keeps what it finds in the folder that it runs in.
    cd "$WORK"
    HOME=$WORK timeout $((seconds + 60)) "$("$here/venv" path)/bin/schemathesis" run \
        http://127.0.0.1:8053/api/v1/openapi.json --header "Authorization: Bearer $token" --checks "$CHECKS" \
        --phases coverage,fuzzing --max-examples 5 --max-time "$seconds" --request-timeout 40 --seed 1 --no-shrink \
        --rate-limit auto --no-color --report-dir "$WORK/report" "$@"
)

# described   The description names at least so many operations.
described() {
    curl --silent http://127.0.0.1:8053/api/v1/openapi.json |
        python3 -c 'import json, sys; sys.exit(sum(map(len, json.load(sys.stdin)["paths"].values())) < 60)'
}

start_banzone
check "a ban" banzone ban 203.0.113.66 --jail postfix-sasl --reason "made by hand"
check "an entry of the allowlist" banzone allow add 203.0.113.67 --note office
check "the API describes itself" described
# Requests about tokens would end the one that all others show.
check "every answer is as described" conforms "$(token requests)" 60 --exclude-path-regex '/tokens/'
check "also those about tokens" conforms "$(token tokens)" 15 --include-path-regex '/tokens/'
check "the daemon is well" says "^ok" curl --silent http://127.0.0.1:8053/readyz
finish
