# SPDX-License-Identifier: Apache-2.0
# What the kernel shows in the container for each property of the process (runtime-spec config.md, "Process").
load helpers

@test "user, groups, umask, working directory" {
	config '.process.user={"uid":1000,"gid":100,"additionalGids":[5,77],"umask":63} | .process.cwd="/made/here"'
	inside 'id -u; id -g; id -G; umask; pwd'
	[ "${lines[0]}" = 1000 ]
	[ "${lines[1]}" = 100 ]
	[ "${lines[2]}" = "100 5 77" ]
	[ "${lines[3]}" = 0077 ]
	[ "${lines[4]}" = /made/here ]
}

@test "umask is 0022 by default" {
	for callers in 0 077 022; do
		(umask $callers && inside 'umask' && [ "$output" = 0022 ])
	done
	config '.process.user.umask=0'
	inside 'umask; : >/tmp/file; stat -c %a /tmp/file'
	[ "$output" = $'0000\n666' ]
	config '.process.user.umask=511'
	inside 'umask'
	[ "$output" = 0777 ]
}

@test "groups are the configured ones, whatever the caller's are; the user name is ignored" {
	config '.process.user={"uid":7,"gid":8,"username":"root"} | .process.args=["sh","-c","id -u; id -g; id -G"]'
	run -0 setpriv --groups 5,6,7 "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = $'7\n8\n8' ]
	config '.process.user.additionalGids=[1000,9]'
	run -0 setpriv --groups 5,6,7 "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = $'7\n8\n8 9 1000' ]
}

@test "capability sets are exactly the requested ones" {
	# CAP_CHOWN 0, CAP_KILL 5, CAP_NET_BIND_SERVICE 10
	config '.process.capabilities={"bounding":["CAP_CHOWN","CAP_KILL","CAP_NET_BIND_SERVICE"],"permitted":["CAP_CHOWN","CAP_KILL"],
		"effective":["CAP_KILL"],"inheritable":["CAP_KILL"],"ambient":["CAP_KILL"]} | .process.user.uid=1000'
	config '.process.args=["grep","Cap","/proc/self/status"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "${lines[0]}" = $'CapInh:\t0000000000000020' ]
	[ "${lines[1]}" = $'CapPrm:\t0000000000000020' ]
	[ "${lines[2]}" = $'CapEff:\t0000000000000020' ]
	[ "${lines[3]}" = $'CapBnd:\t0000000000000421' ]
	[ "${lines[4]}" = $'CapAmb:\t0000000000000020' ]
}

@test "without capabilities all sets are empty" {
	config 'del(.process.capabilities)'
	inside 'grep Cap /proc/self/status'
	[ "$(echo "$output" | grep -c 0000000000000000)" -eq 5 ]
}

@test "an unknown capability is a warning in the log" {
	config '.process.capabilities.bounding += ["CAP_WRONG"] | .process.args=["true"]'
	run -0 tare --log "$WORK/log" run -b "$BUNDLE" "$ID"
	grep -q CAP_WRONG "$WORK/log"
	[ -z "$output" ]
}

# The hexadecimal mask of a line of /proc/self/status.
mask() {
	echo "$output" | sed -n "s/^$1:\t//p"
}

@test "every capability of the caller can be granted" {
	config --argjson all "$("$TARE" features | jq .linux.capabilities)" '.process.capabilities={bounding:$all,permitted:$all,effective:$all,inheritable:$all,ambient:$all}
		| .process.args=["grep","Cap","/proc/self/status"]'
	run -0 tare --log "$WORK/log" run -b "$BUNDLE" "$ID"
	granted=$(sed -n 's/^CapPrm:\t//p' /proc/self/status)
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do [ "$(mask $set)" = "$granted" ]; done
	# Capabilities that this kernel has and the caller does not are a warning.
	[ "$granted" = 000001ffffffffff ] || grep -q warning "$WORK/log"
}

