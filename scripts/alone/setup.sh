# shellcheck shell=bash
# What the scripts of this folder begin with: the stand-in as origin, a folder
# that goes away, programs that are ended with the script. Loopback only.
#
# They need the programs in bin/ (make) and print a line for each promise that
# was kept; the first that was not ends the script with 1.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$root/bin
me=scripts/alone/$(basename "$0")
work=$(mktemp -d)
pids=()

end() { # end PID...: the programs and their remains
	kill "$@" 2>/dev/null || true
	wait "$@" 2>/dev/null || true
}
clean_up() {
	if [ ${#pids[@]} -gt 0 ]; then end "${pids[@]}"; fi
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

die() { # die MESSAGE [LOG]
	echo "$me: $1" >&2
	if [ -n "${2-}" ]; then tail -n 20 "$2" >&2; fi
	exit 1
}

# need PROGRAM PACKAGE: a loud skip, except where CI=true.
need() {
	command -v "$1" >/dev/null && return
	if [ "${CI-}" = true ]; then die "$1 is not installed (Debian: $2), and CI=true: a skip is a failure"; fi
	printf '***\n*** %s SKIPPED: %s is not installed (Debian: %s)\n***\n' "$me" "$1" "$2" >&2
	exit 0
}

# until_ready PID LOG COMMAND...: waits until COMMAND succeeds, 20 s at most;
# fails at once when the process is gone.
until_ready() {
	local pid=$1 log=$2 tries=0
	shift 2
	until "$@" 2>/dev/null; do
		kill -0 "$pid" 2>/dev/null || return 1
		[ $((tries += 1)) -le 400 ] || die "not ready after 20 s" "$log"
		sleep 0.05
	done
}
accepts() { (exec 3<>"/dev/tcp/127.0.0.1/$1"); }

# serve NAME PROGRAM ARG...: starts a program that writes a ready file, and sets
# address to what it says.
serve() {
	local name=$1
	shift
	"$@" --ready-file "$work/$name.addr" 2>"$work/$name.log" &
	pids+=($!)
	until_ready $! "$work/$name.log" test -s "$work/$name.addr" || die "$name ended" "$work/$name.log"
	address=$(cat "$work/$name.addr")
}

# serve_on_port NAME COMMAND...: starts somebody else's proxy, which cannot be
# asked for its port: COMMAND is a function that starts it on port $port. A port
# that turns out to be taken is another try. Sets port, and foreign to its process.
serve_on_port() {
	local name=$1 try
	for try in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 10000)) # below what systems choose from
		accepts "$port" 2>/dev/null && continue
		"${@:2}" >"$work/$name.log" 2>&1 &
		foreign=$!
		pids+=("$foreign")
		if until_ready "$foreign" "$work/$name.log" accepts "$port"; then return; fi
	done
	die "$name does not start, $try tries" "$work/$name.log"
}

origin() { # sets origin (its address); its CA is $work/origin-ca.pem
	local program=$bin/standin
	if [ ! -x "$program" ]; then
		program=$work/standin
		(cd "$root" && go build -o "$program" ./scripts/standin)
	fi
	serve standin "$program" --ca-out "$work/origin-ca.pem" --record "$work/record"
	# shellcheck disable=SC2034 # for those who read this file in
	origin=$address
}

make_ca() { # make_ca NAME: $work/NAME.pem and $work/NAME-key.pem, by openssl
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
		-keyout "$work/$1-key.pem" -out "$work/$1.pem" 2>"$work/openssl.log" || die "openssl makes no CA" "$work/openssl.log"
	chmod 600 "$work/$1-key.pem"
}

fingerprint() { printf 'sha256:%s\n' "$(tr -d '\n' | openssl dgst -sha256 -r | cut -c1-16)"; }

# through PROXY CA URL [OPTION...]: the answer, and its status in the last line.
through() { curl -sS --max-time 20 --noproxy '' --proxy "$1" --cacert "$2" -w '\n%{http_code}\n' "${@:4}" "$3"; }

# Promises: each takes the text to print when it is kept, and ends the script
# when it is not.
answer=''
says() { # says TEXT PATTERN: the last answer has PATTERN
	if ! grep -qF -- "$2" <<<"$answer"; then die "$1: no, the answer is: $answer"; fi
	echo "ok  $me: $1"
}
ends_with() { # ends_with TEXT LINE: so the last answer does, with its status as a rule
	if [ "$(tail -n 1 <<<"$answer")" != "$2" ]; then die "$1: no, the answer is: $answer"; fi
	echo "ok  $me: $1"
}
refused_connect() { # refused_connect TEXT PROXY HOST
	local status
	status=$(curl -s -o /dev/null --max-time 20 --noproxy '' --proxy "$2" -w '%{http_connect}' "https://$3/" || true)
	if [ "$status" != 403 ]; then die "$1: no, CONNECT was answered with $status"; fi
	echo "ok  $me: $1"
}
unseen() { # unseen TEXT PATTERN: the origin has no record with PATTERN
	if grep -qF -- "$2" "$work/record"; then die "$1: no, it has a record"; fi
	echo "ok  $me: $1"
}

[ -x "$bin/bottle-egress" ] || die "the programs are not built; run make"
