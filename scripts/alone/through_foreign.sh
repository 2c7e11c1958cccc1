# shellcheck shell=bash
# bottle-egress with somebody else's proxy in pipelock's place: what tinyproxy
# and squid do alike. The other proxy sees CONNECT only, resolves the name
# itself and cannot be told another address, so the origin is localhost.
# shellcheck source=scripts/alone/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

# through_foreign NAME: with the other proxy on $port.
through_foreign() {
	local token proxy host=localhost:${origin##*:}
	make_ca agent
	token=$(openssl rand -hex 24)
	cat >"$work/egress.toml" <<-END
		listen = "127.0.0.1:0"
		next_hop = "http://127.0.0.1:$port"
		upstream_ca = ["origin-ca.pem"]
		[ca]
		cert = "agent.pem"
		key = "agent-key.pem"
		[[route]]
		host = "$host"
		auth = { scheme = "Bearer", token_env = "API_TOKEN" }
		[[route]]
		host = "localhost:1"
	END
	API_TOKEN=$token serve egress "$bin/bottle-egress" --config "$work/egress.toml"
	proxy=http://$address

	answer=$(through "$proxy" "$work/agent.pem" "https://$host/v1/a")
	says "a request gets the real credential and reaches the origin through $1" "\"bearer\":\"$(fingerprint <<<"$token")\""
	answer=$(through "$proxy" "$work/agent.pem" "https://$host/v1/b" --data-binary "@$work/record")
	ends_with "so does a body" 200
	answer=$(through "$proxy" "$work/agent.pem" "https://localhost:1/")
	says "$1 has a say: the port that it does not allow is refused" '"code":"next_hop_refused"'
	"$root/scripts/stream-delays" --noproxy '' --proxy "$proxy" --cacert "$work/agent.pem" \
		"https://$host/demo/stream?n=3&delay_ms=100" >"$work/delays"
	answer=$(awk '$1 < 50000' "$work/delays" | wc -l)
	says "a stream comes through as it is sent" 3
	end "$foreign"
	answer=$(through "$proxy" "$work/agent.pem" "https://$host/v1/direct" || true)
	ends_with "without $1 egress does not go direct" 502
	unseen "the origin saw nothing of that" '"path":"/v1/direct"'
}
