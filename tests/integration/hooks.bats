# SPDX-License-Identifier: Apache-2.0
load helpers

# Each hook writes its state and what it sees into a file of its own; container-side ones into the container.
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
	config --arg h "$WORK/hook" --arg d "$WORK/out.d" '
		def hook(n): {path:$h,args:["hook",n,$d],env:["PATH=/usr/bin:/bin","HOOKVAR="+n]};
		.hooks={prestart:[hook("prestart")],createRuntime:[hook("createRuntime")],createContainer:[hook("createContainer")],
		startContainer:[{path:"/hook",args:["hook","startContainer","/out.d"],env:["PATH=/bin","HOOKVAR=startContainer"]}],
		poststart:[hook("poststart")],poststop:[hook("poststop")]}'
}

@test "all six: where, in which order, with which state" {
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

@test "run calls all of them, too" {
	all_hooks
	config '.process.args=["true"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	for h in prestart createRuntime createContainer poststart poststop; do [ -e "$WORK/out.d/$h.state" ]; done
}

@test "a failing hook ends the creation and leaves nothing" {
	for kind in prestart createRuntime createContainer; do
		config --arg k $kind '.hooks={} | .hooks[$k]=[{path:"/bin/sh",args:["sh","-c","echo because >&2; exit 5"]}]'
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"/hooks/$kind/0"*"hook '/bin/sh' ended with status 5 (because)"* ]]
		[ ! -e "$ROOT/$ID" ]
		[ ! -e "$(cgroup_mount)/$ID" ]
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
	[[ "$output" == *"ran past specified timeout of 1.0s"* ]]
	config '.hooks={"createRuntime":[{"path":"/no/hook"}]}'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"cannot execute hook '/no/hook': No such file or directory"* ]]
}

@test "a failing poststop hook is a warning, and the others still run" {
	config --arg f "$WORK/ran" '.hooks={"poststop":[{"path":"/bin/false"},{"path":"/bin/touch","args":["touch",$f]}]} | .process.args=["true"]'
	run -0 tare --log "$WORK/log" run -b "$BUNDLE" "$ID"
	[ -z "$output" ]
	[ -e "$WORK/ran" ]
	grep -q poststop "$WORK/log"
}
