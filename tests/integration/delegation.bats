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
	if [ -n "${DIR:-}" ]; then
		mine delete --force "$ID"
		find "$DIR" ${OTHER_DIR:+"$OTHER_DIR"} -depth -type d -exec rmdir {} +
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

# $1: the cgroup that the container of the plain configuration has to have.
works_in_own_cgroup() {
	pid=$(mine state "$ID" | jq .pid)
	[ "$(sed -n 's/^0:://p' "/proc/$pid/cgroup")" = "$1" ]
	mine start "$ID"
	mine exec -d "$ID" sleep 1000
	run -0 mine ps --format json "$ID"
	[ "$(jq length <<<"$output")" = 2 ]
	mine pause "$ID"
	[ "$(mine state "$ID" | jq -r .status)" = paused ]
	mine resume "$ID"
	[ "$(mine events --stats "$ID" | jq -r .type)" = stats ]
	mine update -r - "$ID" <<<'{"unified":{"cgroup.max.depth":"6"}}'
	[ "$(cat "$(cgroup_mount)$1/cgroup.max.depth")" = 6 ]
	mine kill --all "$ID" KILL
	wait_for '[ "$(mine state "$ID" | jq -r .status)" = stopped ]'
	mine delete "$ID"
	[ ! -e "$(cgroup_mount)$1" ]
}

@test "a configuration without limits: a cgroup beside the caller's, if that is in a delegated one" {
	delegated
	mine create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 || { cat "$WORK/out"; return 1; }
	works_in_own_cgroup "$MINE/$ID"
}

@test "a configuration without limits: a cgroup in the caller's, if that alone is delegated" {
	delegated
	in_own() { as_user "$MINE" "$WORK/tare" --root "$ROOT" "$@"; }
	in_own create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 || { cat "$WORK/out"; return 1; }
	works_in_own_cgroup "$MINE/$ID"
	config '.linux.cgroupsPath="by/name"'
	in_own create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 || { cat "$WORK/out"; return 1; }
	works_in_own_cgroup "$MINE/by/name"
	[ ! -e "$DIR/by" ]
}

@test "a configuration without limits gets no cgroup where none is delegated, or with the manager disabled" {
	delegated
	config '.process.args=["true"]'
	OTHER_DIR=$(cgroup_mount)/$ID.root
	mkdir "$OTHER_DIR" "$OTHER_DIR/own"
	no_cgroup() { # cgroup arguments...
		as_user "$1" "$WORK/tare" --root "$ROOT" "${@:2}" create -b "$BUNDLE" "$ID" </dev/null &>"$WORK/out"
		pid=$(mine state "$ID" | jq .pid)
		inside=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
		mine delete --force "$ID"
		[ "$inside" = "$1" ]
	}
	no_cgroup /
	# Neither of the two belongs to the caller; or only its directory does, without the file cgroup.procs.
	no_cgroup "/$ID.root/own"
	chown $USER_ID "$OTHER_DIR"
	no_cgroup "/$ID.root/own"
	no_cgroup "$MINE/caller" --cgroup-manager disabled
	[ "$(cd "$DIR" && echo */)" = caller/ ]
}

