#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: language.sh SOURCE_DIRECTORY [--count]
# Fails on words that make comments, messages, documents or test names hard to read, anywhere in a text file of the
# project. A phrase is also found across the end of a line. language.allow names the places where such a word is right.
# --count prints how many of them each directory has, and does not fail.
set -u
cd "$1" || exit 1
allow=tests/unit/language.allow

# Excluded: build directories, texts by other authors, and texts with intentional errors.
files() {
	find . \( -name .git -o -type d -exec test -d '{}/meson-private' \; -o -name corpus -o -name golden -o -name LICENSE \) -prune -o \
		-type f ! -name '*.allow' ! -name language.sh -print | sed 's|^\./||' | grep -vE '^(tests/vm/guest|\.cache)/|\.json$' | sort
}

# shellcheck disable=SC2046
awk -v allow="$allow" -v count="${2:-}" '
BEGIN {
	split("behind,nobody,somebody,whoever,whose,anew,for want of,leave away", words, ",")
	# FILE: TEXT allows the lines of FILE that have TEXT in them.
	while ((getline line < allow) > 0)
		if (line !~ /^#/ && line != "") allowed[++allowances] = line
}

function is_allowed(text,    i, colon) {
	for (i = 1; i <= allowances; i++) {
		colon = index(allowed[i], ": ")
		if (substr(allowed[i], 1, colon - 1) == FILENAME && index(text, substr(allowed[i], colon + 2)))
			return used[i] = 1
	}
	return 0
}

function report(word,    directory) {
	if (is_allowed($0)) return
	found++
	directory = FILENAME
	if (!sub(/\/[^\/]*$/, "", directory)) directory = "."
	if (!(directory in times)) order[++directories] = directory
	times[directory]++
	if (count == "") print FILENAME ":" FNR ": \"" word "\": " $0
}

FNR == 1 { previous = "" }

{
	text = tolower($0)
	gsub(/[^a-z0-9_]+/, " ", text)
	text = " " text " "
	joined = previous text
	gsub(/ +/, " ", joined)
	for (i in words) {
		word = " " words[i] " "
		if (index(text, word) || (words[i] ~ / / && index(joined, word) && !index(previous, word)))
			report(words[i])
	}
	previous = text
}

END {
	for (i = 1; i <= allowances; i++)
		if (!(i in used)) {
			print allow ": not needed: " allowed[i]
			stale = 1
		}
	if (count != "") {
		for (i = 1; i <= directories; i++) printf "%5d %s\n", times[order[i]], order[i]
		printf "%5d in all\n", found
		exit 0
	}
	exit found > 0 || stale
}' $(files)
