# SPDX-License-Identifier: Apache-2.0
load helpers

# Each hook writes its state and what it sees into files of its own. startContainer writes them in the container.
all_hooks() {
	cat >"$WORK/hook" <<'H'
#!/bin/sh
name=$1 dir=$2
cat >"$dir/$name.state"
readlink /proc/self/ns/mnt >"$dir/$name.mnt"
date +%s%N >"$dir/$name.time"
echo "$HOOKVAR" >"$dir/$name.env"
H
	chmod 755 "$WORK/hook"
	cp "$WORK/hook" "$BUNDLE/rootfs/hook"
	mkdir "$WORK/out.d" "$BUNDLE/rootfs/out.d"
	own "$WORK/out.d" "$BUNDLE/rootfs/out.d"
	config --arg h "$WORK/hook" --arg d "$WORK/out.d" '
		def hook(n): {path:$h,args:["hook",n,$d],env:["PATH=/usr/bin:/bin","HOOKVAR="+n]};
		.hooks={prestart:[hook("prestart")],createRuntime:[hook("createRuntime")],createContainer:[hook("createContainer")],
		startContainer:[{path:"/hook",args:["hook","startContainer","/out.d"],env:["PATH=/bin","HOOKVAR=startContainer"]}],
		poststart:[hook("poststart")],poststop:[hook("poststop")]}'
}

@test "all six hooks: namespaces, order, state" {
	all_hooks
	config '.process.args=["sleep","1000"]'
	create "$ID"
	pid=$(pid_of "$ID")
	for h in prestart createRuntime createContainer; do
		jq -e --arg id "$ID" --arg b "$BUNDLE" '.status=="creating" and .id==$id and .bundle==$b and .ociVersion=="1.3.0"' "$WORK/out.d/$h.state"
		[ "$(cat "$WORK/out.d/$h.env")" = $h ]
	done
	[ "$(jq .pid "$WORK/out.d/prestart.state")" = "$pid" ]
	[ "$(jq .pid "$WORK/out.d/createContainer.state")" = 1 ]
	[ "$(cat "$WORK/out.d/prestart.mnt")" = "$(readlink /proc/self/ns/mnt)" ]
	[ "$(cat "$WORK/out.d/createContainer.mnt")" = "$(readlink "/proc/$pid/ns/mnt")" ]
	[ ! -e "$BUNDLE/rootfs/out.d/startContainer.state" ]
	tare start "$ID"
	jq -e '.status=="created" and .pid==1' "$BUNDLE/rootfs/out.d/startContainer.state"
	jq -e --argjson pid "$pid" '.status=="running" and .pid==$pid' "$WORK/out.d/poststart.state"
	tare delete --force "$ID"
	jq -e '.status=="stopped"' "$WORK/out.d/poststop.state"
	order=$(for h in prestart createRuntime createContainer poststart poststop; do cat "$WORK/out.d/$h.time"; done)
	[ "$order" = "$(sort <<<"$order")" ]
}

@test "run calls all hooks, too" {
	all_hooks
	config '.process.args=["true"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	for h in prestart createRuntime createContainer poststart poststop; do [ -e "$WORK/out.d/$h.state" ]; done
}

@test "a failing hook aborts the creation and leaves nothing" {
	for kind in prestart createRuntime createContainer; do
		config --arg k $kind '.hooks={} | .hooks[$k]=[{path:"/bin/sh",args:["sh","-c","echo because >&2; exit 5"]}]'
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"/hooks/$kind/0"*"hook '/bin/sh' exited with status 5 (because)"* ]]
		[ ! -e "$ROOT/$ID" ]
		[ ! -e "$(cgroup_of "$ID")" ]
	done
	config '.hooks={"startContainer":[{"path":"/bin/false"}]}'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/hooks/startContainer/0"* ]]
	config '.hooks={"poststart":[{"path":"/bin/false"}]} | .process.args=["sleep","1000"]'
	run -1 tare run -b "$BUNDLE" "$ID"
	[ ! -e "$ROOT/$ID" ]
}

