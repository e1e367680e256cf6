# SPDX-License-Identifier: Apache-2.0
# Every mount option of runtime-spec config-linux.md ("Linux mount options"), as it shows in the container.
load helpers

# The mount and superblock options of a mount point, such as "rw,nosuid rw,size=1024k".
flags_of() {
	awk -v p="$1" '$5 == p { print $6, $NF }' <<<"$output" | tail -n 1
}

# The optional fields of a mount point: "shared:1", "master:1", "unbindable", or nothing.
peers_of() {
	awk -v p="$1" '$5 == p { for (i = 7; $i != "-"; i++) print $i }' <<<"$output" | sed 's/:.*//' | tr '\n' ' '
}

# Runs the container on a host with additional mounts, which script $1 makes in a new mount namespace.
run_with_mounts() {
	# Private first: mounts that are made shared later are then not shared with the host.
	run unshare -m --propagation private sh -c "mount --make-r${2:-private} /; $1"'
		exec "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"'
	[ "$status" -eq 0 ] || { echo "status $status: $output"; return 1; }
}

# Makes two trees of a tmpfs with another tmpfs in it. The mounts of plain have no flags, those of full have all flags.
trees() {
	mkdir "$WORK/plain" "$WORK/full"
	export TARE ROOT BUNDLE ID WORK
	TREES='set -e
		mount -t tmpfs -o relatime t "$WORK/plain"; mkdir "$WORK/plain/sub"; mount -t tmpfs -o relatime t "$WORK/plain/sub"
		mount -t tmpfs t "$WORK/full"; mkdir "$WORK/full/sub"; mount -t tmpfs t "$WORK/full/sub"
		for d in full/sub full; do
			mount -o remount,bind,ro,nosuid,nodev,noexec,nodiratime,noatime,nosymfollow "$WORK/$d"
		done'
}

# binds SOURCE OPTION...: a recursive bind mount at /SOURCE-OPTION for each OPTION; "+" joins several options.
binds() {
	local from=$1
	shift
	config --arg w "$WORK" --arg from "$from" '.mounts+=[$ARGS.positional[]|{"destination":("/"+$from+"-"+.),
		"type":"none","source":($w+"/"+$from),"options":(["rbind"]+(split("+")))}]' --args "$@"
}

# expect MOUNT FLAGS SUBMOUNT-FLAGS: compares both, without "rw".
expect() {
	local top sub
	top=$(flags_of "/$1") sub=$(flags_of "/$1/sub")
	[ "$(sed 's/^rw,\?//; s/ .*//' <<<"$top")" = "$2" ] && [ "$(sed 's/^rw,\?//; s/ .*//' <<<"$sub")" = "$3" ] ||
		{ echo "$1: '$top', '$sub' in the place of '$2', '$3'"; return 1; }
}

FULL=ro,nosuid,nodev,noexec,noatime,nodiratime,nosymfollow

@test "options that set a flag: for the mount alone, and with r for all mounts below" {
	trees
	flags='ro nosuid nodev noexec nodiratime noatime nosymfollow strictatime'
	binds plain $flags $(printf 'r%s ' $flags)
	config '.process.args=["cat","/proc/self/mountinfo"]'
	run_with_mounts "$TREES"
	for flag in ro nosuid nodev noexec nosymfollow nodiratime; do
		shown="$flag,relatime"
		[ $flag = nodiratime ] && shown=nodiratime,relatime
		[ $flag = nosymfollow ] && shown=relatime,nosymfollow
		expect plain-$flag $shown relatime
		expect plain-r$flag $shown $shown
	done
	expect plain-noatime noatime relatime
	expect plain-rnoatime noatime noatime
	# For strictatime the kernel shows neither noatime nor relatime.
	expect plain-strictatime "" relatime
	expect plain-rstrictatime "" ""
}

@test "options that clear a flag: for the mount alone, and with r for all mounts below" {
	trees
	flags='rsuid rdev rexec rdiratime rsymfollow rrw ratime rrelatime'
	binds full rbind $flags rnorelatime rnostrictatime
	config '.process.args=["cat","/proc/self/mountinfo"]'
	run_with_mounts "$TREES"
	expect full-rbind $FULL $FULL
	for pair in rw:ro suid:nosuid dev:nodev exec:noexec diratime:nodiratime symfollow:nosymfollow; do
		shown=$(sed "s/\b${pair#*:}\b//; s/,,/,/; s/^,//; s/,$//" <<<$FULL)
		expect full-r${pair%:*} $shown $shown
	done
	relatime=${FULL/noatime,nodiratime/nodiratime,relatime}
	for flag in ratime rrelatime rnorelatime rnostrictatime; do
		expect full-$flag $relatime $relatime
	done
}

@test "a bind keeps its source's flags until an option sets or clears one: then all flags that no option sets are cleared" {
	trees
	binds full "" defaults+async rslave rro rw ro suid nosuid nodev noexec exec dev symfollow nosymfollow atime diratime \
		norelatime nostrictatime relatime noatime strictatime nodiratime rw+noatime+nodiratime rw+rro+rnoexec
	config '.process.args=["cat","/proc/self/mountinfo"] | .mounts|=map(if .destination=="/full-" then .options=["rbind"] else . end)'
	run_with_mounts "$TREES"
	for unasked in "" defaults+async rslave rro; do
		expect "full-$unasked" $FULL $FULL
	done
	for option in rw suid exec dev symfollow; do
		expect full-$option noatime,nodiratime $FULL
	done
	for option in ro nosuid nodev noexec; do
		expect full-$option $option,noatime,nodiratime $FULL
	done
	expect full-nosymfollow noatime,nodiratime,nosymfollow $FULL
	# Access time: an option that clears one setting keeps the others, and an option that sets one replaces all of
	# them.
	for option in atime norelatime nostrictatime; do
		expect full-$option nodiratime,relatime $FULL
	done
	expect full-diratime noatime $FULL
	expect full-relatime relatime $FULL
	expect full-noatime noatime $FULL
	expect full-strictatime "" $FULL
	expect full-nodiratime nodiratime,relatime $FULL
	expect full-rw+noatime+nodiratime noatime,nodiratime $FULL
	expect full-rw+rro+rnoexec ro,noexec,noatime,nodiratime $FULL
}