@test "a cgroup that is not delegated to the caller is named, with the command that would delegate one" {
	delegated
	config --arg p "/$ID.not/mine" '.linux.cgroupsPath=$p'
	refused_to "$MINE/caller" "cannot create cgroup '/$ID.not/mine': the caller has no write access to cgroup '/': permission denied" "systemd-run --user --scope -p Delegate=yes"
	config 'del(.linux.cgroupsPath) | .linux.resources.unified={"cgroup.max.depth":"5"}'
	refused_to / "/linux/resources: cannot create cgroup '/$ID': the caller has no write access to cgroup '"
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
	controllers hugetlb
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

@test "limits: a controller that systemd cannot delegate" {
	delegated
	controllers hugetlb
	config '.linux.resources={hugepageLimits:[{pageSize:"2MB",limit:4194304}]}'
	OTHER_DIR=$(cgroup_mount)/$ID.top
	mkdir -p "$OTHER_DIR"/{user@$USER_ID.service,other}/a/caller
	chown -R $USER_ID "$OTHER_DIR"/*/
	refused_to "/$ID.top/other/a/caller" "cannot enable controller 'hugetlb' in cgroup.subtree_control of cgroup '/" "the owner of that cgroup has to delegate it"
	refused_to "/$ID.top/user@$USER_ID.service/a/caller" "cannot enable controller 'hugetlb' in cgroup.subtree_control of cgroup '/" "systemd cannot delegate it: root has to enable it in cgroup.subtree_control of every cgroup above '/$ID.top/user@$USER_ID.service'"
	# As the hint says.
	echo +hugetlb >"$(cgroup_mount)/cgroup.subtree_control"
	echo +hugetlb >"$OTHER_DIR/cgroup.subtree_control"
	as_user "/$ID.top/user@$USER_ID.service/a/caller" "$WORK/tare" --root "$ROOT" create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 || { cat "$WORK/out"; return 1; }
	[ "$(cat "$OTHER_DIR/user@$USER_ID.service/a/$ID/hugetlb.2MB.rsvd.max")" = 4194304 ]
}

@test "limits: a controller that systemd would disable again" {
	delegated
	OTHER_DIR=$(cgroup_mount)/$ID.top
	user=user@$USER_ID.service
	mkdir -p "$OTHER_DIR/$user/app.slice"/{own,a.service/own,b.slice/c/own}
	chown -R $USER_ID "$OTHER_DIR/$user"
	kept() { # cgroup
		as_user "$1" "$WORK/tare" --root "$ROOT" create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 || :
		mine delete --force "$ID"
		run -1 grep "systemd manages" "$WORK/out"
	}
	for controller in '{cpu:{cpus:"0"}}' '{cpu:{shares:2}}' '{blockIO:{weight:100}}'; do
		config --argjson r "$(jq -n "$controller")" '.linux.resources=$r'
		for caller in own b.slice/c/own; do
			refused_to "/$ID.top/$user/app.slice/$caller" "/linux/resources: cannot keep controller '" "': systemd manages the cgroup above it, and disables the controller there (use --systemd-cgroup"
		done
		# Below a unit with Delegate=, and for controllers that slices have in any case.
		kept "/$ID.top/$user/app.slice/a.service/own"
	done
	config '.linux.resources={pids:{limit:9}}'
	kept "/$ID.top/$user/app.slice/own"
}

# A bundle that belongs to the user tester, which has a service manager.
of_tester() {
	command -v as-tester >/dev/null || host_lacks "no user with a service manager"
	chmod 755 "$WORK"
	chown -R tester: "$BUNDLE"
	mkdir "$ROOT" && chown tester: "$ROOT"
	rm "$BUNDLE/config.json"
	as-tester "$TARE" spec --rootless -b "$BUNDLE" 3>&-
	config '.process.terminal=false | .process.env=["PATH=/bin"] | .process.args=["sleep","1000"]'
	chown tester: "$BUNDLE/config.json"
}

of_user() { # tare's arguments
	as-tester "$TARE" --root "$ROOT" "$@" 3>&-
}

@test "a user's service of systemd: the container of a plain configuration has its own cgroup" {
	of_tester
	of_user run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 || { cat "$WORK/out"; return 1; }
	pid=$(of_user state "$ID" | jq .pid)
	cgroup=/user.slice/user-1000.slice/user@1000.service/app.slice/$ID
	[ "$(sed -n 's/^0:://p' "/proc/$pid/cgroup")" = "$cgroup" ]
	of_user exec -d "$ID" sleep 1000 </dev/null >"$WORK/out" 2>&1 || { cat "$WORK/out"; return 1; }
	[ "$(of_user ps --format json "$ID" | jq length)" = 2 ]
	of_user pause "$ID"
	[ "$(of_user state "$ID" | jq -r .status)" = paused ]
	of_user resume "$ID"
	[ "$(of_user events --stats "$ID" | jq '.data.pids.current')" = 2 ]
	of_user update --pids-limit 7 "$ID"
	[ "$(cat "/sys/fs/cgroup$cgroup/pids.max")" = 7 ]
	of_user delete --force "$ID"
	[ ! -e "/sys/fs/cgroup$cgroup" ]
}

@test "a service of systemd: a controller that is not delegated is named, with the line that delegates it" {
	of_tester
	script 'cat /sys/fs/cgroup/cpuset.cpus'
	config '.linux.resources={cpu:{cpus:"0"}}'
	chown -R tester: "$BUNDLE"
	# In a slice of its own: another unit may have enabled the controller in system.slice.
	of_unit() { # Delegate=
		run systemd-run --quiet --uid=tester --slice="$ID.slice" --unit="$ID" --collect --wait --pipe --setenv=PATH="$PATH" \
			--setenv=HOME=/home/tester -p DelegateSubgroup=caller -p "$1" "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID" 3>&-
	}
	of_unit Delegate=pids
	[[ "$status" = 1 && "$output" == *"/linux/resources: cannot enable controller 'cpuset' in cgroup.subtree_control of cgroup '/"*"': permission denied (unit $ID.service has to delegate it: Delegate=cpuset"* ]] || { echo "$output"; return 1; }
	of_unit 'Delegate=pids cpuset'
	[[ "$status" = 0 && "$output" = 0 ]] || { echo "$output"; return 1; }
}

@test "a user's service of systemd: a limit that only a unit keeps" {
	of_tester
	config '.linux.resources={cpu:{cpus:"0"}}'
	chown tester: "$BUNDLE/config.json"
	run ! of_user create -b "$BUNDLE" "$ID"
	[[ "$output" == *"cannot keep controller 'cpuset'"*"use --systemd-cgroup"* ]] || { echo "$output"; return 1; }
	# As the hint says.
	of_user --systemd-cgroup run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 || { cat "$WORK/out"; return 1; }
	of_user list -q
	pid=$(of_user state "$ID" | jq .pid)
	[ "$(cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")/cpuset.cpus")" = 0 ]
	of_user delete --force "$ID"
}

@test "a user's scope of systemd: limits of memory and pids take effect" {
	of_tester
	config '.linux.resources={pids:{limit:9},memory:{limit:33554432,swap:33554432}}'
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