@test "a hook that hangs is killed after its timeout; one that is missing is named" {
	config '.hooks={"createRuntime":[{"path":"/bin/sleep","args":["sleep","1000"],"timeout":1}]}'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"ran past specified timeout of 1.0s" ]]
	config '.hooks={"createRuntime":[{"path":"/no/hook"}]}'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"cannot execute hook '/no/hook': no such file or directory" ]]
	config '.hooks={"createRuntime":[{"path":"/bin/sh -c true"}]}'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"hook '/bin/sh -c true': no such file or directory (its name contains a space: each argument is a separate item of args)" ]]
}

@test "a failing poststop hook is a warning, and the other hooks still run" {
	config --arg f "$WORK/ran" '.hooks={"poststop":[{"path":"/bin/false"},{"path":"/bin/touch","args":["touch",$f]}]} | .process.args=["true"]'
	run -0 tare --log "$WORK/log" run -b "$BUNDLE" "$ID"
	[ -z "$output" ]
	[ -e "$WORK/ran" ]
	grep -q poststop "$WORK/log"
}

@test "hooks without env or args" {
	# Without env a hook of the runtime gets the runtime's environment, and with an empty env nothing.
	config --arg e "$WORK/env1" '.hooks={"createRuntime":[{"path":"/usr/bin/env","args":["env","sh","-c",("env >"+$e)]}]} | .process.args=["true"]'
	MINE=yes run -0 tare run -b "$BUNDLE" "$ID"
	grep -qx MINE=yes "$WORK/env1"
	config --arg e "$WORK/env2" '.hooks={"createRuntime":[{"path":"/bin/busybox","args":["dd","if=/proc/self/environ",("of="+$e)],"env":[]}]}'
	MINE=yes run -0 tare run -b "$BUNDLE" "$ID"
	[ -e "$WORK/env2" ]
	[ ! -s "$WORK/env2" ]
	# startContainer gets the container's environment.
	config '.hooks={"startContainer":[{"path":"/bin/sh","args":["sh","-c","env >/env3"]}]} | .process.env+=["OWN=1"]'
	MINE=yes run -0 tare run -b "$BUNDLE" "$ID"
	grep -qx OWN=1 "$BUNDLE/rootfs/env3"
	run ! grep -q MINE "$BUNDLE/rootfs/env3"
	# Without args the program's argv[0] is its path.
	printf '#!/bin/sh\ntr "\\0" " " </proc/$$/cmdline >"%s"\n' "$WORK/argv" >"$WORK/hook"
	chmod 755 "$WORK/hook"
	config --arg h "$WORK/hook" '.hooks={"createRuntime":[{"path":$h}]}'
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$(cat "$WORK/argv")" = "/bin/sh $WORK/hook " ]
}

@test "a hook that does not read its state, writes a lot, or leaves a child running" {
	config --arg c "$WORK/child" '.annotations=([range(2000)|{key:("key"+tostring),value:("x"*100)}]|from_entries) |
		.hooks={"createRuntime":[{"path":"/bin/true"},{"path":"/bin/sh","args":["sh","-c","yes | head -c 1000000; yes | head -c 1000000 >&2"]},
			{"path":"/bin/sh","args":["sh","-c","sleep 1000 & echo $! >$CHILD"],"env":["PATH=/bin:/usr/bin",("CHILD="+$c)]}]} | .process.args=["echo","fine"]'
	leaves_child() {
		run -0 timeout "$HANGS" "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
		kill "$(cat "$WORK/child")"
		[ "$output" = fine ]
	}
	# The hook's child was not waited for, not even for a while.
	is_emulated && limit=$((HANGS * 1000)) || limit=2500
	sooner_than "$limit" leaves_child
}

@test "output that a hook's children write forever does not use up its time, and its own last line is read" {
	writers='for i in 1 2; do nice -n -20 cat /dev/zero & done; sleep 0.3'
	config --arg s "renice -n -20 \$\$ >/dev/null; $writers; exit 0" '.hooks={"createRuntime":[{"path":"/bin/sh","args":["sh","-c",$s],"timeout":60}]} | .process.args=["true"]'
	# tare runs on the same processor with a lower priority than the writers: the pipe is full whenever it has been
	# emptied.
	cpu=$(taskset -pc $$ | sed 's/.*: //; s/[,-].*//')
	for _ in 1 2 3; do
		run -0 taskset -c "$cpu" nice -n 19 "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	done
	config '.hooks={"createRuntime":[{"path":"/bin/sh","args":["sh","-c","yes | head -c 65000; sleep 5 & echo; echo last words; exit 3"]}]}'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"exited with status 3 (last words)"* ]]
}