@test "a locked flag stays, with a warning; clearing it by name is an error" {
	trees
	chmod 755 "$WORK" "$BUNDLE"
	cp "$TARE" "$WORK/tare"
	mkdir "$ROOT" && chown 65534:65534 "$ROOT"
	chown -R 65534:65534 "$BUNDLE"
	rm "$BUNDLE/config.json"
	as_nobody "$WORK/tare" spec --rootless -b "$BUNDLE"
	config '.process.terminal=false | .process.args=["cat","/proc/self/mountinfo"]'
	binds full nosuid nodev+relatime ro+nosuid+nodev+noexec+noatime+nodiratime rw
	unprivileged() {
		run "$1" unshare -m --propagation private sh -c "mount --make-rprivate /; $TREES"'
			exec setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/tare" --root "$ROOT" --log "$WORK/log" run -b "$BUNDLE" "$ID"'
	}
	: >"$WORK/log" && chmod 666 "$WORK/log"
	config '.mounts|=map(select(.destination|endswith("-rw") or endswith("relatime")|not))'
	unprivileged -0
	expect full-nosuid ro,nosuid,nodev,noexec,noatime,nodiratime $FULL
	expect full-ro+nosuid+nodev+noexec+noatime+nodiratime ro,nosuid,nodev,noexec,noatime,nodiratime $FULL
	index=$(jq '[.mounts[].destination]|index("/full-nosuid")' "$BUNDLE/config.json")
	[ "$(grep -c "/mounts/$index: the mount on '/full-nosuid' keeps flags of its source that this user namespace cannot clear: ro,nodev,noexec" "$WORK/log")" = 1 ] || { cat "$WORK/log"; return 1; }
	[ "$(grep -c keeps "$WORK/log")" = 1 ]
	for option in rw suid dev exec relatime; do
		config '.mounts|=map(select(.destination|startswith("/full")|not))'
		binds full $option
		unprivileged -1
		[[ "$output" == *"cannot set the attributes of the mount on '/full-$option': operation not permitted (attributes of the source are locked"* ]] || { echo "$output"; return 1; }
	done
	config '.mounts|=map(select(.destination|startswith("/full")|not))'
	binds full nosuid nodev noexec
	unprivileged -0
	[ "$(grep -c "(and 2 other mounts)" "$WORK/log")" = 1 ] || { cat "$WORK/log"; return 1; }
}

@test "the last option wins, and an option that undoes another one keeps the rest" {
	trees
	binds plain ro+rw rw+ro noatime+atime noatime+strictatime strictatime+norelatime strictatime+nostrictatime \
		noatime+nostrictatime noatime+norelatime strictatime+atime nosuid+suid rro+rrw rnoatime+ratime \
		rstrictatime+rnorelatime rnoatime+rnostrictatime
	config '.process.args=["cat","/proc/self/mountinfo"]'
	run_with_mounts "$TREES"
	expect plain-ro+rw relatime relatime
	expect plain-rw+ro ro,relatime relatime
	expect plain-noatime+atime relatime relatime
	expect plain-noatime+strictatime "" relatime
	expect plain-strictatime+norelatime "" relatime
	expect plain-strictatime+nostrictatime relatime relatime
	expect plain-noatime+nostrictatime noatime relatime
	expect plain-noatime+norelatime noatime relatime
	expect plain-strictatime+atime "" relatime
	expect plain-nosuid+suid relatime relatime
	expect plain-rro+rrw relatime relatime
	expect plain-rnoatime+ratime relatime relatime
	expect plain-rstrictatime+rnorelatime "" ""
	expect plain-rnoatime+rnostrictatime noatime noatime
}

@test "options without effect are accepted for binds and file systems" {
	mkdir "$WORK/data"
	config --arg s "$WORK/data" '["async","defaults","iversion","loud","mand","noiversion","nolazytime","nomand","silent","rw","suid"] as $all
		| .mounts+=[$all[]|{"destination":("/bind-"+.),"type":"bind","source":$s,"options":["bind",.]},
			{"destination":("/fs-"+.),"type":"tmpfs","source":"t","options":[.]}]'
	inside 'cat /proc/self/mountinfo'
	for option in async defaults iversion loud mand noiversion nolazytime nomand silent rw suid; do
		[ -n "$(flags_of /bind-$option)" ]
		[[ "$(flags_of /fs-$option)" == "rw,relatime rw"* ]]
	done
}

@test "options with r are accepted for file systems, too" {
	config '["rro","rnosuid","rnodev","rnoexec","rnodiratime","rnoatime","rnosymfollow","rstrictatime"] as $all
		| .mounts+=[$all[]|{"destination":("/"+.),"type":"tmpfs","source":"t","options":[.]}]
		| .mounts+=[["rw","ro"],["suid","nosuid"],["dev","nodev"],["exec","noexec"],["diratime","nodiratime"],["relatime","noatime"],["symfollow","nosymfollow"]
			|{"destination":("/r"+.[0]),"type":"tmpfs","source":"t","options":[.[1],"r"+.[0]]}]'
	inside 'cat /proc/self/mountinfo'
	for case in "rro ro,relatime" "rnosuid rw,nosuid,relatime" "rnodev rw,nodev,relatime" "rnoexec rw,noexec,relatime" "rnodiratime rw,nodiratime,relatime" \
		"rnoatime rw,noatime" "rnosymfollow rw,relatime,nosymfollow" "rstrictatime rw" "rrw rw,relatime" "rsuid rw,relatime" "rdev rw,relatime" \
		"rexec rw,relatime" "rdiratime rw,relatime" "rrelatime rw,relatime" "rsymfollow rw,relatime"; do
		[[ "$(flags_of "/${case% *}")" == "${case#* } "* ]] || { echo "$case: $(flags_of "/${case% *}")"; return 1; }
	done
}

@test "features names the specification's and crun's options, each of which a case here tests" {
	wanted="async atime bind copy-symlink defaults dest-nofollow dev diratime dirsync exec idmap iversion lazytime loud mand noatime nodev nodiratime noexec noiversion
		nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime relatime remount rexec ridmap rnoatime
		rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid
		rsymfollow runbindable rw shared silent slave src-nofollow strictatime suid symfollow sync tmpcopyup unbindable"
	[ "$("$TARE" features | jq -r '.mountOptions[]' | sort | tr '\n' ' ')" = "$(echo $wanted | tr ' ' '\n' | sort | tr '\n' ' ')" ]
}

@test "options of the superblock, and data for the file system" {
	config '.mounts+=[{"destination":"/sync","type":"tmpfs","source":"t","options":["sync","dirsync","lazytime"]},
		{"destination":"/async","type":"tmpfs","source":"t","options":["sync","async","lazytime","nolazytime"]},
		{"destination":"/data","type":"tmpfs","source":"name","options":["size=1m","nr_inodes=77","mode=0711","uid=3","gid=4"]}]'
	inside 'stat -c "%a %u %g" /data; cat /proc/self/mountinfo'
	[ "${lines[0]}" = "711 3 4" ]
	[[ "$(flags_of /sync)" == *" rw,sync,dirsync,lazytime"* ]]
	[[ "$(flags_of /async)" != *sync* && "$(flags_of /async)" != *lazytime* ]]
	[[ "$(flags_of /data)" == *"size=1024k,nr_inodes=77,mode=711,uid=$(on_host 3),gid=$(on_host 4)"* ]]
	[[ "$(awk '$5 == "/data" { print $(NF - 1) }' <<<"$output")" = name ]]
	config '.mounts=[{"destination":"/t","type":"tmpfs","source":"t","options":["no-such-option=1"]}]'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/mounts/0"*"no-such-option"* ]]
}

