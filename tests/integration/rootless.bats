# SPDX-License-Identifier: Apache-2.0
# Callers without privileges: the configuration that spec writes for them, and where their containers' state is.
load helpers

setup_file() {
	[ "$(cat /proc/sys/user/max_user_namespaces)" -gt 0 ] || not_here "no user namespaces"
}

# A bundle, a state root and a copy of tare that user 65534 can use.
for_user() {
	chmod 755 "$WORK" "$BUNDLE"
	cp "$TARE" "$WORK/tare"
	mkdir "$ROOT"
	rm -f "$BUNDLE/config.json"
	chown -R 65534:65534 "$ROOT" "$BUNDLE"
}

# Runs a command as user 65534, named tester, in a mount namespace with these lines of /etc/subuid and /etc/subgid.
with_subids() { # SUBUID SUBGID command...
	printf '%b' "$1" >"$WORK/subuid" && printf '%b' "$2" >"$WORK/subgid"
	printf 'root:x:0:0::/:\ntester:x:65534:65534::/:\n' >"$WORK/passwd"
	unshare -m --propagation private sh -c 'for file in passwd subuid subgid; do
			[ -e /etc/$file ] || touch /etc/$file
			mount --bind "$0/$file" /etc/$file
		done
		exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"' "$WORK" "${@:3}" </dev/null 3>&-
}

mappings() { # of a configuration on standard input
	jq -c '[.linux.uidMappings, .linux.gidMappings][]|map([.containerID,.hostID,.size])'
}

needs_newuidmap() {
	command -v newuidmap >/dev/null && command -v newgidmap >/dev/null || not_here "needs newuidmap (package uidmap)"
}

@test "spec --rootless maps the subordinate ids of the caller, by name and by number" {
	needs_newuidmap
	for_user
	others='root:1:5\ntesters:2:5\ntester\ntester:x:5\ntester:7:\ntester:4294967290:10\n'
	run -0 with_subids "${others}tester:100000:65536" "65534:200000:1000\nother:1:1\ntester:300000:5:\n" "$WORK/tare" spec --rootless -f -
	[ "$(mappings <<<"$output" | tr '\n' ' ')" = '[[0,65534,1],[1,100000,65536]] [[0,65534,1],[1,200000,1000],[1001,300000,5]] ' ]
	# Ranges that contain the caller's own id, or ids of another range, cannot be mapped together with these.
	run -0 with_subids 'tester:65000:1000\ntester:100000:10\ntester:100009:10\ntester:99990:11\ntester:0:0\ntester:100010:1' 'tester:65535:3\ntester:65530:5\n' \
		"$WORK/tare" spec --rootless=true -f -
	[ "$(mappings <<<"$output" | tr '\n' ' ')" = '[[0,65534,1],[1,100000,10],[11,100010,1]] [[0,65534,1],[1,65535,3]] ' ]
	# Group 5 is not among these ids.
	jq -e 'any(.mounts[]; .options//[]|any(.=="gid=5"))|not' <<<"$output"
}

@test "spec --rootless: a container with subordinate ids has a network of its own and a terminal group" {
	needs_newuidmap
	for_user
	with_subids 'tester:100000:65536' 'tester:200000:65536' "$WORK/tare" spec --rootless -b "$BUNDLE"
	jq -e '[.linux.namespaces[].type]|sort==["cgroup","ipc","mount","network","pid","user","uts"]' "$BUNDLE/config.json"
	jq -e '.linux|has("resources")|not' "$BUNDLE/config.json"
	chmod 644 "$BUNDLE/config.json"
	config '.root.readonly=false | .process.terminal=false | .process.capabilities.bounding+=["CAP_SETUID","CAP_SETGID","CAP_CHOWN"] | .process.capabilities.effective=.process.capabilities.bounding | .process.capabilities.permitted=.process.capabilities.bounding'
	# The kernel shows the group's number on the host.
	script 'id -u; ls /sys/class/net; touch /file; chown 1000:1000 /file; stat -c %u:%g /file; grep -c gid=200004, /proc/mounts; ls -d /sys/kernel'
	run -0 with_subids 'tester:100000:65536' 'tester:200000:65536' "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = $'0\nlo\n1000:1000\n1\n/sys/kernel' ] || { echo "$output"; return 1; }
	[ "$(stat -c %u:%g "$BUNDLE/rootfs/file")" = 100999:200999 ]
	config '.process.user={"uid":7,"gid":8}'
	script 'id -u; id -g'
	run -0 with_subids 'tester:100000:65536' 'tester:200000:65536' "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = $'7\n8' ]
}