@test "hooks of the runtime: the bundle's directory, the container in its cgroup, before pivot_root" {
	cat >"$WORK/hook" <<'H'
#!/bin/sh
pid=$(jq .pid)
pwd >"$1"
grep ^0 "/proc/$pid/cgroup" >>"$1"
readlink "/proc/$pid/root" >>"$1"
grep -c "$2/rootfs/proc " "/proc/$pid/mountinfo" >>"$1"
H
	chmod 755 "$WORK/hook"
	config --arg h "$WORK/hook" --arg o "$WORK/saw" --arg b "$BUNDLE" '.hooks={"createRuntime":[{"path":$h,"args":["hook",$o,$b]}]} | .process.args=["true"]'
	cd "$WORK"
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$(head -n 1 "$WORK/saw")" = "$BUNDLE" ]
	[[ "$(sed -n 2p "$WORK/saw")" == *"$ID" ]]
	[ "$(sed -n 3p "$WORK/saw")" = / ]
	[ "$(sed -n 4p "$WORK/saw")" = 1 ]
}

@test "what a hook mounts before pivot_root is in the container" {
	mkdir "$BUNDLE/rootfs/added"
	cat >"$WORK/hook" <<'H'
#!/bin/sh
pid=$(jq .pid)
exec nsenter -t "$pid" -m sh -c "mount -t tmpfs added '$1/rootfs/added' && echo from-hook >'$1/rootfs/added/file'"
H
	chmod 755 "$WORK/hook"
	config --arg h "$WORK/hook" --arg b "$BUNDLE" '.hooks={"createRuntime":[{"path":$h,"args":["hook",$b]}]}'
	inside 'cat /added/file'
	[ "$output" = from-hook ]
	[ -z "$(ls "$BUNDLE/rootfs/added")" ]
}

@test "a failed creation runs the poststop hooks" {
	for kind in createRuntime createContainer startContainer; do
		rm -f "$WORK/stopped"
		config --arg k $kind --arg f "$WORK/stopped" '.hooks={poststop:[{path:"/bin/sh",args:["sh","-c",("cat >"+$f)]}]} | .hooks[$k]=[{path:"/bin/false"}]'
		run -1 tare run -b "$BUNDLE" "$ID"
		jq -e '.status=="stopped"' "$WORK/stopped"
	done
}

@test "a failing startContainer or poststart hook at start destroys the container" {
	config '.process.args=["sleep","1000"] | .hooks={"poststart":[{"path":"/bin/false"}]}'
	create "$ID"
	pid=$(pid_of "$ID")
	run -1 tare start "$ID"
	[[ "$output" == *"/hooks/poststart/0"* ]]
	[ ! -e "$ROOT/$ID" ]
	ended() { [ ! -e "/proc/$1" ] || grep -q "State:.Z" "/proc/$1/status"; }
	ended "$pid"
	config '.hooks={"startContainer":[{"path":"/bin/false"}]}'
	create "$ID"
	run -1 tare start "$ID"
	[[ "$output" == *"/hooks/startContainer/0"* ]]
	[ ! -e "$ROOT/$ID" ]
	# If the program is missing, a stopped container remains.
	config 'del(.hooks)'
	create "$ID"
	rm "$BUNDLE/rootfs/bin/sleep" "$BUNDLE/rootfs/bin/busybox"
	run -1 tare start "$ID"
	# init exits after it has sent the error.
	wait_for '[ "$(status_of "$ID")" = stopped ]'
}