@test "a capability that cannot be granted is a warning in the log" {
	# CAP_CHOWN 0, CAP_NET_RAW 13
	config '["CAP_CHOWN","CAP_NET_RAW"] as $c | .process.capabilities={bounding:$c,permitted:$c,effective:$c,inheritable:$c,ambient:$c}
		| .process.args=["grep","Cap","/proc/self/status"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$(mask CapEff) $(mask CapBnd)" = "0000000000002001 0000000000002001" ]
	run -0 setpriv --inh-caps -net_raw --bounding-set -net_raw "$TARE" --root "$ROOT" --log "$WORK/log" run -b "$BUNDLE" "$ID"
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do [ "$(mask $set)" = 0000000000000001 ]; done
	grep -q "warning.*CAP_NET_RAW" "$WORK/log" || { cat "$WORK/log"; return 1; }
}

@test "a capability that a set cannot have without another set is a warning, and the others are granted" {
	# capabilities(7): CAP_KILL 5, CAP_NET_BIND_SERVICE 10, CAP_NET_RAW 13
	refused() { # what the sets are, what is said, CapInh CapPrm CapEff CapBnd CapAmb
		config "$1"' | .process.args=["grep","^Cap","/proc/self/status"]'
		rm -f "$WORK/log"
		run -0 tare --log "$WORK/log" run -b "$BUNDLE" "$ID"
		[ "$(echo "$output" | awk '{ print $2 }' | sed 's/^0*\(.\)/\1/' | paste -sd ' ')" = "$3" ] || { echo "$1: $output"; return 1; }
		[ "$(grep -c warning "$WORK/log")" = 1 ]
		grep -q "warning.*$2" "$WORK/log" || { cat "$WORK/log"; return 1; }
	}
	refused '["CAP_KILL","CAP_NET_RAW"] as $c | .process.capabilities={bounding:$c,permitted:["CAP_KILL"],effective:$c,inheritable:["CAP_KILL"],ambient:["CAP_KILL"]}
		| .process.user={uid:7,gid:7}' "CAP_NET_RAW cannot be effective" "20 20 20 2020 20"
	refused '.process.capabilities={bounding:["CAP_KILL"],permitted:["CAP_KILL"],effective:["CAP_KILL"],inheritable:["CAP_KILL","CAP_NET_RAW"]}
		| .process.user={uid:7,gid:7}' "CAP_NET_RAW cannot be inheritable" "20 0 0 20 0"
	refused '["CAP_KILL","CAP_NET_RAW"] as $c | .process.capabilities={bounding:$c,permitted:$c,effective:$c,inheritable:["CAP_KILL"],ambient:$c}
		| .process.user={uid:7,gid:7}' "CAP_NET_RAW cannot be ambient" "20 20 20 2020 20"
}

@test "no_new_privs" {
	inside 'grep NoNewPrivs /proc/self/status'
	[ "$output" = $'NoNewPrivs:\t0' ]
	config '.process.noNewPrivileges=true'
	inside 'grep NoNewPrivs /proc/self/status'
	[ "$output" = $'NoNewPrivs:\t1' ]
}

@test "rlimits of every type, and each of them once" {
	# No limit is above the caller's. The rows are the kernel's, in its order.
	limits="CPU 1000 2000,FSIZE 1000000000 2000000000,DATA 1000000000000 2000000000000,STACK 1048576 2097152,CORE 4096 8192,RSS 1000000000 2000000000,
		NPROC 500 1000,NOFILE 100 200,MEMLOCK 4096 8192,AS 1000000000000000 2000000000000000,LOCKS 30 40,SIGPENDING 100 200,MSGQUEUE 1000 2000,
		NICE 0 0,RTPRIO 0 0,RTTIME 10000 20000"
	config --arg l "$(tr -d '\n\t' <<<"$limits")" '.process.rlimits=[$l|split(",")[]|split(" ")|{type:("RLIMIT_"+.[0]),soft:(.[1]|tonumber),hard:(.[2]|tonumber)}]
		| .process.args=["cat","/proc/self/limits"]'
	run_container
	[ "$(sed '1d; s/  */ /g; s/ [a-z]* *$//' <<<"$output")" = "Max cpu time 1000 2000
Max file size 1000000000 2000000000
Max data size 1000000000000 2000000000000
Max stack size 1048576 2097152
Max core file size 4096 8192
Max resident set 1000000000 2000000000
Max processes 500 1000
Max open files 100 200
Max locked memory 4096 8192
Max address space 1000000000000000 2000000000000000
Max file locks 30 40
Max pending signals 100 200
Max msgqueue size 1000 2000
Max nice priority 0 0
Max realtime priority 0 0
Max realtime timeout 10000 20000" ] || { echo "$output"; return 1; }
	# jq would round this number.
	config '.process.rlimits=[{type:"RLIMIT_CPU",soft:"no",hard:"no"}]'
	sed -i 's/"no"/18446744073709551615/' "$BUNDLE/config.json"
	run_container
	[[ "$output" =~ "Max cpu time"\ +unlimited\ +unlimited ]]
	for type in CPU FSIZE DATA STACK CORE RSS NPROC NOFILE MEMLOCK AS LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME; do
		config --arg t RLIMIT_$type '.process.rlimits=[{type:$t,soft:0,hard:0},{type:$t,soft:0,hard:0}]'
		run_container "" 1
		[[ "$output" == *"/process/rlimits/1/type: rlimit 'RLIMIT_$type' given twice"* ]]
	done
	config '.process.rlimits=[{type:"RLIMIT_SPEED",soft:0,hard:0}]'
	run_container "" 1
	[[ "$output" == *"/process/rlimits/0/type: unknown rlimit 'RLIMIT_SPEED'"* ]]
}

@test "the environment is exactly the configured one, and HOME is from the container's passwd" {
	echo 'user:x:1000:1000::/home/of/user:/bin/sh' >"$BUNDLE/rootfs/etc/passwd"
	config '.process.env=["PATH=/bin","A=1","A=2","B= x "] | .process.user.uid=1000 | .process.args=["env"]'
	SECRET=leaks run -0 tare run -b "$BUNDLE" "$ID"
	[ "$(echo "$output" | sort)" = $'A=2\nB= x \nHOME=/home/of/user\nPATH=/bin' ]
	config '.process.user.uid=4'
	run -0 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"HOME=/"* ]]
	config '.process.env+=["HOME=/mine"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"HOME=/mine"* ]]
}

