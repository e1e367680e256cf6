# SPDX-License-Identifier: Apache-2.0
load helpers

@test "kill -9 of tare at random moments: delete --force leaves nothing" {
	config '.process.args=["sleep","1000"]'
	for i in $(seq 50); do
		for command in create run; do
			"$TARE" --root "$ROOT" $command -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&- &
			pid=$!
			sleep "0.00$((RANDOM % 10))$((RANDOM % 10))"
			kill -9 $pid 2>/dev/null || true
			wait $pid 2>/dev/null || true
			run -0 tare delete --force "$ID"
			[ ! -e "$ROOT/$ID" ]
			[ ! -e "$(cgroup_mount)/$ID" ]
		done
	done
	[ "$(cat /proc/self/mountinfo)" = "$HOST_MOUNTS" ]
	[ -z "$(ls -A "$ROOT")" ]
}

@test "1,000 containers one after another" {
	config '.process.args=["true"]'
	for i in $(seq 1000); do
		tare run -b "$BUNDLE" "$ID" </dev/null
	done
	[ -z "$(ls -A "$ROOT")" ]
}

@test "200 containers created at once" {
	config '.process.args=["sleep","1000"]'
	pids=
	for i in $(seq 200); do
		"$TARE" --root "$ROOT" create -b "$BUNDLE" "$ID.$i" </dev/null >>"$WORK/out" 2>&1 3>&- &
		pids="$pids $!"
	done
	for pid in $pids; do wait "$pid"; done
	[ "$(tare list -q | wc -l)" -eq 200 ]
	for i in $(seq 200); do tare delete --force "$ID.$i"; done
	[ -z "$(ls -A "$ROOT")" ]
}

@test "init outlives the process that created it, however soon that ends" {
	config '.process.args=["sleep","1000"]'
	for i in $(seq 100); do
		create "$ID"
		[ "$(status_of "$ID")" = created ]
		tare delete --force "$ID"
	done
}