@test "each hook: its namespaces, its directory, its root, and the container's pid in its state" {
	cat >"$WORK/hook" <<'H'
#!/bin/sh
out=$2/$1.seen
state=$(cat)
for n in pid net mnt ipc uts cgroup; do readlink /proc/self/ns/$n; done >"$out"
pwd >>"$out"
echo /only-here* >>"$out"
echo "$state" | sed 's/.*"pid": *\([0-9]*\).*/\1/' >>"$out"
echo "$state" | sed 's/.*"bundle": *"\([^"]*\)".*/\1/' >>"$out"
H
	chmod 755 "$WORK/hook"
	cp "$WORK/hook" "$BUNDLE/rootfs/hook"
	mkdir "$WORK/out.d" "$BUNDLE/rootfs/out.d" "$BUNDLE/rootfs/here"
	own "$WORK/out.d" "$BUNDLE/rootfs/out.d"
	: >"$BUNDLE/rootfs/only-here"
	config --arg h "$WORK/hook" --arg d "$WORK/out.d" 'def hook(n): [{path:$h,args:["hook",n,$d]}];
		.hooks={prestart:hook("prestart"),createRuntime:hook("createRuntime"),createContainer:hook("createContainer"),
		startContainer:[{path:"/hook",args:["hook","startContainer","/out.d"]}],
		poststart:hook("poststart"),poststop:hook("poststop")} | .process.args=["sleep","1000"] | .process.cwd="/here"'
	cd "$WORK"
	create "$ID"
	pid=$(pid_of "$ID")
	cd /
	tare start "$ID"
	inner=$(for n in pid net mnt ipc uts cgroup; do readlink "/proc/$pid/ns/$n"; done)
	outer=$(for n in pid net mnt ipc uts cgroup; do readlink "/proc/self/ns/$n"; done)
	[ "$(head -n 1 <<<"$inner")" != "$(head -n 1 <<<"$outer")" ]
	cd /tmp
	tare delete --force "$ID"
	seen() { # hook, what is expected: a line for each
		local hook=$1 file=$WORK/out.d/$1.seen
		shift
		[ "$hook" != startContainer ] || file=$BUNDLE/rootfs/out.d/startContainer.seen
		[ "$(cat "$file")" = "$(printf '%s\n' "$@")" ] || { echo "$hook: $(cat "$file")"; return 1; }
	}
	seen prestart "$outer" "$BUNDLE" "/only-here*" "$pid" "$BUNDLE"
	seen createRuntime "$outer" "$BUNDLE" "/only-here*" "$pid" "$BUNDLE"
	# Before pivot_root: the root is still the runtime's, and the working directory is the container's root.
	seen createContainer "$inner" "$BUNDLE/rootfs" "/only-here*" 1 "$BUNDLE"
	seen startContainer "$inner" /here /only-here 1 "$BUNDLE"
	seen poststart "$outer" "$BUNDLE" "/only-here*" "$pid" "$BUNDLE"
	seen poststop "$outer" "$BUNDLE" "/only-here*" 0 "$BUNDLE"
}

@test "poststart runs after the program's execution, poststop after the deletion" {
	cat >"$WORK/hook" <<'H'
#!/bin/sh
state=$(cat)
pid=$(echo "$state" | jq .pid) id=$(echo "$state" | jq -r .id)
if [ "$1" = poststart ]; then
	tr '\0' ' ' <"/proc/$pid/cmdline"
else
	[ ! -e "$4/$id" ] && "$3" --root "$4" state "$id"
fi >"$2/$1" 2>&1
sleep 0.3
echo " over" >>"$2/$1"
H
	chmod 755 "$WORK/hook"
	config --arg h "$WORK/hook" --arg w "$WORK" --arg t "$TARE" --arg r "$ROOT" '.process.args=["sleep","1000"]
		| .hooks={poststart:[{path:$h,args:["hook","poststart",$w]}],poststop:[{path:$h,args:["hook","poststop",$w,$t,$r]}]}'
	create "$ID"
	tare start "$ID"
	[ "$(cat "$WORK/poststart")" = "sleep 1000  over" ]
	cgroup=$(cgroup_of "$ID")
	[ -d "$cgroup" ]
	tare delete --force "$ID"
	[[ "$(cat "$WORK/poststop")" == *"does not exist"*" over" ]]
	[ ! -d "$cgroup" ]
}