@test "an empty HOME is replaced by the passwd entry: run, exec, and its document" {
	echo 'user:x:1000:1000::/home/of/user:/bin/sh' >"$BUNDLE/rootfs/etc/passwd"
	config '.process.env=["PATH=/bin","HOME=","A=1"] | .process.user.uid=1000 | .process.args=["env"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$(sort <<<"$output")" = $'A=1\nHOME=/home/of/user\nPATH=/bin' ]
	config '.process.args=["sleep","1000"]'
	create "$ID"
	tare start "$ID"
	run -0 tare exec "$ID" env
	[ "$(sort <<<"$output")" = $'A=1\nHOME=/home/of/user\nPATH=/bin' ]
	run -0 tare exec -e HOME=/mine "$ID" env
	[ "$(sort <<<"$output")" = $'A=1\nHOME=/mine\nPATH=/bin' ]
	run -0 tare exec -e HOME= "$ID" env
	[ "$(sort <<<"$output")" = $'A=1\nHOME=/home/of/user\nPATH=/bin' ]
	echo '{"cwd":"/","args":["env"],"env":["PATH=/bin","HOME="],"user":{"uid":1000,"gid":1000}}' >"$WORK/process.json"
	run -0 tare exec --process "$WORK/process.json" "$ID"
	[ "$(sort <<<"$output")" = $'HOME=/home/of/user\nPATH=/bin' ]
}

@test "HOME is read from a passwd that only the container's root may read, or that is in its private directory" {
	echo 'user:x:1000:1000::/home/of/user:/bin/sh' >"$BUNDLE/rootfs/etc/passwd"
	own "$BUNDLE/rootfs/etc/passwd"
	homes() { # how
		config '.process.args=["sh","-c","echo $HOME; cat /etc/passwd 2>/dev/null || echo closed"]'
		run -0 tare run -b "$BUNDLE" "$ID"
		[ "$output" = $'/home/of/user\nclosed' ] || { echo "$1: run: $output"; return 1; }
		config '.process.args=["sleep","1000"]'
		create "$ID"
		tare start "$ID"
		run -0 tare exec "$ID" sh -c 'echo $HOME; cat /etc/passwd 2>/dev/null || echo closed'
		[ "$output" = $'/home/of/user\nclosed' ] || { echo "$1: exec: $output"; return 1; }
		tare delete --force "$ID"
	}
	config '.process.user={uid:1000,gid:1000} | .process.noNewPrivileges=true | .process.capabilities={}'
	chmod 600 "$BUNDLE/rootfs/etc/passwd"
	homes file
	chmod 644 "$BUNDLE/rootfs/etc/passwd"
	chmod 700 "$BUNDLE/rootfs/etc"
	homes directory
	config '.process.noNewPrivileges=false'
	homes "with privileges"
	# Readable for the root of the user namespace, and not for other users.
	chmod 755 "$BUNDLE/rootfs/etc"
	chmod 600 "$BUNDLE/rootfs/etc/passwd"
	chown 100000:100000 "$BUNDLE/rootfs/etc/passwd"
	config '.linux.namespaces+=[{type:"user"}] | .linux.uidMappings=[{containerID:0,hostID:100000,size:65536}] | .linux.gidMappings=.linux.uidMappings'
	chmod 755 "$WORK" "$BUNDLE"
	homes "user namespace"
	# A passwd that this root may not read counts as missing.
	chown 0:0 "$BUNDLE/rootfs/etc/passwd"
	config '.process.args=["sh","-c","echo $HOME"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$output" = / ]
}

