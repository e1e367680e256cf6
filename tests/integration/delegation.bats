# SPDX-License-Identifier: Apache-2.0
# Cgroups of an unprivileged caller that tare makes itself, below a cgroup that was delegated to this user (cgroups(7)).

load helpers

USER_ID=65534

# Makes a bundle that belongs to the user, and the cgroup $MINE, which is delegated to the user.
delegated() {
	[ "$(cat /proc/sys/user/max_user_namespaces)" -gt 0 ] || not_here "no user namespaces"
	chmod 755 "$WORK" "$BUNDLE"
	cp "$TARE" "$WORK/tare"
	mkdir "$ROOT"
	chown $USER_ID:$USER_ID "$ROOT" "$BUNDLE"
	chown -R $USER_ID:$USER_ID "$BUNDLE/rootfs"
	rm "$BUNDLE/config.json"
	as_user / "$WORK/tare" spec --rootless -b "$BUNDLE"
	config '.process.terminal=false | .process.env=["PATH=/bin"] | .process.args=["sleep","1000"] | .linux.resources={}'
	MINE=/$ID.mine
	DIR=$(cgroup_mount)$MINE
	mkdir "$DIR" "$DIR/caller"
	chown $USER_ID "$DIR" "$DIR"/{cgroup.procs,cgroup.subtree_control} "$DIR/caller" "$DIR/caller/cgroup.procs"
}

# Runs the command in the cgroup, as the user.
as_user() { # cgroup command...
	sh -c 'echo $$ >"$0/cgroup.procs" && exec setpriv --reuid '$USER_ID' --regid '$USER_ID' --clear-groups "$@"' "$(cgroup_mount)$1" "${@:2}" 3>&-
}

mine() { # tare's arguments, called from $MINE/caller
	as_user "$MINE/caller" "$WORK/tare" --root "$ROOT" "$@"
}

refused_to() { # cgroup words...
	run -1 as_user "$1" "$WORK/tare" --root "$ROOT" create -b "$BUNDLE" "$ID"
	for words in "${@:2}"; do
		[[ "$output" == *"$words"* ]] || { echo "$output"; return 1; }
	done
	[ -z "$(mine list -q)" ]
}

teardown() {
	if [ -n "${DIR:-}" ] && [ -d "$DIR" ]; then
		mine delete --force "$ID"
		find "$DIR" -depth -type d -exec rmdir {} +
	fi
	end_case
}

@test "a cgroup beside the caller's, below a delegated one, and by name" {
	delegated
	for path in '' beside "$MINE/a/b"; do
		config --arg p "$path" '.linux.cgroupsPath=$p | .linux.resources.unified={"cgroup.max.depth":"5"}'
		mine create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 || { cat "$WORK/out"; return 1; }
		pid=$(mine state "$ID" | jq .pid)
		case $path in
		'') cgroup=$MINE/$ID ;;
		/*) cgroup=$path ;;
		*) cgroup=$MINE/$path ;;
		esac
		[ "$(sed -n 's/^0:://p' "/proc/$pid/cgroup")" = "$cgroup" ]
		[ "$(cat "$(cgroup_mount)$cgroup/cgroup.max.depth")" = 5 ]
		mine start "$ID"
		mine pause "$ID"
		[ "$(mine state "$ID" | jq -r .status)" = paused ]
		mine resume "$ID"
		run -0 mine exec "$ID" grep ^0: /proc/self/cgroup
		[ "$output" = 0::/ ]
		run -0 mine update -r - "$ID" <<<'{"unified":{"cgroup.max.depth":"6"}}'
		[ "$(cat "$(cgroup_mount)$cgroup/cgroup.max.depth")" = 6 ]
		mine kill --all "$ID" KILL
		wait_for '[ "$(mine state "$ID" | jq -r .status)" = stopped ]'
		mine delete "$ID"
		[ "$(cd "$DIR" && echo */)" = caller/ ]
	done
}

@test "a configuration that needs no cgroup gets none, wherever the caller is" {
	delegated
	config '.process.args=["true"]'
	run -0 as_user / "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	run -0 mine run -b "$BUNDLE" "$ID"
	[ "$(cd "$DIR" && echo */)" = caller/ ]
}