@test "spec --rootless: one id and the host's network without subordinate ids, or with =single" {
	for_user
	with_subids "" "" "$WORK/tare" spec --rootless -f - >"$WORK/none"
	[ "$(mappings <"$WORK/none" | tr '\n' ' ')" = '[[0,65534,1]] [[0,65534,1]] ' ]
	jq -e '[.linux.namespaces[].type]|sort==["cgroup","ipc","mount","pid","user","uts"]' "$WORK/none"
	jq -e 'any(.mounts[]; .destination=="/sys" and (.options|any(.=="rbind")))' "$WORK/none"
	jq -e 'any(.mounts[]; .options//[]|any(.=="gid=5"))|not' "$WORK/none"
	with_subids 'tester:100000:65536' 'tester:100000:65536' "$WORK/tare" spec --rootless=single -f - | diff "$WORK/none" -
	# Ids of one kind, or no program to map them.
	with_subids 'tester:100000:65536' '' "$WORK/tare" spec --rootless -f - | diff "$WORK/none" -
	with_subids '' 'tester:100000:65536' "$WORK/tare" spec --rootless -f - | diff "$WORK/none" -
	mkdir "$WORK/bin" && ln -s "$(command -v setpriv)" "$(command -v unshare)" "$(command -v mount)" "$WORK/bin"
	PATH=$WORK/bin:$PATH with_subids 'tester:100000:65536' 'tester:100000:65536' env PATH="$WORK/bin" "$WORK/tare" spec --rootless -f - | diff "$WORK/none" -
	# In a user namespace that does not have these ids.
	with_subids '65534:100000:65536\n0:100000:65536' '0:100000:65536' unshare -Ur "$WORK/tare" spec --rootless -f - >"$WORK/nested"
	[ "$(mappings <"$WORK/nested" | tr '\n' ' ')" = '[[0,0,1]] [[0,0,1]] ' ]
	cp "$WORK/none" "$BUNDLE/config.json"
	config '.process.terminal=false | .root.readonly=false'
	script 'ls /sys/class/net'
	run -0 with_subids "" "" "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = "$(ls /sys/class/net)" ]
}

@test "spec --rootless: values of the flag, and files of subordinate ids that cannot be read" {
	for_user
	for value in single true false 1 0; do
		run -0 with_subids "" "" "$WORK/tare" spec "--rootless=$value" -f -
		[ "$(jq '.linux|has("uidMappings")' <<<"$output")" = "$([ "$value" = false ] || [ "$value" = 0 ] && echo false || echo true)" ]
	done
	run -1 with_subids "" "" "$WORK/tare" spec --rootless=many -f -
	[ "$output" = "tare: spec: invalid value 'many' for flag --rootless: must be single, true or false" ]
	run -1 with_subids "" "" "$WORK/tare" spec --rootless single -f -
	[ "$output" = "tare: spec: too many arguments: 'single'" ]
	: >"$WORK/subgid"
	run -1 unshare -m --propagation private sh -c 'chmod 0 "$0/subgid" && mount --bind "$0/subgid" /etc/subgid &&
		exec setpriv --reuid 65534 --regid 65534 --clear-groups "$0/tare" spec --rootless -f -' "$WORK"
	[ "$output" = "tare: spec: cannot read '/etc/subgid': permission denied" ]
}

@test "a user's configuration without --rootless: what it needs is named, and an unmapped group is omitted" {
	for_user
	with_subids "" "" "$WORK/tare" spec -b "$BUNDLE"
	chmod 644 "$BUNDLE/config.json"
	config '.process.terminal=false | .root.readonly=false'
	script 'grep " /dev/pts " /proc/mounts'
	run -1 with_subids "" "" "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/linux/namespaces: an unprivileged caller needs a user namespace (tare spec --rootless writes one)" ]]
	config '.linux.namespaces+=[{"type":"user"}] | .linux.uidMappings=[{"containerID":0,"hostID":65534,"size":1}] | .linux.gidMappings=.linux.uidMappings | del(.linux.resources)'
	: >"$WORK/log" && chmod 666 "$WORK/log"
	run -0 with_subids "" "" "$WORK/tare" --root "$ROOT" --log "$WORK/log" run -b "$BUNDLE" "$ID"
	[[ "$output" == *mode=600* && "$output" != *gid=5* ]]
	grep -q "/mounts/2: option 'gid=5' is omitted: the group is not mapped" "$WORK/log" || { cat "$WORK/log"; return 1; }
}