@test "a passwd that is not a regular file is not opened, and counts as missing" {
	config '.process.args=["sh","-c","echo $HOME"]'
	for make in 'mknod "$passwd" c 4 64' 'mkfifo "$passwd"' 'mkdir "$passwd"' 'ln -s passwd "$passwd"' 'ln -s /proc/self/fd/0 "$passwd"' \
		'ln -s /dev/kmsg "$passwd"' ':'; do
		passwd=$BUNDLE/rootfs/etc/passwd
		rm -rf "$passwd"
		eval "$make"
		run -0 timeout 20 "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID" </dev/null
		[ "$output" = / ] || { echo "$make: $output"; return 1; }
	done
	rm -f "$passwd"
	# If the FIFO were opened for reading, its writer would continue.
	mkfifo "$passwd"
	{ : >"$passwd" && : >"$WORK/opened"; } 3>&- &
	writer=$!
	run -0 tare run -b "$BUNDLE" "$ID"
	kill "$writer"
	[ "$output" = / ]
	[ ! -e "$WORK/opened" ]
	rm -f "$passwd"
	# A symbolic link is followed in the root file system, and does not lead out of it.
	echo 'root:x:0:0::/home/of/root:/bin/sh' >"$BUNDLE/rootfs/tmp/passwd"
	ln -s ../../../../tmp/passwd "$passwd"
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$output" = /home/of/root ]
}

@test "init's environment does not contain the caller's" {
	config '.process.args=["sleep","1000"]'
	SECRET=leaks create "$ID"
	run -1 grep -q leaks "/proc/$(pid_of "$ID")/environ"
}

@test "oom_score_adj is written, or left alone" {
	config '.process.oomScoreAdj=321'
	inside 'cat /proc/self/oom_score_adj'
	[ "$output" = 321 ]
	config 'del(.process.oomScoreAdj)'
	inside 'cat /proc/self/oom_score_adj'
	[ "$output" = "$(cat /proc/self/oom_score_adj)" ]
}

@test "personality, cpu affinity, signals" {
	config '.linux.personality={"domain":"LINUX32"}'
	run -0 taskset 1 "$TARE" --root "$ROOT" spec -f "$WORK/unused"
	script 'uname -m; grep -E "Cpus_allowed_list|SigBlk|SigIgn" /proc/self/status; cat /proc/self/personality'
	run -0 taskset 1 "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "${lines[0]}" != x86_64 ]
	[[ "$output" == *"$(grep Cpus_allowed_list /proc/self/status)"* ]]
	[[ "$output" == *$'SigBlk:\t0000000000000000'* ]]
	[[ "$output" == *$'SigIgn:\t0000000000000000'* ]]
}

@test "hostname, domainname and sysctl" {
	config '.hostname="inside" | .domainname="example.org" | .linux.sysctl={"net.ipv4.ip_unprivileged_port_start":"80","kernel.msgmax":"9000"}'
	inside 'hostname; cat /proc/sys/kernel/domainname /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax'
	[ "$output" = $'inside\nexample.org\n80\n9000' ]
	[ "$(cat /proc/sys/kernel/msgmax)" != 9000 ]
}

@test "hostname and domainname are set in a uts namespace that is joined, and never in the host's" {
	before=$(hostname)
	for name in hostname domainname; do
		config --arg n $name 'del(.hostname,.domainname) | .[$n]="somewhere" | .linux.namespaces|=map(select(.type!="uts"))'
		run_container "" 1
		[[ "$output" == *"/$name: needs a uts namespace in /linux/namespaces"* ]]
	done
	[ "$(hostname)" = "$before" ]
	unshare -u sleep 60 3>&- &
	other=$!
	wait_for "[ \$(readlink /proc/$other/ns/uts) != \$(readlink /proc/self/ns/uts) ]"
	config --arg p "/proc/$other/ns/uts" '.linux.namespaces+=[{"type":"uts","path":$p}] | .hostname="joined" | .domainname="of.all"'
	inside 'hostname; cat /proc/sys/kernel/domainname'
	seen=$(nsenter -u -t $other hostname)
	kill $other
	wait $other || true
	[ "$output $seen" = $'joined\nof.all joined' ]
	[ "$(hostname)" = "$before" ]
}

@test "a session of its own, and only standard descriptors" {
	config '.process.args=["ls","/proc/self/fd"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$(echo "$output" | tr '\n' ' ')" = "0 1 2 3 " ]
	run -0 bash -c 'for i in $(seq 10 60); do eval "exec $i</"; done; exec "$1" --root "$2" run -b "$3" "$4"' _ "$TARE" "$ROOT" "$BUNDLE" "$ID"
	[ "$(echo "$output" | tr '\n' ' ')" = "0 1 2 3 " ]
	inside 'cut -d" " -f1,6 /proc/1/stat'
	[ "$output" = "1 1" ]
}