@test "a cgroup that is not delegated to the caller is named, with the command that would delegate one" {
	delegated
	config --arg p "/$ID.not/mine" '.linux.cgroupsPath=$p'
	refused_to "$MINE/caller" "cannot create cgroup '/$ID.not/mine': the caller has no write access to cgroup '/': permission denied" "systemd-run --user --scope -p Delegate=yes"
	config 'del(.linux.cgroupsPath) | .linux.resources.unified={"cgroup.max.depth":"5"}'
	refused_to / "the caller has no write access to cgroup '"
	# The target is delegated, but the caller's cgroup is not: the kernel does not permit a move from there.
	config --arg p "$MINE/x" '.linux.cgroupsPath=$p'
	mkdir "$(cgroup_mount)/$ID.else"
	run -1 as_user "/$ID.else" "$WORK/tare" --root "$ROOT" create -b "$BUNDLE" "$ID"
	rmdir "$(cgroup_mount)/$ID.else"
	[[ "$output" == *"/linux/cgroupsPath: cannot start a process in cgroup '$MINE/x': the caller has no write access to cgroup.procs of cgroup '/': permission denied"* ]]
	[ ! -e "$DIR/x" ]
	# For the same reason exec works only from within the delegated cgroup.
	mine create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1
	mine start "$ID"
	run -255 as_user / "$WORK/tare" --root "$ROOT" exec "$ID" true
	[[ "$output" == *"may not move processes from its own cgroup into that one"* ]]
}

@test "limits: the delegated cgroup must have no processes" {
	delegated
	grep -qw hugetlb "$(cgroup_mount)/cgroup.controllers" || host_lacks "no controller 'hugetlb' in cgroup v2"
	config --arg p "$MINE/x" '.linux.cgroupsPath=$p | .linux.resources={hugepageLimits:[{pageSize:"2MB",limit:4194304}]}'
	if ! grep -qw hugetlb "$(cgroup_mount)/cgroup.subtree_control"; then
		refused_to "$MINE/caller" "cannot enable controller 'hugetlb' in cgroup.subtree_control of cgroup '/'" "the owner of that cgroup has to delegate it"
		echo +hugetlb >"$(cgroup_mount)/cgroup.subtree_control"
	fi
	refused_to "$MINE" "cannot enable controller 'hugetlb' in cgroup.subtree_control of cgroup '$MINE'" "the caller itself is in cgroup '$MINE': mkdir $DIR/caller"
	mine create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 || { cat "$WORK/out"; return 1; }
	[ "$(cat "$DIR/x/hugetlb.2MB.rsvd.max")" = 4194304 ]
	[ "$(cat "$DIR/cgroup.subtree_control")" = hugetlb ]
}

@test "a user's scope of systemd: limits of memory and pids take effect" {
	command -v as-tester >/dev/null || host_lacks "no user with a service manager"
	chmod 755 "$WORK"
	chown -R tester: "$BUNDLE"
	mkdir "$ROOT" && chown tester: "$ROOT"
	rm "$BUNDLE/config.json"
	as-tester "$TARE" spec --rootless -b "$BUNDLE" 3>&-
	config '.process.terminal=false | .process.env=["PATH=/bin"] | .linux.resources={pids:{limit:9},memory:{limit:33554432,swap:33554432}}'
	script 'grep ^0: /proc/self/cgroup; cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max; dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null; echo $?'
	chown tester: "$BUNDLE/config.json"
	# As the hint of the error message describes.
	run -0 as-tester systemd-run --quiet --user --scope -p Delegate=yes "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID" 3>&-
	[ "$output" = $'0::/\n9\n33554432\n137' ] || { echo "$output"; return 1; }
	# The caller first moves itself into a child cgroup, so that the delegated one has no processes.
	config '.process.args=["sleep","1000"]'
	chown tester: "$BUNDLE/config.json"
	# The script is a file, because systemd-run would expand the dollar signs.
	cat >"$WORK/moved" <<'SCRIPT'
own=$(sed -n s/^0:://p /proc/self/cgroup)
cd "/sys/fs/cgroup$own" && mkdir caller && echo $$ >caller/cgroup.procs || exit
"$1" --root "$2" run -d -b "$3" "$4" </dev/null >/dev/null 2>"$3/err" || { cat "$3/err"; exit 1; }
cat "$4/pids.max" "$4/memory.max"
wc -l <"$4/cgroup.procs"
"$1" --root "$2" delete --force "$4"
[ ! -e "$4" ] && echo gone
SCRIPT
	run -0 as-tester sh "$WORK/moved" "$TARE" "$ROOT" "$BUNDLE" "$ID" 3>&-
	[ "$output" = $'9\n33554432\n1\ngone' ] || { echo "$output"; return 1; }
}
