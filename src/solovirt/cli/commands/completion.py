"""``completion bash|zsh|fish``: scripts that ask ``solovirt __complete``, so that every shell knows the same."""

from __future__ import annotations

import argparse

from solovirt.cli.context import Context

EPILOG = """install:
  bash    source <(solovirt completion bash)
  zsh     source <(solovirt completion zsh)
  fish    solovirt completion fish | source
"""

# bash takes words apart at : and = (COMP_WORDBREAKS); they are put together again, and what stands before the last of
# these characters is taken off the answers.
BASH = r"""# bash completion for solovirt
_solovirt() {
    local IFS=$'\n' i word cur before line
    local -a words=()
    COMPREPLY=()
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((${#words[@]})) && [[ $word == [:=]* || ${words[-1]} == *[:=] ]]; then words[-1]+=$word
        else words+=("$word"); fi
    done
    cur=${words[-1]}
    before=${cur%"${cur##*[:=]}"}
    while read -r line; do
        if [[ $line == :files ]]; then
            compopt -o filenames 2>/dev/null
            COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
            return
        fi
        line=${line%%$'\t'*}
        [[ -n $line ]] && COMPREPLY+=("${line#"$before"}")
    done < <(solovirt __complete -- "${words[@]}" 2>/dev/null)
}
complete -F _solovirt solovirt
"""

ZSH = r"""#compdef solovirt
_solovirt() {
    local line
    local -a found
    for line in "${(@f)$(solovirt __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        if [[ $line == :files ]]; then _files; return; fi
        if [[ $line == *$'\t'* ]]; then found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        elif [[ -n $line ]]; then found+=("${line//:/\\:}"); fi
    done
    _describe -V solovirt found
}
if [[ ${funcstack[1]} == _solovirt ]]; then _solovirt "$@"; else compdef _solovirt solovirt; fi
"""

FISH = r"""# fish completion for solovirt
function __solovirt
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found (solovirt __complete -- $words[2..-1] "$current" 2>/dev/null)
    if test "$found" = ":files"
        __fish_complete_path $current
    else
        printf '%s\n' $found
    end
end
complete -c solovirt -f -a '(__solovirt)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("shell", choices=tuple(SCRIPTS))


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    print(SCRIPTS[args.shell], end="")
    return 0