@test "--preserve-fds and LISTEN_FDS" {
	script 'cat <&3; cat <&4; ls /proc/1/fd'
	run -0 bash -c 'exec 3<<<three 4<<<four; exec "$1" --root "$2" run --preserve-fds 2 -b "$3" "$4"' _ "$TARE" "$ROOT" "$BUNDLE" "$ID"
	[[ "$output" == $'three\nfour\n0\n1\n2\n3\n4'* ]]
	run -1 bash -c 'exec 3<&- 4<&-; exec "$1" --root "$2" run --preserve-fds 2 -b "$3" "$4"' _ "$TARE" "$ROOT" "$BUNDLE" "$ID"
	[[ "$output" == *"cannot preserve descriptors 3 to 4: none of them is open"* ]]
	# Descriptors of socket activation are numbered without gaps.
	run -1 bash -c 'exec 3<&- 4<&- 5<<<five; LISTEN_PID=$$ LISTEN_FDS=2 exec "$1" --root "$2" run --preserve-fds 2 -b "$3" "$4"' _ "$TARE" "$ROOT" "$BUNDLE" "$ID"
	[[ "$output" == *"cannot preserve descriptor 3: it is not open"* ]]
	script 'cat <&3; echo $LISTEN_FDS $LISTEN_PID'
	run -0 bash -c 'exec 3<<<socket; LISTEN_PID=$$ LISTEN_FDS=1 exec "$1" --root "$2" run -b "$3" "$4"' _ "$TARE" "$ROOT" "$BUNDLE" "$ID"
	[ "$output" = $'socket\n1 1' ]
	script 'echo $LISTEN_FDNAMES'
	run -0 bash -c 'exec 3<<<socket; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "$1" --root "$2" run -b "$3" "$4"' _ "$TARE" "$ROOT" "$BUNDLE" "$ID"
	[ "$output" = web ]
	# Variables that name another process, or none, are not for this one.
	script 'echo "<$LISTEN_FDS>"; [ ! -e /proc/1/fd/3 ]'
	for pid in "" LISTEN_PID=1 LISTEN_PID=x; do
		run -0 bash -c 'exec 3<<<socket; LISTEN_FDS=1 exec env $5 "$1" --root "$2" run -b "$3" "$4"' _ "$TARE" "$ROOT" "$BUNDLE" "$ID" "$pid"
		[ "$output" = "<>" ]
	done
}

@test "why a program cannot be executed" {
	mkdir "$BUNDLE/rootfs/dir"
	printf '#!/no/interpreter\n' >"$BUNDLE/rootfs/bin/script"
	printf '#!/bin/sh\r\n' >"$BUNDLE/rootfs/bin/dos"
	printf 'text\n' >"$BUNDLE/rootfs/bin/text"
	printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\363\0%048d' 0 >"$BUNDLE/rootfs/bin/other"
	chmod 755 "$BUNDLE"/rootfs/bin/{script,dos,text,other}
	touch "$BUNDLE/rootfs/bin/plain"
	explain() {
		config --arg p "$1" '.process.args=[$p]'
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"$2"* ]] || { echo "$output"; return 1; }
	}
	explain missing 'exec: "missing": executable file not found in $PATH'
	explain /bin/missing 'no such file or directory'
	explain "echo hi" 'found in $PATH: no such file or directory (its name contains a space: each argument is a separate item of args)'
	explain "/bin/sh -c true" 'no such file or directory (its name contains a space: each argument is a separate item of args)'
	cp "$BUNDLE/rootfs/bin/text" "$BUNDLE/rootfs/bin/a b"
	explain "a b" 'neither a program nor a script'
	explain /dir 'is a directory'
	explain /bin/plain "permission denied (the file, or a directory of its path, is not executable for the container's user)"
	explain plain "permission denied (the file, or a directory of its path, is not executable for the container's user)"
	explain /bin/script "interpreter '/no/interpreter' does not exist"
	explain /bin/dos 'carriage return'
	explain /bin/text "neither a program nor a script"
	explain /bin/other 'another architecture (ELF machine 243)'
	config '.mounts+=[{"destination":"/noexec","type":"bind","source":"rootfs/bin","options":["bind","noexec"]}]'
	explain /noexec/busybox 'permission denied (it is on a mount with the option noexec)'
	explain /noexec/script 'permission denied (it is on a mount with the option noexec)'
	# The first file in the PATH that exists but cannot be executed is named, wherever the search ends.
	config '.process.env=["PATH=/none:/noexec:/dir"]'
	explain busybox 'permission denied (it is on a mount with the option noexec)'
	cp /usr/bin/env "$BUNDLE/rootfs/bin/dynamic"
	loader=$(grep -aom1 '/lib[a-z0-9]*/ld-[a-z0-9._-]*' /usr/bin/env)
	explain /bin/dynamic "its loader '$loader' does not exist in the container"
}

