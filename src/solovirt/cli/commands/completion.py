"""``completion bash|zsh|fish``: commands, options, kinds, and the names of objects as the server has them."""

from __future__ import annotations

import argparse

from solovirt.cli.context import Context

EPILOG = """install:
  bash    source <(solovirt completion bash)
  zsh     source <(solovirt completion zsh)
  fish    solovirt completion fish | source
"""

KIND_VERBS = "get describe delete edit wait"
VM_VERBS = "start stop restart pause unpause"
VMI_VERBS = "console logs exec agent"
KINDS = "vm vmi dv pvc secret configmap event namespace all"

BASH = """# bash completion for solovirt
_solovirt_names() {{ solovirt get "$1" -o name 2>/dev/null | cut -d/ -f2; }}
_solovirt_options() {{ solovirt "$1" --help 2>/dev/null | grep -oE -- '--?[a-zA-Z][a-z-]*'; }}
_solovirt() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} verb=${{COMP_WORDS[1]}} kind=${{COMP_WORDS[2]}} words=""
    if [ "$COMP_CWORD" -eq 1 ]; then words="{verbs}"
    elif [ "${{COMP_WORDS[COMP_CWORD-1]}}" = "-f" ]; then COMPREPLY=($(compgen -f -- "$cur")); return
    elif [ "${{cur:0:1}}" = "-" ]; then words="$(_solovirt_options "$verb")"
    else case " $verb " in
        {kind_cases}) if [ "$COMP_CWORD" -eq 2 ]; then words="{kinds}"; else words="$(_solovirt_names "$kind")"; fi ;;
        {vm_cases}) words="$(_solovirt_names vm)" ;;
        {vmi_cases}) words="$(_solovirt_names vmi)" ;;
        " image ") words="build pull import ls rm" ;;
        " daemon ") words="run status stop" ;;
        " completion ") words="bash zsh fish" ;;
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -F _solovirt solovirt
"""

ZSH = """#compdef solovirt
autoload -U +X bashcompinit && bashcompinit
{bash}"""

FISH = """# fish completion for solovirt
function __solovirt_names; solovirt get $argv[1] -o name 2>/dev/null | string replace -r '.*/' ''; end
complete -c solovirt -f
{commands}
complete -c solovirt -n '__fish_seen_subcommand_from {kind_verbs}' -a '{kinds}'
complete -c solovirt -n '__fish_seen_subcommand_from {vm_verbs}' -a '(__solovirt_names vm)'
complete -c solovirt -n '__fish_seen_subcommand_from {vmi_verbs}' -a '(__solovirt_names vmi)'
complete -c solovirt -n '__fish_seen_subcommand_from image' -a 'build pull import ls rm'
complete -c solovirt -n '__fish_seen_subcommand_from daemon' -a 'run status stop'
complete -c solovirt -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'
complete -c solovirt -n '__fish_seen_subcommand_from apply create delete explain' -s f -r -F
"""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    print(script(args.shell), end="")
    return 0


def script(shell: str) -> str:
    from solovirt.cli.main import COMMANDS

    if shell == "fish":
        commands = "\n".join(
            f"complete -c solovirt -n __fish_use_subcommand -a {verb} -d {quoted(summary)}"
            for verb, (_, summary) in COMMANDS.items()
        )
        return FISH.format(
            commands=commands, kind_verbs=KIND_VERBS, vm_verbs=VM_VERBS, vmi_verbs=VMI_VERBS, kinds=KINDS
        )
    bash = BASH.format(
        verbs=" ".join(COMMANDS),
        kinds=KINDS,
        kind_cases=_cases(KIND_VERBS),
        vm_cases=_cases(VM_VERBS),
        vmi_cases=_cases(VMI_VERBS),
    )
    return ZSH.format(bash=bash) if shell == "zsh" else bash


def _cases(verbs: str) -> str:
    return "|".join(f'" {verb} "' for verb in verbs.split())


def quoted(text: str) -> str:
    """A single-quoted word for fish."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