@test "options that a bind cannot have are refused by name" {
	for option in sync dirsync lazytime size=1m wrong; do
		config --arg o $option '.mounts=[{"destination":"/b","type":"bind","source":"rootfs","options":["bind","defaults",$o]}]'
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"/mounts/0: "*"filesystem-specific options applied: '$option'"* ]]
	done
}

@test "propagation, each type" {
	trees
	binds plain shared rshared slave rslave private rprivate unbindable shared+slave
	config '.process.args=["cat","/proc/self/mountinfo"]'
	run_with_mounts "$TREES" shared
	[ "$(peers_of /plain-shared)" = "shared master " ]
	[ "$(peers_of /plain-shared/sub)" = "master " ]
	[ "$(peers_of /plain-rshared/sub)" = "shared master " ]
	[ "$(peers_of /plain-slave)$(peers_of /plain-rslave/sub)" = "master master " ]
	[ "$(peers_of /plain-private)$(peers_of /plain-rprivate)$(peers_of /plain-rprivate/sub)" = "" ]
	[ "$(peers_of /plain-private/sub)" = "master " ]
	[ "$(peers_of /plain-unbindable)" = "unbindable " ]
	config '.mounts|=map(select(.source|endswith("plain")|not))'
	binds plain runbindable
	run_with_mounts "$TREES" shared
	[ "$(peers_of /plain-runbindable/sub)" = "unbindable " ]
}

@test "propagation of the root, each type" {
	for type in shared slave private unbindable rshared rslave rprivate runbindable; do
		config --arg t $type '.linux.rootfsPropagation=$t'
		inside 'cat /proc/self/mountinfo'
		case $type in
		*shared) [[ "$(peers_of /)" == *"shared "* ]] ;;
		*unbindable) [ "$(peers_of /)" = "unbindable " ] ;;
		*) [[ "$(peers_of /)" != *shared* && "$(peers_of /)" != *unbindable* ]] ;;
		esac
		case $type in
		rshared) [[ "$(peers_of /proc)" == *"shared "* ]] ;;
		runbindable) [ "$(peers_of /proc)" = "unbindable " ] ;;
		*) [ -z "$(peers_of /proc)" ] ;;
		esac
	done
}

@test "a slave root has the host's mount as its master, and mounts made there later arrive" {
	export TARE ROOT BUNDLE ID WORK
	mkdir "$BUNDLE/rootfs/later" "$BUNDLE/rootfs/later-too"
	config '.mounts+=[{"destination":"/own","type":"tmpfs","source":"t"}]'
	script 'cat /proc/self/mountinfo; mount -t tmpfs t /later-too; echo ready
		for i in $(seq 200); do grep -q " /later " /proc/self/mountinfo && echo seen && break; sleep 0.05; done'
	config '.process.capabilities|=map_values(.+["CAP_SYS_ADMIN"])'
	for flag in "" --no-pivot; do
		for type in slave rslave; do
			config --arg t $type '.linux.rootfsPropagation=$t'
			: >"$WORK/out"
			# The root file system is a mount point itself, so that no other mounts propagate from there.
			FLAG=$flag run -0 timeout 60 unshare -m --propagation private sh -c '
				mount --bind "$BUNDLE/rootfs" "$BUNDLE/rootfs" && mount --make-rshared /
				"$TARE" --root "$ROOT" run $FLAG -b "$BUNDLE" "$ID" >"$WORK/out" &
				until grep -qs ready "$WORK/out"; do kill -0 $! || exit 1; sleep 0.05; done
				grep -c " $BUNDLE/rootfs/" /proc/self/mountinfo
				mount -t tmpfs t "$BUNDLE/rootfs/later"
				wait $!
				cat "$WORK/out"'
			[ "${lines[0]} ${lines[-1]}" = "0 seen" ] || { echo "$output"; return 1; }
			[ "$(peers_of /)" = "master " ] || { echo "$output"; return 1; }
			[ -z "$(peers_of /own)" ]
		done
	done
	# Also in a user namespace. With any other type the root has no master.
	config '.process.args=["cat","/proc/self/mountinfo"]'
	for type in private shared unbindable ""; do
		config --arg t "$type" '.linux.rootfsPropagation=$t'
		run_with_mounts "" shared
		[[ "$(peers_of /)" != *master* ]] || { echo "$type: $output"; return 1; }
	done
	add_user_namespace
	config '.linux.rootfsPropagation="rslave"'
	run_with_mounts "" shared
	[ "$(peers_of /)" = "master " ] || { echo "$output"; return 1; }
}

@test "a later mount of the host reaches a slave, and no mount of the container reaches the host" {
	trees
	config --arg w "$WORK" '.mounts+=[{"destination":"/slave","type":"none","source":($w+"/plain"),"options":["rbind","rslave"]}]'
	script 'mount -t tmpfs t /slave/sub; echo ready; while ! grep -q /slave/later /proc/self/mountinfo; do sleep 0.05; done; echo seen'
	config '.process.capabilities|=map_values(.+["CAP_SYS_ADMIN"])'
	run timeout "$HANGS" unshare -m --propagation private sh -c "mount --make-rshared /; $TREES"'
		mkdir "$WORK/plain/later"
		"$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID" >"$WORK/out" &
		until grep -qs ready "$WORK/out"; do sleep 0.05; done
		grep -c "plain/sub " /proc/self/mountinfo
		mount -t tmpfs t "$WORK/plain/later"
		wait $!
		cat "$WORK/out"'
	[ "$output" = $'1\nready\nseen' ]
}

@test "mounts are made in the order of the list; remount changes an existing mount" {
	mkdir "$WORK/one" && echo one >"$WORK/one/file"
	config --arg s "$WORK/one" '.mounts+=[{"destination":"/m","type":"tmpfs","source":"t"},{"destination":"/m/inner","type":"bind","source":$s,"options":["bind"]},
		{"destination":"/n/inner","type":"bind","source":$s,"options":["bind"]},{"destination":"/n","type":"tmpfs","source":"t"},
		{"destination":"/m/inner","type":"none","source":"none","options":["remount","ro","nosuid"]}]'
	inside 'cat /m/inner/file; ls /n; cat /proc/self/mountinfo'
	[ "${lines[0]}" = one ]
	[[ "${lines[1]}" != inner* ]]
	[[ "$(flags_of /m/inner)" == "ro,nosuid,"* ]]
	[[ "$(flags_of /m)" == "rw,"* ]]
}