@test "a path that is not absolute, and an invalid timeout, are refused for every hook" {
	for hook in prestart createRuntime createContainer startContainer poststart poststop; do
		refused() { # JSON, where, why
			config --arg k $hook ".hooks={} | .hooks[\$k]=[{path:\"/bin/true\"},$1]"
			run_container "" 1
			[[ "$output" == *"/hooks/$hook/1/$2: $3"* ]] || { echo "$output"; return 1; }
			[ ! -e "$ROOT/$ID" ]
		}
		refused '{path:"bin/true"}' path "must be an absolute path, not 'bin/true'"
		refused '{path:"/bin/true",timeout:0}' timeout "must be from 1 to 2147483647, not 0"
		refused '{path:"/bin/true",timeout:-5}' timeout "must be from 1 to 2147483647, not -5"
		refused '{args:["true"]}' path "is required"
	done
}

@test "every kind of hook is killed after its timeout" {
	for hook in createContainer startContainer poststart; do
		config --arg k $hook '.hooks={} | .hooks[$k]=[{path:"/bin/sleep",args:["sleep","1000"],timeout:1}] | .process.args=["sleep","1000"]'
		run -1 timeout "$HANGS" "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
		[[ "$output" == *"/hooks/$hook/0: "*"ran past specified timeout of 1.0s"* ]] || { echo "$output"; return 1; }
		[ ! -e "$ROOT/$ID" ]
	done
	config --arg w "$WORK" '.hooks={poststop:[{path:"/bin/sleep",args:["sleep","1000"],timeout:1},{path:"/bin/touch",args:["touch",($w+"/next")]}]} | .process.args=["true"]'
	run -0 tare --log "$WORK/log" run -b "$BUNDLE" "$ID"
	[ -e "$WORK/next" ]
	grep -q "/hooks/poststop/0.*ran past specified timeout" "$WORK/log"
}

@test "env and args of the hooks in the container" {
	printf '#!/bin/sh\nout=$1; [ -n "$out" ] || out=/unset\ntr "\\0" "\\n" </proc/$$/environ >$out; tr "\\0" " " </proc/$$/cmdline >$out.argv\n' >"$BUNDLE/rootfs/hook"
	chmod 755 "$BUNDLE/rootfs/hook"
	echo 'root:x:0:0::/home/of/root:/bin/sh' >"$BUNDLE/rootfs/etc/passwd"
	config '.process.env=["PATH=/bin","OWN=1"] | .process.args=["true"]
		| .hooks={startContainer:[{path:"/hook"},{path:"/hook",args:["zero","/empty"],env:[]},{path:"/hook",args:["zero","/set"],env:["A=1","B=2"]}]}'
	MINE=yes run_container
	# The same environment as the program's, including HOME.
	[ "$(cat "$BUNDLE/rootfs/unset")" = $'PATH=/bin\nOWN=1\nHOME=/home/of/root' ]
	[ "$(cat "$BUNDLE/rootfs/unset.argv")" = "/bin/sh /hook " ]
	[ ! -s "$BUNDLE/rootfs/empty" ]
	[ "$(cat "$BUNDLE/rootfs/set")" = $'A=1\nB=2' ]
	# A createContainer hook's program and environment are the runtime's.
	printf '#!/bin/sh\necho "$MINE $OWN" >%s\n' "$WORK/runtime" >"$WORK/hook"
	chmod 755 "$WORK/hook"
	config --arg h "$WORK/hook" '.hooks={createContainer:[{path:$h}]}'
	MINE=yes run_container
	[ "$(cat "$WORK/runtime")" = "yes " ]
}

@test "without the bundle, a poststop hook starts in /, and the others fail" {
	config --arg w "$WORK" '.process.args=["sleep","1000"] | .hooks={poststop:[{path:"/bin/sh",args:["sh","-c",("pwd >"+$w+"/stopped")]}]}'
	create "$ID"
	tare start "$ID"
	mv "$BUNDLE" "$BUNDLE.away"
	tare delete --force "$ID"
	[ "$(cat "$WORK/stopped")" = / ]
	mv "$BUNDLE.away" "$BUNDLE"
	# A bundle that cannot be opened for another reason is a warning, which is shown without --log, too.
	create "$ID"
	rm "$WORK/stopped"
	mv "$BUNDLE" "$BUNDLE.away"
	ln -s "$BUNDLE" "$BUNDLE"
	run -0 tare delete --force "$ID"
	rm "$BUNDLE"
	mv "$BUNDLE.away" "$BUNDLE"
	[[ "$output" == *"/hooks/poststop: cannot open bundle '$BUNDLE', the directory of its hooks: too many levels of symbolic links" ]] || { echo "$output"; return 1; }
	[ ! -e "$WORK/stopped" ]
	config --arg w "$WORK" '.hooks={poststart:[{path:"/bin/sh",args:["sh","-c",("pwd >"+$w+"/started")]}]}'
	create "$ID"
	mv "$BUNDLE" "$BUNDLE.away"
	run -1 tare start "$ID"
	mv "$BUNDLE.away" "$BUNDLE"
	[[ "$output" == *"/hooks/poststart: cannot open bundle '$BUNDLE', the directory of its hooks: no such file or directory" ]]
	[ ! -e "$WORK/started" ]
}

