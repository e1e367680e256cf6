#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: layers.sh SOURCE_DIRECTORY BUILD_DIRECTORY
# Compares the picture of the rooms in ARCHITECTURE.md with the code. A room is a directory under src. It includes only
# its own headers and those of rooms on lower floors. Its files do not call each other in a circle. Its functions begin
# with its name or with that of their file, and are defined once. It has at most a fifth of all lines.
set -u
build=$(cd "$2" && pwd) || exit 1
cd "$1" || exit 1
status=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "$*"
	status=1
}

# --- the picture: lines "FLOOR  ROOM ROOM ..." between "<!-- rooms -->" and "<!-- end of rooms -->"

sed -n '/^<!-- rooms -->/,/^<!-- end of rooms -->/p' ARCHITECTURE.md |
	sed -nE 's/^ *([0-9]+) *│ *(([a-z]+ {1,3})*[a-z]*).*/\1 \2/p' >"$work/picture"
while read -r floor rooms; do
	for room in $rooms; do echo "$floor $room"; done
done <"$work/picture" >"$work/floors"
cut -d' ' -f2 "$work/floors" | sort >"$work/drawn"
(cd src && printf '%s\n' */) | tr -d / | sort >"$work/present"
difference=$(diff "$work/drawn" "$work/present") || fail "the rooms in ARCHITECTURE.md are not those under src: $difference"

floor_of() {
	awk -v room="$1" '$2 == room { print $1 }' "$work/floors"
}

# --- includes

# Most headers have the name of their room. These are further headers of a room.
room_of() { # header
	case $1 in
	kernel | await) echo base ;;
	hooks) echo sys ;;
	notify) echo container ;;
	child | exec | options) echo parent ;;
	resctrl) echo cgroup ;;
	steps) echo plan ;;
	values) echo spec ;;
	*) echo "$1" ;;
	esac
}

while read -r room; do
	for header in $(grep -rhoE '#include <tare/[a-z]+\.h>' "src/$room" | sed 's|.*/||; s|\.h>||' | sort -u); do
		other=$(room_of "$header")
		[ -d "src/$other" ] || fail "tare/$header.h belongs to no room"
		[ "$other" = "$room" ] || [ "$(floor_of "$other")" -lt "$(floor_of "$room")" ] ||
			fail "src/$room includes tare/$header.h of $other, which is not on a lower floor"
	done
	for header in $(grep -rhoE '#include "[^"]+"' "src/$room" | cut -d'"' -f2 | sort -u); do
		[ -e "src/$room/$header" ] || [ "$header" = version.h ] || [ "$header" = capability_names.h ] ||
			fail "src/$room includes \"$header\", which is not its own"
	done
done <"$work/present"
for header in include/tare/*.h; do
	name=${header##*/}
	room=$(room_of "${name%.h}")
	for other in $(grep -oE '#include <tare/[a-z]+\.h>' "$header" | sed 's|.*/||; s|\.h>||'); do
		other=$(room_of "$other")
		[ "$other" = "$room" ] || [ "$(floor_of "$other")" -lt "$(floor_of "$room")" ] ||
			fail "$header includes a header of $other, which is not on a lower floor"
	done
done

# Only one room uses each library. The build runs capability_names_main.c.
for file in $(grep -rl 'yajl' src --include=*.c); do
	[ "$file" = src/spec/dom.c ] || fail "$file knows yajl"
done
for file in $(grep -rlE '#include <(libmount/libmount|sys/capability)\.h>' src --include=*.[ch]); do
	case $file in src/doctor/* | src/base/capability_names_main.c) ;; *) fail "$file knows libmount or libcap" ;; esac
done
for file in $(grep -rlE '#include <seccomp\.h>' src --include=*.[ch]); do
	case $file in src/seccomp/*) ;; *) fail "$file knows libseccomp" ;; esac
done

# --- sizes

total=$(cat src/*/*.[chS] | wc -l)
while read -r room; do
	lines=$(cat "src/$room"/*.[chS] 2>/dev/null | wc -l)
	[ $((lines * 5)) -le "$total" ] || fail "src/$room has $lines of $total lines, more than a fifth"
done <"$work/present"

# --- the table: as tests/rooms prints it, except that a room's number of lines may differ by a tenth

sh tests/rooms . | sed -n 's/^| `/&/p' >"$work/table"
while IFS='|' read -r _ room lines rest; do
	written=$(grep -F "|$room|" ARCHITECTURE.md | head -n 1)
	[ "$rest" = "$(echo "$written" | cut -d'|' -f4-)" ] ||
		fail "the row of$room in ARCHITECTURE.md is out of date: put what tests/rooms prints in its place"
	was=$(echo "$written" | cut -d'|' -f3)
	change=$((lines > was ? lines - was : was - lines))
	[ "$change" -le 200 ] || [ $((change * 10)) -le "$was" ] ||
		fail "the lines of$room in ARCHITECTURE.md are out of date: put what tests/rooms prints there"
done <"$work/table"

# --- what the symbols of the object files: "FILE TYPE SYMBOL"

find "$build/src" -name '*.c.o' -exec nm -A {} + |
	sed -n 's|^.*/\([a-z]*\)_\([a-z_]*\)\.c\.o:[0-9a-f ]* \([A-Z]\) \([A-Za-z_][A-Za-z0-9_]*\)$|\1/\2 \3 \4|p' |
	grep -v -e '^meson-generated' -e ' [TU] _\{0,2\}\(asan\|ubsan\|gcov\|llvm\|sanitizer\)' | sort -u >"$work/symbols"
[ "$(grep -c ' T ' "$work/symbols")" -gt 400 ] || fail "cannot read the object files below $build/src"

# Names. The freestanding programs define functions of the C library, and main is required by the system.
awk '$2 == "T" {
	split($1, at, "/")
	word = at[2]
	sub(/_.*/, "", word)
	if ($3 !~ "^(" at[1] "|" at[2] "|" word ")(_|$)" && at[1] != "freestanding" && $3 !~ /^(main|freestanding_main)$/)
		print "src/" $1 ".c defines " $3 ", which has neither its room nor its file in front"
}' "$work/symbols" >"$work/names"
[ ! -s "$work/names" ] || fail "$(cat "$work/names")"

# One definition of each function. Of two in an archive, the linker takes one and reports nothing.
awk '$2 == "T" && $3 !~ /^(main|freestanding_main)$/ {
	if ($3 in file) print "src/" file[$3] ".c and src/" $1 ".c define " $3
	file[$3] = $1
}' "$work/symbols" >"$work/twice"
[ ! -s "$work/twice" ] || fail "$(cat "$work/twice")"

# Circles of calls between files. A function that several programs define is no call to a certain file.
awk '$2 == "U" { calls[$1 " " $3] = 1; next }
	$1 !~ /^freestanding/ && $3 != "freestanding_main" { file[$3] = $1 }
	END {
		for (call in calls) {
			split(call, at, " ")
			if (at[2] in file && file[at[2]] != at[1]) print at[1], file[at[2]]
		}
	}' "$work/symbols" | sort -u >"$work/calls"
tsort "$work/calls" >/dev/null 2>"$work/circle" || fail "files that call each other in a circle: $(sed 's/^tsort: *//' "$work/circle" | tr '\n' ' ')"
exit $status