@test "a source below the target of an earlier mount is what that mount shows" {
	mkdir -p "$WORK/one/dir" "$BUNDLE/rootfs/m/dir" "$BUNDLE/rootfs/later/dir"
	echo one | tee "$WORK/one/dir/file" >"$WORK/one/single"
	echo covered | tee "$BUNDLE/rootfs/m/dir/file" "$BUNDLE/rootfs/later/dir/file" >"$BUNDLE/rootfs/m/single"
	config --arg s "$WORK/one" '.mounts+=[{destination:"/m",type:"bind",source:$s,options:["bind"]},
		{destination:"/a",type:"bind",source:"rootfs/m/dir",options:["bind","ro"]},{destination:"/b",type:"bind",source:"./rootfs//m/single",options:["rbind"]},
		{destination:"/c",type:"bind",source:"rootfs/later/dir",options:["bind"]},{destination:"/later",type:"tmpfs",source:"t"}]'
	for user in false true; do
		inside 'cat /a/file /b /c/file; touch /a/x 2>&1; true'
		[ "$output" = $'one\none\ncovered\ntouch: /a/x: Read-only file system' ] || { echo "$user: $output"; return 1; }
		run -0 tare check -b "$BUNDLE"
		[ $user = true ] || add_user_namespace
	done
	config '.mounts[8].source="rootfs/m/none"'
	run_container "" 1
	[[ "$output" == *": /mounts/8: cannot open mount source '/m/none' in the root file system: no such file or directory"* ]] || { echo "$output"; return 1; }
}

@test "symbolic links are not followed on a nosymfollow mount" {
	mkdir "$WORK/links" && echo there >"$WORK/links/file" && ln -s file "$WORK/links/link"
	config --arg s "$WORK/links" '.mounts+=[{"destination":"/no","type":"bind","source":$s,"options":["bind","nosymfollow"]},
		{"destination":"/yes","type":"bind","source":$s,"options":["bind","nosymfollow","symfollow"]}]'
	inside 'cat /yes/link; cat /no/link 2>/dev/null || echo refused; cat /no/file'
	[ "$output" = $'there\nrefused\nthere' ]
}

@test "idmap uses the container's mapping, ridmap includes submounts, and an incomplete mapping is refused" {
	export TARE ROOT BUNDLE ID WORK
	mkdir "$WORK/data"
	chmod 755 "$WORK"
	chown -R 100000:100000 "$BUNDLE/rootfs"
	config --arg w "$WORK" '.linux.namespaces+=[{"type":"user"}] | .linux.uidMappings=[{"containerID":0,"hostID":100000,"size":65536}] | .linux.gidMappings=.linux.uidMappings
		| .mounts+=[{"destination":"/one","type":"none","source":($w+"/data"),"options":["rbind","idmap"]},
			{"destination":"/all","type":"none","source":($w+"/data"),"options":["rbind","ridmap"]}]'
	config '.process.args=["sh","-c","stat -c %u /one/f /one/sub/f /all/f /all/sub/f; touch /all/sub/new && stat -c %u /all/sub/new"]'
	run_with_mounts 'set -e; mount -t tmpfs t "$WORK/data"; mkdir "$WORK/data/sub"; mount -t tmpfs t "$WORK/data/sub"
		chmod 777 "$WORK/data" "$WORK/data/sub"; touch "$WORK/data/f" "$WORK/data/sub/f"; chown 7:7 "$WORK/data/f" "$WORK/data/sub/f"'
	[ "$output" = $'7\n65534\n7\n7\n0' ]
	config '.mounts=[{"destination":"/m","type":"bind","source":"rootfs","options":["bind","idmap"],"uidMappings":[{"containerID":0,"hostID":5,"size":1}]}]'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/mounts/0"*"gidMappings"* ]]
	config 'del(.linux.uidMappings,.linux.gidMappings,.mounts[0].uidMappings) | .linux.namespaces|=map(select(.type!="user"))'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/mounts/0"*"user namespace"* ]]
}

# A directory with a file of 7:8, and a mount inside with another one.
DATA='set -e; mount -t tmpfs t "$WORK/data"; mkdir "$WORK/data/sub"; mount -t tmpfs t "$WORK/data/sub"
	chmod 777 "$WORK/data" "$WORK/data/sub"; touch "$WORK/data/f" "$WORK/data/sub/f"; chown 7:8 "$WORK/data" "$WORK/data/f" "$WORK/data/sub/f"'

@test "idmap= and ridmap= have mappings of their own, of the host's ids or with @ of the container's" {
	export TARE ROOT BUNDLE ID WORK
	mkdir "$WORK/data"
	chmod 755 "$WORK"
	config --arg w "$WORK/data" '.mounts+=[{destination:"/a",type:"bind",source:$w,options:["bind","idmap=uids=7-5000-1;gids=8-6000-1"]},
		{destination:"/b",type:"bind",source:$w,options:["rbind","ridmap=gids=8-6000-1;uids=0-1-5#7-5000-1#9-9-1"]},
		{destination:"/c",type:"bind",source:$w,options:["rbind","idmap=uids=7-5000-1;gids=8-6000-1"]},
		{destination:"/d",type:"bind",source:$w,options:["rbind","idmap=uids=8-5001-1#7-5000-1;gids=8-6000-2"],uidMappings:[{containerID:7,hostID:5000,size:2}],gidMappings:[{containerID:9,hostID:6001,size:1},{containerID:8,hostID:6000,size:1}]},
		{destination:"/t",type:"tmpfs",source:"t",options:["idmap=uids=0-5000-1;gids=0-6000-1"]}]'
	config '.process.args=["stat","-c","%u:%g","/a/f","/b/f","/b/sub/f","/c/sub/f","/d/f","/t"]'
	run_with_mounts "$DATA"
	[ "$output" = $'5000:6000\n5000:6000\n5000:6000\n7:8\n5000:6000\n5000:6000' ] || { echo "$output"; return 1; }
	# With a user namespace, the host's ids are those that it has to map.
	chown -R 100000:100000 "$BUNDLE/rootfs"
	config --arg w "$WORK/data" '.linux.namespaces+=[{"type":"user"}] | .linux.uidMappings=[{"containerID":0,"hostID":100000,"size":10},{"containerID":10,"hostID":300000,"size":10}] | .linux.gidMappings=[{"containerID":0,"hostID":200000,"size":100}]
		| .mounts=(.mounts|map(select(.destination|length>2)))+[{destination:"/a",type:"bind",source:$w,options:["rbind","idmap=uids=7-100003-1;gids=8-200004-1"]},
		{destination:"/b",type:"bind",source:$w,options:["rbind","ridmap=uids=@7-12-1;gids=@8-34-1"]},
		{destination:"/c",type:"bind",source:$w,options:["rbind","idmap=uids=@0-8-8;gids=@8-0-1"]},
		{destination:"/d",type:"bind",source:$w,options:["rbind","idmap=uids=@7-0-1"]},
		{destination:"/e",type:"bind",source:$w,options:["rbind","idmap=gids=8-200099-1"]}]'
	config '.process.args=["sh","-c","stat -c %u:%g /a/f /b/f /b/sub/f /c/f /d/f /e/f; touch /d/new; stat -c %u:%g /d/new"]'
	run_with_mounts "$DATA"
	[ "$output" = $'3:4\n12:34\n12:34\n15:0\n0:8\n7:99\n0:0' ] || { echo "$output"; return 1; }
}

