# SPDX-License-Identifier: Apache-2.0
# Completion for bash, made of what "tare help" prints: commands, flags, and the values of flags such as FILE or
# text|json.

# Adds the flags of a help text, which is standard input, to the array arguments.
_tare_flags() {
	local line pattern='^ +(-([A-Za-z]), )?(--[A-Za-z0-9-]+) ([^ ]*) '
	while IFS= read -r line; do
		[[ $line =~ $pattern ]] || continue
		arguments[${BASH_REMATCH[3]}]=${BASH_REMATCH[4]}
		[ -z "${BASH_REMATCH[2]}" ] || arguments[-${BASH_REMATCH[2]}]=${BASH_REMATCH[4]}
	done
}

_tare_words() { # words...
	mapfile -t COMPREPLY < <(compgen -W "$*" -- "$current")
}

_tare_values() { # the name of a flag's value or of an operand
	case $1 in
	DIR | BUNDLE) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
	FILE | SOCKET) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
	COMMAND) mapfile -t COMPREPLY < <(compgen -c -- "$current") ;;
	SIGNAL) mapfile -t COMPREPLY < <(compgen -A signal -- "$current" | grep '^SIG') ;;
	# A command with a bundle makes a container, so it needs an id that does not exist.
	ID) [[ -v arguments[--bundle] ]] || _tare_words "$(tare "${root[@]}" list -q 2>/dev/null)" ;;
	# A choice in capital letters stands for a file.
	*'|'*)
		mapfile -t COMPREPLY < <(
			tr '|' '\n' <<<"$1" | grep -v '^[A-Z]' | compgen -W "$(cat)" -- "$current"
			[[ $1 != *[A-Z]* ]] || compgen -f -- "$current"
		)
		;;
	esac
}

# Reads the words before the cursor. Returns 1 after it has completed the value of a flag.
_tare_read() {
	local word flag i
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]} flag=${COMP_WORDS[i]}
		# Long flags may have one dash.
		[[ $word != -??* || -v arguments[$word] ]] || flag=-$word
		if [[ $word == -* && ${COMP_WORDS[i + 1]} == = ]]; then
			# Bash makes three words of --root=DIR.
			((++i == COMP_CWORD)) && current= || ((++i))
		elif [[ $word == -* ]]; then
			[ -z "${arguments[$flag]}" ] || ((++i))
		elif [ -n "$command" ]; then
			((++count))
			[ -z "$has_rest" ] || break
		elif [[ $'\n'$commands$'\n' == *$'\n'"$word"$'\n'* ]]; then
			command=$word help=$(tare help "$word" 2>/dev/null)
			_tare_flags <<<"$help"
			read -ra operands < <(sed -n '1{s/^Usage: .* \[FLAGS\] *//;s/-- PROGRAM/COMMAND/;p}' <<<"$help" | tr -d '[]')
			[[ ${operands[*]} != *ARG* && ${operands[*]} != *OPTIONS* ]] || has_rest=yes
		fi
		((i < COMP_CWORD)) || { _tare_values "${arguments[$flag]}" && return 1; }
		[[ $flag != --root ]] || root=(--root "${COMP_WORDS[i]}")
	done
}

_tare() {
	local current=${COMP_WORDS[COMP_CWORD]} help commands
	local command= count=0         # the command, and the number of operands before the cursor
	local has_rest=                # whether the words after the first operand belong to another program
	local -a root operands         # --root DIR, and the names of the command's operands
	local -A arguments             # from --NAME and -LETTER to the name of the flag's value
	COMPREPLY=()
	help=$(tare help 2>/dev/null)
	commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p' <<<"$help" && echo help)
	_tare_flags <<<"$help"
	_tare_read || return
	if [ -n "$has_rest" ] && ((count > 0)); then
		compopt -o default
	elif [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "${!arguments[*]}" -- "$current" | grep '^--..')
	elif [ -z "$command" ] || [ "$command" = help ]; then
		_tare_words "$commands"
	else
		_tare_values "${operands[count]}"
	fi
}
complete -F _tare tare