# A bundle that needs newuidmap and newgidmap: its container has the ids of the line $ids. $bin is an empty directory for
# other copies of these programs.
for_subids() {
	needs_newuidmap
	for_user
	with_subids "" "" "$WORK/tare" spec -b "$BUNDLE"
	chmod 644 "$BUNDLE/config.json"
	config '.process.terminal=false | .root.readonly=false | .linux.namespaces+=[{"type":"user"}] | del(.linux.resources) | .linux.uidMappings=[{"containerID":0,"hostID":100000,"size":65536}] | .linux.gidMappings=.linux.uidMappings'
	ids='tester:100000:65536'
	bin=$WORK/bin
	chown -R 100000:100000 "$BUNDLE/rootfs"
	mkdir "$bin"
}

# Runs the container as tester with these lines of /etc/subuid and /etc/subgid, PATH, and words before the command. The
# error is one line with this hint.
refused_map() { # map subuid subgid PATH hint [word...]
	local map=$1 hint=$5
	run -1 with_subids "$2" "$3" env PATH="$4" "${@:6}" "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = "tare: run $ID: /linux/${map}Mappings: cannot write the $map map of the user namespace: operation not permitted ($hint)" ] || { echo "$output"; return 1; }
}

@test "newuidmap is absent, has no rights, or does not map the ids: one line for each cause" {
	for_subids
	script 'cat /proc/self/uid_map'
	own="set-user-ID root nor has a file capability: as root: chmod u+s on it, or install its package again"
	run -0 with_subids $ids $ids "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == *100000*65536 ]]
	# It is absent.
	refused_map uid $ids $ids "$bin" "newuidmap is not installed: install the package uidmap or shadow-utils" /usr/bin/env
	cp "$(command -v newuidmap)" "$bin/newuidmap"
	# It is not set-user-ID, and has no capability in place of that.
	chmod 755 "$bin" "$bin/newuidmap"
	refused_map uid $ids $ids "$bin" "'$bin/newuidmap' is neither $own" /usr/bin/env
	chown 65534 "$bin/newuidmap" && chmod u+s "$bin/newuidmap"
	refused_map uid $ids $ids "$bin" "'$bin/newuidmap' is neither $own" /usr/bin/env
	chown 0 "$bin/newuidmap" && chmod u+s "$bin/newuidmap"
	refused_map gid $ids $ids "$bin" "newgidmap is not installed: install the package uidmap or shadow-utils" /usr/bin/env
	refused_map uid $ids $ids "$PATH" "'$(command -v newuidmap)' gets no rights, because no_new_privs is set for this process: call tare without no_new_privs (systemd: NoNewPrivileges=no)" setpriv --no-new-privs
	# The range is not the caller's, or not all of it is.
	for lines in '' 'other:100000:65536' '65535:100000:65536' 'tester:100001:65536' 'tester:200000:65536\ntester:x:65536'; do
		refused_map uid "$lines" $ids "$PATH" "/etc/subuid does not permit uid 100000 to the caller: use ids of its lines, or add tester:100000:65536"
	done
	refused_map uid 'tester:100000:65535' $ids "$PATH" "/etc/subuid does not permit uid 165535 to the caller: use ids of its lines, or add tester:100000:65536"
	refused_map gid $ids 'tester:110000:55536\n65534:100000:9000' "$PATH" "/etc/subgid does not permit gid 109000 to the caller: use ids of its lines, or add tester:100000:65536"
	# Ids that the caller's own user namespace does not have cannot be mapped at all.
	refused_map uid $ids $ids "$PATH" "the caller's user namespace has no uid 100000, which is to be mapped (/proc/self/uid_map)" unshare -Ur
	refused_map uid $ids $ids /none "the caller's user namespace has no uid 100000, which is to be mapped (/proc/self/uid_map)" /usr/bin/unshare -Ur
	# Two lines that adjoin are one range.
	run -0 with_subids 'tester:101000:64536\n65534:100000:1000' $ids "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
}