@test "idmap= that is malformed, contradicts the mappings of the mount, or names an id that is not mapped" {
	mkdir "$WORK/data"
	wrong() { # options message
		config --arg w "$WORK/data" --arg o "$1" '.mounts[-1]={destination:"/a",type:"bind",source:$w,options:["bind",$o]}'
		run -1 tare run -b "$BUNDLE" "$ID"
		[ "$output" = "tare: run $ID: /mounts/$(jq '.mounts|length-1' "$BUNDLE/config.json"): option '$1'$2" ] || { echo "$output"; return 1; }
	}
	config '.mounts+=[{}]'
	form=" is not of the form uids=FIRST-HOST-SIZE#...;gids=..."
	for value in '' uids=1-2 'uids=1-2-3;gids' 'uids=1-2-3;uids=4-5-6' 'uids=1-2-0;gids=1-2-3'; do
		wrong "idmap=$value" "$form"
	done
	wrong 'idmap=uids=1-2-3' ": uids or gids are missing, and the configuration has no mappings to use instead"
	wrong 'idmap=uids=@1-2-3;gids=1-2-3' ": an id after '@' is not mapped in the container's user namespace, by the configuration"
	config '.mounts[-1]|=(.options[1]="idmap=uids=1-2-3;gids=1-2-3"|.uidMappings=[{containerID:1,hostID:2,size:3}]|.gidMappings=[{containerID:1,hostID:3,size:3}])'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *": option 'idmap=uids=1-2-3;gids=1-2-3' contradicts the mount's uidMappings and gidMappings" ]] || { echo "$output"; return 1; }
	for other in '{containerID:1,hostID:2,size:2}' '{containerID:1,hostID:2,size:4}' '{containerID:0,hostID:1,size:4}' '{containerID:2,hostID:2,size:2}'; do
		config ".mounts[-1].gidMappings=[$other]"
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"contradicts the mount's uidMappings and gidMappings" ]] || { echo "$other: $output"; return 1; }
	done
	run -1 "$TARE" check -b "$BUNDLE"
	[[ "$output" == *"contradicts the mount's uidMappings and gidMappings"* ]]
	# init makes a new file system, and has no rights over a user namespace beside its own.
	config '.linux.namespaces+=[{"type":"user"}] | .linux.uidMappings=[{"containerID":0,"hostID":100000,"size":10}] | .linux.gidMappings=.linux.uidMappings'
	for options in '["idmap"]' '["idmap=uids=@1-2-3"]' '[]'; do
		config --argjson o "$options" '.mounts[-1]|=(.type="tmpfs"|.options=$o|if $o==[] then . else del(.uidMappings,.gidMappings) end)'
		[ "$options" != '[]' ] || config '.mounts[-1]|=(.uidMappings=[{containerID:1,hostID:2,size:3}]|.gidMappings=.uidMappings)'
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *": in a container with another user namespace only bind mounts can be idmapped" ]] || { echo "$output"; return 1; }
	done
}

@test "idmap without mappings uses those of a user namespace that is joined" {
	mkdir "$WORK/data"
	touch "$WORK/data/f"
	chown 7:8 "$WORK/data/f"
	chmod 777 "$WORK/data"
	in_user_ns "" 'del(.linux.maskedPaths,.linux.readonlyPaths)'
	config '.process.args=["sleep","1000"]'
	create "$ID.a"
	tare start "$ID.a"
	config --arg p "/proc/$(pid_of "$ID.a")/ns/user" --arg w "$WORK/data" '(.linux.namespaces[]|select(.type=="user")).path=$p | del(.linux.uidMappings,.linux.gidMappings)
		| .mounts+=[{destination:"/m",type:"none",source:$w,options:["bind","idmap"]},{destination:"/r",type:"none",source:$w,options:["rbind","ridmap"]},
			{destination:"/plain",type:"none",source:$w,options:["bind"]}]
		| .process.args=["sh","-c","stat -c %u:%g /m/f /r/f /plain/f; touch /m/new; stat -c %u:%g /m/new"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$output" = $'7:8\n7:8\n65534:65534\n0:0' ] || { echo "$output"; return 1; }
	[ "$(stat -c %u:%g "$WORK/data/new")" = 0:0 ]
	rm "$WORK/data/new"
	# Also if the configuration repeats the mappings.
	config '.linux.uidMappings=[{"containerID":0,"hostID":100000,"size":65536}] | .linux.gidMappings=.linux.uidMappings'
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$output" = $'7:8\n7:8\n65534:65534\n0:0' ] || { echo "$output"; return 1; }
	tare delete --force "$ID.a"
	# The caller's own user namespace maps nothing.
	config '(.linux.namespaces[]|select(.type=="user")).path="/proc/self/ns/user" | del(.linux.uidMappings,.linux.gidMappings)'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"an idmapped mount needs uidMappings and gidMappings, or a user namespace other than the caller's"* ]] || { echo "$output"; return 1; }
}

@test "the file systems of the default configuration" {
	inside 'cat /proc/self/mountinfo; ls /sys/class/net; ls -A /dev/mqueue; touch /dev/mqueue/own && ls -l /dev/mqueue/own | cut -c1; stat -f -c %T /dev/shm /dev/pts; ls -d /dev/pts/ptmx; cat /proc/1/comm'
	[[ "$(flags_of /proc)" == "rw,relatime rw" ]]
	[[ "$(flags_of /sys)" == "ro,nosuid,nodev,noexec,relatime "* ]]
	[[ "$(flags_of /dev)" == "rw,nosuid rw,size=65536k,mode=755"* ]]
	[[ "$(flags_of /dev/pts)" == "rw,nosuid,noexec,relatime rw,gid=$(on_host 5),mode=620,ptmxmode=666" ]]
	[[ "$(flags_of /dev/shm)" == "rw,nosuid,nodev,noexec,relatime rw,size=65536k"* ]]
	[[ "$(flags_of /dev/mqueue)" == "rw,nosuid,nodev,noexec,relatime rw" ]]
	[[ "$(flags_of /sys/fs/cgroup)" == "ro,nosuid,nodev,noexec,relatime "* ]]
	# sysfs shows the new network namespace, and mqueue the message queues of the new ipc namespace.
	[[ "$output" == *$'\nlo\n-\n'* ]]
	[ ! -e /dev/mqueue/own ]
	[[ "$output" == *"/dev/pts/ptmx"* ]]
}