@test "the program is looked up in the container, in the container's PATH" {
	mkdir -p "$BUNDLE/rootfs/first/what" "$BUNDLE/rootfs/second" "$BUNDLE/rootfs/work"
	for dir in second work; do
		printf '#!/bin/sh\necho %s "$0"\n' $dir >"$BUNDLE/rootfs/$dir/what"
		chmod 755 "$BUNDLE/rootfs/$dir/what"
	done
	printf '#!/bin/sh\n' >"$WORK/what"
	chmod 755 "$WORK/what"
	config '.process.args=["what"] | .process.cwd="/work"'
	path() { # PATH WANTED
		config --arg p "PATH=$1" '.process.env=[$p]'
		PATH=$PATH:$WORK run -0 tare run -b "$BUNDLE" "$ID"
		[ "$output" = "$2" ] || { echo "$1: $output"; return 1; }
	}
	# A directory of that name is skipped. An empty element and "." mean the working directory.
	path /none:/first:/second:/work "second /second/what"
	path /work:/second "work /work/what"
	path :/second "work ./what"
	path /none:.:/second "work ./what"
	for args in ./what ../work/what /work/what; do
		config --arg a $args '.process.args=[$a]'
		path /second "work $args"
	done
	config '.process.args=["what"]'
	for env in '["PATH=/none"]' '["PATH="]' '[]'; do
		config ".process.env=$env | .process.cwd=\"/\""
		PATH=$PATH:$WORK run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *'exec: "what": executable file not found in $PATH'* ]]
	done
}

@test "the working directory cannot be outside" {
	for fd in 0 1 2 3 7 10; do
		config --arg c "/proc/self/fd/$fd" '.process.cwd=$c | .process.args=["true"]'
		run tare run -b "$BUNDLE" "$ID"
		[ "$status" -eq 1 ]
	done
	ln -s /proc/self/fd/5 "$BUNDLE/rootfs/link"
	config '.process.cwd="/link"'
	run -1 tare run -b "$BUNDLE" "$ID"
}

@test "the session keyring is new, or the caller's" {
	config '.linux.maskedPaths=[] | .process.args=["cat","/proc/keys"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"_ses.$ID."[0-9a-f]*": "* ]]
	run -0 tare run --no-new-keyring -b "$BUNDLE" "$ID.other"
	[[ "$output" != *"_ses.$ID.other"* ]]
}

@test "--pidfd-socket gets a pidfd of init" {
	command -v python3 >/dev/null || not_here "needs python3"
	cat >"$WORK/receive.py" <<'P'
import array, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
print("ready", flush=True)
peer, _ = server.accept()
data, ancillary, _, _ = peer.recvmsg(100, socket.CMSG_SPACE(4))
fd = array.array("i", ancillary[0][2])[0]
pid = [line.split()[1] for line in open(f"/proc/self/fdinfo/{fd}") if line.startswith("Pid:")][0]
print(data.decode(), pid, flush=True)
P
	python3 "$WORK/receive.py" "$WORK/socket" >"$WORK/received" 3>&- &
	wait_for 'grep -q ready "$WORK/received"'
	own "$WORK/socket"
	config '.process.args=["sleep","1000"]'
	create --pidfd-socket "$WORK/socket" "$ID"
	wait_for '[ "$(tail -n 1 "$WORK/received")" = "standard $(pid_of "$ID")" ]'
}

@test "a very low limit of descriptors applies to the program and not to its start" {
	for n in 0 1 3 4 12; do
		config --argjson n "$n" '.process.rlimits=[{type:"RLIMIT_NOFILE",soft:$n,hard:$n}] | .process.args=["sh","-c","ulimit -Hn; ulimit -Sn"] |
			.hooks.startContainer=[{path:"/bin/true"}]'
		create "$ID"
		tare start "$ID"
		wait_for '[ "$(status_of "$ID")" = stopped ]'
		[ "$(cat "$WORK/out")" = "$n"$'\n'"$n" ]
		tare delete "$ID"
	done
	config '.process.rlimits=[{type:"RLIMIT_NOFILE",soft:3,hard:300}] | .process.args=["sh","-c","ulimit -Hn; ulimit -Sn; sleep 1000"]'
	create "$ID"
	tare start "$ID"
	wait_for 'grep -qx 3 "$WORK/out"'
	[ "$(head -n 1 "$WORK/out")" = 300 ]
	run -0 tare exec "$ID" sh -c 'ulimit -Hn; ulimit -Sn'
	[ "$output" = $'300\n3' ]
}

