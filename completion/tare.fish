# SPDX-License-Identifier: Apache-2.0
# Completion for fish, made of what "tare help" prints: commands, flags, and the values of flags such as FILE or
# text|json.

# Prints the global flags, or those of a command, one a line: letter, name, name of the value, description.
function __tare_flags
    tare help $argv 2>/dev/null |
        string replace -rf '^ +(?:-([A-Za-z]), )?--([A-Za-z0-9-]+) ([^ ]*) +(.*)$' '$1\t$2\t$3\t$4'
end

function __tare_commands
    tare help 2>/dev/null | sed -n '/^Commands:/,/^$/p' | string replace -rf '^  ([a-z-]+) +(.*)$' '$1\t$2'
    printf 'help\tPrint the help of a command\n'
end

# Prints the name of the value of a flag, and fails if the flag has none. $argv: the word, and lines of __tare_flags.
function __tare_value_of --argument-names word
    set -l name (string replace -r '^--?' '' -- $word)
    test -n "$name"; or return 1
    for row in $argv[2..]
        set -l row (string split \t -- $row)
        contains -- $name $row[1] $row[2]; and test -n "$row[3]"; and echo $row[3]; and return
    end
    return 1
end

# Completes the value of a flag, or an operand. $argv: its name, the unfinished word, and --root DIR.
function __tare_values --argument-names name current
    switch $name
        case DIR BUNDLE
            __fish_complete_directories $current ''
        case FILE SOCKET
            __fish_complete_path $current
        case COMMAND
            __fish_complete_command
        case SIGNAL
            string replace -r '^' SIG (kill -l | string split -n ' ')
        case ID
            tare $argv[3..] list 2>/dev/null | string replace -rf '^(\S+) +\d+ +(\S+) .*' '$1\t$2'
        case '*|*'
            # A choice in capital letters stands for a file.
            string split '|' $name | string match -rv '^[A-Z]'
            string match -qr '[A-Z]' $name; and __fish_complete_path $current
    end
end

function __tare_complete
    set -l current (commandline -ct)
    set -l flags (__tare_flags)
    set -l commands (__tare_commands)
    set -l command
    set -l operands # the names of the missing operands
    set -l has_rest # whether the words after the first operand belong to another program
    set -l value # the name of the value of the flag before
    set -l root # --root DIR
    set -l previous

    for word in (commandline -opc)[2..]
        if set -q value[1]
            string match -qr '^--?root$' -- $previous; and set root --root $word
            set value
        else if string match -qr '^--?root=' -- $word
            set root $word
        else if string match -q -- '-*' $word
            set value (__tare_value_of $word $flags)
            set previous $word
        else if set -q command[1]
            if set -q has_rest[1]
                __fish_complete_path $current
                return
            end
            set operands $operands[2..]
        else if string match -qr "^$word\t" -- $commands
            set command $word
            set flags $flags (__tare_flags $word)
            set operands (tare help $word 2>/dev/null | string replace -rf '^Usage: .* \[FLAGS\] *' '' | string replace -- '-- PROGRAM' COMMAND | string match -ra '[A-Z]+|[a-z]+(?:\|[a-z]+)+')
            set has_rest (string match -r 'ARG.*|OPTIONS' $operands)
        end
    end
    if set -q value[1]
        __tare_values $value $current $root
    else if string match -qr '^--?.*=' -- $current
        set -l parts (string split -m 1 = -- $current)
        set value (__tare_value_of $parts[1] $flags); or return
        __tare_values $value $parts[2] $root | string replace -r -- '^' $parts[1]=
    else if string match -q -- '-*' $current
        string replace -rf -- '^[^\t]*\t([^\t]{2,})\t[^\t]*\t' '--$1\t' $flags
    else if contains -- "$command" '' help
        printf '%s\n' $commands
    else if test "$operands[1]" != ID; or not string match -qr '\tbundle\t' -- $flags
        # A command with a bundle makes a container, so it needs an id that does not exist.
        __tare_values $operands[1] $current $root
    end
end

complete -c tare -f -a '(__tare_complete)'