@test "without a cgroup namespace, if a new cgroup2 mount is refused, the host's is shown read-only" {
	add_user_namespace
	config '.linux.namespaces|=map(select(.type!="cgroup")) | (.mounts[]|select(.type=="cgroup").options)=["nosuid","noexec","nodev"]'
	inside 'stat -f -c %T /sys/fs/cgroup; cat /proc/self/cgroup | grep ^0; cat /proc/self/mountinfo'
	[ "$(cgroup_mount)${lines[1]#0::}" = "$(cgroup_of "$ID")" ]
	[[ "$(flags_of /sys/fs/cgroup)" == "ro,"* ]]
}

# bats test_tags=vm
@test "with a cgroup namespace, if a new cgroup2 mount is refused, the rest of the host's is never shown" {
	add_user_namespace
	config '(.mounts[]|select(.type=="cgroup").options)=["nosuid","noexec","nodev"]'
	# A cgroup namespace that belongs to another user namespace, which may show any cgroups.
	config '(.linux.namespaces[]|select(.type=="cgroup")).path="/proc/self/ns/cgroup"'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *": /mounts/6: cannot mount 'cgroup2' on '/sys/fs/cgroup': operation not permitted (needs a cgroup namespace that belongs to the container's user namespace)" ]] || { echo "$output"; return 1; }
	# A refusal by a security module: the container's own cgroup is shown, like with a new mount.
	not_systemd
	command -v strace >/dev/null || not_here "needs strace"
	config '(.linux.namespaces[]|select(.type=="cgroup"))|=del(.path)'
	script 'cat /proc/self/mountinfo; echo; ls -d /sys/fs/cgroup/*/ 2>&1; cat /sys/fs/cgroup/cgroup.procs'
	ASAN_OPTIONS=detect_leaks=0 run -0 strace -f -o "$WORK/trace" -e inject=fsmount:error=EPERM:when=7 "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	grep -q 'fsmount.*EPERM.*INJECTED' "$WORK/trace" || not_here "needs strace that can inject errors"
	[[ "$output" == *$'\n\nls: /sys/fs/cgroup/*/: No such file or directory\n1' ]] || { echo "$output"; return 1; }
	[ "$(awk '$5 == "/sys/fs/cgroup" { print $4 }' <<<"$output")" = / ] || { echo "$output"; return 1; }
}

@test "the host's root with a pinned mount namespace in it: everything but the pin is shown" {
	: >"$WORK/pin"
	config '.mounts+=[{destination:"/host",type:"bind",source:"/",options:["rbind","rslave","ro"]}]'
	# The kernel refuses to bind a namespace file of a newer mount namespace, and numbers namespaces for each cpu.
	cpu=$(awk '/^Cpus_allowed_list/ { split($2, list, "[-,]"); print list[1] }' /proc/self/status)
	pinned() {
		taskset -c "$cpu" unshare -m sh -c 'mount --make-rshared /; mkdir -p "$0/private" "$0/file" && mount --bind "$0/private" "$0/private" && mount --make-private "$0/private"
			: >"$0/private/pin"; unshare --mount="$0/private/pin" true && echo pinned && exec "$@"' \
			"$WORK" "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	}
	for user in false true; do
		for propagation in private rslave; do
			config --arg p $propagation '.linux.rootfsPropagation=$p'
			script 'cd /host'"$WORK"'; ls -d private/pin; ls bundle/rootfs/proc bundle/rootfs/dev | wc -l; ls -d /host/proc/self; touch file 2>&1; grep -c " mnt:.* nsfs " /proc/self/mountinfo'
			run pinned
			[[ "$output" == $'pinned\nprivate/pin\n'*$'\n/host/proc/self\n'*"Read-only file system"*$'\n0' ]] || { echo "$user $propagation: $output"; return 1; }
			[ "${lines[2]}" -le 5 ] || { echo "the container's own mounts are shown: $output"; return 1; }
		done
		[ $user = true ] || add_user_namespace
	done
	# Also for the root file system itself, if the caller may make links in its /dev.
	[ -z "${TARE_AS:-}" ] || return 0
	config '.root.path="/" | .mounts=[] | .linux.namespaces|=map(select(.type!="user")) | .process.args=["true"] | .process.env=["PATH=/bin"] | del(.linux.uidMappings,.linux.gidMappings,.linux.rootfsPropagation)'
	run pinned
	[ "$output" = pinned ] || { echo "$output"; return 1; }
}

@test "remount refuses options that are no mount attribute, and an item that is a list, by name" {
	refused() { # mount, what is said of it
		config --argjson m "$1" '.mounts=[{"destination":"/m","type":"tmpfs","source":"t","options":["size=2m"]},
			({"destination":"/m","type":"tmpfs","source":"t"}+$m)]'
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"/mounts/1: $2" ]] || { echo "$output"; return 1; }
	}
	for option in size=1m foo=bar sync dirsync lazytime tmpcopyup; do
		refused '{"options":["remount","ro","'$option'"]}' "remount cannot change '$option'"
	done
	maps='[{"containerID":0,"hostID":1000,"size":10}]'
	refused '{"options":["remount"],"uidMappings":'"$maps"',"gidMappings":'"$maps"'}' "remount cannot change 'uidMappings'"
	for option in idmap ridmap; do
		refused '{"options":["remount","'$option'"],"uidMappings":'"$maps"',"gidMappings":'"$maps"'}' \
			"remount cannot change '$option'"
	done
	refused '{"options":["remount","size=1m,mode=700"]}' \
		"remount cannot change 'size=1m,mode=700' (write each option as an item of its own)"
	refused '{"type":"bind","source":"/tmp","options":["bind,ro"]}' \
		"bind mounts cannot have any filesystem-specific options applied: 'bind,ro' (write each option as an item of its own)"
	# Options without effect are accepted.
	config '.mounts[1]={"destination":"/m","options":["remount","async","nolazytime","defaults","ro"]}
		| .mounts+=[{"destination":"/proc","type":"proc","source":"proc"}]'
	inside 'cat /proc/self/mountinfo'
	[[ "$(flags_of /m)" == "ro,relatime rw,size=2048k"* ]]
}