@test "with a small stack and a large environment the program runs, or the error states why not" {
	config '.process.env=["PATH=/bin"]+[range(20000)|"V\(.)=x"] | .process.rlimits=[{type:"RLIMIT_STACK",soft:65536,hard:65536}] | .process.args=["true"]'
	run_container "" 1
	[[ "$output" == *"rgument list too long"* ]]
	config '.process.env=["PATH=/bin"]+[range(6000)|"V\(.)=x"] | .process.rlimits[0]|=(.soft=1048576|.hard=1048576)
		| .process.args=["sh","-c","env | wc -l"]'
	run_container
	[ "$output" -ge 6000 ]
	# Hooks in the container also get the limit.
	config '.process.env=["PATH=/bin"]+[range(20000)|"V\(.)=x"] | .process.rlimits[0]|=(.soft=65536|.hard=65536)
		| .hooks.startContainer=[{path:"/bin/true",env:["A=b"]}] | .process.args=["true"]'
	run_container "" 1
	[[ "$output" == *"rgument list too long"* ]]
}

@test "HOME is not read from a passwd line with control characters in it" {
	printf 'a:x:77:1::/a\033[2J=:/b\nb:x:77:1::/b:/b\nc:x:78:1::/c\177:/b\n' >"$BUNDLE/rootfs/etc/passwd"
	config '.process.user={uid:77,gid:1}'
	inside 'echo "$HOME"'
	[ "$output" = /b ]
	config '.process.user={uid:78,gid:1}'
	inside 'echo "$HOME"'
	[ "$output" = / ]
}

# Each connection sends a descriptor. The message and the number of descriptors are written to a line of $WORK/received.
@test "sockets for the console and for pidfds have paths of any length" {
	command -v python3 >/dev/null || not_here "needs python3"
	cat >"$WORK/receive.py" <<'P'
import array, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(8)
print("ready", flush=True)
while True:
    peer, _ = server.accept()
    data, ancillary, _, _ = peer.recvmsg(100, socket.CMSG_SPACE(4))
    print(data.decode(), len(array.array("i", ancillary[0][2])), flush=True)
P
	python3 "$WORK/receive.py" "$WORK/socket" >"$WORK/received" 3>&- &
	server=$!
	wait_for 'grep -q ready "$WORK/received"'
	own "$WORK/socket"
	config '.process.args=["sleep","1000"] | .process.terminal=true'
	count=0
	for bytes in 107 108 109 300 1500 4000; do
		long_path "$WORK/socket" $bytes
		create --console-socket "$LONG" --pidfd-socket "$LONG" "$ID" || { echo "$bytes: $(cat "$WORK/err")"; return 1; }
		tare exec -d -t --console-socket "$LONG" --pidfd-socket "$LONG" "$ID" true </dev/null >"$WORK/out" 2>&1 3>&- || { cat "$WORK/out"; return 1; }
		count=$((count + 1))
		wait_for '[ "$(grep -cx "/dev/ptmx 1" "$WORK/received")" = '$((2 * count))' ]'
		wait_for '[ "$(grep -cx "standard 1" "$WORK/received")" = '$count' ]'
		wait_for '[ "$(grep -cx "setns 1" "$WORK/received")" = '$count' ]'
		tare delete --force "$ID"
	done
	# The error message for a socket that is missing, or is not a socket, has room for a path of this length.
	LONG=$WORK/$(printf '%0120d' 0)
	run -1 tare create -b "$BUNDLE" --console-socket "$LONG" "$ID"
	[[ "$output" == *"cannot connect to socket '"*"': no such file or directory" ]]
	: >"$LONG"
	own "$LONG"
	run -1 tare create -b "$BUNDLE" --console-socket "$LONG" "$ID"
	[[ "$output" == *"cannot connect to socket '"*"': connection refused" ]]
	[ ! -e "$ROOT/$ID" ]
	kill "$server"
}