# Whether a text is in a process's environment, arguments, or elsewhere in its memory.
holds() { # PID TEXT
	python3 - "$1" "$2" <<'P'
import sys
pid, text = sys.argv[1], sys.argv[2].encode()
found = [name for name in ("environ", "cmdline") if text in open(f"/proc/{pid}/{name}", "rb").read()]
with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
    areas = [line.split() for line in maps]
    assert areas
    for area in areas:
        begin, end = (int(n, 16) for n in area[0].split("-"))
        if area[1][0] != "r" or area[-1] in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
            continue
        memory.seek(begin)
        if text in memory.read(end - begin):
            found.append(area[-1])
print(*found)
sys.exit(0 if found else 1)
P
}

@test "init does not have the caller's environment, whatever hooks run in it" {
	command -v python3 >/dev/null || not_here "needs python3"
	grep -q __asan_init "$TARE" && skip "the sanitizer's own areas are not to be read"
	hook='[{path:"/bin/true"}]' own='[{path:"/bin/true",env:["A=1"]}]'
	secret=never-$RANDOM$RANDOM-inside
	for hooks in "{}" "{createContainer:$hook}" "{createContainer:$own}" "{startContainer:$hook}" "{startContainer:$own}" \
		"{createRuntime:$hook,createContainer:$hook,startContainer:$hook}"; do
		config ".hooks=$hooks | .process.args=[\"sleep\",\"1000\"]"
		SECRET=$secret create "$ID" || { cat "$WORK/err"; return 1; }
		pid=$(pid_of "$ID")
		[ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" = "tare 3 init " ]
		[ ! -s "/proc/$pid/environ" ] || { echo "$hooks: $(tr '\0' ' ' <"/proc/$pid/environ")"; return 1; }
		if holds "$pid" "$secret"; then echo "$hooks"; return 1; fi
		run -0 tare exec -c CAP_SYS_PTRACE "$ID" cat /proc/1/environ
		[ -z "$output" ]
		[ -z "$(ls -l "/proc/$pid/fd" | grep memfd)" ]
		tare delete --force "$ID"
	done
	# The check itself finds the text in a process that has it.
	SECRET=$secret sleep 1000 3>&- &
	holds $! "$secret"
	kill $!
}

@test "a createContainer hook without env gets the caller's environment, however large, and init does not have it meanwhile" {
	cat >"$WORK/hook" <<'H'
#!/bin/sh
tr '\0' '\n' </proc/self/environ >"$1"
shell=$(awk '/^PPid/ { print $2 }' /proc/self/status)
init=$(awk '/^PPid/ { print $2 }' "/proc/$shell/status")
tr '\0' '\n' <"/proc/$init/environ" >"$1.init"
tr '\0' '\n' <"/proc/$init/cmdline" >"$1.cmdline"
H
	chmod 755 "$WORK/hook"
	config --arg h "$WORK/hook" --arg o "$WORK/seen" '.process.args=["true"] | .hooks={createContainer:[{path:"/bin/true",env:[]},{path:$h,args:["hook",$o]}]}'
	large=$(head -c 100000 /dev/zero | tr '\0' x)
	for namespaces in . '.linux.namespaces+=[{type:"user"},{type:"time"}] | .linux.uidMappings=[{containerID:0,hostID:0,size:65536}] | .linux.gidMappings=.linux.uidMappings'; do
		config "$namespaces"
		rm -f "$WORK"/seen*
		run -0 env -i PATH=/usr/bin:/bin "LARGE=$large" 'EMPTY=' no-equals-sign-is=none "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
		[ "$(cat "$WORK/seen")" = "PATH=/usr/bin:/bin"$'\n'"LARGE=$large"$'\nEMPTY=\nno-equals-sign-is=none' ]
		[[ "$(cat "$WORK/seen.cmdline")" == $'tare\n3\n'@(init|bridge) ]]
		[ ! -s "$WORK/seen.init" ]
		# In a user namespace the hook may not be permitted to read it.
		[ -e "$WORK/seen.init" ] || [ "$namespaces" != . ]
	done
}

@test "run.oci.hooks.stdout and stderr: the output of every hook is appended to files" {
	local kind
	printf '#!/bin/sh\necho "$1 out"; echo "$1 err" >&2\n' >"$WORK/hook"
	chmod 755 "$WORK/hook"
	cp "$WORK/hook" "$BUNDLE/rootfs/hook"
	echo before >"$WORK/hooks.out"
	own "$WORK/hooks.out"
	config --arg h "$WORK/hook" --arg w "$WORK" 'def hook(n): [{path:$h,args:["h",n],env:["PATH=/usr/bin:/bin"]}];
		.hooks={prestart:hook("prestart"),createRuntime:hook("createRuntime"),createContainer:hook("createContainer"),
		startContainer:[{path:"/hook",args:["h","startContainer"],env:["PATH=/bin"]}],poststart:hook("poststart"),poststop:hook("poststop")}
		| .annotations={"run.oci.hooks.stdout":($w+"/hooks.out"),"run.oci.hooks.stderr":($w+"/hooks.err")}
		| .process.args=["sh","-c","ls -l /proc/self/fd; sleep 1000"] | .process.user={uid:1000,gid:1000}'
	create "$ID"
	pid=$(pid_of "$ID")
	# While init waits at the gate, it has these two files open.
	files=$(find "/proc/$pid/fd" -lname "$WORK/hooks*" -printf '%l\n' | sort -u)
	[ "$files" = "$WORK/hooks.err"$'\n'"$WORK/hooks.out" ] || { echo "$files"; return 1; }
	tare start "$ID"
	tare delete --force "$ID"
	expected() { for kind in prestart createRuntime createContainer startContainer poststart poststop; do echo "$kind $1"; done; }
	diff <(echo before; expected out) "$WORK/hooks.out"
	diff <(expected err) "$WORK/hooks.err"
	# The program does not have them.
	config '.process.args=["ls","-l","/proc/self/fd"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[[ "$output" != *"$WORK/hooks.out"* && "$output" != *"$WORK/hooks.err"* ]]
	# One of both; the other one is the hint of a failure, as without the annotations.
	printf '#!/bin/sh\necho "in the file"; echo "why it fails" >&2; exit 3\n' >"$WORK/hook"
	config 'del(.annotations["run.oci.hooks.stderr"])'
	: >"$WORK/hooks.out"
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/hooks/prestart/0: "*"exited with status 3 (why it fails)"* ]] || { echo "$output"; return 1; }
	grep -qx "in the file" "$WORK/hooks.out"
}

@test "run.oci.hooks.stdout: a file that cannot be opened is an error that leaves nothing" {
	config '.hooks={createContainer:[{path:"/bin/true"}]} | .annotations={"run.oci.hooks.stdout":"/no/such/file"}'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/annotations/run.oci.hooks.stdout: cannot open '/no/such/file' for the output of hooks: no such file or directory"* ]] || { echo "$output"; return 1; }
	config '.hooks={createRuntime:[{path:"/bin/true"}]}'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/annotations/run.oci.hooks.stdout: cannot open '/no/such/file'"* ]] || { echo "$output"; return 1; }
	config '.annotations={"run.oci.hooks.stderr":"log"}'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/annotations/run.oci.hooks.stderr: must be an absolute path"* ]] || { echo "$output"; return 1; }
	[ ! -e "$ROOT/$ID" ]
	# Without hooks nothing is opened.
	config 'del(.hooks)'
	run -0 tare run -b "$BUNDLE" "$ID"
}