@test "newuidmap on a mount with nosuid has no rights, and with file capabilities it has" {
	for_subids
	script 'true'
	end_watch
	mount -t tmpfs -o mode=755 bin "$bin"
	cp "$(command -v newuidmap)" "$(command -v newgidmap)" "$bin"
	chmod 4755 "$bin"/new*
	run -0 with_subids $ids $ids env PATH="$bin" "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	mount -o remount,bind,nosuid "$bin"
	refused_map uid $ids $ids "$bin" "'$bin/newuidmap' is on a file system that is mounted nosuid: mount it without nosuid" /usr/bin/env
	mount -o remount,bind,suid "$bin"
	chmod 755 "$bin"/new*
	command -v setcap || not_here "needs setcap"
	setcap cap_setuid+ep "$bin/newuidmap" || not_here "no file capabilities"
	setcap cap_setgid+ep "$bin/newgidmap"
	run -0 with_subids $ids $ids env PATH="$bin" "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	setcap cap_setuid+ep "$bin/newgidmap"
	refused_map gid $ids $ids "$bin" "'$bin/newgidmap' is neither set-user-ID root nor has a file capability: as root: chmod u+s on it, or install its package again" /usr/bin/env
}

# --- the root directory without XDG_RUNTIME_DIR and --root

# Runs a script as user 65534 in a mount namespace with an empty /run and an empty /tmp, in which $WORK is at /mnt. $T is
# tare, $B the bundle. Before, prepare runs there as root.
elsewhere() { # PREPARE SCRIPT
	unshare -m --propagation private sh -ec 'mount --bind "$0" /mnt && mount -t tmpfs -o mode=755 none /run
		mount -t tmpfs -o mode=1777 none /tmp && cd / && user="setpriv --reuid 65534 --regid 65534 --clear-groups"
		eval "$2"
		exec env -u XDG_RUNTIME_DIR T=/mnt/tare B=/mnt/bundle ID="$1" $user sh -c "$3"' "$WORK" "$ID" "$1" "$2" </dev/null 3>&-
}

# A bundle with a program that waits, for elsewhere.
for_elsewhere() {
	for_user
	"$WORK/tare" spec --rootless=single -b "$BUNDLE"
	config '.process.terminal=false | .process.args=["sleep","1000"] | .root.readonly=false | .linux|=(.uidMappings[0].hostID=65534 | .gidMappings[0].hostID=65534)'
	chmod 644 "$BUNDLE/config.json"
	mkdir "$WORK/log" && chmod 777 "$WORK/log"
}

