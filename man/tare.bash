# SPDX-License-Identifier: Apache-2.0
# Completion for bash.
_tare() {
	local current=${COMP_WORDS[COMP_CWORD]} command= before= word
	local -a root
	local commands='create start run state kill delete exec list ps pause resume update events spec features plan check help'
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		# Bash makes three words of --root=DIR.
		case $before:$word in
		--root:= | -root:=) continue ;;
		--root:* | -root:*) root=(--root "$word") ;;
		*) case " $commands " in *" $word "*) command=$word ;; esac ;;
		esac
		before=$word
	done
	if [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(tare help $command 2>/dev/null | grep -oE -- '--[a-z-]+') --root --log" -- "$current")
	elif [ -z "$command" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
	else
		case $command in
		start | state | kill | delete | ps | pause | resume | update | events | exec) mapfile -t COMPREPLY < <(compgen -W "$(tare "${root[@]}" list -q 2>/dev/null)" -- "$current") ;;
		help) mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current") ;;
		*) compopt -o default ;;
		esac
	fi
}
complete -F _tare tare