# As podman run --group-add keep-groups requests it.
@test "run.oci.keep_original_groups: run and exec keep the caller's groups, which give access to files" {
	as_group() { setpriv --groups 4242,4243 "$TARE" --root "$ROOT" "$@"; }
	echo shared >"$BUNDLE/rootfs/shared"
	chown 7:4243 "$BUNDLE/rootfs/shared"
	chmod 040 "$BUNDLE/rootfs/shared"
	config '.process.user={uid:1000,gid:1000,additionalGids:[77]} | .process.capabilities={}'
	script 'id -G; cat /shared 2>&1 || true'
	run -0 as_group run -b "$BUNDLE" "$ID" 3>&-
	[[ "$output" == "1000 77"$'\n'*"ermission denied" ]]
	config '.annotations={"run.oci.keep_original_groups":"0"}'
	run -0 as_group run -b "$BUNDLE" "$ID"
	[[ "$output" == "1000 77"$'\n'*"ermission denied" ]]
	for nnp in true false; do
		config --argjson nnp $nnp '.annotations={"run.oci.keep_original_groups":"1"} | .process.noNewPrivileges=$nnp'
		run -0 as_group run -b "$BUNDLE" "$ID"
		[ "$output" = $'1000 4242 4243\nshared' ] || { echo "$nnp: $output"; return 1; }
	done
	config '.process.args=["sleep","1000"]'
	setpriv --groups 5 "$TARE" --root "$ROOT" run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	run -0 as_group exec "$ID" sh -c 'id -G; cat /shared'
	[ "$output" = $'1000 4242 4243\nshared' ]
	run -0 as_group exec -g 11 -g 12 "$ID" id -G
	[ "$output" = "1000 11 12" ]
	tare delete --force "$ID"
	# In a user namespace the groups have no id, but still are the caller's.
	config '.process.args=["sh","-c","grep Groups: /proc/self/status | tr -s \"\\t \" \" \"; cat /shared"] | .linux.namespaces+=[{type:"user"}] | .linux.uidMappings=[{containerID:0,hostID:100000,size:65536}] | .linux.gidMappings=.linux.uidMappings'
	chmod 755 "$WORK" "$BUNDLE"
	run -0 as_group run -b "$BUNDLE" "$ID"
	[ "$output" = $'Groups: 65534 65534 \nshared' ] || { echo "$output"; return 1; }
}

@test "run.oci.keep_original_groups for an unprivileged caller" {
	as() { setpriv --reuid 65534 --regid 65534 --groups 4242 "$WORK/tare" --root "$WORK/theirs" "$@"; }
	cp "$TARE" "$WORK/tare"
	chmod 755 "$WORK" "$WORK/tare"
	chown -R 65534:65534 "$BUNDLE"
	rm "$BUNDLE/config.json"
	as spec --rootless -b "$BUNDLE"
	install -d -o 65534 "$WORK/theirs"
	echo shared >"$BUNDLE/rootfs/shared"
	chown 7:4242 "$BUNDLE/rootfs/shared"
	chmod 040 "$BUNDLE/rootfs/shared"
	config '.process.terminal=false | .process.args=["cat","/shared"] | .process.user.additionalGids=[77]'
	run -1 as run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/process/user/additionalGids: cannot set any additional groups in a rootless container"* ]]
	config '.annotations={"run.oci.keep_original_groups":"1"}'
	run as run -b "$BUNDLE" "$ID"
	[[ "$output" != *"user namespaces"* ]] || host_lacks "user namespaces of an unprivileged caller"
	[ "$status" = 0 ]
	[ "$output" = shared ]
}

# As podman run --preserve-fd=9,40 requests it.
@test "--preserve-fds skips numbers that are not open, and no descriptor of the runtime takes them" {
	# Descriptor 3 is the directory that the shell reads.
	script 'cat <&9; cat <&40; cd /proc/1/fd; echo *'
	inner='.linux.namespaces+=[{type:"user"},{type:"time"}] | .linux.uidMappings=[{containerID:0,hostID:0,size:65536}] | .linux.gidMappings=.linux.uidMappings'
	for change in . '.process.noNewPrivileges=true' '.process.terminal=true' '.hooks={createContainer:[{path:"/bin/true"}],startContainer:[{path:"/bin/true"}]}' "$inner"; do
		config "$change"
		run -0 with_gaps "$TARE" --root "$ROOT" run --preserve-fds 38 -b "$BUNDLE" "$ID" </dev/null
		[ "$(tr -d '\r' <<<"$output")" = $'nine\nforty\n0 1 2 3 40 9' ] || { echo "$change: $output"; return 1; }
	done
	config '.process.terminal=false'
	# Between create and start no descriptor of the host is open except for the program's.
	with_gaps "$TARE" --root "$ROOT" create --preserve-fds 65536 -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1
	left=$(ls -l "/proc/$(pid_of "$ID")/fd" | sed -n 's/.* -> //p' | grep -v -e '^/dev/null' -e '^pipe:' -e '^socket:' -e "^$WORK/out" -e '^/tmp/sh-thd' || true)
	[ -z "$left" ] || { echo "$left"; return 1; }
	tare start "$ID"
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	[ "$(cat "$WORK/out")" = $'nine\nforty\n0 1 2 3 40 9' ]
	run -1 with_gaps "$TARE" --root "$ROOT" run --preserve-fds 6 -b "$BUNDLE" "$ID.b"
	[[ "$output" == *"cannot preserve descriptors 3 to 8: none of them is open"* ]]
}