@test "without XDG_RUNTIME_DIR and /run/user, a user's state is in a directory of its own in /tmp" {
	for_elsewhere
	run -0 elsewhere : '
		$T list -q && $T list -f json && ls -A /tmp
		$T --log /mnt/log/create create -b $B $ID >/mnt/log/output 2>&1 && cat /mnt/log/output
		stat -c "%n %a %u:%g" /tmp/* /tmp/tare-65534/$ID/record
		for i in 1 2; do $T --log /mnt/log/later list -q; done
		$T --log /mnt/log/later state $ID | grep -c "status.*created"
		$T --log /mnt/log/later delete --force $ID && ls -A /tmp/tare-65534; ls -d /run/tare 2>/dev/null || true'
	[ "$output" = "null
/tmp/tare-65534 700 65534:65534
/tmp/tare-65534/$ID/record 1600 65534:65534
$ID
$ID
1" ] || { echo "$output"; return 1; }
	[ "$(grep -cF "level=warning msg=\"the state of the container is in '/tmp/tare-65534': XDG_RUNTIME_DIR is not set, and there is no --root\"" "$WORK/log/create")" = 1 ] || { cat "$WORK/log/create"; return 1; }
	[ ! -s "$WORK/log/later" ]
	# An empty variable is no variable. The directory of systemd is used if it belongs to the user alone.
	for prepare in 'mkdir -pm 755 /run/user/65534' 'mkdir -pm 700 /run/user/65534; chown 65533 /run/user/65534' \
		'mkdir -p /run/user/65534; chown 65534 /run/user/65534; chmod 770 /run/user/65534' \
		'mkdir -p /run/user /tmp/other; chown 65534 /tmp/other; ln -s /tmp/other /run/user/65534'; do
		run -0 elsewhere "$prepare" 'export XDG_RUNTIME_DIR=; $T create -b $B $ID >/mnt/log/output 2>&1 && ls -d /tmp/*/$ID && $T delete --force $ID; ls -A /run/user/*/ /tmp/other 2>/dev/null || true'
		[ "${lines[0]}" = "/tmp/tare-65534/$ID" ] || { echo "$prepare: $output"; return 1; }
		run -1 grep -x tare <<<"${output#*$'\n'}"
	done
	run -0 elsewhere 'mkdir -pm 700 /run/user/65534; chown 65534 /run/user/65534' \
		'$T create -b $B $ID >/mnt/log/output 2>&1 && ls -d /run/user/65534/tare/$ID && $T list -q && $T delete --force $ID && ls -A /tmp'
	[ "$output" = "/run/user/65534/tare/$ID"$'\n'"$ID" ]
}

@test "programs that clean /tmp leave the state of a container" {
	command -v systemd-tmpfiles >/dev/null || host_lacks "no systemd-tmpfiles"
	for_elsewhere
	echo 'd /tmp 1777 root root 0' >"$WORK/clean.conf"
	run -0 elsewhere 'mkfifo /mnt/created /mnt/cleaned && chmod 666 /mnt/created /mnt/cleaned
		(read -r line </mnt/created && systemd-tmpfiles --clean /mnt/clean.conf && echo >/mnt/cleaned) 2>/mnt/log/clean &' '
		touch /tmp/old && $T run -d -b $B $ID >/mnt/log/output 2>&1 && echo >/mnt/created && read -r line </mnt/cleaned
		ls -A /tmp && $T list -q && $T exec $ID true && $T kill $ID KILL && $T delete --force $ID && ls -A /tmp/tare-65534'
	[ "$output" = "tare-65534"$'\n'"$ID" ] || { echo "$output"; cat "$WORK/log/clean"; return 1; }
}

@test "what another user has made in /tmp under the name of the root directory is refused" {
	for_elsewhere
	mkdir "$WORK/trap" && chown 65533 "$WORK/trap" && chmod 777 "$WORK/trap"
	mkdir -m 700 "$WORK/mine" && chown 65534 "$WORK/mine"
	at=/tmp/tare-65534
	commands='for command in "list -q" "create -b $B $ID" "state $ID" "delete --force $ID" "kill $ID 0"; do
		$T $command >/mnt/log/output 2>&1 && exit 9
		cat /mnt/log/output
	done
	ls -A /mnt/trap /mnt/mine /tmp/tare-65534/ 2>/dev/null || true'
	while IFS=: read -r reason prepare; do
		run -0 elsewhere "$prepare" "$commands"
		[ "$(grep -c "cannot use the root directory '$at': $reason (set XDG_RUNTIME_DIR to a directory of this user, or give --root)" <<<"$output")" = 5 ] || { echo "$prepare: $output"; return 1; }
		[[ "$output" != *"$ID/"* && "$output" != */$ID && "$output" != *@* ]]
	done <<-EOF
		it belongs to uid 65533:mkdir -m 700 $at && chown 65533 $at
		it belongs to uid 65533:mkdir $at && chown 65533 $at && chmod 777 $at
		it belongs to uid 0:mkdir -m 755 $at
		it belongs to uid 65533:echo >$at && chown 65533 $at
		it belongs to uid 65533:mkfifo $at && chown 65533 $at
		it belongs to uid 65533:ln -s /mnt/trap $at && chown -h 65533 $at
		it belongs to uid 65533:ln -s /mnt/mine $at && chown -h 65533 $at
		it belongs to uid 65533:ln -s /nothing $at && chown -h 65533 $at
		it is not a directory:ln -s /mnt/mine $at && chown -h 65534 $at
		it is not a directory:echo >$at && chown 65534 $at
		other users have access to it:mkdir -m 755 $at && chown 65534 $at
		other users have access to it:mkdir $at && chown 65534 $at && chmod 770 $at
		it is a mount point:mkdir $at && mount -t tmpfs -o mode=700,uid=65534 none $at
	EOF
	run -0 elsewhere 'chmod 777 /tmp' "$commands"
	[ "$(grep -c "cannot use '/tmp' for the root directory: other users can rename files in it (chmod +t /tmp, set XDG_RUNTIME_DIR, or give --root)" <<<"$output")" = 5 ]
	# A directory that only its owner can write to needs no sticky bit.
	run -0 elsewhere 'chmod 755 /tmp && mkdir -m 700 /tmp/tare-65534 && chown 65534 /tmp/tare-65534' '$T list'
	run -0 elsewhere 'umount /tmp; mount --bind /mnt/mine /tmp' '$T list -q'
	[ -z "$output" ]
}