@test "options and sources longer than fsconfig(2) accepts" {
	long=$(printf 'x%.0s' {1..200})
	mkdir -p "$WORK/$long/lower" "$WORK/$long/other" "$WORK"/{upper,work}
	own "$WORK/upper" "$WORK/work"
	echo low >"$WORK/$long/lower/f"
	echo other >"$WORK/$long/other/g"
	config --arg l "lowerdir=$WORK/$long/lower:$WORK/$long/other" --arg u "upperdir=$WORK/upper" --arg w "workdir=$WORK/work" --arg s "$long$long" '.mounts+=[
		{destination:"/o",type:"overlay",source:"overlay",options:[$l,$u,$w,"nosuid","noatime"]},
		{destination:"/r",type:"overlay",source:$s,options:[$l,"ro","sync"]},
		{destination:"/t",type:"tmpfs",source:$s,options:["size=1m","noexec"]},
		{destination:"/tmp",type:"tmpfs",source:$s}]'
	mkdir -p "$BUNDLE/rootfs/tmp" && chmod 1751 "$BUNDLE/rootfs/tmp"
	for flag in "" --no-pivot; do
		rm -rf "$BUNDLE/rootfs/t"
		script 'cat /o/f /o/g; echo high >/o/h; echo no >/r/h; pwd; stat -c %a /tmp /t; cat /proc/self/mountinfo'
		run -0 "$TARE" --root "$ROOT" run $flag -b "$BUNDLE" "$ID"
		[[ "$output" == $'low\nother\nsh: can\'t create /r/h: Read-only file system\n/\n1751\n1777\n'* ]] || { echo "$output"; return 1; }
		[ "$(cat "$WORK/upper/h")" = high ]
		[[ "$(flags_of /o)" == "rw,nosuid,noatime rw,lowerdir=$WORK/$long/lower:$WORK/$long/other,upperdir="* ]]
		[[ "$(flags_of /r)" == "ro,relatime ro,sync,lowerdir="* ]]
		[[ "$(flags_of /t)" == "rw,noexec,relatime rw,size=1024k"* ]]
		[ "$(awk '$5 == "/t" || $5 == "/r" { print $(NF - 1) }' <<<"$output")" = "$long$long"$'\n'"$long$long" ]
		# The mounts that helped to make them are gone.
		[ "$(awk 'NF > 8 && $(NF - 2) == "tmpfs" && $5 !~ "^/(proc|sys)/" { print $5 }' <<<"$output" | sort | tr '\n' ' ')" = \
			"/dev /dev/shm /t /tmp " ] || { echo "$output"; return 1; }
	done
	# In a user namespace, in the order of the list, and with a layer on a mount of the same list.
	add_user_namespace
	chown -R "$(on_host 0):$(on_host 0)" "$WORK/upper" "$WORK/work"
	run -0 "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == $'low\nother\n'* ]] || { echo "$output"; return 1; }
}

@test "errors in long options are reported, and the options are a page at most" {
	long=$(printf 'x%.0s' {1..255})
	refused() { # mount, what is said of it
		config --argjson m "$1" '.mounts=[{destination:"/m",type:"tmpfs",source:"t"}+$m]'
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"/mounts/0: cannot mount '"*"' on '/m': $2"* ]] || { echo "$output"; return 1; }
	}
	refused '{"options":["size=1'$long'"]}' "invalid argument"
	refused '{"options":["'$long'x=1"]}' "invalid argument"
	refused '{"type":"overlay","options":["lowerdir=/'$long'/x"]}' "no such file or directory"
	many=$(for i in {1..16}; do printf ',"%s"' "$long=x"; done)
	refused '{"options":["x=x'$long'"'"$many"']}' "argument list too long (if one of its options is longer than 255 bytes, all of them together can have at most 4095)"
	config --arg t "none-such" --arg s "$long$long" '.mounts[0]={destination:"/m",type:$t,source:$s}'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/mounts/0: file system 'none-such' is not known to this kernel"* ]] || { echo "$output"; return 1; }
}

in_user_ns() { # namespaces of the caller, a filter
	add_user_namespace
	config --arg without "$1" '.linux.namespaces|=map(select(.type as $t|$without|split(" ")|index($t)|not))'" | $2"
}

@test "sysfs in a user namespace that shares the caller's network is the host's /sys" {
	in_user_ns network '.mounts|=map(select(.destination!="/sys/fs/cgroup"))'
	echo 'ls /sys/class/net | tr "\n" " "; echo; ls /sys/firmware; mkdir /sys/fs/cgroup/x; cat /proc/self/mountinfo' >"$BUNDLE/rootfs/script"
	config '.process.args=["sh","/script"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$(sed -n 1p <<<"$output")" = "$(ls /sys/class/net | tr '\n' ' ')" ] || { echo "$output"; return 1; }
	[[ "$output" == *"mkdir: can't create directory '/sys/fs/cgroup/x': Read-only file system"* ]]
	# All of it is read-only, and later mounts of the host do not arrive.
	[ "$(awk '$5 ~ "^/sys" && $6 !~ "^ro,.*nosuid,nodev,noexec"' <<<"$output")" = "" ] || { echo "$output"; return 1; }
	[[ "$(awk '$5 ~ "^/sys" { print $7 }' <<<"$output" | sort -u)" == - ]]
	[ "$(awk '$5 == "/sys" { print $4, $(NF - 2) }' <<<"$output")" = "/ sysfs" ]
	config '(.mounts[]|select(.type=="sysfs")).options-=["ro"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[[ "$(flags_of /sys)" == "rw,nosuid,nodev,noexec,"* ]]
}

@test "a file system of a namespace that the user namespace does not own is refused, naming the namespace" {
	in_user_ns "ipc pid" .
	config '.mounts|=map(select(.type!="proc")) | .linux.maskedPaths=[] | .linux.readonlyPaths=[]'
	# Otherwise the caller's mqueue is bound.
	end_watch
	umount -l /dev/mqueue 2>/dev/null || true
	watch_mounts
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *": cannot mount 'mqueue' on '/dev/mqueue': operation not permitted (needs an ipc namespace that belongs to the container's user namespace)" ]] || { echo "$output"; return 1; }
	config '.mounts=[{destination:"/proc",type:"proc",source:"proc"}]'
	run -1 tare run --proc fresh -b "$BUNDLE" "$ID"
	[[ "$output" == *"/mounts/0: cannot mount 'proc' on '/proc': operation not permitted (needs a pid namespace that belongs to the container's user namespace)" ]] || { echo "$output"; return 1; }
	# With a joined network namespace the host's /sys would show another one. An ordinary user cannot join it.
	[ "${TARE_AS:-}" != user ] || return 0
	${holder:+nsenter -t "$holder" -U} unshare -n sleep 100 3>&- &
	pid=$!
	wait_for '[ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]'
	config --arg p "/proc/$pid/ns/net" '.mounts=[{destination:"/sys",type:"sysfs",source:"sysfs"}] | .linux.namespaces|=map(select(.type!="network"))+[{type:"network",path:$p}]'
	run -1 tare run -b "$BUNDLE" "$ID"
	kill "$pid"
	[[ "$output" == *"/mounts/0: cannot mount 'sysfs' on '/sys': operation not permitted (needs a network namespace that belongs to the container's user namespace)" ]] || { echo "$output"; return 1; }
}

