# SPDX-License-Identifier: Apache-2.0
# Completion for bash.
_tare() {
	local current=${COMP_WORDS[COMP_CWORD]} command= word
	local commands='create start run state kill delete exec list ps pause resume update events spec features plan check help'
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case " $commands " in *" $word "*) command=$word ;; esac
	done
	if [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(tare help $command 2>/dev/null | grep -oE -- '--[a-z-]+') --root --log" -- "$current")
	elif [ -z "$command" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
	else
		case $command in
		start | state | kill | delete | ps | pause | resume | update | events | exec) mapfile -t COMPREPLY < <(compgen -W "$(tare list -q 2>/dev/null)" -- "$current") ;;
		help) mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current") ;;
		*) compopt -o default ;;
		esac
	fi
}
complete -F _tare tare