@test "another user that exchanges the root directory in /tmp all the time gets no state" {
	for_elsewhere
	mkdir "$WORK/trap" && chown 65533 "$WORK/trap" && chmod 777 "$WORK/trap"
	cat >"$WORK/exchange" <<-'EOF'
		at=/tmp/tare-65534
		while [ ! -e /mnt/log/end ]; do
			mkdir $at && chmod 777 $at && rmdir $at
			ln -s /mnt/trap $at && rm $at
		done 2>/dev/null
		echo >/mnt/log/ended
	EOF
	run -0 elsewhere 'setpriv --reuid 65533 --regid 65533 --clear-groups sh /mnt/exchange & chmod 777 /mnt/log' '
		for i in $(seq '"$(rounds 60)"'); do
			if $T create -b $B $ID >/mnt/log/output 2>&1; then
				stat -c "%F %u %a" /tmp/tare-65534
				$T delete --force $ID
				rmdir /tmp/tare-65534
			else
				cat /mnt/log/output
			fi
		done
		echo >/mnt/log/end
		until [ -e /mnt/log/ended ]; do sleep 0.1; done
		ls -A /mnt/trap'
	# The user wins, or is refused; both happen.
	grep -v -e '^directory 65534 700$' -e "cannot use the root directory '/tmp/tare-65534': " -e "cannot open the root directory '/tmp/tare-65534': " <<<"$output" | diff /dev/null -
	grep -q "cannot use the root directory" <<<"$output"
}

@test "root of a user namespace has its state where it may write, and where the same user has it outside" {
	for_elsewhere
	config '.linux|=(.uidMappings[0].hostID=0 | .gidMappings[0].hostID=0)'
	cp "$BUNDLE/config.json" "$BUNDLE/outside.json"
	script='export XDG_RUNTIME_DIR=; $T --log /mnt/log/log create -b $B $ID >/mnt/log/output 2>&1 || cat /mnt/log/output
		$T list -q; $T state $ID | grep -c status.*created; ls -d /tmp/*/$ID /run/*/$ID /run/user/*/*/$ID 2>/dev/null; $T delete --force $ID; $T list -q'
	run -0 elsewhere 'mkdir -m 700 /run/tare' "unshare -Urm --propagation private sh -c '$script'"
	[ "$output" = "$ID"$'\n1\n'"/tmp/tare-65534/$ID" ] || { echo "$output"; return 1; }
	# The same user outside sees this container.
	run -0 elsewhere : "unshare -Urm --propagation private \$T create -b \$B \$ID >/mnt/log/output 2>&1; \$T list -q; \$T delete --force \$ID"
	[ "$output" = "$ID" ] || { echo "$output"; return 1; }
	# A /run of the namespace, as in a container.
	run -0 elsewhere : "unshare -Urm --propagation private sh -c 'mount -t tmpfs none /run; $script'"
	[ "$output" = "$ID"$'\n1\n'"/run/tare/$ID" ] || { echo "$output"; return 1; }
	run -0 elsewhere : "unshare -Urm --propagation private sh -c 'mount -t tmpfs -o ro none /run; $script'"
	[ "$output" = "$ID"$'\n1\n'"/tmp/tare-65534/$ID" ] || { echo "$output"; return 1; }
	run -0 elsewhere 'mkdir -pm 700 /run/user/65534; chown 65534 /run/user/65534' "unshare -Urm --propagation private sh -c '$script'"
	[ "$output" = "$ID"$'\n1\n'"/run/user/65534/tare/$ID" ] || { echo "$output"; return 1; }
}

@test "without /proc the user namespace is unknown, so no root directory is guessed" {
	! grep -q __asan_init "$TARE" || skip "AddressSanitizer reads /proc"
	for_elsewhere
	for user in '' 'setpriv --reuid 65534 --regid 65534 --clear-groups'; do
		for command in 'list -q' 'state x' 'kill x' 'delete --force x'; do
			run -1 elsewhere "mount -t tmpfs none /proc; user='$user'" "\$T $command"
			[[ "$output" == "tare: "*": cannot read /proc to choose the root directory: no such file or directory (a procfs has to be mounted on /proc, or give --root)" ]] || { echo "$user, $command: $output"; return 1; }
		done
	done
}

@test "an XDG_RUNTIME_DIR of another user, as su leaves it, is named" {
	for_elsewhere
	run -0 elsewhere 'mkdir -pm 700 /run/user/0' 'export XDG_RUNTIME_DIR=/run/user/0; $T list 2>&1 && exit 9; true'
	[ "$output" = "tare: list: cannot open the root directory '/run/user/0/tare': permission denied (XDG_RUNTIME_DIR is a directory of uid 0: unset it, or give --root)" ]
}