# bats test_tags=vm
@test "a cgroup2 mount in the caller's cgroup namespace leaves the options of the host's hierarchy as they are" {
	options() {
		awk -v path="$(cgroup_mount)" '$5 == path { print $6, $NF }' /proc/self/mountinfo
	}
	[[ "$(options)" == *nsdelegate* || "$(options)" == *memory_recursiveprot* ]] || host_lacks "the hierarchy has no options"
	before=$(options)
	config '.linux.namespaces|=map(select(.type!="cgroup")) | .mounts|=map(select(.destination!="/sys/fs/cgroup"))
		+[{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","options":["nosuid","ro"]}]'
	inside 'grep " /sys/fs/cgroup " /proc/self/mountinfo; [ -e /sys/fs/cgroup/cgroup.procs ]; ! touch /sys/fs/cgroup/cgroup.procs'
	[ "$(options)" = "$before" ]
	[[ "$output" == *" /sys/fs/cgroup ro,nosuid"* ]]
}

# A link in the bundle to a file beside it, and a link in the root file system.
links() {
	echo source >"$BUNDLE/file"
	ln -s file "$BUNDLE/link"
	echo inside >"$BUNDLE/rootfs/tmp/inside"
	ln -s tmp/inside "$BUNDLE/rootfs/name"
}

@test "src-nofollow binds a symbolic link itself, and dest-nofollow covers one" {
	links
	shows() { # options, what the path is in the container
		config --argjson options "$1" '.mounts+=[{destination:"/name",type:"bind",source:"link",options:$options}]
			| .process.args=["sh","-c","readlink /name; cat /name /tmp/inside 2>&1"]'
		run tare run -b "$BUNDLE" "$ID"
		config '.mounts|=map(select(.destination!="/name"))'
		[ "$output" = "$2" ] || { echo "$1: $output"; return 1; }
		# The link in the root file system is unchanged.
		[ "$(readlink "$BUNDLE/rootfs/name")" = tmp/inside ]
	}
	shows '["bind"]' $'tmp/inside\nsource\nsource'
	shows '["bind","dest-nofollow"]' $'source\ninside'
	shows '["bind","src-nofollow","dest-nofollow"]' $'file\ncat: can\'t open \'/name\': No such file or directory\ninside'
	# What the link is called in the container, and where the file would be.
	echo "of the container" >"$BUNDLE/rootfs/file"
	shows '["rbind","ro","src-nofollow","dest-nofollow"]' $'file\nof the container\ninside'
	# Neither option has an effect on what is no link.
	rm "$BUNDLE/rootfs/name"
	cp -a "$BUNDLE/rootfs/tmp/inside" "$BUNDLE/rootfs/name"
	config '.mounts+=[{destination:"/name",type:"bind",source:"file",options:["bind","src-nofollow","dest-nofollow"]}] | .process.args=["cat","/name"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$output" = source ]
	# A missing target is made: a file, for a link, too.
	config '.mounts[-1]|=(.destination="/new/link"|.source="link"|.options=["bind","src-nofollow"]) | .process.args=["readlink","/new/link"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$output" = file ]
	[ -f "$BUNDLE/rootfs/new/link" ] && [ ! -L "$BUNDLE/rootfs/new/link" ]
	# In a user namespace, which gets locked copies.
	[ "${TARE_AS:-}" = user ] ||
		config '.linux.namespaces+=[{type:"user"}] | .linux.uidMappings=[{containerID:0,hostID:0,size:65536}] | .linux.gidMappings=.linux.uidMappings'
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$output" = file ]
}

@test "copy-symlink makes the link in the container again, and only there" {
	links
	config '.mounts+=[{destination:"/etc/made",type:"bind",source:"link",options:["rbind","ro","copy-symlink"]},
		{destination:"/tmp/bound",type:"bind",source:"file",options:["bind","copy-symlink"]}]
		| .process.args=["sh","-c","readlink /etc/made; cat /tmp/bound; grep -c /etc/made /proc/self/mountinfo"]'
	for _ in first second; do
		run tare run -b "$BUNDLE" "$ID"
		[ "$output" = $'file\nsource\n0' ] || { echo "$output"; return 1; }
		run -0 tare check -b "$BUNDLE"
	done
	# What exists must be the same link.
	ln -sfn other "$BUNDLE/rootfs/etc/made"
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/mounts/7: cannot make the link '/etc/made' to 'file': file exists "* ]] || { echo "$output"; return 1; }
	[ "$(readlink "$BUNDLE/rootfs/etc/made")" = other ]
	# A link is not made in a directory of the host.
	rm "$BUNDLE/rootfs/etc/made"
	mkdir "$BUNDLE/host"
	config '.mounts[-2:]=[{destination:"/etc",type:"bind",source:"host",options:["bind"]},
		{destination:"/etc/made",type:"bind",source:"link",options:["bind","copy-symlink"]}]'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/mounts/8: "*"/etc/made"* ]] || { echo "$output"; return 1; }
	[ -z "$(ls -A "$BUNDLE/host")" ]
	# Also not through a link of the image that leads out of the root file system.
	config '.mounts|=.[:-2] | .mounts+=[{destination:"/out/made",type:"bind",source:"link",options:["bind","copy-symlink"]}] | .process.args=["true"]'
	ln -s "$BUNDLE/host" "$BUNDLE/rootfs/out"
	run tare run -b "$BUNDLE" "$ID"
	[ -z "$(ls -A "$BUNDLE/host")" ]
}

@test "options about links are for bind mounts, and copy-symlink excludes the others" {
	for option in copy-symlink src-nofollow dest-nofollow; do
		config --arg o $option '.mounts+=[{destination:"/tmp",type:"tmpfs",source:"t",options:[$o]}]'
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"/mounts/7: option '$option' is for bind mounts"* ]] || { echo "$output"; return 1; }
		config --arg o $option '.mounts[7].options=["remount",$o]'
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"/mounts/7: remount cannot change '$option'"* ]] || { echo "$output"; return 1; }
		config 'del(.mounts[7])'
	done
	for option in src-nofollow dest-nofollow; do
		config --arg o $option '.mounts+=[{destination:"/tmp",type:"bind",source:"rootfs",options:["bind",$o,"copy-symlink"]}]'
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"/mounts/7: option 'copy-symlink' cannot be combined with '$option'"* ]] || { echo "$output"; return 1; }
		config 'del(.mounts[7])'
	done
}
