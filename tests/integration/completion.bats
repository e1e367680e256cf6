# SPDX-License-Identifier: Apache-2.0
# Completion of the command line by shells, from what "tare help" prints.
load helpers

FILES=$BATS_TEST_DIRNAME/../../completion

# The last word is the unfinished one.
offered_by_bash() { # words...
	unset -f tare
	set +e
	# shellcheck source=/dev/null
	source "$FILES/tare.bash"
	compopt() { :; }
	COMP_WORDS=(tare "$@") COMP_CWORD=$# COMPREPLY=()
	read -r _ _ handler _ < <(complete -p tare)
	"$handler" tare "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
	printf "%s\n" "${COMPREPLY[@]}"
}

# Prints what a shell offers for a command line that has an unfinished last word, sorted. "|" stands for the cursor.
offered() { # LINE|
	local line=${1%|} word
	local -a words
	case $shell in
	bash)
		# Bash makes three words of --root=DIR.
		words=(${line//=/ = })
		[[ -n "$line" && "$line" != *" " ]] || words+=("")
		(PATH=$WORK/path:$PATH offered_by_bash "${words[@]}") | sort -u
		;;
	zsh) PATH=$WORK/path:$PATH timeout "$HANGS" "$BATS_TEST_DIRNAME/../tools/complete-zsh" "$FILES" "tare $line" | sed 's|.*/||' ;;
	fish)
		PATH=$WORK/path:$PATH HOME=$WORK fish --no-config -c 'source $argv[1]/tare.fish; complete -C "tare $argv[2]"' "$FILES" "$line" |
			sed 's/\t.*//; s|^--[a-z-]*=||' | sort -u
		;;
	esac
}

offers() { # LINE| candidates...
	local line=$1
	shift
	diff <(offered "$line" | grep .) <(printf '%s\n' "$@" | sort -u | grep .) || { echo "tare $line"; return 1; }
}

# The names of the long flags in a help text.
long() { grep -oE -- '^ .{5}--[A-Za-z0-9-]{2,}' | tr -d ' ' | sed 's/.*--/--/' | sort -u; }

completes() { # SHELL
	local shell=$1 command commands globals id both
	command -v "$shell" >/dev/null || { ! is_emulated || skip "no $shell in the VM"; not_here "no $shell"; }
	mkdir "$WORK/path" "$WORK/dir" "$WORK/dir/below"
	touch "$WORK/dir/file"
	ln -s "$(realpath "$TARE")" "$WORK/path/tare"
	commands=$("$TARE" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
	[ "$(wc -l <<<"$commands")" -gt 10 ]
	offers "|" $commands help
	offers "--debug p|" pause plan ps
	offers "help sta|" start state
	# Global flags before a command, and the command's own flags together with the global ones after it.
	globals=$("$TARE" --help | long)
	[[ "$globals" == *--systemd-cgroup* ]]
	offers "--|" $globals
	! is_emulated || commands="create exec list"
	for command in $commands; do
		offers "$command --|" $("$TARE" help "$command" | long) $globals
	done
	offers "create --no-|" --no-pivot --no-new-keyring --no-subreaper
	offers "update x --l3|" --l3-cache-schema
	offers "mounts r|" remove
	offers "--root $ROOT run --det|" --detach
	# The flags of another program are not those of tare.
	offers "exec x cat --deb|"
	# Values of flags.
	offers "--log-format |" text json
	offers "list -f |" table json
	offers "list --format=t|" table
	offers "create --proc=|" fresh subset bind auto
	offers "kill --signal SIGT|" SIGTERM SIGTRAP SIGTSTP SIGTTIN SIGTTOU
	offers "kill x SIGC|" SIGCHLD SIGCONT
	# A choice in capital letters stands for a file.
	offers "sandbox --net h|" host
	offers "sandbox --seccomp n|" none
	diff <(offered "sandbox --net=$WORK/dir/|" | sed 's|/$||; s|.*/||') <(printf 'below\nfile\n')
	offers "sandbox --pids 5 -- bash-that-does-not|"
	offered "sandbox --pids 5 -- setpri|" | grep -qx setpriv
	values_of_paths
	# The ids of the state root that the command line names, in every form that it can be named.
	for id in one two; do create "$ID.$id"; done
	both="$ID.one $ID.two"
	for command in start exec $(is_emulated || echo kill delete ps events); do
		offers "--root $ROOT $command |" $both
	done
	offers "--root $ROOT state $ID.t|" "$ID.two"
	offers "--debug state --root $ROOT $ID.o|" "$ID.one"
	offers "--root=$ROOT state |" $both
	offers "--root $WORK/none state $ID|"
	# A new container needs a new id.
	offers "--root $ROOT run |"
	# A value that is the name of a command is not mistaken for one.
	offers "--root run |" $("$TARE" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p') help
}

values_of_paths() {
	diff <(offered "create --bundle $WORK/dir/|" | sed 's|/$||; s|.*/||') <(echo below)
	diff <(offered "create -f $WORK/dir/|" | sed 's|/$||; s|.*/||') <(printf 'below\nfile\n')
	diff <(offered "doctor $WORK/di|" | sed 's|/$||; s|.*/||') <(echo dir)
}

@test "bash completes commands, flags, their values, and the ids of a state root" {
	completes bash
	(
		unset -f tare
		shell=bash
		PATH=$WORK/path:$PATH
		diff <(offered "-root $ROOT --debug state |") <(printf '%s\n' "$ID.one" "$ID.two")
	)
}

@test "zsh completes commands, flags, their values, and the ids of a state root" {
	completes zsh
}

@test "fish completes commands, flags, their values, and the ids of a state root" {
	completes fish
}
